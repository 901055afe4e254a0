"""Cancel over the wire; on a server without workers what waits waits, and what runs runs on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from wire_calls import (
    TEXT_TO_IMAGE,
    TINY,
    balance,
    finished,
    refused,
    rows,
    status,
    submit,
    succeeded,
)

from darkroom import errors
from darkroom.domain import leases
from ground import Ground, Server, fresh_database, serve

MODEL = "PAINTER"


@pytest.fixture(scope="module")
def idle(postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """A server that runs nothing."""
    databases = fresh_database(postgres, template)
    ground = Ground(next(databases))
    served = serve(ground.conninfo, tmp_path_factory.mktemp("idle"), workers="0")
    account = ground.account()
    yield Server(served.url, ground.key(account.id), account.id, ground, served.log.parent)
    served.stop()
    assert ground.audit() == []
    next(databases, None)


@pytest.fixture
def patient(idle: Server) -> Iterator[Callable[..., httpx.Client]]:
    """Makes callers of the idle server, each of a fresh account; a test ends what it submits."""
    opened = []

    def caller(wire: str = "quickstart") -> httpx.Client:
        opened.append(idle.caller(wire=wire))
        return opened[-1]

    yield caller
    for one in opened:
        one.close()


def _cancel(caller: httpx.Client, task_id: str) -> dict:
    return succeeded(caller.post(f"/v1/generation/{task_id}/cancel"))


def _claim(idle: Server, tasks_max: int = 1000) -> list[leases.Claim]:
    """Begin what waits, as a worker does."""

    async def story(database):
        async with database.statement() as tx:
            return await leases.claim(
                tx, "w", leases.Wanted([MODEL]), tasks_max=tasks_max, lease_seconds=600
            )

    return idle.ground.run(story)


def _fail(idle: Server, claims: list[leases.Claim]) -> None:
    async def story(database):
        for one in claims:
            async with database.transaction() as tx:
                await leases.fail(tx, one, errors.Canceled(), served_by="painter")

    idle.ground.run(story)


@pytest.mark.parametrize("wire", ["quickstart", "reference"])
def test_a_waiting_task_ends_at_once_and_is_refunded(patient, wire):
    caller = patient(wire)
    task_id = submit(caller)["task_id"]
    assert balance(caller) == 999.5
    task = _cancel(caller, task_id)
    assert task["task_status"] == {"quickstart": "FAILED", "reference": "failed"}[wire]
    assert (task["error_code"], task["msg"]) == (6005, "The task was canceled.")
    assert task["cancel"]["effect"] == "ended"
    assert task["cancel"]["asked_at"] == task["cancel"]["ended_at"] == task["finished_at"]
    assert (task["cancel"]["charged"], task["cost"], balance(caller)) == (0, 0, 1000)


@pytest.mark.parametrize(
    ("wire", "word"), [("quickstart", "PROCESSING"), ("reference", "processing")]
)
def test_a_running_task_is_asked_and_its_status_shows_it(idle, patient, wire, word):
    caller = patient(wire)
    task_id = submit(caller)["task_id"]
    claims = _claim(idle)
    assert "cancel_asked_at" not in status(caller, task_id)
    asked = _cancel(caller, task_id)
    assert (asked["task_status"], asked["cancel"]["effect"]) == (word, "asked")
    assert asked["cancel"]["ended_at"] is asked["cancel"]["charged"] is None
    shown = status(caller, task_id)
    assert shown["cancel_asked_at"] == asked["cancel"]["asked_at"]
    assert (shown["task_status"], balance(caller)) == (word, 999.5)
    _fail(idle, claims)
    ended = _cancel(caller, task_id)["cancel"]
    assert (ended["effect"], ended["charged"]) == ("already finished", 0)
    assert balance(caller) == 1000


def test_a_canceled_task_answers_the_same_status_again_and_again(patient):
    caller = patient()
    task_id = submit(caller)["task_id"]
    first, second = _cancel(caller, task_id), _cancel(caller, task_id)
    assert second["cancel"] == {**first["cancel"], "effect": "already finished"}
    first.pop("cancel")
    assert status(caller, task_id) == first


def test_a_batch_is_canceled_task_by_task(idle, patient):
    caller = patient()
    data = submit(caller, image_number=3)
    _cancel(caller, data["task_ids"][0])
    begun = _claim(idle, tasks_max=1)
    answer = caller.post(f"/v1/generation/batch/{data['batch_id']}/cancel")
    batch = succeeded(answer)
    assert [one["task_id"] for one in batch] == data["task_ids"]
    effects = [one["cancel"]["effect"] for one in batch]
    assert sorted(effects) == ["already finished", "asked", "ended"]
    assert effects[data["task_ids"].index(begun[0].id)] == "asked"
    _fail(idle, begun)
    assert balance(caller) == 1000


def test_a_task_that_succeeded_stays_as_it_is(caller):
    """On the server with workers."""
    data = submit(caller)
    batch = f"/v1/generation/batch/{data['batch_id']}"
    done = finished(caller, data["task_id"])
    [task] = succeeded(caller.post(f"{batch}/cancel"))
    cancel = task.pop("cancel")
    assert task == done
    assert (cancel["effect"], cancel["asked_at"]) == ("already finished", None)
    assert (cancel["charged"], balance(caller)) == (0.5, 999.5)


def test_another_account_s_task_and_batch_are_not_found(patient):
    owner, other = patient(), patient()
    data = submit(owner)
    refused(other.post(f"/v1/generation/{data['task_id']}/cancel"), 404, 1003, "task not exist")
    batch = f"/v1/generation/batch/{data['batch_id']}/cancel"
    refused(other.post(batch), 404, 1003, "batch not exist")
    assert status(owner, data["task_id"])["task_status"] == "PENDING"
    _cancel(owner, data["task_id"])


@pytest.mark.parametrize("named", ["x", "task_" + "0" * 26, "batch/1", "batch/x", "%00", "batch/0"])
def test_an_unknown_id_is_not_found(patient, named):
    answer = patient().post(f"/v1/generation/{named}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (404, 1003), answer.text


def test_an_unknown_id_is_a_200_with_1003_in_the_reference_spelling(patient):
    answer = patient("reference").post("/v1/generation/task_0/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, 1003)


def test_cancel_needs_a_key_and_a_post(idle, patient):
    path = "/v1/generation/task_0/cancel"
    assert httpx.post(idle.url + path).status_code == 401
    refused(patient().get(path), 405, 1002)


def test_the_mirror_cancels_too_and_the_history_knows_the_task(idle, patient):
    caller = patient()
    task_id = submit(caller)["task_id"]
    answer = caller.post(f"/growthai/v1/generation/{task_id}/cancel")
    assert succeeded(answer)["cancel"]["effect"] == "ended"
    assert rows(idle, "SELECT status FROM holds WHERE id = %s", task_id) == [("refunded",)]


def test_a_deadline_ends_a_waiting_task_for_free(patient):
    caller = patient()
    task_id = submit(caller, deadline_seconds=1)["task_id"]
    shown = status(caller, task_id)
    assert shown["deadline_at"] > shown["created_at"]
    task = finished(caller, task_id)
    assert (task["error_code"], task["cost"], balance(caller)) == (6006, 0, 1000)
    assert "deadline" in task["msg"]
    assert task["started_at"] is None


@pytest.mark.parametrize("seconds", [0, -1, 86_401, 1.5, "10", True])
def test_a_deadline_out_of_bounds_is_refused(patient, seconds):
    answer = patient().post(TEXT_TO_IMAGE, json=TINY | {"deadline_seconds": seconds})
    refused(answer, 400, 1002, "deadline_seconds", "deadline_seconds")
