"""The gallery: an account's own tasks and pictures, small versions of them, and their deletion."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from console_visitors import Visitor
from PIL import Image

import examples
from darkroom.domain.kinds.table import KINDS
from ground import Server, wait_until

BIG = {"model": "PAINTER", "prompt": "abstract shapes", "resolution": "1024x512"}
TINY = BIG | {"resolution": "64x64"}


def _submitted(visitor: Visitor, body: dict[str, Any], kind: str = "text-to-image") -> str:
    headers = {"X-CSRF-Token": visitor.form_token()}
    kind = "image-to-image" if "images" in body else kind
    answer = visitor.post(KINDS[kind].route, json=body, headers=headers)
    return str(answer.json()["data"]["task_id"])


def _made(visitor: Visitor, body: dict[str, Any], kind: str = "text-to-image") -> tuple[str, str]:
    """The id of a task that has ended well, and its file's address."""
    task_id = _submitted(visitor, body, kind)

    def ended() -> dict[str, Any] | None:
        data: dict[str, Any] = visitor.get(f"/v1/generation/{task_id}/status").json()["data"]
        return data if data["task_status"] in ("SUCCESS", "FAILED") else None

    done = wait_until(ended, seconds_max=120, what="the end of the task")
    return task_id, done[KINDS[kind].outputs][0]


def test_what_a_result_says_in_words_is_shown(visitors: Callable[..., Visitor]) -> None:
    visitor = visitors()
    task_id, _ = _made(visitor, dict(KINDS["podcast-text"].example), "podcast-text")
    page = visitor.get(f"/gallery/{task_id}").text
    assert "Mia: " in page
    assert "Leo: " in page
    assert '<span class="muted">Words</span>' in visitor.get("/gallery").text
    body = {"scripts": [{"speaker_id": "leo-9328b6d2", "content": "Good evening."}]}
    headers = {"X-CSRF-Token": visitor.form_token()}
    route = KINDS["podcast-audio"].route.format(task_id=task_id)
    assert visitor.post(route, json=body, headers=headers).status_code == 200
    page = visitor.get("/gallery").text
    assert '<span class="tile-words">Good evening.</span>' in page
    spoken = next(
        one for one in re.findall(r'href="(/gallery/task_\w+)"', page) if task_id not in one
    )
    assert '<p class="wrap pre-line">Good evening.</p>' in visitor.get(spoken).text


def test_a_clip_is_shown_with_its_cover(visitors: Callable[..., Visitor]) -> None:
    visitor, kind = visitors(), KINDS["text-to-video"]
    task_id, address = _made(visitor, examples.small(kind), kind.name)
    page = visitor.get(f"/gallery/{task_id}").text
    assert f'<video src="{urlsplit(address).path}"' in page
    assert 'poster="/files/' in page
    assert 'src="/gallery/previews/' in visitor.get("/gallery").text


def test_a_small_version_is_made_once_and_kept(visitors: Callable[..., Visitor]) -> None:
    visitor = visitors()
    _, address = _made(visitor, BIG)
    name = address.rpartition("/")[2]
    answer = visitor.get(f"/gallery/previews/{name}")
    with Image.open(io.BytesIO(answer.content)) as small:
        assert (small.format, small.size) == ("WEBP", (512, 256))
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert visitor.get(f"/gallery/previews/{name}").content == answer.content
    assert visitors().get(f"/gallery/previews/{name}").status_code == 404
    assert visitors(is_signed_in=False).get(f"/gallery/previews/{name}").status_code == 303


@pytest.mark.parametrize("name", ["x", "0" * 32 + ".png", "..%2f..%2fetc%2fpasswd"])
def test_what_is_no_file_has_no_small_version(visitor: Visitor, name: str) -> None:
    assert visitor.get(f"/gallery/previews/{name}").status_code == 404


def test_an_upload_that_is_no_picture_has_no_small_version(visitor: Visitor) -> None:
    answer = visitor.post(
        "/v1/generation/upload-file",
        files={"file": ("a.png", examples.sound())},
        headers={"X-CSRF-Token": visitor.form_token()},
    )
    name = answer.json()["data"]["object_url_list"][0].rpartition("/")[2]
    assert visitor.get(f"/gallery/previews/{name}").status_code == 404


def test_a_task_is_shown_to_its_owner_alone(visitors: Callable[..., Visitor]) -> None:
    visitor, other = visitors(), visitors()
    task_id, address = _made(visitor, TINY | {"prompt": "a <b>bold</b> prompt", "seed": 12345})
    file = address.rpartition("/")[2]
    page = visitor.get(f"/gallery/{task_id}").text
    for said in (
        "a &lt;b&gt;bold&lt;/b&gt; prompt",
        "12345",
        "painter",
        "SHA-256",
        f"/files/{file}",
    ):
        assert said in page
    record = re.search(r"/api/history/(req_\w+)", page)
    assert record
    asked = {"request_id": record[1]}
    [found] = wait_until(
        lambda: visitor.get("/v1/history", params=asked).json()["data"]["records"],
        what="the call record",
    )
    assert found["task_id"] == task_id
    assert f"/gallery/previews/{file}" in visitor.get("/gallery").text
    assert other.get(f"/gallery/{task_id}").status_code == 404
    assert task_id not in other.get("/gallery").text
    for act in ("cancel", "delete"):
        assert other.post_form(f"/gallery/{task_id}/{act}").status_code == 404
    assert httpx.get(address).status_code == 200


def test_an_input_is_shown_and_run_again(visitor: Visitor) -> None:
    _, address = _made(visitor, TINY)
    file = address.rpartition("/")[2]
    task_id, _ = _made(visitor, TINY | {"images": [address]})
    assert f"/gallery/previews/{file}" in visitor.get(f"/gallery/{task_id}").text
    again = visitor.get("/playground", params={"from": task_id}).text
    assert re.search(rf'<textarea[^>]*name="images"[^>]*>[^<]*{file}</textarea>', again)


def test_a_deleted_task_is_out_of_the_gallery_and_its_files_are_gone(visitor: Visitor) -> None:
    task_id, address = _made(visitor, TINY)
    preview = f"/gallery/previews/{address.rpartition('/')[2]}"
    assert visitor.get(preview).status_code == 200
    answer = visitor.post_form(f"/gallery/{task_id}/delete")
    assert (answer.status_code, answer.headers["location"]) == (303, "/gallery")
    assert task_id not in visitor.get("/gallery").text
    assert httpx.get(address).status_code == 410
    assert visitor.get(preview).status_code == 404
    page = visitor.get(f"/gallery/{task_id}").text
    assert "Its files were removed" in page
    assert f"/gallery/{task_id}/delete" not in page
    told = visitor.get(f"/v1/generation/{task_id}/status").json()["data"]
    assert (told["images"], told["task_status"]) == ([], "SUCCESS")


@pytest.fixture
def full_lane(visitor: Visitor, server: Server) -> Iterator[None]:
    """As if as many tasks of the visitor ran as may: what is submitted now waits."""
    with psycopg.connect(server.ground.conninfo, autocommit=True) as connection:
        for statement in (
            "UPDATE accounts SET running_max = 1 WHERE id = %s",
            "UPDATE lanes SET admitted = 1 WHERE account_id = %s",
        ):
            connection.execute(statement, (visitor.account_id,))
        yield
        connection.execute(
            "UPDATE lanes SET admitted = 0 WHERE account_id = %s", (visitor.account_id,)
        )


@pytest.mark.usefixtures("full_lane")
def test_a_task_that_goes_on_is_canceled_and_not_deleted(visitor: Visitor) -> None:
    task_id = _submitted(visitor, TINY)
    page = visitor.get(f"/gallery/{task_id}").text
    assert f'action="/gallery/{task_id}/cancel"' in page
    assert "It waits" in page
    part = visitor.get(f"/gallery/{task_id}", headers={"HX-Request": "true"}).text
    assert "<html" not in part
    assert visitor.post_form(f"/gallery/{task_id}/delete").status_code == 409
    assert visitor.post_form(f"/gallery/{task_id}/cancel").status_code == 303
    page = visitor.get(f"/gallery/{task_id}").text
    assert "The task was canceled." in page
    assert "Run it again whenever you like." in page


def test_filters_and_places_that_make_no_sense_show_everything(visitor: Visitor) -> None:
    asked = {"kind": "x", "status": "y", "days": "z", "from": "w"}
    assert "Nothing" in visitor.get("/gallery", params=asked).text
    assert visitor.get("/gallery", params={"words": "a\x00b"}).status_code == 400
    assert visitor.get("/gallery/task_%00").status_code == 404


def test_an_empty_gallery_says_where_to_begin(visitor: Visitor) -> None:
    page = visitor.get("/gallery").text
    assert "Nothing here yet" in page
    assert 'href="/playground"' in page
