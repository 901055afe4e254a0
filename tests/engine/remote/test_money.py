"""Whatever goes wrong on the way, a task is paid for at most once, and whoever pays it knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from desks import Desk, tell

from openai_double import OpenAIWire
from weryai_double import WeryAIWire
from wire_double import KEY, Wire

# Far more than there are waits in an errand.
STEPS_MAX = 400
FAULTS = (
    *("unread", "lost", "500", "502", "later", "later by date", "page", "twice"),
    *("policy", "auth", "credit", "missing", "cut off", "torn"),
)
# How a task ends: its status, its code, what was charged there, the state of each of its calls.
Ending = tuple[str, int | None, int, tuple[str, ...]]
GOOD: Ending = ("SUCCESS", None, 1, ("delivered",))
AGAIN: Ending = ("SUCCESS", None, 1, ("refused", "delivered"))
UNKNOWN: Ending = ("FAILED", 6001, 1, ("unknown",))
# What follows where an answer that was lost cannot be asked for again, and where it can.
LOST = {"unread": (*UNKNOWN[:2], 0, UNKNOWN[3]), "lost": UNKNOWN, "502": UNKNOWN, "page": UNKNOWN}
FOUND = dict.fromkeys(LOST, GOOD)
ALL = {
    **dict.fromkeys(("twice", "missing", "cut off"), GOOD),
    **dict.fromkeys(("500", "later", "later by date", "auth", "credit"), AGAIN),
    "policy": ("FAILED", 2003, 0, ("refused",)),
    "torn": ("FAILED", 6004, 1, ("failed",)),
}


@dataclass(frozen=True)
class Case:
    """Who is asked for what, and how it ends after each fault that is not as everywhere."""

    name: str
    kind: str
    model: str
    endings: Mapping[str, Ending]

    def wire(self) -> Wire:
        if self.name == "openai":
            return OpenAIWire(looks=1)
        return WeryAIWire(honours_keys=self.name == "darkroom", looks=0)

    def options(self, wire: Wire) -> dict[str, dict[str, Any]]:
        return {self.name: {"model": self.model, "address": wire.url}}


# A refusal of content may have cost something there.
_POLICY: dict[str, Ending] = {"policy": ("FAILED", 2003, 0, ("failed",))}
CASES = (
    Case("openai", "text-to-image", "gpt-image-1", LOST | _POLICY),
    Case("openai", "text-to-image", "dall-e-3", LOST | _POLICY),
    Case("openai", "text-to-video", "sora-2", LOST),
    Case("weryai", "text-to-image", "SEEDREAM", LOST),
    Case("darkroom", "text-to-image", "SEEDREAM", FOUND),
)
ASKED = {"duration": 4, "width": 1280, "height": 720}


@pytest.fixture(params=CASES, ids=lambda one: f"{one.name}-{one.model}")
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Case:
    for variable in ("OPENAI_API_KEY", "WERYAI_API_KEY", "DARKROOM_UPSTREAM_KEY"):
        monkeypatch.setenv(variable, KEY)
    found: Case = request.param
    return found


def test_a_task_is_paid_for_at_most_once_whatever_fault_there_is(ground, tmp_path, case) -> None:
    async def story(desk: Desk, wire: Wire, fault: str) -> Ending:
        paid = len(wire.billed)
        wire.faults.append(fault)
        task = await desk.made(case.kind, **ASKED)
        calls = await desk.calls(task.id)
        # Here it costs what was agreed, or nothing; there what the rows say.
        assert task.charged_mill == (5000 if task.status == "SUCCESS" else 0)
        billed = len(wire.billed) - paid
        assert sum(one.is_billed is True for one in calls) <= billed
        assert billed <= sum(one.is_billed is not False for one in calls)
        return task.status, task.error_code, billed, tuple(one.state for one in calls)

    async def stories(desk: Desk) -> dict[str, Ending]:
        return {fault: await story(desk, wire, fault) for fault in FAULTS}

    with case.wire() as wire:
        endings = tell(ground, tmp_path, case.options(wire), stories)
    assert endings == ALL | case.endings


def test_a_worker_may_die_at_any_moment(ground, tmp_path, case) -> None:
    """The errand is ended at its first wait, its second, and so on; then another worker goes on."""

    async def story(desk: Desk, step: int) -> bool:
        task_id = await desk.submit(case.kind, **ASKED, prompt=f"{step}")
        claimed = await desk.claim()
        was_ended = await desk.run_until(claimed, step)
        await desk.give_back(claimed)
        task = await desk.end(task_id)
        [*_, call] = await desk.calls(task_id)
        if task.status == "SUCCESS":
            assert (call.state, call.is_billed) == ("delivered", True), step
            good.add(f"{step}")
        else:
            assert task.error_code == 6001, (step, task.error)
            assert (call.state, call.is_billed) in (("unknown", None), ("delivered", True)), step
            lost.add(f"{step}")
        return was_ended

    async def stories(desk: Desk) -> None:
        for step in range(STEPS_MAX):
            if not await story(desk, step):
                return
        raise AssertionError(f"an errand has more than {STEPS_MAX} waits")

    good: set[str] = set()
    lost: set[str] = set()
    with case.wire() as wire:
        tell(ground, tmp_path, case.options(wire), stories)
    # What was sent before the end was taken after it, at the latest by now.
    billed = Counter(wire.billed)
    assert set(billed.values()) == {1}
    assert good <= {*billed} <= good | lost
    # Who knows keys loses nothing; of the others what was at its sending, and what was never
    # anywhere but in the answer.
    assert len(good) > 1
    assert bool(lost) == (case.name != "darkroom")
