"""Prefer: wait — a submit that answers finished tasks, if they end in time."""

from __future__ import annotations

import pytest
from wire_calls import TEXT_TO_IMAGE, TINY, balance, refused, status, submit, succeeded

from darkroom.api import waiting


def wait(caller, prefer, **changes):
    return caller.post(TEXT_TO_IMAGE, json=TINY | changes, headers={"Prefer": prefer})


@pytest.mark.parametrize(("wire", "word"), [("quickstart", "SUCCESS"), ("reference", "succeed")])
def test_a_task_that_ends_in_time_is_the_answer(callers, wire, word):
    caller = callers(wire=wire)
    answer = wait(caller, "wait=30")
    data = succeeded(answer)
    task = status(caller, data["task_id"])
    assert answer.headers["Preference-Applied"] == "wait=30"
    assert (data["task_status"], data["tasks"]) == (word, [task])
    assert task.items() <= data.items()
    assert data["task_ids"] == [task["task_id"]]


def test_a_batch_answers_all_its_tasks_in_order(caller):
    data = succeeded(wait(caller, "respond-async, wait=30", image_number=3))
    assert [one["task_id"] for one in data["tasks"]] == data["task_ids"]
    assert {one["task_status"] for one in data["tasks"]} == {"SUCCESS"}
    assert (data["task_status"], data["cost"], balance(caller)) == ("SUCCESS", 1.5, 998.5)
    assert "images" not in data


def test_tasks_that_take_longer_answer_as_ever(caller):
    answer = wait(caller, "wait=1", resolution="2048x2048", image_number=4)
    data = succeeded(answer)
    assert answer.headers["Preference-Applied"] == "wait=1"
    assert data.keys() == submit(caller).keys()
    assert data["task_status"] == "PENDING"


@pytest.mark.parametrize("bad", ["wait", "wait=0", "wait=61", "wait=-1", "wait=1.5", "wait=x"])
def test_a_wait_that_makes_no_sense_is_ignored(caller, bad):
    answer = wait(caller, bad)
    assert "tasks" not in succeeded(answer)
    assert "Preference-Applied" not in answer.headers


def test_a_refusal_does_not_wait(caller):
    refused(wait(caller, "wait=30", prompt=""), 400, 1002, field="prompt")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        (["wait=5"], 5),
        (['return=minimal; x="y", WAIT = "60" ; foo'], 60),
        (["handling=lenient", "wait=7"], 7),
        (["wait=8, wait=9"], 8),
        (["wait=٣"], None),
        (["wait=" + "9" * 5000], None),
        ([",,;=,"], None),
    ],
)
def test_seconds_are_read_as_preferences_are_written(headers, seconds):
    assert waiting.seconds_preferred(headers) == seconds
