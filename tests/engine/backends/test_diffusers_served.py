"""Diffusers through the public API: a real server, a real child, tiny weights."""

from __future__ import annotations

import base64
import io
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from darkroom.domain import workers
from darkroom.storage.database import Database
from ground import Ground, Server, fresh_database, serve, wait_until

pytestmark = pytest.mark.timeout(300)

_SECONDS_MAX = 120
# TOY and SLOW are the same weights, which the child loads once.
CATALOGUE = """
[TOY]
name = "Toy"
backends = ["diffusers"]
options.diffusers = {{ model = "{folder}", steps = 2 }}
[TOY.kinds.text-to-image]
credits = 1
[TOY.kinds.image-to-image]
credits = 1

[OTHER]
name = "Other weights"
backends = ["diffusers"]
options.diffusers = {{ model = "{other}", steps = 2 }}
[OTHER.kinds.text-to-image]
credits = 1

[JOINED]
name = "Up to four pictures a call"
backends = ["diffusers"]
options.diffusers = {{ model = "{folder}", steps = 2, together = 4 }}
[JOINED.kinds.text-to-image]
credits = 1
[JOINED.kinds.image-to-image]
credits = 1

[SLOW]
name = "Takes a few seconds"
backends = ["diffusers"]
options.diffusers = {{ model = "{folder}", steps = 250 }}
[SLOW.kinds.text-to-image]
credits = 1
"""


@dataclass(frozen=True)
class House:
    """The server, and the process that its children belong to."""

    server: Server
    pid: int

    def child(self) -> int:
        """The one child that runs models."""
        every = Path(f"/proc/{self.pid}/task").glob("*/children")
        found = [int(pid) for path in every for pid in path.read_text().split()]
        return next(
            pid for pid in found if b"engine.child" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )


@pytest.fixture(scope="module")
def house(
    postgres: str,
    template: str,
    tiny: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[House]:
    """A server with one child, and the tiny pipeline among its models."""
    folder = tmp_path_factory.mktemp("diffusers")
    (folder / "catalogue.toml").write_text(CATALOGUE.format(folder=tiny("sd"), other=tiny("flux")))
    databases = fresh_database(postgres, template)
    ground = Ground(next(databases))
    # Where the models are looked for unless a setting names another file.
    served = serve(ground.conninfo, folder, workers="1")
    account = ground.account()
    server = Server(served.url, ground.key(account.id), account.id, ground, folder)
    yield House(server, served.process.pid)
    served.stop()
    assert ground.audit() == []
    next(databases, None)


def submit(client: httpx.Client, kind: str = "text-to-image", **fields: Any) -> list[str]:
    """The ids of new tasks."""
    body = {"model": "TOY", "prompt": "a fox", "resolution": "64x64", "seed": 5} | fields
    answer = client.post(f"/v1/generation/{kind}", json=body)
    assert answer.status_code == 200, answer.text
    ids: list[str] = answer.json()["data"]["task_ids"]
    return ids


def status(client: httpx.Client, task_id: str) -> dict[str, Any]:
    """A task as it is now."""
    data: dict[str, Any] = client.get(f"/v1/generation/{task_id}/status").json()["data"]
    return data


def ended(client: httpx.Client, task_id: str) -> dict[str, Any]:
    """A task when it has ended."""

    def found() -> dict[str, Any] | None:
        one = status(client, task_id)
        return one if one["task_status"] in ("SUCCESS", "FAILED") else None

    one: dict[str, Any] = wait_until(found, seconds_max=_SECONDS_MAX, what=f"the end of {task_id}")
    return one


def test_pictures_come_from_the_pipeline_and_from_each_other(house: House) -> None:
    with house.server.client() as client:
        ids = submit(client, image_number=2)
        done = [ended(client, one) for one in ids]
        assert [one["task_status"] for one in done] == ["SUCCESS"] * 2
        assert {one["served_by"] for one in done} == {"diffusers"}
        files = [httpx.get(one["images"][0]).content for one in done]
        assert files[0].startswith(b"\x89PNG")
        assert files[0] != files[1]
        given = f"data:image/png;base64,{base64.b64encode(files[0]).decode()}"
        [edited] = submit(client, "image-to-image", images=[given])
        assert ended(client, edited)["task_status"] == "SUCCESS"


def test_pictures_that_wait_alike_come_of_one_call(house: House) -> None:
    with house.server.client() as client:
        [first] = submit(client, model="JOINED", prompt="alone, as the first of its size")
        alone = ended(client, first)
        ids = submit(client, model="JOINED", image_number=4)
        done = [ended(client, one) for one in ids]
        assert [one["task_status"] for one in done] == ["SUCCESS"] * 4
        assert [one["notes"].get("together") for one in (alone, *done)] == [None, 4, 4, 4, 4]
        assert len({httpx.get(one["images"][0]).content for one in done}) == 4


def test_pictures_from_pictures_share_a_call_too(house: House) -> None:
    """Each starts from its own: uploads of other bytes and sizes, in tasks of their own."""

    def edit(side: int) -> str:
        held = io.BytesIO()
        Image.new("RGB", (side, 64), (side, 80, 200)).save(held, "PNG")
        given = f"data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}"
        return submit(client, "image-to-image", model="JOINED", images=[given])[0]

    with house.server.client() as client:
        assert ended(client, edit(10))["notes"].get("together") is None
        [busy] = submit(client, model="SLOW")
        wait_until(lambda: status(client, busy).get("progress"), seconds_max=_SECONDS_MAX)
        ids = [edit(side) for side in (64, 200, 255)]
        assert client.post(f"/v1/generation/{busy}/cancel").status_code == 200
        done = [ended(client, one) for one in ids]
        assert [one["notes"].get("together") for one in done] == [3, 3, 3]
        assert len({httpx.get(one["images"][0]).content for one in done}) == 3


def test_models_stay_loaded_while_others_are_at_work(house: House) -> None:
    async def loaded(database: Database) -> list[str]:
        async with database.transaction() as tx:
            [worker] = await workers.list_all(tx)
        return worker.loaded

    with house.server.client() as client:
        for model in ("TOY", "OTHER", "PAINTER"):
            [one] = submit(client, model=model)
            assert ended(client, one)["task_status"] == "SUCCESS"
        wait_until(
            lambda: {"TOY", "OTHER", "PAINTER"} <= {*house.server.ground.run(loaded)},
            what="a worker that holds all three",
        )


def test_a_running_task_is_canceled_at_its_next_step(house: House) -> None:
    with house.server.client() as client:
        [slow] = submit(client, model="SLOW")
        running = wait_until(
            lambda: 0 < (status(client, slow).get("progress") or 0) < 100, seconds_max=_SECONDS_MAX
        )
        assert running
        address = wait_until(lambda: status(client, slow).get("preview_url"), what="a preview")
        preview = client.get(address)
        assert (preview.status_code, preview.headers["content-type"]) == (200, "image/jpeg")
        child = house.child()
        assert client.post(f"/v1/generation/{slow}/cancel").status_code == 200
        assert ended(client, slow)["task_status"] == "FAILED"
        [after] = submit(client)
        assert ended(client, after)["task_status"] == "SUCCESS"
        assert house.child() == child, "the child was killed instead of stopped"


def test_a_killed_child_costs_a_second_attempt_and_no_more(house: House) -> None:
    with house.server.client() as client:
        [slow] = submit(client, model="SLOW")
        wait_until(
            lambda: 0 < (status(client, slow).get("progress") or 0) < 100, seconds_max=_SECONDS_MAX
        )
        child = house.child()
        os.kill(child, signal.SIGKILL)
        assert ended(client, slow)["task_status"] == "SUCCESS"
        assert house.child() != child
