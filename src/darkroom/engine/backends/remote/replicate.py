"""Replicate: predictions of a model, or of a version of one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

from darkroom import errors
from darkroom.engine.backends.contract import Call, Errand, Input, Output, Preview
from darkroom.engine.backends.remote import answers, core, descriptions, inputs
from darkroom.engine.backends.remote.fitting import fit
from darkroom.engine.backends.remote.line import Line
from darkroom.engine.backends.remote.options import Options
from darkroom.engine.backends.remote.upstream import Result, Seen

# Larger pictures are uploaded first.
_DATA_BYTES_MAX = 256_000
# What models' errors say when a safety checker spoke.
_BLOCKED = ("(E005)", "flagged as sensitive", "nsfw")


class ReplicateOptions(Options, frozen=True, kw_only=True):
    """`cancel_after` is how long a prediction may take from its start to its end, such as "5m"."""

    cancel_after: str = ""


class Replicate:
    """Replicate: `replicate.com/docs/reference/http` and `…/topics/predictions/lifecycle`.

    A model is called `owner/name`, or `owner/name:version`. `Prefer: wait` is never sent: an answer
    that comes at once is the one least likely to be lost.
    """

    name: ClassVar[str] = "replicate"
    kinds: ClassVar[frozenset[str]] = frozenset(
        {
            "text-to-image",
            "image-to-image",
            "text-to-video",
            "image-to-video",
            "image-upscale",
            "image-bg-remove",
            "image-repair",
            "image-expand",
        }
    )
    options: ClassVar[type[Options]] = ReplicateOptions
    address: ClassVar[str] = "https://api.replicate.com"
    variable: ClassVar[str] = "REPLICATE_API_TOKEN"
    is_idempotent: ClassVar[bool] = False
    is_cancel_billed: ClassVar[bool | None] = True

    def __init__(self) -> None:
        self._known = descriptions.Known()

    def run(
        self, given: Input, options: Mapping[str, Any], errand: Errand
    ) -> AsyncIterator[float | Preview | Output]:
        """Yield the progress and the results of a task."""
        return core.run(self, given, options, errand)

    def headers(self, key: str) -> dict[str, str]:
        """The headers that prove who asks."""
        return {"Authorization": f"Bearer {key}"}

    async def submit(self, given: Input, line: Line, call: Call) -> str:
        """Create a prediction."""
        assert isinstance(line.options, ReplicateOptions)
        name, _, version = line.options.model_of(given.kind).partition(":")

        async def ask() -> descriptions.Fields:
            path = f"/v1/models/{name}" + (f"/versions/{version}" if version else "")
            answer = await descriptions.ask(line, "GET", path)
            described = answer if version else answer.get("latest_version")
            document = answers.within(described, "openapi_schema") or {}
            schema = answers.within(document, "components", "schemas", "Input") or {}
            return descriptions.of_schema(schema, document)

        takes = await self._known.get(f"{name}:{version}", ask)
        pictures = await asyncio.to_thread(inputs.pictures, given)
        shown = [await _address(one, line) for one in pictures]
        body: dict[str, Any] = {
            "input": fit(given, line.errand.seed, shown, takes, line.options.extra)
        }
        path = f"/v1/models/{name}/predictions"
        if version:
            path, body["version"] = "/v1/predictions", version
        after = line.options.cancel_after
        headers = {"Cancel-After": after} if after else {}
        answer = await line.send("POST", path, json=body, headers=headers)
        return answers.taken(answer, "id")

    async def look(self, remote_id: str, line: Line) -> Seen:
        """How far a prediction is; its model's log tells the progress."""
        seen = answers.document(await line.send("GET", _path(remote_id)), self.name)
        state, said = seen.get("status"), str(seen.get("error") or "")
        if state == "succeeded":
            found = answers.addresses(seen.get("output"))
            if found:
                return Seen(progress=1, results=tuple(Result(address) for address in found))
            return Seen(error=errors.BackendFailed("No result came."), is_billed=None)
        if state == "failed":
            return Seen(error=_failure(said), is_billed=None)
        if state == "aborted":
            return Seen(error=errors.Hindered("Replicate did not begin in time."), is_billed=False)
        if state == "canceled":
            late = errors.TimedOut("Replicate canceled the task: it took too long.")
            return Seen(error=late, is_billed=True)
        return Seen(
            is_begun=state == "processing", progress=answers.percent(str(seen.get("logs") or ""))
        )

    async def cancel(self, remote_id: str, line: Line) -> bool:
        """Cancel a prediction; the answer says whether it stopped."""
        answer = await line.send("POST", f"{_path(remote_id)}/cancel")
        return answers.document(answer, self.name).get("status") in ("canceled", "aborted")

    def explain(self, status: int, body: Any) -> errors.TaskError | None:
        """A refusal's status says all."""
        return None


def _path(remote_id: str) -> str:
    return f"/v1/predictions/{remote_id}"


async def _address(picture: inputs.Picture, line: Line) -> str:
    """A picture's address: in itself, or of its upload, which is kept for a day."""
    if len(picture.data) <= _DATA_BYTES_MAX:
        return picture.data_address
    content = (picture.name, picture.data, picture.media_type)
    answer = await descriptions.ask(line, "POST", "/v1/files", files={"content": content})
    address = answers.within(answer, "urls", "get")
    if not isinstance(address, str):
        raise errors.Hindered("Replicate did not say where it keeps the picture.")
    return address


def _failure(said: str) -> errors.TaskError:
    if any(word.lower() in said.lower() for word in _BLOCKED):
        return errors.ContentBlocked(f"Replicate's model refuses what was asked for: {said[:300]}")
    return errors.BackendFailed(f"Replicate's model failed: {said[:300]}")
