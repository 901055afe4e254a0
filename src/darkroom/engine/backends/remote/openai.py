"""OpenAI and whatever speaks its wire: Images and Chat answer at once, Videos are asked for.

Source: OpenAI's API reference, `images/generations`, `images/edits`, `videos` and
`chat/completions`. Its models take different parameters and refuse those that they do not know, so
that only what the options say is sent beside model, prompt and size.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import httpx
import msgspec
from msgspec.structs import replace

from darkroom import errors, media
from darkroom.engine.backends.contract import Call, Errand, Input, Output, Preview
from darkroom.engine.backends.remote import completions, core
from darkroom.engine.backends.remote.line import Line, Lost, read, sentence
from darkroom.engine.backends.remote.options import Options
from darkroom.engine.backends.remote.upstream import Result, Seen, Upstream

# A picture of high quality has been seen to take over two minutes.
_PICTURE_SECONDS_MAX = 600.0
# What OpenAI's own models take; others are asked for the size itself.
_SIZES = {
    "gpt-image-1": ("1024x1024", "1536x1024", "1024x1536"),
    "dall-e-3": ("1024x1024", "1792x1024", "1024x1792"),
    "dall-e-2": ("256x256", "512x512", "1024x1024"),
    "sora-2": ("1280x720", "720x1280"),
    "sora-2-pro": ("1280x720", "720x1280", "1792x1024", "1024x1792"),
}
_REFUSED = frozenset({"moderation_blocked", "content_policy_violation", "content_filter"})
_UNPAID = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_UNPAID_SECONDS = 60.0
# OpenAI's own states of a video, and what servers of its wire also say.
_WAITING = frozenset({"queued", "pending"})
_DONE = frozenset({"completed", "succeeded"})
_FAILED = frozenset({"failed", "canceled", "cancelled", "expired"})


class OpenAIOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a catalogue entry tells this upstream beside what it tells all.

    `sizes` are those that the model takes, the nearest is asked for. `takes` are fields that it
    knows beyond OpenAI's own. `tokens_field` is how it calls the most tokens of an answer: OpenAI's
    newer models know `max_completion_tokens` alone. `token_cost` is what a million tokens cost in
    US dollars.
    """

    sizes: tuple[str, ...] = ()
    takes: tuple[Literal["seed", "negative_prompt"], ...] = ()
    tokens_field: completions.TokensField = "max_tokens"
    token_cost: dict[Literal["text_input", "image_input", "output"], float] = msgspec.field(
        default_factory=dict
    )


class _Picture(msgspec.Struct):
    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str | None = None


class _InputTokens(msgspec.Struct):
    text_tokens: int = 0
    image_tokens: int = 0


class _Usage(msgspec.Struct):
    output_tokens: int
    input_tokens_details: _InputTokens


# What need not be there to have a result may have any shape.
class _Pictures(msgspec.Struct):
    data: list[_Picture]
    usage: Any = None


class _Video(msgspec.Struct):
    id: str
    status: str
    progress: Any = None
    error: Any = None


class OpenAI(Upstream):
    """Pictures from `/v1/images`, clips from `/v1/videos`, answers from `/v1/chat`."""

    name = "openai"
    kinds = frozenset(
        {"text-to-image", "image-to-image", "text-to-video", "image-to-video", "chat"}
    )
    options = OpenAIOptions
    address = "https://api.openai.com"
    variable = "OPENAI_API_KEY"
    # Nothing in its reference says that a key is looked at.
    is_idempotent = False
    is_cancel_billed = None

    def run(
        self, given: Input, options: Mapping[str, Any], errand: Errand
    ) -> AsyncIterator[float | Preview | Output]:
        return core.run(self, given, options, errand)

    def headers(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    async def submit(self, given: Input, line: Line, call: Call) -> str | Seen:
        if given.kind == "chat":
            return await _chat(self.name, given, line)
        fields = _fields(given, line)
        if given.kind.endswith("video"):
            fields["seconds"] = str(given.fields["duration"])
            pictures = given.files.get("image", ())
            sent = _parts(fields) + await asyncio.to_thread(_files, "input_reference", pictures)
            return read(await line.send("POST", at(line, "/videos"), files=sent), _Video).id
        try:
            answer = await _pictures(fields, given, line)
        except errors.ContentBlocked as error:
            # What was made before it was refused may cost something; the reference does not say.
            return Seen(error=error, is_billed=None)
        return _seen(read(answer, _Pictures), line)

    async def look(self, remote_id: str, line: Line) -> Seen:
        video = read(await line.send("GET", at(line, f"/videos/{remote_id}")), _Video)
        if video.status in _FAILED:
            said = f"{self.name}: {sentence(video.error) or f'the video is {video.status}.'}"
            code = video.error.get("code") if isinstance(video.error, dict) else None
            error = errors.ContentBlocked if code in _REFUSED else errors.BackendFailed
            return Seen(error=error(said), is_billed=None)
        if video.status not in _DONE:
            progress = video.progress if isinstance(video.progress, int | float) else 0.0
            return Seen(is_begun=video.status not in _WAITING, progress=progress / 100)
        return Seen(results=(Result(at(line, f"/videos/{remote_id}/content")),))

    async def cancel(self, remote_id: str, line: Line) -> bool:
        """There is no cancel; what is deleted is not finished."""
        answer = await line.send("DELETE", at(line, f"/videos/{remote_id}"))
        return isinstance(answer, dict) and answer.get("deleted") is True

    def explain(self, status: int, body: Any) -> errors.TaskError | None:
        fault = body.get("error") if isinstance(body, dict) else None
        if not isinstance(fault, dict):
            return None
        said = f"{self.name}: {fault.get('message')}"
        if fault.get("code") in _REFUSED:
            return errors.ContentBlocked(said)
        if fault.get("code") in _UNPAID or fault.get("type") in _UNPAID:
            return errors.Hindered(said, retry_after_seconds=_UNPAID_SECONDS)
        return None


def at(line: Line, path: str) -> str:
    """The address of a path: an upstream's own may have a path, and then says its version too."""
    return line.address + (path if httpx.URL(line.address).path.strip("/") else f"/v1{path}")


async def _chat(name: str, given: Input, line: Line) -> Seen:
    told = line.options
    assert isinstance(told, OpenAIOptions)
    body = completions.request(given, told.model_of(given.kind), told.tokens_field) | told.extra
    answer = await line.send(
        "POST", at(line, "/chat/completions"), json=body, seconds_max=completions.SECONDS_MAX
    )
    seen, used = completions.seen(answer, name)
    return replace(seen, cost_micro=chat_cost_micro(used, told))


def chat_cost_micro(used: completions.Usage | None, told: OpenAIOptions) -> int | None:
    """What the tokens of a chat cost, in millionths of a US dollar; None where nobody says."""
    if used is None or not told.token_cost:
        return None
    return _sum_micro({"text_input": used.prompt_tokens, "output": used.completion_tokens}, told)


def _fields(given: Input, line: Line) -> dict[str, Any]:
    """What every request sends; what the options add wins."""
    told = line.options
    assert isinstance(told, OpenAIOptions)
    model = told.model_of(given.kind)
    fields = {"model": model, "prompt": given.fields["prompt"], "size": _size(model, told, given)}
    if "seed" in told.takes:
        fields["seed"] = line.errand.seed
    if "negative_prompt" in told.takes and given.fields.get("negative_prompt"):
        fields["negative_prompt"] = given.fields["negative_prompt"]
    return fields | told.extra


def _size(model: str, options: OpenAIOptions, given: Input) -> str:
    """Of the sizes that the model takes the one nearest in shape, then in pixels."""
    width, height = given.fields["width"], given.fields["height"]

    def distance(size: str) -> tuple[float, float]:
        x, y = map(int, size.split("x"))
        shape = abs(math.log(x * height / (y * width)))
        return round(shape, 2), abs(math.log(x * y / (width * height)))

    sizes = options.sizes or _SIZES.get(model.removesuffix("-mini"), ())
    return min(sizes, key=distance, default=f"{width}x{height}")


async def _pictures(fields: Mapping[str, Any], given: Input, line: Line) -> Any:
    pictures = given.files.get("images", ())
    if not pictures:
        return await line.send(
            "POST",
            at(line, "/images/generations"),
            json={**fields, "n": 1},
            seconds_max=_PICTURE_SECONDS_MAX,
        )
    name = "image" if len(pictures) == 1 else "image[]"
    sent = _parts({**fields, "n": 1}) + await asyncio.to_thread(_files, name, pictures)
    address = at(line, "/images/edits")
    return await line.send("POST", address, files=sent, seconds_max=_PICTURE_SECONDS_MAX)


def _parts(fields: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Fields as parts of a form: some servers read no other body."""
    return [
        (name, (None, value if isinstance(value, str) else msgspec.json.encode(value)))
        for name, value in fields.items()
    ]


def _files(name: str, paths: Sequence[Path]) -> list[tuple[str, Any]]:
    parts = []
    for path in paths:
        content = path.read_bytes()
        media_type = media.sniff(content[: media.SNIFF_BYTES]) or ""
        file_name = f"{path.stem}.{media.EXTENSIONS[media_type]}"
        parts.append((name, (file_name, content, media_type)))
    return parts


def _seen(answer: _Pictures, line: Line) -> Seen:
    if not answer.data or not (answer.data[0].b64_json or answer.data[0].url):
        raise Lost
    first = answer.data[0]
    notes = {"revised_prompt": first.revised_prompt} if first.revised_prompt else {}
    result = Result(first.url or "", _decoded(first.b64_json), notes=notes)
    return Seen(results=(result,), cost_micro=_cost_micro(answer.usage, line.options))


def _decoded(text: str | None) -> bytes:
    try:
        return base64.b64decode(text or "", validate=True)
    except binascii.Error as exc:
        raise Lost from exc


def _cost_micro(usage: Any, options: Options) -> int | None:
    """Dollars a million tokens are millionths of a dollar a token."""
    assert isinstance(options, OpenAIOptions)
    try:
        used = msgspec.convert(usage, _Usage)
    except msgspec.ValidationError:
        return None
    if not options.token_cost:
        return None
    tokens = {
        "text_input": used.input_tokens_details.text_tokens,
        "image_input": used.input_tokens_details.image_tokens,
        "output": used.output_tokens,
    }
    return _sum_micro(tokens, options)


def _sum_micro(tokens: Mapping[str, int], options: OpenAIOptions) -> int:
    return round(sum(tokens.get(name, 0) * cost for name, cost in options.token_cost.items()))
