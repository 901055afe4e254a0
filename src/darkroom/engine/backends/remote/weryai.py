"""The WeryAI API as its clients know it, at WeryAI or at another Darkroom.

Source: docs.weryai.com and what published clients read. Fields pass through as they came; both
spellings of statuses and both families of codes are understood.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import msgspec.structs

from darkroom import errors, media
from darkroom.domain.kinds.kind import Kind, Submit
from darkroom.domain.kinds.table import KINDS, defaults
from darkroom.engine.backends.contract import Call, Errand, Input, Output, Preview
from darkroom.engine.backends.remote import core
from darkroom.engine.backends.remote.line import Line, Lost, sentence
from darkroom.engine.backends.remote.options import Options
from darkroom.engine.backends.remote.upstream import Result, Seen, Upstream

_DONE = frozenset({"success", "succeed", "succeeded", "completed", "complete"})
_FAILED = frozenset({"failed", "fail", "error", "canceled"})
_WAITING = frozenset({"waiting", "pending"})
# Codes, and the seconds after which a request may do better.
_LATER = {1001: 5.0, 6002: 5.0, 1007: 10.0, 6010: 10.0, 1004: 60.0, 1011: 60.0, 6003: 60.0}
_LATER |= {1015: 300.0, 6101: 300.0}
_BAD_INPUT = frozenset({1014, 1102, 2004})
_CONFLICT = 1012
# Codes of tasks that failed although another attempt may end better.
_HINDRANCES = frozenset({6001, 6002, 6003, 6007, 6010})
# Words by which clients of this wire know a refusal of content.
_SENSITIVE = ("sensitive", "敏感", "content flagged", "content policy", "safety")
# Where results stand, and what is told in words.
_RESULTS = ("images", "videos", "audios")
_TOLD = ("prompt", "speech_text", "lyrics")
_ADDRESSES = ("url", "image_url", "video_url", "audio_url")
# Fields of a submit that are this server's own business, or one task's.
_OWN = {one.name for one in msgspec.structs.fields(Submit)} | {"model"}
# Pictures together that a Darkroom takes within a request.
_INLINE_BYTES_MAX = 20 * 2**20
# One kind is answered when it has ended.
_SUBMIT_SECONDS_MAX = 120.0
# Looks at a task that was told to stop.
_STOP_LOOKS_MAX = 6
_STOP_SECONDS = 0.5


class WeryAIOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a catalogue entry tells this upstream beside what it tells all.

    `credit_cost` is what a credit costs in US dollars: the upstream tells credits, if anything.
    """

    credit_cost: float | None = None


class WeryAI(Upstream):
    """The original: it is not known to look at an idempotency key, and it has no cancel."""

    name = "weryai"
    # A podcast is spoken under the id of its script, by whoever wrote it.
    # A podcast is two tasks under one id; chat is another wire, which the upstream openai speaks.
    kinds = frozenset(name for name, kind in KINDS.items() if kind.built_in and not kind.stage)
    options = WeryAIOptions
    address = "https://api.weryai.com"
    variable = "WERYAI_API_KEY"
    is_idempotent = False
    is_cancel_billed: ClassVar[bool | None] = None
    # Whether a task that failed cost something; None: that is documented nowhere.
    is_failure_billed: ClassVar[bool | None] = None

    def run(
        self, given: Input, options: Mapping[str, Any], errand: Errand
    ) -> AsyncIterator[float | Preview | Output]:
        return core.run(self, given, options, errand)

    def headers(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    async def submit(self, given: Input, line: Line, call: Call) -> str | Seen:
        kind = KINDS[given.kind]
        body = {"model": line.options.model_of(kind.name), **_fields(kind, given)}
        body |= self._more(line) | await self._inputs(kind, given, line) | line.options.extra
        answer = await line.send(
            "POST",
            kind.route,
            json=body,
            headers={"Idempotency-Key": call.key},
            seconds_max=_SUBMIT_SECONDS_MAX,
        )
        data = self._data(answer)
        if kind.is_synchronous and data.get(kind.told[0]):
            return _done(data, line)
        if remote_id := next(iter(data.get("task_ids") or ()), None) or data.get("task_id"):
            return str(remote_id)
        raise Lost

    async def look(self, remote_id: str, line: Line) -> Seen:
        data = self._data(await line.send("GET", f"/v1/generation/{remote_id}/status"))
        status = _status(data)
        if status in _FAILED:
            return Seen(error=self._failure(data), is_billed=self.is_failure_billed)
        if status in _DONE:
            return _done(data, line)
        progress = data.get("progress")
        told = progress / 100 if isinstance(progress, int | float) else 0.0
        preview = self._preview(remote_id, data)
        return Seen(is_begun=status not in _WAITING, progress=told, preview=preview)

    async def cancel(self, remote_id: str, line: Line) -> bool:
        return False

    def explain(self, status: int, body: Any) -> errors.TaskError | None:
        return self._refusal(body) if isinstance(body, dict) and "status" in body else None

    def _preview(self, remote_id: str, data: Mapping[str, Any]) -> str:
        """The path of what a task looks like so far; the original shows nothing."""
        return ""

    def _more(self, line: Line) -> dict[str, Any]:
        """What a request says beyond the wire of the original."""
        return {}

    async def _inputs(self, kind: Kind, given: Input, line: Line) -> dict[str, Any]:
        """The input files by field, as addresses."""
        return {
            name: _as_asked(kind, name, [await _upload(path, line) for path in paths])
            for name, paths in given.files.items()
            if paths
        }

    def _data(self, answer: Any) -> dict[str, Any]:
        """What an envelope holds; raises what it refuses, and `Lost` for none."""
        if not isinstance(answer, dict) or "status" not in answer:
            raise Lost
        if answer["status"] not in (0, 200):
            raise self._refusal(answer)
        data = answer.get("data")
        data = data[0] if isinstance(data, list) and data else data
        if not isinstance(data, dict):
            raise Lost
        return data

    def _refusal(self, body: Mapping[str, Any]) -> errors.TaskError:
        """What a business code means; both families of them."""
        code, said = body["status"], sentence(body)
        told = f"{self.name}: {said or code}"
        if code == _CONFLICT:
            # The key is known, so that the request before was taken; its answer is what is missing.
            raise Lost
        if code in _LATER:
            return errors.Hindered(told, retry_after_seconds=_LATER[code])
        if code == 1005 or _is_content(code):
            return errors.ContentBlocked(told)
        is_of_key = code == 1002 and any(word in said.lower() for word in ("auth", "api key"))
        if code in _BAD_INPUT or (code == 1002 and not is_of_key):
            return errors.BadInput(told)
        return errors.Hindered(told)

    def _failure(self, data: Mapping[str, Any]) -> errors.TaskError:
        """Why a task failed: in codes at a Darkroom, in words at the original."""
        said, code = str(data.get("msg") or "The task failed."), data.get("error_code")
        told = f"{self.name}: {said}"
        if _is_content(code) or any(word in said.lower() for word in _SENSITIVE):
            return errors.ContentBlocked(told)
        if code == errors.BadInput.code:
            return errors.BadInput(told)
        if code in _HINDRANCES and self.is_failure_billed is False:
            return errors.Hindered(told)
        return errors.BackendFailed(told)


class Darkroom(WeryAI):
    """Another Darkroom: a key sent again finds the first task, and what fails costs nothing."""

    name = "darkroom"
    address = ""
    variable = "DARKROOM_UPSTREAM_KEY"
    is_idempotent = True
    is_cancel_billed = False
    is_failure_billed = False

    async def cancel(self, remote_id: str, line: Line) -> bool:
        """A task that runs there ends a moment later."""
        data = self._data(await line.send("POST", f"/v1/generation/{remote_id}/cancel"))
        for _ in range(_STOP_LOOKS_MAX):
            if _status(data) in _FAILED | _DONE:
                break
            await asyncio.sleep(_STOP_SECONDS)
            data = self._data(await line.send("GET", f"/v1/generation/{remote_id}/status"))
        return _status(data) in _FAILED

    def _preview(self, remote_id: str, data: Mapping[str, Any]) -> str:
        """It is where it is asked for, whatever address it calls its own."""
        named = urlsplit(str(data.get("preview_url") or ""))
        return f"/v1/generation/{remote_id}/preview?{named.query}" if named.path else ""

    def _more(self, line: Line) -> dict[str, Any]:
        return {"seed": line.errand.seed}

    async def _inputs(self, kind: Kind, given: Input, line: Line) -> dict[str, Any]:
        """Pictures go along in the request: one that is sent again must be the same."""
        every = [path for paths in given.files.values() for path in paths]
        sorts = {kind.files[name].sort for name, paths in given.files.items() if paths}
        if sorts - {"picture"} or sum(path.stat().st_size for path in every) > _INLINE_BYTES_MAX:
            return await super()._inputs(kind, given, line)
        return {
            name: _as_asked(kind, name, await asyncio.to_thread(_inline, paths))
            for name, paths in given.files.items()
            if paths
        }


def _fields(kind: Kind, given: Input) -> dict[str, Any]:
    """The kind's own fields, as they came; one task is one result."""
    names = {one.name for one in msgspec.structs.fields(kind.input)} - _OWN - {*kind.files}
    usual = defaults(kind.name)
    return {
        name: given.fields[name]
        for name in sorted(names - {kind.count_field})
        if name in given.fields and (name not in usual or given.fields[name] != usual[name])
    }


def _as_asked(kind: Kind, name: str, addresses: list[str]) -> str | list[str]:
    return addresses if kind.files[name].count_max > 1 else addresses[0]


async def _upload(path: Path, line: Line) -> str:
    """The address of a file sent up; nothing was asked for yet, so that nothing can be lost."""
    content = await asyncio.to_thread(path.read_bytes)
    media_type = media.sniff(content[: media.SNIFF_BYTES]) or ""
    part = (f"input.{media.EXTENSIONS[media_type]}", content, media_type)
    try:
        answer = await line.send("POST", "/v1/generation/upload-file", files={"file": part})
        return str(answer["data"]["object_url_list"][0])
    except (Lost, LookupError, TypeError) as exc:
        raise errors.Hindered(f"An input could not be sent up to {line.address}.") from exc


def _inline(paths: Sequence[Path]) -> list[str]:
    inlined = []
    for path in paths:
        content = path.read_bytes()
        media_type = media.sniff(content[: media.SNIFF_BYTES])
        inlined.append(f"data:{media_type};base64,{base64.b64encode(content).decode()}")
    return inlined


def _status(data: Mapping[str, Any]) -> str:
    return str(data.get("task_status") or data.get("taskStatus")).lower()


def _is_content(code: object) -> bool:
    return isinstance(code, int) and 2000 <= code < 3000 and code not in _BAD_INPUT


def _done(data: Mapping[str, Any], line: Line) -> Seen:
    """The results of a task, which are files, or words alone."""
    notes: dict[str, Any] = {name: data[name] for name in _TOLD if data.get(name)}
    words = "\n".join(str(one) for one in notes.values()).encode()
    if isinstance(data.get("notes"), dict):
        notes = data["notes"] | notes
    addresses = [_address(one) for name in _RESULTS for one in data.get(name) or ()]
    if data.get("audios") and data.get("cover_url"):
        addresses.append(data["cover_url"])
    results = [Result(address, notes=notes) for address in addresses if address]
    if not results and words:
        results = [Result(data=words, media_type="text/plain", notes=notes)]
    if not results:
        error = errors.BackendFailed("The upstream's task ended without a result.")
        return Seen(error=error, is_billed=None)
    return Seen(progress=1.0, results=tuple(results), cost_micro=_cost_micro(data, line.options))


def _address(one: Any) -> str:
    if isinstance(one, str):
        return one
    return next((str(one[name]) for name in _ADDRESSES if one.get(name)), "")


def _cost_micro(data: Mapping[str, Any], options: Options) -> int | None:
    """From thousandths of a credit to millionths of a dollar."""
    assert isinstance(options, WeryAIOptions)
    mill = data.get("cost_mill")
    if options.credit_cost is None or not isinstance(mill, int | float):
        return None
    return round(mill * options.credit_cost * 1000)
