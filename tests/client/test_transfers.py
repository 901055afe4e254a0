"""Files in and out: whole or not at all, never over another, and the key stays at home."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from scripted import Answer, said, task

from darkroom import client
from darkroom.client import shapes

BYTES = b"picture" * 50_000


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def url(scripted) -> str:
    return f"{scripted.url}/files/one.png"


def test_download_saves_every_file_without_the_key(scripted, ask, url, tmp_path: Path) -> None:
    scripted.answers(Answer(body=BYTES))
    done = shapes.task(task(images=[url, url.replace("one", "two")]))
    paths = ask(lambda c: c.download(done, tmp_path / "new"))
    assert [path.read_bytes() for path in paths] == [BYTES, BYTES]
    assert names(tmp_path / "new") == ["one.png", "two.png"]
    assert not any("authorization" in asked.headers for asked in scripted.asked)


def test_download_takes_the_name_of_a_file(scripted, ask, url, tmp_path: Path) -> None:
    scripted.answers(Answer(body=BYTES))
    assert ask(lambda c: c.download(url, tmp_path / "mine.png")) == [tmp_path / "mine.png"]
    done = shapes.task(task(images=[url, url]))
    with pytest.raises(NotADirectoryError):
        ask(lambda c: c.download(done, tmp_path / "other.png"))


def test_download_that_broke_off_begins_again(scripted, ask, url, tmp_path: Path) -> None:
    scripted.answers(Answer(body=BYTES, cut=9), Answer(body=BYTES, cut=99_999), Answer(body=BYTES))
    [path] = ask(lambda c: c.download(url, tmp_path))
    assert path.read_bytes() == BYTES
    assert names(tmp_path) == ["one.png"]


@pytest.mark.parametrize("fault", [Answer(body=BYTES, cut=99_999), said(None, http=404)])
def test_download_that_fails_leaves_nothing(scripted, ask, url, tmp_path: Path, fault) -> None:
    scripted.answers(fault)
    with pytest.raises(client.DarkroomError):
        ask(lambda c: c.download(url, tmp_path))
    assert names(tmp_path) == []


def test_download_never_writes_over_a_file(scripted, ask, url, tmp_path: Path) -> None:
    (tmp_path / "one.png").write_text("mine")
    with pytest.raises(FileExistsError, match="exists already"):
        ask(lambda c: c.download(url, tmp_path))
    assert (tmp_path / "one.png").read_text() == "mine"
    assert scripted.asked == []


@pytest.mark.parametrize(
    ("last", "name"),
    [
        ("..%2f..%2fevil.png", "_.._evil.png"),
        ("%00.png", "_.png"),
        ("", "files"),
        ("..", "download"),
    ],
)
def test_download_stays_in_its_folder(scripted, ask, tmp_path: Path, last: str, name: str) -> None:
    scripted.answers(Answer(body=BYTES))
    ask(lambda c: c.download(f"{scripted.url}/files/{last}", tmp_path))
    assert names(tmp_path) == [name]


def test_download_follows_a_redirect(scripted, ask, url, tmp_path: Path) -> None:
    scripted.answers(Answer(302, headers={"Location": "/elsewhere"}), Answer(body=BYTES))
    assert ask(lambda c: c.download(url, tmp_path))[0].read_bytes() == BYTES


def test_download_of_an_unfinished_task_is_refused(ask, tmp_path: Path) -> None:
    with pytest.raises(client.DarkroomError, match="is PENDING and has no files"):
        ask(lambda c: c.download(shapes.task(task("PENDING")), tmp_path))


@pytest.mark.parametrize("form", [str, Path, Path.read_bytes, lambda path: path.open("rb")])
def test_upload_takes_paths_bytes_and_files(scripted, ask, tmp_path: Path, form) -> None:
    path = tmp_path / "in.png"
    path.write_bytes(b"pixels")
    scripted.answers(said({"object_url_list": ["http://a/files/b.png"]}))
    content = form(path)
    assert ask(lambda c: c.upload(content)) == "http://a/files/b.png"
    assert b"pixels" in scripted.asked[0].body
    if isinstance(content, io.IOBase):
        content.close()


def test_upload_is_not_repeated(scripted, ask) -> None:
    scripted.answers(Answer(cut=0))
    with pytest.raises(client.ConnectionFailed):
        ask(lambda c: c.upload(b"pixels"))
    assert len(scripted.asked) == 1


def test_submit_uploads_local_pictures(scripted, ask, tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(b"pixels")
    address = "http://a/files/b.png"
    scripted.answers(said({"object_url_list": [address]}), said({"task_id": "task_1"}))
    images = ["https://c/d.png", tmp_path / "in.png", "data:image/png;base64,AA=="]
    ask(lambda c: c.submit("image-to-image", images=images))
    assert scripted.asked[1].json["images"] == [images[0], address, images[2]]


def test_submit_of_a_missing_picture_sends_nothing(scripted, ask) -> None:
    with pytest.raises(FileNotFoundError):
        ask(lambda c: c.image_to_image("none.png", "a", "M"))
    assert scripted.asked == []
