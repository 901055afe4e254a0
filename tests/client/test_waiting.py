"""Waiting: one request for a batch, to the end of every task or of the time."""

from __future__ import annotations

import pytest
from scripted import Answer, said, task

from darkroom import client


def batch(*statuses: str) -> Answer:
    return said([task(status, progress=50) for status in statuses])


def test_wait_asks_for_the_batch_until_all_have_ended(scripted, ask) -> None:
    made = {"batch_id": 7, "task_ids": ["task_1", "task_2"]}
    ended = batch("SUCCESS", "SUCCESS")
    scripted.answers(said(made), batch("PENDING", "PROCESSING"), batch("SUCCESS", "PENDING"), ended)
    seen = []
    tasks = ask(lambda c: c.generate("text-to-image", prompt="a", on_progress=seen.append))
    assert [one.status for one in tasks] == ["SUCCESS", "SUCCESS"]
    assert len(seen) == 3
    paths = [asked.path for asked in scripted.asked[1:]]
    assert paths == ["/v1/generation/batch/7/status"] * 3


@pytest.mark.parametrize("ids", ["task_1", ["task_1", "task_1"]])
def test_wait_takes_task_ids(scripted, ask, ids) -> None:
    scripted.answers(said(task()))
    assert {one.id for one in ask(lambda c: c.wait(ids))} == {"task_1"}
    assert scripted.asked[0].path == "/v1/generation/task_1/status"


def test_wait_raises_a_failure_with_the_other_tasks(scripted, ask) -> None:
    failed = task("failed", msg="The model failed.", error_code=6004)
    scripted.answers(said([task(), failed]))
    with pytest.raises(client.TaskFailed, match=r"task_1 failed: The model failed. \(code 6004"):
        ask(lambda c: c.wait(7))
    with pytest.raises(client.TaskFailed) as caught:
        ask(lambda c: c.wait(7))
    assert [one.status for one in caught.value.tasks] == ["SUCCESS", "FAILED"]


def test_wait_ends_with_its_time(scripted, ask) -> None:
    scripted.answers(batch("PROCESSING"))
    with pytest.raises(client.WaitTimeout, match=r"after 0.3 s: task_1 PROCESSING 50 %") as caught:
        ask(lambda c: c.wait(7, timeout_seconds=0.3))
    assert caught.value.tasks[0].status == "PROCESSING"


@pytest.mark.parametrize("fault", [Answer(is_silent=True), Answer(503), Answer(cut=0)])
def test_wait_ends_with_its_time_although_nobody_answers(scripted, ask, fault) -> None:
    scripted.answers(fault)
    with pytest.raises(client.WaitTimeout, match="no status came"):
        ask(lambda c: c.wait(7, timeout_seconds=0.5))


def test_wait_outlives_an_outage(scripted, ask) -> None:
    scripted.answers(*[Answer(503)] * 3, *[Answer(cut=0)] * 3, batch("SUCCESS"))
    assert ask(lambda c: c.wait(7))[0].status == "SUCCESS"
    assert len(scripted.asked) == 7


def test_wait_ends_at_once_on_a_refusal(scripted, ask) -> None:
    scripted.answers(said(None, http=404, status=1003))
    with pytest.raises(client.NotFound):
        ask(lambda c: c.wait(7))
    assert len(scripted.asked) == 1
