"""Errands: stopped, late, taken over or given up, a call's row says what became of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from desks import Desk, tell

from darkroom import errors
from darkroom.domain import leases
from darkroom.engine import sweep
from darkroom.engine.attempt import Attempt
from ground import wait_until
from openai_double import OpenAIWire
from weryai_double import WeryAIWire
from wire_double import KEY, Wire

NEVER = 10_000
CANCELED, TIMED_OUT, UNKNOWN = 6005, errors.TimedOut.code, errors.OutcomeUnknown.code


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_API_KEY", "WERYAI_API_KEY", "DARKROOM_UPSTREAM_KEY"):
        monkeypatch.setenv(variable, KEY)


@pytest.fixture
def ours() -> Iterator[WeryAIWire]:
    with WeryAIWire(honours_keys=True) as wire:
        yield wire


def _options(*wires: tuple[str, Wire], **more: Any) -> dict[str, dict[str, Any]]:
    return {name: {"model": "sora-2", "address": wire.url, **more} for name, wire in wires}


async def _until(condition: Callable[[], Any]) -> None:
    await asyncio.to_thread(wait_until, condition)


@asynccontextmanager
async def _running(desk: Desk, attempt: Attempt) -> AsyncIterator[None]:
    """The attempt runs meanwhile, and has ended afterwards."""
    task = asyncio.create_task(desk.run(attempt))
    yield
    await asyncio.wait_for(task, 30)


@pytest.mark.parametrize(
    ("name", "kind", "billed"),
    [("openai", "text-to-video", None), ("weryai", "text-to-image", None), ("darkroom", "", False)],
)
def test_a_cancel_reaches_who_was_asked_and_its_end_is_kept(
    ground, tmp_path, name, kind, billed
) -> None:
    wire = OpenAIWire(NEVER) if name == "openai" else WeryAIWire(looks=NEVER)

    async def story(desk: Desk) -> None:
        task_id = await desk.submit(kind or "text-to-image", duration=4)
        attempt = desk.attempt(await desk.claim())
        async with _running(desk, attempt):
            await _until(lambda: len(wire.requests) > 2)
            desk.behind("UPDATE tasks SET cancel_asked_at = now()")
            attempt.cancel()
        task = await desk.task(task_id)
        assert (task.status, task.error_code, task.charged_mill) == ("FAILED", CANCELED, 0)
        [call] = await desk.calls(task_id)
        # What WeryAI does not take back goes on; what a Darkroom stops is free.
        assert (call.state, call.is_billed) == ("canceled", billed)

    with wire:
        tell(ground, tmp_path, _options((name, wire)), story)
        told = wire.deleted if isinstance(wire, OpenAIWire) else wire.canceled
        assert len(told) == (name != "weryai")


def test_who_lost_the_lease_leaves_the_call_to_who_has_it(ground, tmp_path, ours) -> None:
    async def story(desk: Desk) -> None:
        ours.looks = NEVER
        task_id = await desk.submit()
        late = desk.attempt(await desk.claim())
        async with _running(desk, late):
            await _until(lambda: len(ours.requests) > 2)
            await desk.give_back(late.claimed)
            next_one = desk.attempt(await desk.claim())
            late.stop()
        assert ours.canceled == []
        ours.looks = 0
        await desk.run(next_one)
        [call] = await desk.calls(task_id)
        assert (call.state, call.attempt) == ("delivered", 2)
        assert ((await desk.task(task_id)).status, len(ours.billed)) == ("SUCCESS", 1)

    tell(ground, tmp_path, _options(("darkroom", ours)), story)


def test_a_call_that_does_not_begin_in_time_goes_to_the_next(ground, tmp_path) -> None:
    async def story(desk: Desk) -> None:
        task = await desk.made(kind="text-to-video", duration=4)
        assert (task.status, task.served_by) == ("SUCCESS", "darkroom")
        first, second = await desk.calls(task.id)
        assert (first.backend, first.state, first.is_billed) == ("openai", "canceled", False)
        assert (second.backend, second.state) == ("darkroom", "delivered")
        assert slow.deleted == [first.remote_id]

    with _Queueing() as slow, WeryAIWire(looks=0) as other:
        options = _options(("openai", slow), start_seconds_max=0.6) | _options(("darkroom", other))
        tell(ground, tmp_path, options, story)


class _Queueing(OpenAIWire):
    """Never begins what it has taken."""

    def _seen(self, name: str) -> dict[str, Any]:
        return super()._seen(name) | {"status": "queued"}


def test_a_task_that_takes_too_long_is_taken_back(ground, tmp_path, ours) -> None:
    async def story(desk: Desk) -> None:
        ours.looks = NEVER
        task_id = await desk.submit()
        await desk.run(desk.attempt(await desk.claim(), seconds_max=2))
        task = await desk.task(task_id)
        assert (task.status, task.error_code) == ("FAILED", TIMED_OUT)
        [call] = await desk.calls(task_id)
        assert (call.state, call.is_billed) == ("canceled", False)

    tell(ground, tmp_path, _options(("darkroom", ours)), story)


def test_a_task_that_ends_without_its_call_leaves_one_that_nobody_knows(
    ground, tmp_path, ours
) -> None:
    async def story(desk: Desk) -> None:
        ours.looks = NEVER
        task_id = await desk.submit()
        claimed = await desk.claim()
        running = asyncio.create_task(desk.attempt(claimed).run())
        await _until(lambda: len(ours.requests) > 1)
        running.cancel()
        await asyncio.wait([running])
        async with desk.database.transaction() as tx:
            assert await leases.fail(tx, claimed, errors.BackendFailed(), served_by="darkroom")
        await sweep.abandon_calls(desk.database)
        assert [one.state for one in await desk.calls(task_id)] == ["accepted"]
        # A minute later nobody can be at it any more.
        desk.behind("UPDATE tasks SET finished_at = finished_at - interval '2 minutes'")
        desk.behind("UPDATE upstream_calls SET changed_at = changed_at - interval '2 minutes'")
        await sweep.abandon_calls(desk.database)
        [call] = await desk.calls(task_id)
        assert (call.state, call.is_billed, call.remote_id) == ("unknown", None, "task_1")

    tell(ground, tmp_path, _options(("darkroom", ours)), story)


def test_who_goes_down_after_it_took_the_task_is_waited_for(ground, tmp_path, ours) -> None:
    """Its refusal to be reached says nothing of the request before: nobody else is asked."""

    async def story(desk: Desk) -> None:
        ours.faults.append("lost")
        task_id = await desk.submit()
        attempt = desk.attempt(await desk.claim())
        async with _running(desk, attempt):
            await _until(lambda: ours.billed)
            ours.faults.append("500")
        assert (await desk.task(task_id)).status == "PENDING"
        assert [one.state for one in await desk.calls(task_id)] == ["sending"]
        task = await desk.end(task_id)
        assert (task.status, task.served_by, other.billed) == ("SUCCESS", "darkroom", [])
        assert len(ours.billed) == 1

    with WeryAIWire(looks=0) as other:
        options = _options(("darkroom", ours), ("weryai", other))
        tell(ground, tmp_path, options, story)


def test_a_worker_without_the_key_does_not_give_a_paid_call_away(
    ground, tmp_path, ours, monkeypatch
) -> None:
    async def story(desk: Desk) -> None:
        task_id = await desk.submit()
        claimed = await desk.claim()
        ours.looks = NEVER
        attempt = desk.attempt(claimed)
        async with _running(desk, attempt):
            await _until(lambda: len(ours.requests) > 1)
            await desk.give_back(claimed)
            await attempt.runner.kill()
        ours.looks = 0
        good, bad = desk.options, {**_options(("darkroom", ours), key="NOBODY_S")}
        bad["darkroom"]["address"] = ""
        desk.options = {**good, **bad}
        await desk.run(desk.attempt(await desk.claim()))
        task = await desk.task(task_id)
        assert (task.status, other.billed) == ("PENDING", [])
        desk.options = good
        assert (await desk.end(task_id)).served_by == "darkroom"
        assert (len(ours.billed), other.billed) == (1, [])

    with WeryAIWire(looks=0) as other:
        tell(ground, tmp_path, _options(("darkroom", ours), ("weryai", other)), story)


def test_an_answer_that_is_waited_for_is_ended_at_once_by_a_kill(ground, tmp_path) -> None:
    async def story(desk: Desk) -> None:
        wire.gates["taken"] = threading.Event()
        task_id = await desk.submit()
        attempt = desk.attempt(await desk.claim())
        async with _running(desk, attempt):
            await _until(lambda: "taken" in wire.reached)
            attempt.cancel()
            await attempt.runner.kill()
        task = await desk.task(task_id)
        assert (task.status, task.error_code, task.charged_mill) == ("FAILED", CANCELED, 0)
        assert [one.state for one in await desk.calls(task_id)] == ["sending"]

    with OpenAIWire() as wire:
        options = {"openai": {"model": "gpt-image-1", "address": wire.url}}
        tell(ground, tmp_path, options, story)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:9", "cannot be reached"),
        ("api.example.com", "cannot be reached"),
        ("", "have no address"),
    ],
)
def test_an_address_that_answers_nothing_is_no_unknown_outcome(
    ground, tmp_path, address, said
) -> None:
    async def story(desk: Desk) -> None:
        task_id = await desk.submit()
        attempt = desk.attempt(await desk.claim())
        await desk.run(attempt)
        assert said in str(attempt.error)
        assert isinstance(attempt.error, errors.Hindered)
        assert all(one.state == "refused" for one in await desk.calls(task_id))

    tell(ground, tmp_path, {"darkroom": {"model": "X", "address": address}}, story)


def test_another_backend_is_asked_when_one_refuses(ground, tmp_path, ours) -> None:
    async def story(desk: Desk) -> None:
        wire.faults.append("500")
        task = await desk.made()
        assert (task.status, task.served_by, task.attempt) == ("SUCCESS", "darkroom", 2)
        assert [one.state for one in await desk.calls(task.id)] == ["refused", "delivered"]
        assert (wire.billed, len(ours.billed)) == ([], 1)

    with WeryAIWire(looks=0) as wire:
        tell(ground, tmp_path, _options(("weryai", wire), ("darkroom", ours)), story)
