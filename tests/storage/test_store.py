"""Files are stored whole, under names that nobody can guess, and nowhere else."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from darkroom import errors
from darkroom.storage.files import Files


def taken(store: Files, folder: Path, body: bytes) -> tuple[str, int, bytes]:
    source = folder / "made"
    source.write_bytes(body)
    return asyncio.run(store.take(source, "image/png"))


def test_take_moves_the_file_and_tells_its_size_and_digest(tmp_path: Path) -> None:
    store = Files(tmp_path / "files")
    name, size, digest = taken(store, tmp_path, b"abc")
    assert store.path(name).read_bytes() == b"abc"
    assert (size, digest) == (3, hashlib.sha256(b"abc").digest())
    assert not (tmp_path / "made").exists()


def test_take_works_from_another_file_system(tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    store = Files(tmp_path / "files")
    source = elsewhere / tmp_path.name
    source.write_bytes(b"abc")
    name, _, _ = asyncio.run(store.take(source, "image/png"))
    assert store.path(name).read_bytes() == b"abc"
    assert not source.exists()
    assert [one.name for one in store.path(name).parent.iterdir()] == [name]


def test_the_folder_cannot_be_listed_by_others(tmp_path: Path) -> None:
    taken(Files(tmp_path / "files"), tmp_path, b"a")
    assert (tmp_path / "files").stat().st_mode & 0o077 == 0


def test_names_differ_for_the_same_bytes(tmp_path: Path) -> None:
    store = Files(tmp_path / "files")
    assert taken(store, tmp_path, b"a")[0] != taken(store, tmp_path, b"a")[0]


@pytest.mark.parametrize(
    "name", ["", "..", "../secret", "a" * 32, f"{'a' * 32}.exe", f"{'A' * 32}.png", "a/b.png"]
)
def test_a_name_that_cannot_be_one_is_not_found(tmp_path: Path, name: str) -> None:
    store = Files(tmp_path)
    assert asyncio.run(store.exists(name)) is False
    with pytest.raises(errors.FileNotFound):
        store.path(name)


def test_remove_is_repeatable(tmp_path: Path) -> None:
    store = Files(tmp_path / "files")
    name, _, _ = taken(store, tmp_path, b"a")
    asyncio.run(store.remove(name))
    asyncio.run(store.remove(name))
    assert asyncio.run(store.exists(name)) is False
