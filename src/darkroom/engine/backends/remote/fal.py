"""fal: its queue, where every model has an address of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

from darkroom import errors
from darkroom.engine.backends.contract import Call, Errand, Input, Output, Preview
from darkroom.engine.backends.remote import answers, core, descriptions, inputs
from darkroom.engine.backends.remote.fitting import fit
from darkroom.engine.backends.remote.line import Line, sentence
from darkroom.engine.backends.remote.options import Options
from darkroom.engine.backends.remote.upstream import Result, Seen

# Where every model's input is described, without a key.
_DESCRIBED = "/api/openapi/queue/openapi.json"
_SITE = "https://fal.ai"
_RESULTS = ("images", "image", "videos", "video")


class Fal:
    """fal.ai: `docs.fal.ai/model-apis/model-endpoints/queue` and `docs.fal.ai/errors`.

    A call is known by the address of its response, from which its own client derives the others.
    """

    name: ClassVar[str] = "fal"
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
    options: ClassVar[type[Options]] = Options
    address: ClassVar[str] = "https://queue.fal.run"
    variable: ClassVar[str] = "FAL_KEY"
    is_idempotent: ClassVar[bool] = False
    # What surely stops has not begun.
    is_cancel_billed: ClassVar[bool | None] = False

    def __init__(self) -> None:
        self._known = descriptions.Known()

    def run(
        self, given: Input, options: Mapping[str, Any], errand: Errand
    ) -> AsyncIterator[float | Preview | Output]:
        """Yield the progress and the results of a task."""
        return core.run(self, given, options, errand)

    def headers(self, key: str) -> dict[str, str]:
        """The headers that prove who asks."""
        return {"Authorization": f"Key {key}"}

    async def submit(self, given: Input, line: Line, call: Call) -> str:
        """Put the task into the model's queue."""
        model = line.options.model_of(given.kind).strip("/")

        async def ask() -> descriptions.Fields:
            site = line.address if line.options.address else _SITE
            document = await descriptions.ask(
                line, "GET", f"{site}{_DESCRIBED}", params={"endpoint_id": model}
            )
            return descriptions.of_path(document, f"/{model}")

        takes = await self._known.get(model, ask)
        pictures = await asyncio.to_thread(inputs.pictures, given)
        shown = [one.data_address for one in pictures]
        body = fit(given, line.errand.seed, shown, takes, line.options.extra)
        seconds = line.options.start_seconds_max
        headers = {"X-Fal-Request-Timeout": f"{max(seconds, 1.1):g}"} if seconds else {}
        answer = await line.send("POST", f"/{model}", json=body, headers=headers)
        return answers.taken_at(answer, "response_url", line.address)

    async def look(self, remote_id: str, line: Line) -> Seen:
        """How far a call is; whether it ended well is the response's to say."""
        status = answers.document(await line.send("GET", f"{remote_id}/status"), self.name)
        if status.get("status") != "COMPLETED":
            return Seen(is_begun=status.get("status") == "IN_PROGRESS")
        try:
            body = answers.document(await line.send("GET", remote_id), self.name)
        except errors.TaskError as error:
            if isinstance(error, errors.Hindered) and not status.get("error"):
                raise
            # Server errors are never charged, the others where a runner had begun.
            is_fault = isinstance(error, errors.Hindered | errors.BackendFailed)
            return Seen(error=error, is_billed=False if is_fault else None)
        hides = body.get("has_nsfw_concepts")
        if isinstance(hides, list) and any(hides):
            # The picture is there, and black.
            hidden = errors.ContentBlocked("fal's safety checker hid the picture.")
            return Seen(error=hidden, is_billed=True)
        found = [one for name in _RESULTS for one in _addresses(body.get(name))]
        if not found:
            return Seen(error=errors.BackendFailed("No result came from fal."), is_billed=None)
        return Seen(progress=1, results=tuple(Result(address) for address in found))

    async def cancel(self, remote_id: str, line: Line) -> bool:
        """Take a call back: out of the queue for sure, while it runs by asking the model."""
        status = answers.document(await line.send("GET", f"{remote_id}/status"), self.name)
        answer = answers.document(await line.send("PUT", f"{remote_id}/cancel"), self.name)
        is_taken = answer.get("status") == "CANCELLATION_REQUESTED"
        return is_taken and status.get("status") == "IN_QUEUE"

    def explain(self, status: int, body: Any) -> errors.TaskError | None:
        """What a model's own refusal means: a list of faults, each with its type."""
        faults = body.get("detail") if isinstance(body, dict) else body
        if not isinstance(faults, list):
            return None
        types = {one.get("type") for one in faults if isinstance(one, dict)}
        if "content_policy_violation" in types:
            return errors.ContentBlocked(f"fal refuses what was asked for: {sentence(faults)}")
        if status >= 500:
            return errors.BackendFailed(f"fal's model failed: {sentence(faults)}")
        return None


def _addresses(files: Any) -> list[str]:
    """The addresses of a file, or of several: each an object with a `url`."""
    several = files if isinstance(files, list) else [files]
    return [
        one["url"]
        for one in several
        if isinstance(one, dict) and isinstance(one.get("url"), str) and one["url"]
    ]
