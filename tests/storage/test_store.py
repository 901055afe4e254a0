"""Files are stored whole, under names that nobody can guess, on a disk and in a bucket alike."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from buckets import S3
from darkroom import config, errors
from darkroom.storage.bucket import Bucket
from darkroom.storage.disk import Disk
from darkroom.storage.files import Files, preview_name

NO_NAMES = ["", "..", "../secret", "a" * 32, f"{'a' * 32}.exe", f"{'A' * 32}.png", "a/b.png"]
BODY = b"".join(number.to_bytes(4) for number in range(2**19))


@pytest.fixture(params=["disk", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    if request.param == "disk":
        return Disk(tmp_path / "files")
    s3: S3 = request.getfixturevalue("s3")
    return Bucket(config.load(s3.settings(), {}))


def taken(store: Files, folder: Path, body: bytes) -> tuple[str, int, bytes]:
    source = folder / "made"
    source.write_bytes(body)
    return asyncio.run(store.take(source, "image/png"))


async def read(store: Files, name: str, start: int, stop: int) -> bytes:
    return b"".join([piece async for piece in store.read(name, start, stop)])


def test_take_keeps_the_bytes_and_tells_size_and_digest(store: Files, tmp_path: Path) -> None:
    name, size, digest = taken(store, tmp_path, BODY)
    assert (size, digest) == (len(BODY), hashlib.sha256(BODY).digest())
    assert asyncio.run(read(store, name, 0, size)) == BODY
    found = asyncio.run(store.find(name))
    assert found is not None
    assert found.size == size
    assert abs(found.stored_at - tmp_path.stat().st_mtime) < 60


def test_names_differ_for_the_same_bytes(store: Files, tmp_path: Path) -> None:
    assert taken(store, tmp_path, b"a")[0] != taken(store, tmp_path, b"a")[0]


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (5, 9), (2**20 - 1, 2**20 + 1), (7, 7)])
def test_any_span_can_be_read(store: Files, tmp_path: Path, start: int, stop: int) -> None:
    name, _, _ = taken(store, tmp_path, BODY)
    assert asyncio.run(read(store, name, start, stop)) == BODY[start:stop]


def test_a_file_is_fetched_to_where_a_model_can_open_it(store: Files, tmp_path: Path) -> None:
    name, _, _ = taken(store, tmp_path, BODY)
    assert asyncio.run(store.fetch(name, tmp_path / "input")).read_bytes() == BODY


@pytest.mark.parametrize("name", NO_NAMES)
def test_a_name_that_cannot_be_one_is_not_found(store: Files, tmp_path: Path, name: str) -> None:
    assert asyncio.run(store.find(name)) is None
    for asked in (
        store.fetch(name, tmp_path / "x"),
        read(store, name, 0, 1),
        store.preview(name),
    ):
        with pytest.raises(errors.FileNotFound):
            asyncio.run(asked)


def test_a_name_that_no_file_has_is_not_found(store: Files, tmp_path: Path) -> None:
    name = f"{'0' * 32}.png"
    assert asyncio.run(store.find(name)) is None
    assert asyncio.run(store.preview(name)) is None
    for asked in (store.fetch(name, tmp_path / "x"), read(store, name, 0, 1)):
        with pytest.raises(errors.FileNotFound):
            asyncio.run(asked)


def test_remove_is_repeatable_and_takes_the_preview_along(store: Files, tmp_path: Path) -> None:
    gone, kept = (taken(store, tmp_path, b"a")[0] for _ in range(2))
    asyncio.run(store.keep_preview(gone, b"small"))
    assert asyncio.run(store.preview(gone)) == b"small"
    for _ in range(2):
        asyncio.run(store.remove([gone]))
    assert asyncio.run(store.find(gone)) is None
    assert asyncio.run(store.preview(gone)) is None
    assert asyncio.run(store.find(kept)) is not None


def test_no_preview_is_kept_of_a_picture_that_is_gone(store: Files, tmp_path: Path) -> None:
    gone, _ = (taken(store, tmp_path, b"a")[0] for _ in range(2))
    asyncio.run(store.remove([gone]))
    # The folder that it lay in is still there, as it is for whoever scales it at this moment.
    asyncio.run(store.keep_preview(gone, b"small"))
    assert asyncio.run(store.preview(gone)) is None


def test_the_name_of_a_preview_opens_nothing(store: Files, tmp_path: Path) -> None:
    name, _, _ = taken(store, tmp_path, b"a")
    asyncio.run(store.keep_preview(name, b"small"))
    assert asyncio.run(store.find(preview_name(name))) is None


def test_a_file_moves_to_the_disk_from_another_file_system(tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    disk = Disk(tmp_path / "files")
    source = elsewhere / tmp_path.name
    source.write_bytes(b"abc")
    name, _, _ = asyncio.run(disk.take(source, "image/png"))
    assert disk.path(name).read_bytes() == b"abc"
    assert not source.exists()
    assert [one.name for one in disk.path(name).parent.iterdir()] == [name]


def test_the_folder_on_the_disk_cannot_be_listed_by_others(tmp_path: Path) -> None:
    taken(Disk(tmp_path / "files"), tmp_path, b"a")
    assert (tmp_path / "files").stat().st_mode & 0o077 == 0
