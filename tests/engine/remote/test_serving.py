"""A real server whose catalogue names upstreams: a key and a file, and its pictures are theirs."""

from __future__ import annotations

import pytest
from fal_wire import FalWire
from replicate_wire import ReplicateWire
from wires import Said

from darkroom.domain import upstream_calls
from ground import Server, serve, wait_until

CATALOGUE = """
[FLUX_DEV]
name = "Flux Dev"
backends = ["fal", "replicate"]
[FLUX_DEV.options.fal]
model = "fal-ai/flux/dev"
address = "{fal}"
cost = 0.02
[FLUX_DEV.options.replicate]
model = "black-forest-labs/flux-dev"
address = "{replicate}"
cost = 0.03
[FLUX_DEV.kinds.text-to-image]
credits = 4
"""


@pytest.fixture
def wires(monkeypatch):
    monkeypatch.setenv(FalWire.variable, FalWire.key)
    monkeypatch.setenv(ReplicateWire.variable, ReplicateWire.key)
    with FalWire().running() as fal, ReplicateWire().running() as replicate:
        yield fal, replicate


@pytest.fixture
def server(wires, ground, tmp_path):
    fal, replicate = wires
    file = tmp_path / "catalogue.toml"
    file.write_text(CATALOGUE.format(fal=fal.address, replicate=replicate.address))
    served = serve(
        ground.conninfo, tmp_path, sandbox="false", workers="1", catalogue_file=str(file)
    )
    account = ground.account()
    yield Server(served.url, ground.key(account.id), account.id, ground, tmp_path)
    served.stop()


def _made(server) -> dict:
    body = {"model": "FLUX_DEV", "prompt": "a harbour", "aspect_ratio": "16:9"}
    with server.client() as http:
        submitted = http.post("/v1/generation/text-to-image", json=body).json()["data"]

        def ended():
            path = f"/v1/generation/{submitted['task_ids'][0]}/status"
            task = http.get(path).json()["data"]
            return task if task["task_status"] in ("SUCCESS", "FAILED") else None

        task = wait_until(ended, what="the end of the task")
        assert task["task_status"] == "SUCCESS", task
        assert http.get(task["images"][0]).content[:4] == b"\x89PNG"
    return task


def _calls(server, task) -> list:
    async def asked(database):
        async with database.transaction() as tx:
            return await upstream_calls.of_task(tx, task["task_id"])

    found = server.ground.run(asked)
    return [(one.backend, one.state, one.is_billed, one.cost_micro) for one in found]


def test_pictures_are_the_first_upstreams_and_the_seconds_where_it_cannot(server, wires) -> None:
    fal, replicate = wires
    task = _made(server)
    assert task["served_by"] == "fal"
    assert _calls(server, task) == [("fal", "delivered", True, 20_000)]
    fal.fault("POST *", Said({"detail": "User is locked. Reason: Exhausted balance."}, 403))
    task = _made(server)
    assert task["served_by"] == "replicate"
    assert _calls(server, task) == [
        ("fal", "refused", False, None),
        ("replicate", "delivered", True, 30_000),
    ]
    assert (fal.billed, replicate.billed) == (1, 1)
