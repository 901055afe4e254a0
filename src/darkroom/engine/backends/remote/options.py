"""Options: what a model's catalogue entry tells every upstream."""

from __future__ import annotations

from typing import Any

import msgspec

from darkroom import errors


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a catalogue entry tells every upstream: `[KEY.options.<upstream>]`.

    `model` is what the upstream calls it, by kind where kinds differ. `key` names the environment
    variable that holds the upstream's key, `cost` is what a result costs in US dollars where the
    upstream does not tell. A call that has not begun after `start_seconds_max` is taken back, if
    the upstream can, and given to the next backend. `extra` is added to what is sent.
    """

    model: str | dict[str, str] = ""
    address: str = ""
    key: str = ""
    cost: float | None = None
    start_seconds_max: float | None = None
    extra: dict[str, Any] = {}

    def model_of(self, kind: str) -> str:
        """What the upstream calls the model for this kind; raises `Hindered` for none."""
        name = self.model if isinstance(self.model, str) else self.model.get(kind, "")
        if not name:
            raise errors.Hindered(
                f"The catalogue does not say what the upstream's model for {kind} is called."
            )
        return name
