"""Stability: its pictures, made while one waits or, some of them, asked for later."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

from darkroom import errors
from darkroom.engine.backends.contract import Call, Errand, Input, Output, Preview
from darkroom.engine.backends.remote import answers, core, inputs
from darkroom.engine.backends.remote.fitting import nearest_ratio
from darkroom.engine.backends.remote.line import Line, Lost, sentence
from darkroom.engine.backends.remote.options import Options
from darkroom.engine.backends.remote.upstream import Result, Seen

_ROOT = "/v2beta/stable-image"
_SD3 = "generate/sd3"
# What each endpoint takes of ours; every model that is none of these is one of the sd3 endpoint's.
_TAKES = {
    "generate/core": {"prompt", "negative_prompt", "aspect_ratio", "seed"},
    "generate/ultra": {"prompt", "negative_prompt", "aspect_ratio", "seed", "strength"},
    _SD3: {"prompt", "negative_prompt", "aspect_ratio", "seed", "strength", "mode", "model"},
    "upscale/fast": set[str](),
    "upscale/conservative": {"seed"},
    "upscale/creative": {"seed"},
    "edit/remove-background": set[str](),
    "edit/outpaint": {"seed", "left", "right", "up", "down"},
}
_RATIOS = ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")
# How far a picture may go from the one it is made from, 0 to 1; these endpoints want to be told.
_STRENGTH = 0.65
_MAKE_SECONDS_MAX = 180.0
_LOOK_SECONDS = 10.0


class Stability:
    """Stability AI: `platform.stability.ai/docs/api-reference`, v2beta.

    A model is called as its endpoint: core, ultra, fast, conservative, creative, remove-background,
    outpaint; or as one of the sd3 endpoint's, such as sd3.5-large. Pictures come in base64.
    """

    name: ClassVar[str] = "stability"
    kinds: ClassVar[frozenset[str]] = frozenset(
        {"text-to-image", "image-to-image", "image-upscale", "image-bg-remove", "image-expand"}
    )
    options: ClassVar[type[Options]] = Options
    address: ClassVar[str] = "https://api.stability.ai"
    variable: ClassVar[str] = "STABILITY_API_KEY"
    is_idempotent: ClassVar[bool] = False
    # Nothing can be taken back.
    is_cancel_billed: ClassVar[bool | None] = None

    def __init__(self, look_seconds: float = _LOOK_SECONDS) -> None:
        # Who looks more often may be refused: until when a look need not be taken, by id.
        self._look_seconds = look_seconds
        self._waits_until: dict[str, float] = {}

    def run(
        self, given: Input, options: Mapping[str, Any], errand: Errand
    ) -> AsyncIterator[float | Preview | Output]:
        """Yield the progress and the results of a task."""
        return core.run(self, given, options, errand)

    def headers(self, key: str) -> dict[str, str]:
        """The headers that prove who asks."""
        return {"Authorization": f"Bearer {key}", "Accept": "application/json"}

    async def submit(self, given: Input, line: Line, call: Call) -> str | Seen:
        """Have the picture made: it is the answer, or what it will be asked for by."""
        model = line.options.model_of(given.kind)
        endpoint = next((one for one in _TAKES if one.endswith(f"/{model}")), _SD3)
        pictures = await asyncio.to_thread(inputs.pictures, given)
        if len(pictures) > 1:
            raise errors.BadInput("Stability takes one picture.")
        fields = _fields(given, model, line.errand.seed)
        sent = {name: value for name, value in fields.items() if name in _TAKES[endpoint]}
        if pictures:
            sent.pop("aspect_ratio", None)
        parts: dict[str, Any] = {
            name: (None, str(value)) for name, value in (sent | line.options.extra).items()
        }
        for one in pictures:
            parts["image"] = (one.name, one.data, one.media_type)
        answer = await line.send(
            "POST", f"{_ROOT}/{endpoint}", files=parts, seconds_max=_MAKE_SECONDS_MAX
        )
        return _made(answer) or answers.taken(answer, "id")

    async def look(self, remote_id: str, line: Line) -> Seen:
        """Whether the picture is made."""
        now = time.monotonic()
        if now < self._waits_until.get(remote_id, 0.0):
            return Seen()
        # Those whose time has come are forgotten, so that no more are kept than are under way.
        self._waits_until = {one: at for one, at in self._waits_until.items() if at > now}
        self._waits_until[remote_id] = now + self._look_seconds
        answer = answers.document(await line.send("GET", f"/v2beta/results/{remote_id}"), self.name)
        return _made(answer) or Seen()

    async def cancel(self, remote_id: str, line: Line) -> bool:
        """There is no way to."""
        return False

    def explain(self, status: int, body: Any) -> errors.TaskError | None:
        """A 403 is the key's, or the content policy's."""
        if isinstance(body, dict) and body.get("name") == "content_moderation":
            said = sentence(body.get("errors"))
            return errors.ContentBlocked(f"Stability refuses what was asked for: {said}")
        return None


def _fields(given: Input, model: str, seed: int) -> dict[str, Any]:
    """Everything that we have for any endpoint."""
    fields: dict[str, Any] = {"seed": seed, "model": model}
    for name in ("prompt", "negative_prompt"):
        if given.fields.get(name):
            fields[name] = given.fields[name]
    if "width" in given.fields:
        width, height = given.fields["width"], given.fields["height"]
        fields["aspect_ratio"] = nearest_ratio(width, height, _RATIOS)
    if given.kind == "image-to-image":
        fields |= {"strength": _STRENGTH, "mode": "image-to-image"}
    if given.kind == "image-expand":
        sides = inputs.margins(given.fields)
        fields |= {"left": sides["left"], "right": sides["right"]}
        fields |= {"up": sides["top"], "down": sides["bottom"]}
    return fields


def _made(answer: Any) -> Seen | None:
    """The end that an answer tells; None where the picture is still being made."""
    if not isinstance(answer, dict):
        raise Lost
    picture = answer.get("image") or answer.get("result")
    if not isinstance(picture, str):
        return None
    if answer.get("finish_reason") == "CONTENT_FILTERED":
        # The picture is there, and blurred.
        blurred = errors.ContentBlocked("Stability's content filter blurred the picture.")
        return Seen(error=blurred, is_billed=None)
    try:
        result = Result(data=base64.b64decode(picture, validate=True))
    except binascii.Error:
        broken = errors.BackendFailed("Stability's picture is no base64.")
        return Seen(error=broken, is_billed=None)
    return Seen(progress=1, results=(result,))
