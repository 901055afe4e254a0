"""What goes wrong at a ComfyUI, or between it and us, and what becomes of the task then."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest
from kitchens import Caller, Double, Kitchen, free_port, node, text_to_image

from ground import Ground, fresh_database, wait_until

CANCELED, WRONG = 6005, 1002


@pytest.fixture(scope="module")
def open_kitchen(
    postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kitchen]:
    """A server with two ComfyUIs, one of which the models name first, and one that is dead."""
    databases = fresh_database(postgres, template)
    kitchen = Kitchen(Ground(next(databases)), tmp_path_factory.mktemp("kitchen"))
    try:
        first, second = kitchen.double(), kitchen.double()
        dead = f"http://127.0.0.1:{free_port()}"
        kitchen.offer("FLUX", text_to_image(), [first.address])
        kitchen.offer("POOL", text_to_image(), [dead, first.address, second.address])
        kitchen.offer("DEAD", text_to_image(), [dead])
        kitchen.offer("LACKING", text_to_image(n4_ckpt_name="other.safetensors"), [first.address])
        partial = text_to_image() | {"11": node("SaveImage", "Second", images=["8", 0])}
        kitchen.offer("PARTIAL", partial, [first.address])
        kitchen.start()
        yield kitchen
    finally:
        kitchen.close()
    next(databases, None)


@pytest.fixture
def doubles(open_kitchen: Kitchen) -> Iterator[list[Double]]:
    """Both ComfyUIs, with nothing on their disks."""
    for one in open_kitchen.doubles:
        shutil.rmtree(one.folder)
        one.folder.mkdir()
    yield open_kitchen.doubles
    for one in open_kitchen.doubles:
        one.set(hold=False, steps=0, fail=None, drop=0, old=False)


@pytest.fixture
def double(doubles: list[Double]) -> Double:
    """The ComfyUI that the models name first."""
    return doubles[0]


@pytest.fixture
def caller(open_kitchen: Kitchen) -> Caller:
    """Somebody with credits."""
    return open_kitchen.caller()


def test_a_cancel_ends_the_prompt_that_runs_and_no_other(caller: Caller, double: Double) -> None:
    double.set(hold=True)
    [running] = caller.submit("FLUX")
    wait_until(lambda: double.waiting() == (1, 0), what="the first prompt")
    [pending] = caller.submit("FLUX")
    [last] = caller.submit("FLUX")
    wait_until(lambda: double.waiting() == (1, 2), what="the others behind it")
    caller.cancel(pending)
    assert caller.ended(pending)["error_code"] == CANCELED
    assert double.waiting() == (1, 1)
    caller.cancel(running)
    assert caller.ended(running)["error_code"] == CANCELED
    wait_until(lambda: len(double.executions()) == 2, what="the last prompt's begin")
    double.set(hold=False)
    assert caller.made(last)
    assert len(double.executions()) == 2


def test_an_answer_that_was_lost_is_asked_for_and_the_prompt_not_run_again(
    caller: Caller, double: Double
) -> None:
    double.set(drop=1)
    [task_id] = caller.submit("FLUX")
    assert caller.made(task_id)
    assert len(double.executions()) == 1
    assert caller.status(task_id)["attempt"] == 1


def test_a_comfyui_that_starts_anew_gets_its_prompts_again(caller: Caller, double: Double) -> None:
    double.set(hold=True)
    task_ids = [*caller.submit("FLUX"), *caller.submit("FLUX")]
    wait_until(lambda: double.waiting() == (1, 1), what="both prompts")
    double.kill()
    double.start()
    for task_id in task_ids:
        assert caller.made(task_id)
        assert caller.status(task_id)["attempt"] == 1
    assert len(double.executions()) == 3
    assert len(set(double.executions())) == 2


def _waiting(doubles: list[Double]) -> int:
    return sum(sum(one.waiting()) for one in doubles)


def _wait_for_more(doubles: list[Double], before: int) -> None:
    wait_until(lambda: _waiting(doubles) > before, what="another prompt")


def test_of_several_the_living_with_the_shortest_queue_is_asked(
    caller: Caller, doubles: list[Double]
) -> None:
    for one in doubles:
        one.set(hold=True)
    task_ids = []
    for _ in range(4):
        # Counts are of what has arrived: two that are sent at once may choose alike.
        before = _waiting(doubles)
        task_ids += caller.submit("POOL")
        _wait_for_more(doubles, before)
    assert [one.waiting() for one in doubles] == [(1, 1), (1, 1)]
    for one in doubles:
        one.set(hold=False)
    for task_id in task_ids:
        assert caller.made(task_id)


def test_the_prompts_of_one_that_dies_go_to_another(caller: Caller, doubles: list[Double]) -> None:
    for one in doubles:
        one.set(hold=True)
    [task_id] = caller.submit("POOL")
    wait_until(lambda: any(one.waiting()[0] for one in doubles), what="the prompt")
    has_it, other = sorted(doubles, key=lambda one: one.waiting()[0], reverse=True)
    has_it.kill()
    try:
        wait_until(lambda: other.waiting()[0], what="the prompt at the other")
        other.set(hold=False)
        assert caller.made(task_id)
        assert caller.status(task_id)["attempt"] == 1
    finally:
        has_it.start()


def test_out_of_memory_is_tried_once_more_with_more_of_it_free(
    caller: Caller, double: Double
) -> None:
    double.set(fail=["torch.OutOfMemoryError", "Allocation on device"])
    [task_id] = caller.submit("FLUX")
    assert caller.made(task_id)
    assert caller.status(task_id)["attempt"] == 2
    freed = (double.folder / "freed").read_text().splitlines()
    assert [json.loads(one) for one in freed] == [{"unload_models": True, "free_memory": True}]


def test_a_node_that_fails_is_named_and_no_folder_is(caller: Caller, double: Double) -> None:
    double.set(fail=["OSError", "no file /srv/models/a.safetensors here"])
    [task_id] = caller.submit("FLUX")
    found = caller.ended(task_id)
    assert found["msg"] == "ComfyUI's node 3 (KSampler) failed: no file a.safetensors here"


def test_a_model_that_comfyui_lacks_is_named_with_its_node(
    open_kitchen: Kitchen, caller: Caller, double: Double
) -> None:
    [task_id] = caller.submit("LACKING")
    open_kitchen.wait_for_fault(
        "ComfyUI refuses node 4 (Load Checkpoint) of the workflow: Value not in list: ckpt_name: "
        "'other.safetensors' not in ['tiny.safetensors']"
    )
    caller.cancel(task_id)
    assert double.executions() == []


def test_a_workflow_of_which_only_a_part_can_run_is_refused_whole(
    open_kitchen: Kitchen, caller: Caller, double: Double
) -> None:
    double.set(hold=True)
    [task_id] = caller.submit("PARTIAL")
    open_kitchen.wait_for_fault(
        "ComfyUI refuses node 11 (Second) of the workflow: Required input is missing"
    )
    caller.cancel(task_id)
    wait_until(lambda: double.waiting() == (0, 0), what="the end of what began")


def test_a_value_that_a_node_does_not_take_is_the_callers_to_change(
    caller: Caller, double: Double
) -> None:
    [task_id] = caller.submit("FLUX", resolution="4096x1024")
    found = caller.ended(task_id)
    assert found["msg"].startswith("The model does not take this width: Value 4096 bigger than")
    assert (found["error_code"], found["attempt"]) == (WRONG, 1)


def test_no_comfyui_at_all_is_said_so(open_kitchen: Kitchen, caller: Caller) -> None:
    [task_id] = caller.submit("DEAD")
    open_kitchen.wait_for_fault("No ComfyUI of this model answers.")
    caller.cancel(task_id)


def test_a_comfyui_that_takes_no_prompt_id_is_refused(
    open_kitchen: Kitchen, caller: Caller, double: Double
) -> None:
    double.set(old=True)
    [task_id] = caller.submit("FLUX")
    open_kitchen.wait_for_fault("This ComfyUI is too old")
    caller.cancel(task_id)
