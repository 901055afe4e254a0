"""One Darkroom behind another: two real servers, the second of which paints."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from PIL import Image

from ground import Ground, Served, fresh_database, serve, wait_until
from wire_double import picture

_CATALOGUE = """
[HOUSE]
name = "House"
backends = ["darkroom"]
[HOUSE.options.darkroom]
model = {{ text-to-image = "PAINTER", image-to-image = "PAINTER", text-to-video = "FILM" }}
address = "{url}"
credit_cost = 0.01
[HOUSE.kinds.text-to-image]
credits = 8
[HOUSE.kinds.image-to-image]
credits = 8
[HOUSE.kinds.text-to-video]
credits = 20
unit = "call"
"""
# The same by the wires of others, which the other Darkroom speaks as well.
_FOREIGN = """
[{key}]
name = "House"
backends = ["{wire}"]
[{key}.options.{wire}]
model = {{ text-to-image = "{words}", image-to-image = "{edits}" }}
address = "{url}"
key = "DARKROOM_UPSTREAM_KEY"
{more}
[{key}.kinds.text-to-image]
credits = 8
[{key}.kinds.image-to-image]
credits = 8
"""
_WIRES = {
    "openai": {"words": "PAINTER", "edits": "PAINTER", "more": 'takes = ["seed"]'},
    "fal": {
        "words": "darkroom/painter",
        "edits": "darkroom/painter/image-to-image",
        "more": "cost = 0.005",
    },
    "replicate": {
        "words": "darkroom/painter",
        "edits": "image-to-image/painter",
        "more": "cost = 0.005",
    },
}


def _foreign(url: str) -> str:
    """A model by each wire of others."""
    paths = {"openai": url, "fal": f"{url}/fal", "replicate": f"{url}/replicate"}
    return "".join(
        _FOREIGN.format(key=wire.upper(), wire=wire, url=paths[wire], **told)
        for wire, told in _WIRES.items()
    )


def _asked(client: httpx.Client, kind: str, **fields: object) -> dict:
    body = {"model": "HOUSE", "prompt": "a lake"} | fields
    answer = client.post(f"/v1/generation/{kind}", json=body)
    assert answer.status_code == 200, answer.text
    task_id = answer.json()["data"]["task_id"]

    def ended() -> dict | None:
        task = client.get(f"/v1/generation/{task_id}/status").json()["data"]
        return task if task["task_status"] in ("SUCCESS", "FAILED") else None

    task = wait_until(ended, seconds_max=90, what=f"the end of {kind}")
    assert task["task_status"] == "SUCCESS", task
    return task


@pytest.fixture
def other_ground(postgres: str, template: str) -> Iterator[Ground]:
    """The other Darkroom's database."""
    for conninfo in fresh_database(postgres, template):
        yield Ground(conninfo)


@pytest.fixture
def front(ground: Ground, other_ground: Ground, tmp_path: Path) -> Iterator[Served]:
    """A server that has its models made by another, which paints them."""
    behind = serve(other_ground.conninfo, tmp_path / "behind", workers="1")
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text(_CATALOGUE.format(url=behind.url) + _foreign(behind.url))
    one = serve(
        ground.conninfo,
        tmp_path / "front",
        workers="1",
        catalogue_file=str(catalogue),
        upstream_key=other_ground.key(other_ground.account().id),
    )
    yield one
    one.stop()
    behind.stop()


@pytest.fixture
def client(front: Served, ground: Ground) -> Iterator[httpx.Client]:
    """A caller of the server in front."""
    headers = {"Authorization": f"Bearer {ground.key(ground.account().id)}"}
    with httpx.Client(base_url=front.url, headers=headers, timeout=30) as one:
        yield one


def _check_books(ground: Ground, other_ground: Ground) -> None:
    """A credit there is a cent: what it charged is what the rows here say."""
    with psycopg.connect(ground.conninfo) as connection:
        query = "SELECT state, is_billed, cost_micro FROM upstream_calls"
        calls = connection.execute(query).fetchall()
    with psycopg.connect(other_ground.conninfo) as connection:
        [(spent,)] = connection.execute("SELECT sum(charged_mill) FROM tasks").fetchall()
    assert {one[:2] for one in calls} == {("delivered", True)}
    assert sum(one[2] for one in calls) == spent * 10


def test_a_darkroom_asks_another_for_pictures(client, ground, other_ground) -> None:
    painted = _asked(client, "text-to-image", resolution="128x128", seed=5)
    given = base64.b64encode(picture(128, 128)).decode()
    images = [f"data:image/png;base64,{given}"]
    _asked(client, "image-to-image", resolution="128x128", images=images)
    assert painted["served_by"] == "darkroom"
    # The seed went along, and what the painter notes came back.
    assert (painted["seed"], painted["notes"]["digital_source_type"]) == (5, "algorithmicMedia")
    with Image.open(io.BytesIO(client.get(painted["images"][0]).content)) as shown:
        assert shown.size == (128, 128)
    _check_books(ground, other_ground)


def test_a_darkroom_asks_another_for_a_clip(client, ground, other_ground) -> None:
    clip = _asked(client, "text-to-video", duration=1, resolution="64x64")
    assert (clip["served_by"], clip["videos"][0][-4:]) == ("darkroom", ".mp4")
    assert clip["cover_url"].endswith(".jpg")
    _check_books(ground, other_ground)


def test_what_another_darkroom_shows_of_a_task_is_shown_on(client) -> None:
    body = {"model": "HOUSE", "prompt": "waves", "duration": 5, "resolution": "640x360"}
    answer = client.post("/v1/generation/text-to-video", json=body).json()["data"]
    status = f"/v1/generation/{answer['task_id']}/status"

    def shown() -> bytes | None:
        task = client.get(status).json()["data"]
        assert task["task_status"] in ("PENDING", "PROCESSING"), task
        found = client.get(task["preview_url"]) if "preview_url" in task else None
        return found.content if found is not None and found.status_code == 200 else None

    with Image.open(io.BytesIO(wait_until(shown, what="a preview"))) as picture_of_it:
        assert (picture_of_it.format, picture_of_it.size) == ("JPEG", (512, 288))
    client.post(f"/v1/generation/{answer['task_id']}/cancel").raise_for_status()


@pytest.mark.parametrize("wire", _WIRES)
def test_a_darkroom_asks_another_by_the_wire_of_others_and_pays_once(
    client, ground, other_ground, wire
) -> None:
    given = base64.b64encode(picture(128, 128)).decode()
    images = [f"data:image/png;base64,{given}"]
    asked = {"model": wire.upper(), "resolution": "96x64", "seed": 5}
    for kind, more in (("text-to-image", {}), ("image-to-image", {"images": images})):
        task = _asked(client, kind, **asked, **more)
        assert task["served_by"] == wire
        with Image.open(io.BytesIO(client.get(task["images"][0]).content)) as shown:
            assert shown.size == (96, 64)
    with psycopg.connect(other_ground.conninfo) as connection:
        query = (
            "SELECT b.kind, t.seed, t.charged_mill FROM tasks t JOIN batches b ON b.id = batch_id"
        )
        made = connection.execute(f"{query} ORDER BY b.id").fetchall()
    assert made == [("text-to-image", 5, 500), ("image-to-image", 5, 500)]
    with psycopg.connect(ground.conninfo) as connection:
        calls = connection.execute("SELECT state, is_billed FROM upstream_calls").fetchall()
    assert calls == [("delivered", True)] * 2
