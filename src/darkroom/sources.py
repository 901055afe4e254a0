"""Sources of settings: flags, variables and the file, and how their texts are read."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from darkroom import errors

# Words that people use for a switch, beside true, false, 1 and 0.
_SWITCH = {"on": "true", "yes": "true", "off": "false", "no": "false"}


def given(
    names: Sequence[str], flags: Mapping[str, Any], environment: Mapping[str, str]
) -> dict[str, tuple[Any, str]]:
    """What is set at all, each with its value as it was written and where."""
    path = Path(environment.get("DARKROOM_CONFIG", "darkroom.toml"))
    found = {
        name: (value, str(path)) for name, value in _from_file(path, names, environment).items()
    }
    for name in names:
        if text := environment.get(variable := f"DARKROOM_{name.upper()}"):
            found[name] = (_READERS.get(name, str)(text), variable)
    for name, value in flags.items():
        if value is not None:
            read = _READERS.get(name, str) if isinstance(value, str) else lambda one: one
            found[name] = (read(value), f"--{name.replace('_', '-')}")
    return found


def _from_file(
    path: Path, names: Sequence[str], environment: Mapping[str, str]
) -> Mapping[str, Any]:
    if not path.is_file():
        if "DARKROOM_CONFIG" in environment:
            raise errors.ConfigInvalid(f"DARKROOM_CONFIG names {path}, which is no file.")
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise errors.ConfigInvalid(f"{path} is not valid TOML: {exc}") from exc
    for name in values:
        if name not in names:
            raise errors.ConfigInvalid(f"{path}: there is no setting {name}.")
    return values


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _switch(text: str) -> str:
    return _SWITCH.get(text.lower(), text)


# How a text is read where it is more than a text or a number.
_READERS: Mapping[str, Callable[[str], Any]] = {
    "trusted_proxies": _items,
    "outbound_allow": _items,
    "models": _items,
    "gpus": _items,
    "sandbox": _switch,
    "test_checkout": _switch,
    "webhook_http": _switch,
}
