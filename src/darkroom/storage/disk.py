"""The disk as the store of files: a folder, of this machine or shared by several."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from darkroom import errors
from darkroom.storage import files
from darkroom.storage.files import Stored

_PIECE_BYTES = 2**18


class Disk:
    """The files under `DATA/files/ab/ab….png`, by the name's first two letters."""

    origin = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        """Where the file of this name lies; raises `FileNotFound` for a name that cannot be one."""
        files.check_name(name)
        return self._folder / name[:2] / name

    async def take(self, source: Path, media_type: str) -> tuple[str, int, bytes]:
        """Move a finished file into the folder."""
        return await asyncio.to_thread(self._take, source, media_type)

    def _take(self, source: Path, media_type: str) -> tuple[str, int, bytes]:
        size, digest = files.measure(source)
        # The bytes must be on the disk before any row speaks of them.
        _sync(source)
        name = files.new_name(media_type)
        target = self.path(name)
        # Who can list the folder knows every name, and a name is all that opens a file.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.parent.mkdir(exist_ok=True)
        try:
            source.rename(target)
        except OSError:  # another file system: copy beside the target, then rename
            beside = target.with_suffix(".part")
            shutil.copyfile(source, beside)
            _sync(beside)
            beside.rename(target)
            source.unlink()
        _sync(target.parent)
        return name, size, digest

    async def find(self, name: str) -> Stored | None:
        """A file of the folder."""
        return await asyncio.to_thread(self._find, name) if files.is_name(name) else None

    def _find(self, name: str) -> Stored | None:
        try:
            found = self.path(name).stat()
        except FileNotFoundError:
            return None
        return Stored(found.st_size, found.st_mtime)

    async def read(self, name: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """The bytes of a file, as they lie there."""
        try:
            stream = await asyncio.to_thread(self.path(name).open, "rb")
        except FileNotFoundError as exc:
            raise errors.FileNotFound from exc
        with stream:
            await asyncio.to_thread(stream.seek, start)
            while piece := await asyncio.to_thread(stream.read, min(_PIECE_BYTES, stop - start)):
                start += len(piece)
                yield piece

    async def fetch(self, name: str, target: Path) -> Path:
        """Where the file is kept: nothing is copied."""
        if await self.find(name) is None:
            raise errors.FileNotFound
        return self.path(name)

    async def address(self, name: str) -> None:
        """Nobody but the server reaches its disk."""

    async def remove(self, names: Sequence[str]) -> None:
        """Remove files and their previews."""
        await asyncio.to_thread(self._remove, names)

    def _remove(self, names: Sequence[str]) -> None:
        for name in names:
            self.path(name).unlink(missing_ok=True)
            self._preview(name).unlink(missing_ok=True)

    async def preview(self, name: str) -> bytes | None:
        """What lies beside the picture."""
        try:
            return await asyncio.to_thread(self._preview(name).read_bytes)
        except FileNotFoundError:
            return None

    async def keep_preview(self, name: str, body: bytes) -> None:
        """Write it beside the picture, whole or not at all."""
        await asyncio.to_thread(self._keep_preview, name, body)

    def _keep_preview(self, name: str, body: bytes) -> None:
        target = self._preview(name)
        beside = target.with_suffix(f".{secrets.token_hex(4)}.part")
        beside.write_bytes(body)
        beside.rename(target)
        # Who deletes the picture removes it before its preview: one of the two sees the other.
        if not self.path(name).exists():
            target.unlink(missing_ok=True)

    def _preview(self, name: str) -> Path:
        return self.path(name).with_name(files.preview_name(name))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
