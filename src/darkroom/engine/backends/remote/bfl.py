"""Black Forest Labs: the makers of FLUX."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qs, urldefrag

from darkroom import errors
from darkroom.engine.backends.contract import Call, Errand, Input, Output, Preview
from darkroom.engine.backends.remote import answers, core, descriptions, inputs
from darkroom.engine.backends.remote.fitting import fit
from darkroom.engine.backends.remote.line import Line, sentence
from darkroom.engine.backends.remote.options import Options
from darkroom.engine.backends.remote.upstream import Result, Seen

# A credit is a cent.
_CREDIT_MICRO = 10_000
# No picture costs as much.
_CREDITS_MAX = 1_000_000


class BlackForestLabs:
    """Black Forest Labs: `docs.bfl.ai/api_integration` and `api.bfl.ai/openapi.json`.

    A call is known by the polling address that the answer names, since each region has its own. The
    price is told once, with it, so it is kept in that address's fragment, which is never sent.
    """

    name: ClassVar[str] = "bfl"
    kinds: ClassVar[frozenset[str]] = frozenset({"text-to-image", "image-to-image", "image-expand"})
    options: ClassVar[type[Options]] = Options
    address: ClassVar[str] = "https://api.bfl.ai"
    variable: ClassVar[str] = "BFL_API_KEY"
    is_idempotent: ClassVar[bool] = False
    # Nothing can be taken back.
    is_cancel_billed: ClassVar[bool | None] = None

    def __init__(self) -> None:
        self._known = descriptions.Known()

    def run(
        self, given: Input, options: Mapping[str, Any], errand: Errand
    ) -> AsyncIterator[float | Preview | Output]:
        """Yield the progress and the results of a task."""
        return core.run(self, given, options, errand)

    def headers(self, key: str) -> dict[str, str]:
        """The headers that prove who asks."""
        return {"x-key": key}

    async def submit(self, given: Input, line: Line, call: Call) -> str:
        """Send the task."""
        path = f"/v1/{line.options.model_of(given.kind).strip('/')}"

        async def ask() -> descriptions.Fields:
            document = await descriptions.ask(line, "GET", "/openapi.json")
            return descriptions.of_path(document, path)

        takes = await self._known.get(path, ask)
        pictures = await asyncio.to_thread(inputs.pictures, given)
        shown = [one.base64 for one in pictures]
        body = fit(given, line.errand.seed, shown, takes, line.options.extra)
        answer = await line.send("POST", path, json=body)
        address = answers.taken_at(answer, "polling_url", line.address)
        cost = answer.get("cost")
        is_told = isinstance(cost, int | float) and 0 <= cost < _CREDITS_MAX
        return f"{address}#cost={cost}" if is_told else address

    async def look(self, remote_id: str, line: Line) -> Seen:
        """How far a call is."""
        address, fragment = urldefrag(remote_id)
        seen = answers.document(await line.send("GET", address), self.name)
        state, progress = seen.get("status"), seen.get("progress")
        if state == "Ready":
            found = answers.addresses(answers.within(seen, "result", "sample"))
            if found:
                results = tuple(Result(address) for address in found)
                return Seen(progress=1, results=results, cost_micro=_cost_micro(fragment))
            return Seen(error=errors.BackendFailed("No picture came."), is_billed=None)
        if state in ("Request Moderated", "Content Moderated"):
            said = f"Black Forest Labs refuses what was asked for: {state}."
            return Seen(error=errors.ContentBlocked(said), is_billed=False)
        if state in ("Error", "Failed"):
            said = sentence(seen.get("details")) or "no reason was told"
            error = errors.BackendFailed(f"Black Forest Labs failed: {said}")
            return Seen(error=error, is_billed=False)
        if state == "Task not found":
            raise errors.Hindered("Black Forest Labs does not know the task, or not any more.")
        return Seen(progress=float(progress) if isinstance(progress, int | float) else 0.0)

    async def cancel(self, remote_id: str, line: Line) -> bool:
        """There is no way to."""
        return False

    def explain(self, status: int, body: Any) -> errors.TaskError | None:
        """A refusal at once may be the content policy's."""
        if isinstance(body, dict) and body.get("status") == "Request Moderated":
            return errors.ContentBlocked("Black Forest Labs refuses what was asked for.")
        return None


def _cost_micro(fragment: str) -> int | None:
    cost = parse_qs(fragment).get("cost")
    return round(float(cost[0]) * _CREDIT_MICRO) if cost else None
