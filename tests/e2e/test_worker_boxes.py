"""Worker boxes: with nothing in common but the database and a bucket, tasks come to their end."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from e2e_house import House, ended, status, submit
from PIL import Image

from buckets import S3
from darkroom.client import Client
from ground import wait_until
from lines import RESET, SILENT, Line, line_to
from starter import Started

NEVER = f"{'0' * 32}.png"


@pytest.fixture
def line(s3: S3) -> Iterator[Line]:
    """A line to the bucket that can be cut."""
    with line_to(f"host=127.0.0.1 port={s3.port}") as one:
        yield one


def _move(house: House, s3: S3, **settings: str) -> None:
    """Keep the house's files in the bucket; only the probe runs, so nothing else need be loaded."""
    house.environment |= s3.environment(**settings) | {"DARKROOM_SANDBOX": "false"}


def _box(house: House, name: str, *flags: str) -> Started:
    """A worker on a machine of its own: nothing of the house's data folder is there."""
    return house.start("work", "--data", str(house.folder / name), *flags)


def _sent(client: httpx.Client) -> httpx.Response:
    body = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(body, "PNG")
    return client.post("/v1/generation/upload-file", files={"file": ("a.png", body.getvalue())})


def _upload(client: httpx.Client) -> str:
    answer = _sent(client)
    assert answer.status_code == 200, answer.text
    [url] = answer.json()["data"]["object_url_list"]
    return str(url)


def _ask(client: httpx.Client, prompt: str, picture: str) -> str:
    body = {"model": "PROBE", "prompt": prompt, "images": [picture]}
    answer = client.post("/v1/generation/image-to-image", json=body)
    assert answer.status_code == 200, answer.text
    [task_id] = answer.json()["data"]["task_ids"]
    return str(task_id)


def _rows(house: House, statement: str) -> list[Any]:
    with psycopg.connect(house.ground.conninfo, autocommit=True) as connection:
        return connection.execute(statement).fetchall()


def _said(house: House, text: str) -> bool:
    """Whether a process of the house has logged this."""
    return any(text in log.read_text() for log in house.folder.glob("*.log"))


@pytest.mark.parametrize("downloads", ["proxied", "presigned"])
def test_what_is_uploaded_here_is_worked_on_there(
    house: House, s3: S3, tmp_path: Path, downloads: str
) -> None:
    _move(house, s3, downloads=downloads)
    house.start("serve", "--workers", "0")
    _box(house, "box")
    client = house.client()
    uploaded = _upload(client)
    [task] = ended(client, [_ask(client, "plain", uploaded)])
    assert (task["task_status"], task["attempt"]) == ("SUCCESS", 1)
    [url] = task["images"]
    name = Path(url).name
    assert sorted(s3.names()) == sorted([name, Path(uploaded).name])

    whole = httpx.get(url, follow_redirects=True)
    assert whole.content.startswith(b"\x89PNG")
    part = httpx.get(url, headers={"Range": "bytes=1-3"}, follow_redirects=True)
    assert (part.status_code, part.content) == (206, b"PNG")
    assert part.headers["Content-Range"] == f"bytes 1-3/{len(whole.content)}"
    head = httpx.head(url)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(whole.content)))
    for answer in (whole, part, head):
        assert answer.headers["Content-Type"] == "image/png"
    if downloads == "presigned":
        led = httpx.get(url)
        assert (led.status_code, led.headers["Cache-Control"]) == (307, "no-store")
        assert led.headers["Location"].startswith(f"{s3.address}/{s3.bucket}/some/files/{name}?")
        page = httpx.get(f"{house.url}/docs", headers={"Accept": "text/html"})
        assert page.headers["Content-Security-Policy"].count(s3.address) == 2
    else:
        assert whole.headers["X-Content-Type-Options"] == "nosniff"
        many = httpx.get(url, headers={"Range": "bytes=0-0,2-3"})
        assert many.headers["Content-Type"].startswith("multipart/byteranges")
    # What callers bring is never shown by itself, and only this server says so.
    brought = httpx.get(uploaded)
    assert (brought.status_code, brought.headers["Content-Disposition"]) == (200, "attachment")

    with Client(house.url, client.headers["Authorization"].removeprefix("Bearer ")) as sdk:
        [saved] = sdk.download(sdk.status(task["task_id"]), tmp_path / "saved")
    assert saved.read_bytes() == whole.content

    assert client.delete(f"/v1/files/{name}").status_code == 200
    assert (httpx.get(url).status_code, s3.names()) == (410, [Path(uploaded).name])
    assert httpx.get(f"{house.url}/files/{NEVER}").status_code == 404
    # No process has kept a file of its own, and the worker has cleared its work folder.
    assert not (house.folder / "data" / "files").exists()
    assert [*(house.folder / "box").rglob("*")] == [house.folder / "box" / "work"]


def test_files_past_their_days_leave_the_bucket(house: House, s3: S3) -> None:
    _move(house, s3)
    house.start("serve", "--workers", "0")
    client = house.client()
    old, young = _upload(client), _upload(client)
    aged = "UPDATE assets SET created_at = now() - interval '2 days' WHERE file = '{}' RETURNING 1"
    assert _rows(house, aged.format(Path(old).name))
    house.environment["DARKROOM_FILE_DAYS"] = "1"
    house.start("daemon")
    gone = "SELECT file FROM assets WHERE deleted_at IS NOT NULL"
    wait_until(lambda: _rows(house, gone), what="the old file's end")
    # The first has looked for what to remove a moment before, and looks again in ten seconds.
    house.start("daemon")
    wait_until(lambda: s3.names() == [Path(young).name], what="the old file's removal")
    assert (httpx.get(old).status_code, httpx.get(young).status_code) == (410, 200)


def test_a_worker_killed_in_an_upload_leaves_no_row_of_half_a_file(
    house: House, s3: S3, line: Line
) -> None:
    _move(house, s3)
    house.start("serve", "--workers", "0")
    client = house.client()
    house.environment["DARKROOM_S3_ENDPOINT"] = f"http://127.0.0.1:{line.port}"
    first = _box(house, "first", "--workers", "1")
    line.cut_after(6 * 2**20, SILENT)
    [task_id] = submit(client, "noise")
    wait_until(s3.unfinished, seconds_max=60, what="an upload that cannot go on")
    house.kill(first)
    assert (_rows(house, "SELECT file FROM assets"), s3.keys()) == ([], [])
    assert status(client, task_id)["task_status"] == "PROCESSING"
    _move(house, s3)
    _box(house, "second", "--workers", "1")
    [task] = ended(client, [task_id])
    assert (task["task_status"], task["attempt"]) == ("SUCCESS", 2)
    [(file, size)] = _rows(house, "SELECT file, bytes FROM assets")
    assert (s3.names(), s3.head(file)["ContentLength"]) == ([file], size)
    assert client.get("/v1/generation/balance").json()["data"] == 998


def test_while_the_bucket_is_away_tasks_wait_and_are_done_once(
    house: House, s3: S3, line: Line
) -> None:
    _move(house, s3, s3_endpoint=f"http://127.0.0.1:{line.port}")
    house.start("serve", "--workers", "0")
    _box(house, "box")
    client = house.client()
    picture = _upload(client)
    made, other = submit(client, "slow", 2)
    wait_until(lambda: len(house.marks()) == 2)
    fetching = _ask(client, "plain", picture)
    line.cut(RESET)
    # One gets a place of which the input cannot be fetched, one has a result that cannot be stored.
    assert client.post(f"/v1/generation/{other}/cancel").status_code == 200
    for task_id in (made, fetching):
        waits = f"{task_id}: waits for the store of files"
        wait_until(lambda text=waits: _said(house, text), what=waits)
    assert {status(client, one)["task_status"] for one in (made, fetching)} == {"PROCESSING"}
    refused = _sent(client)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert "cannot reach its files" in refused.json()["message"]
    assert httpx.get(picture).status_code == 503
    assert client.get("/health/ready").json()["data"]["files"] is False
    line.heal()
    tasks = ended(client, [made, fetching])
    assert {(task["task_status"], task["attempt"]) for task in tasks} == {("SUCCESS", 1)}
    assert set(house.marks().values()) == {1}
    # The one that was canceled cost nothing.
    assert client.get("/v1/generation/balance").json()["data"] == 1000 - 2 * 2
    assert client.get("/health/ready").json()["data"]["files"] is True


def test_a_child_goes_on_while_what_it_made_waits_for_the_bucket(
    house: House, s3: S3, line: Line
) -> None:
    _move(house, s3, s3_endpoint=f"http://127.0.0.1:{line.port}")
    house.start("serve", "--workers", "0")
    _box(house, "box", "--workers", "1")
    client = house.client()
    _sent(client)
    line.cut(RESET)
    tasks = []
    for count in (1, 2):
        tasks += submit(client, "plain")
        waits = f"{tasks[-1]}: waits for the store of files"
        wait_until(lambda text=waits: _said(house, text), what=waits)
        assert len(house.marks()) == count
    line.heal()
    found = ended(client, tasks)
    assert {(task["task_status"], task["attempt"]) for task in found} == {("SUCCESS", 1)}


def test_a_cancel_of_what_waits_for_the_bucket_leaves_the_childs_next_task_alone(
    house: House, s3: S3, line: Line
) -> None:
    _move(house, s3, s3_endpoint=f"http://127.0.0.1:{line.port}")
    house.start("serve", "--workers", "0")
    _box(house, "box", "--workers", "1")
    client = house.client()
    line.cut(RESET)
    [made] = submit(client, "plain")
    wait_until(lambda: _said(house, f"{made}: waits for the store of files"), what="the first")
    [following] = submit(client, "slow")
    wait_until(lambda: len(house.marks()) == 2)
    assert client.post(f"/v1/generation/{made}/cancel").status_code == 200
    [canceled] = ended(client, [made])
    wait_until(lambda: _said(house, f"{following}: waits for the store of files"), what="the next")
    line.heal()
    [task] = ended(client, [following])
    assert (canceled["error_code"], task["task_status"], task["attempt"]) == (6005, "SUCCESS", 1)
