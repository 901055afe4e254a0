"""Files on disk: bytes under unguessable names, written whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from pathlib import Path

from darkroom import errors, ids, media

_NAME = re.compile(r"[0-9a-z]{32}\.(?P<extension>[a-z0-9]{2,5})")
_CHUNK_BYTES = 2**20


class Files:
    """The store of all files: `DATA/files/ab/ab….png`, by the name's first two letters."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        """Where the file of this name lies; raises `FileNotFound` for a name that cannot be one."""
        if not _is_name(name):
            raise errors.FileNotFound
        return self._folder / name[:2] / name

    def preview(self, name: str) -> Path:
        """Where the small version of a picture lies, if somebody has asked for it."""
        return self.path(name).with_suffix(".preview")

    async def exists(self, name: str) -> bool:
        """Whether a file of this name is stored."""
        return _is_name(name) and await asyncio.to_thread(self.path(name).is_file)

    async def take(self, source: Path, media_type: str) -> tuple[str, int, bytes]:
        """Move a finished file into the store; answers its name, bytes and SHA-256."""
        return await asyncio.to_thread(self._take, source, media_type)

    def _take(self, source: Path, media_type: str) -> tuple[str, int, bytes]:
        digest = hashlib.sha256()
        size = 0
        with source.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
            # The bytes must be on the disk before any row speaks of them.
            os.fsync(stream.fileno())
        name = ids.file_name(media.EXTENSIONS[media_type])
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
        return name, size, digest.digest()

    async def remove(self, name: str) -> None:
        """Remove a file that no row speaks of any more, and its small version."""
        await asyncio.to_thread(self._remove, name)

    def _remove(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)
        self.preview(name).unlink(missing_ok=True)


def _is_name(name: str) -> bool:
    match = _NAME.fullmatch(name)
    return match is not None and match["extension"] in media.MEDIA_TYPES


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
