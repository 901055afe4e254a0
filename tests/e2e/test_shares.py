"""Workers with a share of the work: the models that they are for, the GPUs that they may use."""

from __future__ import annotations

import json
from typing import Any

import psycopg
from e2e_house import House, ended, status, submit

import probes
import starter

MODELS = "".join(probes.CATALOGUE.replace("PROBE", key) for key in ("LEFT", "RIGHT"))


def rows(house: House, statement: str) -> list[Any]:
    with psycopg.connect(house.ground.conninfo) as connection:
        return connection.execute(statement).fetchall()


def refusal(house: House, *flags: str) -> str:
    """What `darkroom work` says when it does not start."""
    with starter.start(["work", *flags], house.environment) as refused:
        _, said = refused.communicate(60)
    assert refused.returncode == 1
    return said


def test_each_box_runs_the_models_that_it_is_for(house: House) -> None:
    with (house.folder / "catalogue.toml").open("a") as catalogue:
        catalogue.write(MODELS)
    house.start("serve", "--workers", "0")
    client = house.client()
    left = house.start("work", "--models", "LEFT,PROBE")
    waiting = submit(client, "plain", 2, model="RIGHT")
    ended(client, submit(client, "plain", 2, model="LEFT"))
    assert {status(client, one)["task_status"] for one in waiting} == {"PENDING"}
    right = house.start("work", "--models", "RIGHT")
    ended(client, waiting)
    by_model = rows(house, "SELECT DISTINCT model, worker_id FROM tasks ORDER BY model")
    assert [model for model, _ in by_model] == ["LEFT", "RIGHT"]
    with starter.start(["workers", "--json"], house.environment) as listing:
        listed, _ = listing.communicate(60)
    serves = {one["worker_id"]: one["serves"] for one in json.loads(listed)}
    assert [serves[worker] for _, worker in by_model] == [["PROBE", "LEFT"], ["RIGHT"]]
    assert left.poll() is right.poll() is None


def test_models_that_a_worker_cannot_run_are_refused(house: House) -> None:
    with (house.folder / "catalogue.toml").open("a") as catalogue:
        catalogue.write(probes.CATALOGUE.replace("PROBE", "FAR").replace('"probe"', '"none"'))
    said = refusal(house, "--models", "PROBE,NOBODYS")
    assert "DARKROOM_MODELS names NOBODYS, which is not in the catalogue" in said
    assert "DARKROOM_MODELS names FAR, which has no backend here" in refusal(
        house, "--models", "FAR"
    )


def test_each_child_sees_a_gpu_of_its_own(house: House) -> None:
    del house.environment["DARKROOM_WORKERS"]
    house.start("serve", "--workers", "0")
    house.start("work", "--gpus", "3,GPU-5aff1234")
    client = house.client()
    tasks = ended(client, submit(client, "slow", 2))
    assert {task["notes"]["gpu"] for task in tasks} == {"3", "GPU-5aff1234"}
    assert rows(house, "SELECT slots FROM workers") == [(2,)]


def test_more_children_than_gpus_share_them_evenly(house: House) -> None:
    house.start("serve", "--workers", "0")
    house.start("work", "--gpus", "0,1", "--workers", "4")
    client = house.client()
    tasks = ended(client, submit(client, "slow", 4))
    assert sorted(task["notes"]["gpu"] for task in tasks) == ["0", "0", "1", "1"]


def test_a_gpu_that_can_be_none_is_refused(house: House) -> None:
    assert "DARKROOM_GPUS is wrong" in refusal(house, "--gpus", "first")
