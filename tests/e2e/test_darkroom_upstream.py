"""One Darkroom behind another: two real servers, the second of which paints."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from PIL import Image

from ground import Ground, fresh_database, serve, wait_until
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


@dataclass(frozen=True, slots=True)
class Pair:
    """A server that has its models made by another, which paints them; their databases."""

    url: str
    ground: Ground
    other: Ground


@pytest.fixture(scope="module")
def pair(postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The two servers; each test is an account of its own in front, and asks after the last."""
    databases = [fresh_database(postgres, template) for _ in range(2)]
    ground, other = (Ground(next(database)) for database in databases)
    folder = tmp_path_factory.mktemp("pair")
    behind = serve(other.conninfo, folder / "behind", workers="1")
    catalogue = folder / "catalogue.toml"
    catalogue.write_text(_CATALOGUE.format(url=behind.url) + _foreign(behind.url))
    front = serve(
        ground.conninfo,
        folder / "front",
        workers="1",
        catalogue_file=str(catalogue),
        upstream_key=other.key(other.account().id),
    )
    yield Pair(front.url, ground, other)
    front.stop()
    behind.stop()
    assert ground.audit() == other.audit() == []
    for database in databases:
        next(database, None)


@dataclass(frozen=True, slots=True)
class Books:
    """What was asked of the other server since a test began, as both sides wrote it down."""

    pair: Pair
    account_id: str
    since: int

    def calls(self) -> list[tuple[Any, ...]]:
        """The calls of this test's account: how each ended, whether it is billed, its cost."""
        query = (
            "SELECT state, is_billed, cost_micro FROM upstream_calls c "
            "JOIN tasks t ON t.id = c.task_id WHERE t.account_id = %s"
        )
        with psycopg.connect(self.pair.ground.conninfo) as connection:
            return connection.execute(query, [self.account_id]).fetchall()

    def made(self) -> list[tuple[Any, ...]]:
        """What the other made: its kind, seed and price."""
        query = (
            "SELECT b.kind, t.seed, t.charged_mill FROM tasks t JOIN batches b ON b.id = batch_id "
            "WHERE b.id > %s ORDER BY b.id"
        )
        with psycopg.connect(self.pair.other.conninfo) as connection:
            return connection.execute(query, [self.since]).fetchall()

    def check(self) -> None:
        """A credit there is a cent: what it charged is what the rows here say."""
        calls = self.calls()
        assert {one[:2] for one in calls} == {("delivered", True)}
        assert sum(one[2] for one in calls) == sum(one[2] for one in self.made()) * 10


@pytest.fixture
def books(pair: Pair) -> Books:
    """The books of a fresh account."""
    with psycopg.connect(pair.other.conninfo) as connection:
        query = "SELECT coalesce(max(id), 0) FROM batches"
        [(since,)] = connection.execute(query).fetchall()
    return Books(pair, pair.ground.account().id, since)


@pytest.fixture
def client(pair: Pair, books: Books) -> Iterator[httpx.Client]:
    """A caller of the server in front."""
    headers = {"Authorization": f"Bearer {pair.ground.key(books.account_id)}"}
    with httpx.Client(base_url=pair.url, headers=headers, timeout=30) as one:
        yield one


def test_a_darkroom_asks_another_for_pictures(client, books: Books) -> None:
    painted = _asked(client, "text-to-image", resolution="128x128", seed=5)
    given = base64.b64encode(picture(128, 128)).decode()
    images = [f"data:image/png;base64,{given}"]
    _asked(client, "image-to-image", resolution="128x128", images=images)
    assert painted["served_by"] == "darkroom"
    # The seed went along, and what the painter notes came back.
    assert (painted["seed"], painted["notes"]["digital_source_type"]) == (5, "algorithmicMedia")
    with Image.open(io.BytesIO(client.get(painted["images"][0]).content)) as shown:
        assert shown.size == (128, 128)
    books.check()


def test_a_darkroom_asks_another_for_a_clip(client, books: Books) -> None:
    clip = _asked(client, "text-to-video", duration=1, resolution="64x64")
    assert (clip["served_by"], clip["videos"][0][-4:]) == ("darkroom", ".mp4")
    assert clip["cover_url"].endswith(".jpg")
    books.check()


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
    client, books: Books, wire: str
) -> None:
    given = base64.b64encode(picture(128, 128)).decode()
    images = [f"data:image/png;base64,{given}"]
    asked = {"model": wire.upper(), "resolution": "96x64", "seed": 5}
    for kind, more in (("text-to-image", {}), ("image-to-image", {"images": images})):
        task = _asked(client, kind, **asked, **more)
        assert task["served_by"] == wire
        with Image.open(io.BytesIO(client.get(task["images"][0]).content)) as shown:
            assert shown.size == (96, 64)
    assert books.made() == [("text-to-image", 5, 500), ("image-to-image", 5, 500)]
    assert [one[:2] for one in books.calls()] == [("delivered", True)] * 2
