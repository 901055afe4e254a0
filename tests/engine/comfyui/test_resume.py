"""A worker that dies leaves its prompts at ComfyUI, and the next one finds them there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kitchens import Caller, Double, Kitchen, text_to_image

import starter
from ground import Ground, fresh_database, wait_until

CANCELED = 6005


@pytest.fixture(scope="module")
def open_kitchen(
    postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kitchen]:
    """A server without a worker, and two ComfyUIs of which the first is away."""
    databases = fresh_database(postgres, template)
    kitchen = Kitchen(Ground(next(databases)), tmp_path_factory.mktemp("kitchen"))
    try:
        away, here = kitchen.double(), kitchen.double()
        kitchen.offer("FLUX", text_to_image(), [away.address, here.address])
        away.kill()
        kitchen.start(workers="0")
        yield kitchen
    finally:
        kitchen.close()
    next(databases, None)


@pytest.fixture
def double(open_kitchen: Kitchen) -> Double:
    """The ComfyUI that gets the prompts, which holds them at half."""
    one = open_kitchen.doubles[1]
    one.set(hold=True, steps=4)
    return one


@pytest.fixture
def caller(open_kitchen: Kitchen) -> Caller:
    """Somebody with credits."""
    return open_kitchen.caller()


def _kill(worker: starter.Started) -> None:
    worker.kill()
    worker.wait(10)


def test_a_killed_workers_prompts_are_run_once_and_their_pictures_delivered(
    open_kitchen: Kitchen, caller: Caller, double: Double
) -> None:
    worker, away = open_kitchen.start("work"), open_kitchen.doubles[0]
    [running] = caller.submit("FLUX")
    wait_until(lambda: double.waiting() == (1, 0), what="the prompt")
    [pending] = caller.submit("FLUX")
    wait_until(lambda: double.waiting() == (1, 1), what="the second prompt")
    _kill(worker)
    # The next worker finds them all the same, and does not begin anew where a place is free.
    away.start()
    double.set(hold=False)
    wait_until(lambda: double.waiting() == (0, 0), what="the end of both, with nobody there")
    open_kitchen.start("work")
    for task_id in (running, pending):
        assert caller.made(task_id)
        assert caller.status(task_id)["attempt"] == 2
    assert (len(double.executions()), away.executions()) == (2, [])
    assert open_kitchen.calls() == [("delivered", False, None)] * 2


def test_a_prompt_that_is_found_running_can_still_be_canceled(
    open_kitchen: Kitchen, caller: Caller, double: Double
) -> None:
    away, worker = open_kitchen.doubles[0], open_kitchen.running[-1]
    away.kill()
    before = len(double.executions())
    [task_id] = caller.submit("FLUX")
    wait_until(lambda: double.waiting() == (1, 0), what="the prompt")
    _kill(worker)
    open_kitchen.start("work")
    wait_until(lambda: caller.status(task_id)["attempt"] == 2, what="the second attempt")
    caller.cancel(task_id)
    assert caller.ended(task_id)["error_code"] == CANCELED
    wait_until(lambda: double.waiting() == (0, 0), what="the end of the prompt")
    assert len(double.executions()) == before + 1
    assert open_kitchen.calls()[-1] == ("canceled", False, None)
