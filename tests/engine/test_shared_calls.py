"""Several attempts share one child's call: what each hears of it, and when the child is free."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from probe_backend import MARKS

import probes
from darkroom import errors
from darkroom.config import Config
from darkroom.domain.leases import Claim
from darkroom.engine import protocol
from darkroom.engine.backends.contract import Canceled
from darkroom.engine.children import Children
from darkroom.engine.process import Process
from darkroom.engine.sharing import Seat, Shared


@dataclass
class Call:
    """A call of a real child, and what each of its seats has heard."""

    process: Process
    shared: Shared
    folder: Path
    # Set when nobody needs the child any more.
    freed: asyncio.Event
    heard: list[list[Any]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    runs: list[asyncio.Task[str]] = field(default_factory=list)

    def begin(self, *prompts: str) -> None:
        """Begin an attempt on each of the first seats."""
        for seat, prompt in zip(self.shared.seats, prompts, strict=False):
            heard: list[Any] = []
            self.heard.append(heard)
            self.runs.append(asyncio.create_task(self._run(seat, prompt, len(self.runs), heard)))

    async def _run(self, seat: Seat, prompt: str, number: int, heard: list[Any]) -> str:
        place = self.folder / f"task{number}-1"
        place.mkdir()
        fields = {"prompt": prompt, "width": 64, "height": 64}
        kind = "text-to-image"
        try:
            asked = protocol.Run("choir", "CHOIR", kind, fields, {}, str(place), number)
            async for told in seat.run(asked):
                heard.append(told)
                self.news.set()
        except (Canceled, errors.TaskError) as exc:
            return type(exc).__name__
        finally:
            seat.leave()
        return "made" if any(isinstance(one, protocol.Made) for one in heard) else "nothing"

    async def told(self) -> None:
        """Wait for the first progress, which is told of all at once."""
        await asyncio.wait_for(self.news.wait(), 60)

    async def ended(self) -> list[str]:
        """How each ended."""
        return await asyncio.gather(*self.runs)

    def notes(self, number: int) -> Any:
        [made] = [one for one in self.heard[number] if isinstance(one, protocol.Made)]
        return made.notes


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a story about one call with so many seats."""
    environment = probes.install(tmp_path)
    for name in ("PYTHONPATH", MARKS):
        monkeypatch.setenv(name, environment[name])

    def run(told: Callable[[Call], Awaitable[Any]], seats: int = 3) -> Any:
        async def whole() -> Any:
            process = await Process.start()
            freed = asyncio.Event()
            call = Call(process, Shared(process, seats, freed.set), tmp_path, freed)
            try:
                found = await told(call)
                if call.shared.is_begun:
                    await asyncio.wait_for(freed.wait(), 60)
                assert call.shared.is_over
                # Known once all is told; of what ran in parts or stopped it is not asked.
                assert not (call.shared.is_begun and call.shared.is_whole) or process.took
                return found
            finally:
                await call.shared.close()

        return asyncio.run(whole())

    return run


def test_all_are_made_in_one_call(story) -> None:
    async def told(call: Call) -> Any:
        call.begin("plain", "plain", "plain")
        assert await call.ended() == ["made"] * 3
        assert {seat.count for seat in call.shared.seats} == {3}
        assert call.shared.is_whole
        assert call.process.together == {"text-to-image": 4}
        return [call.notes(number)["together"] for number in range(3)]

    assert story(told) == [3] * 3


def test_it_begins_without_who_leaves_before(story) -> None:
    async def told(call: Call) -> Any:
        call.begin("plain", "plain")
        await asyncio.sleep(0)
        assert not call.shared.is_begun
        call.shared.seats[2].leave()
        assert await call.ended() == ["made"] * 2
        return call.notes(0)["together"]

    assert story(told) == 2


def test_whose_inputs_take_long_holds_up_no_other_and_has_a_call_after_theirs(story) -> None:
    async def told(call: Call) -> Any:
        seats = [*call.shared.seats]
        call.begin("plain", "plain")
        assert await call.ended() == ["made"] * 2
        await asyncio.wait_for(call.freed.wait(), 60)
        rest = call.shared.rest
        assert rest is seats[2].shared
        late = asyncio.create_task(call._run(seats[2], "plain", 2, call.heard[0]))
        await asyncio.sleep(0)
        assert not rest.is_begun, "the child was not its own yet"
        rest.follow()
        call.freed.clear()
        assert await late == "made"
        # Its end comes behind what it made.
        await asyncio.wait_for(call.freed.wait(), 60)
        assert rest.is_whole
        return [seat.count for seat in seats]

    assert story(told) == [2, 2, 1]


def test_the_child_is_free_again_when_the_last_of_them_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = probes.install(tmp_path)
    for name in ("PYTHONPATH", MARKS):
        monkeypatch.setenv(name, environment[name])

    async def idle(children: Children, freed: asyncio.Event) -> int:
        await asyncio.wait_for(freed.wait(), 60)
        idle = await children.start()
        freed.clear()
        return idle

    async def told() -> list[int]:
        freed = asyncio.Event()
        children = Children(Config(workers=1), freed.set)
        found = [await children.start()]
        usual = {"attempt": 1, "strikes": 0, "account_id": "a", "seed": 1, "price_mill": 1}
        usual |= {"size": 0, "kind": "text-to-image", "model": "CHOIR", "input": {}}
        claimed = [Claim(id=f"task{number}", **usual) for number in range(3)]
        first, _, late = children.lend("choir", claimed)
        assert isinstance(first, Seat)
        assert isinstance(late, Seat)
        call = Call(first.shared.process, first.shared, tmp_path, freed)
        call.begin("plain", "plain")
        assert await call.ended() == ["made"] * 2
        found.append(await idle(children, freed))
        assert await call._run(late, "plain", 2, []) == "made"
        found.append(await idle(children, freed))
        await children.close()
        return found

    assert asyncio.run(told()) == [1, 0, 1]


def test_when_all_leave_before_the_child_is_free_at_once(story) -> None:
    async def told(call: Call) -> Any:
        for seat in call.shared.seats:
            seat.cancel()
            seat.leave()
        return call.shared.is_begun

    assert story(told) is False


def test_who_is_canceled_ends_at_once_and_the_others_go_on(story) -> None:
    async def told(call: Call) -> Any:
        call.begin("slow", "slow", "slow")
        await call.told()
        call.shared.seats[1].cancel()
        assert await call.runs[1] == "Canceled"
        assert not call.runs[0].done()
        assert not call.shared.is_over
        (call.folder / "task1-1").rmdir()
        return await call.ended()

    assert story(told) == ["made", "Canceled", "made"]


def test_the_last_that_is_canceled_waits_for_the_child_which_stops(story) -> None:
    async def told(call: Call) -> Any:
        call.begin("slow", "slow", "slow")
        await call.told()
        for seat in call.shared.seats:
            seat.cancel()
        assert not call.shared.seats[2].has_ended
        ends = await call.ended()
        assert call.process.alive
        assert not call.shared.is_whole
        return ends

    assert story(told) == ["Canceled"] * 3


def test_a_refusal_is_told_of_one(story) -> None:
    async def told(call: Call) -> Any:
        call.begin("plain", "refuse", "plain")
        return await call.ended()

    assert story(told) == ["made", "BadInput", "made"]


def test_what_cannot_run_in_one_call_runs_one_by_one(story) -> None:
    async def told(call: Call) -> Any:
        call.begin("hog together", "plain", "refuse")
        ends = await call.ended()
        assert call.shared.is_apart
        assert not call.shared.is_whole
        assert "together" not in call.notes(0)
        return ends

    assert story(told) == ["made", "made", "BadInput"]


def test_a_child_that_dies_is_a_crash_of_each(story) -> None:
    async def told(call: Call) -> Any:
        call.begin("slow", "slow", "slow")
        await call.told()
        os.kill(call.process.pid, signal.SIGKILL)
        return await call.ended()

    assert story(told) == ["BackendCrashed"] * 3


def test_memory_that_runs_out_for_one_alone_costs_the_child_and_no_other(story) -> None:
    async def told(call: Call) -> Any:
        call.begin("hog together", "hog", "plain")
        ends = await call.ended()
        assert call.shared.is_full
        return ends

    assert story(told) == ["made", "OutOfMemory", "made"]


def test_one_who_is_done_does_not_end_the_child_for_the_others(story) -> None:
    async def told(call: Call) -> Any:
        call.begin("slow", "slow", "slow")
        await call.told()
        call.shared.seats[0].cancel()
        await call.shared.seats[0].kill()
        return await call.ended()

    assert story(told) == ["Canceled", "made", "made"]
