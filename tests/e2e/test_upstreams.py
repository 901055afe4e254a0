"""Other services make what a model is asked for: real workers, killed and taken over by others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from e2e_house import House, ended, status, submit

from ground import wait_until
from openai_double import OpenAIWire
from weryai_double import WeryAIWire
from wire_double import KEY

_ENTRY = """
[{key}]
name = "{key}"
backends = [{backends}]
[{key}.kinds.text-to-image]
credits = 8
[{key}.kinds.text-to-video]
credits = 9
unit = "call"
"""
_OPTIONS = '[{key}.options.{name}]\nmodel = "{model}"\naddress = "{url}"\n'


def _offer(house: House, key: str, **backends: tuple[str, str]) -> None:
    """Add a model to the catalogue that these backends serve, each with its model and address."""
    path = house.folder / "catalogue.toml"
    entry = _ENTRY.format(key=key, backends=", ".join(f'"{name}"' for name in backends))
    options = [
        _OPTIONS.format(key=key, name=name, model=model, url=url)
        for name, (model, url) in backends.items()
    ]
    path.write_text(path.read_text() + entry + "".join(options))


@pytest.fixture
def wires(house: House) -> Iterator[tuple[OpenAIWire, WeryAIWire]]:
    """Two services, and a house that has keys for them."""
    for variable in ("OPENAI_API_KEY", "DARKROOM_UPSTREAM_KEY"):
        house.environment[variable] = KEY
    house.environment["DARKROOM_WORKERS"] = "1"
    with OpenAIWire(looks=1) as pictures, WeryAIWire(honours_keys=True, looks=0) as tasks:
        yield pictures, tasks


def _film(client: httpx.Client, model: str) -> str:
    body = {"model": model, "prompt": "waves", "duration": 4, "aspect_ratio": "16:9"}
    answer = client.post("/v1/generation/text-to-video", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["task_id"]


def _calls(house: House, task_id: str) -> list[tuple[str, str, bool | None]]:
    query = "SELECT backend, state, is_billed FROM upstream_calls WHERE task_id = %s ORDER BY id"
    with psycopg.connect(house.ground.conninfo) as connection:
        return connection.execute(query, [task_id]).fetchall()


def _balance(client: httpx.Client) -> float:
    return client.get("/v1/generation/balance").json()["data"]


# Where the worker is when it dies, and how the task ends whose answer was the result, whose call
# can be asked for, and whose request can be repeated.
_ENDS = {
    "read": {"PICTURE": "FAILED", "FILM": "FAILED", "OURS": "SUCCESS"},
    "taken": {"PICTURE": "FAILED", "FILM": "FAILED", "OURS": "SUCCESS"},
    "fetched": {"FILM": "SUCCESS", "OURS": "SUCCESS"},
}


def test_a_worker_that_is_killed_pays_nothing_twice(house: House, wires) -> None:
    pictures, ours = wires
    _offer(house, "PICTURE", openai=("gpt-image-1", pictures.url))
    _offer(house, "FILM", openai=("sora-2", pictures.url))
    _offer(house, "OURS", darkroom=("SEEDREAM", ours.url))
    house.start("serve", "--workers", "0")
    client = house.client()
    for point, ends in _ENDS.items():
        _die_at(house, wires, client, point, ends)


def _die_at(house: House, wires: Any, client: httpx.Client, point: str, ends: Any) -> None:
    """Kill the worker at a point that all of these models have come to; let another go on."""
    gate, before = threading.Event(), [(len(one.billed), len(one.reached)) for one in wires]
    for wire in wires:
        wire.gates[point] = gate
    ids = {
        model: _film(client, model) if model == "FILM" else submit(client, "x", model=model)[0]
        for model in ends
    }
    worker = house.start("work")
    wanted = [len(ends) - 1, 1]

    def are_there() -> bool:
        there = [
            wire.reached[began:].count(point)
            for wire, (_, began) in zip(wires, before, strict=True)
        ]
        return there == wanted

    wait_until(are_there, what=f"everybody's coming to {point}")
    house.kill(worker)
    gate.set()
    for wire in wires:
        wire.settle()
    worker = house.start("work")
    tasks = dict(zip(ids, ended(client, [*ids.values()]), strict=True))
    house.kill(worker)
    assert {model: task["task_status"] for model, task in tasks.items()} == ends
    paid = [len(wire.billed) - paid for wire, (paid, _) in zip(wires, before, strict=True)]
    assert paid == wanted
    for model, task in tasks.items():
        is_good = task["task_status"] == "SUCCESS"
        assert task["cost"] == ((9 if model == "FILM" else 8) if is_good else 0)
        [(_, state, is_billed)] = _calls(house, task["task_id"])
        assert (state, is_billed) == (("delivered", True) if is_good else ("unknown", None))
        assert is_good or "It was not sent again" in task["msg"]


def test_the_next_backend_serves_while_the_first_is_down_and_not_longer(
    house: House, wires
) -> None:
    first, second = wires
    models = {"openai": ("gpt-image-1", first.url), "darkroom": ("X", second.url)}
    _offer(house, "HOUSE", **models)
    house.start("serve")
    client = house.client()

    def served_by(*task_ids: str) -> set[str]:
        tasks = ended(client, [*task_ids])
        assert {task["task_status"] for task in tasks} == {"SUCCESS"}, tasks
        return {task["served_by"] for task in tasks}

    assert served_by(*submit(client, "a lake", 2, model="HOUSE")) == {"openai"}
    first.faults.extend(["500"] * 3)
    assert served_by(*submit(client, "a lake", 3, model="HOUSE")) == {"darkroom"}
    # It rests: though it would answer again, it is not even asked.
    asked = len(first.requests)
    assert served_by(*submit(client, "a lake", model="HOUSE")) == {"darkroom"}
    assert len(first.requests) == asked

    def is_back() -> bool:
        return served_by(*submit(client, "a lake", model="HOUSE")) == {"openai"}

    wait_until(is_back, what="the first backend's return")
    tasks_paid = len(first.billed) + len(second.billed)
    assert 8 * tasks_paid == 1000 - _balance(client)


def test_a_cancel_ends_a_task_whose_answer_is_waited_for(house: House, wires) -> None:
    pictures, _ = wires
    _offer(house, "PICTURE", openai=("gpt-image-1", pictures.url))
    pictures.gates["taken"] = threading.Event()
    house.start("serve")
    client = house.client()
    [task_id] = submit(client, "a lake", model="PICTURE")
    wait_until(lambda: "taken" in pictures.reached)
    assert client.post(f"/v1/generation/{task_id}/cancel").status_code == 200
    [task] = ended(client, [task_id])
    assert (task["task_status"], task["error_code"], task["cost"]) == ("FAILED", 6005, 0)
    assert _balance(client) == 1000
    assert _calls(house, task_id) == [("openai", "sending", None)]


def test_a_remote_runs_many_tasks_at_once_beside_the_children(house: House, wires) -> None:
    pictures, _ = wires
    house.environment["DARKROOM_REMOTE_TASKS_MAX"] = "6"
    _offer(house, "PICTURE", openai=("gpt-image-1", pictures.url))
    gate = pictures.gates["taken"] = threading.Event()
    house.start("serve")
    client = house.client()
    ids = submit(client, "a lake", 8, model="PICTURE")
    wait_until(lambda: len(pictures.billed) == 6)
    # The one child is free meanwhile.
    assert ended(client, submit(client, "plain"))[0]["task_status"] == "SUCCESS"
    assert len(pictures.billed) == 6
    assert {status(client, one)["task_status"] for one in ids} == {"PENDING", "PROCESSING"}
    gate.set()
    told: list[dict[str, Any]] = ended(client, ids)
    assert {one["task_status"] for one in told} == {"SUCCESS"}


def test_a_call_that_nobody_here_can_go_on_with_is_given_to_nobody_else(
    house: House, wires
) -> None:
    """As after a remote's package is gone; the tasks beside it are none the worse."""
    pictures, _ = wires
    _offer(house, "PICTURE", openai=("gpt-image-1", pictures.url))
    house.start("serve", "--workers", "0")
    client = house.client()
    [task_id] = submit(client, "a lake", model="PICTURE")
    with psycopg.connect(house.ground.conninfo) as connection:
        connection.execute(
            "INSERT INTO upstream_calls (id, task_id, attempt, model, backend, state, remote_id)"
            " VALUES ('upc_gone', %s, 1, 'PICTURE', 'gone', 'accepted', 'x')",
            [task_id],
        )
        connection.execute("UPDATE tasks SET attempt = 1, strikes = 2 WHERE id = %s", [task_id])
    house.start("work")
    [task] = ended(client, [task_id])
    assert (task["task_status"], task["error_code"], task["cost"]) == ("FAILED", 6001, 0)
    assert "has no backend" in task["msg"]
    assert pictures.billed == []
    [good] = ended(client, submit(client, "a lake", model="PICTURE"))
    assert good["served_by"] == "openai"
