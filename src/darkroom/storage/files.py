"""Files: what a store of them does, on a disk or in a bucket, and the names that nobody guesses."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from darkroom import errors, ids, media

_NAME = re.compile(r"[0-9a-z]{32}\.(?P<extension>[a-z0-9]{2,5})")
_CHUNK_BYTES = 2**20


class Stored(msgspec.Struct, frozen=True):
    """What is known of a stored file: its bytes, and when it was stored, in seconds of POSIX."""

    size: int
    stored_at: float


class Files(Protocol):
    """A store of all files: written whole or not at all, and never again under the same name.

    Every method raises `FilesUnavailable` while the store cannot be reached, and `FileNotFound` for
    a name that no file has, if it answers nothing else for it.
    """

    @property
    def origin(self) -> str | None:
        """Scheme and host of the addresses that `address` answers; None if it answers none."""

    async def take(self, source: Path, media_type: str) -> tuple[str, int, bytes]:
        """Store a finished file, which the store may move; answers its name, bytes and SHA-256.

        The file is durable from then on: rows may speak of it.
        """

    async def find(self, name: str) -> Stored | None:
        """A stored file; None for a name that none has, or that can be none."""

    def read(self, name: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """The bytes of a file from `start` up to `stop`, a piece of bounded size at a time."""

    async def fetch(self, name: str, target: Path) -> Path:
        """Where the file lies on this machine: where it is kept, or `target`, as a copy."""

    async def address(self, name: str) -> str | None:
        """Where anybody may download the file for a while; None: from the server alone."""

    async def remove(self, names: Sequence[str]) -> None:
        """Remove files that no row speaks of any more, and their previews; may be repeated."""

    async def preview(self, name: str) -> bytes | None:
        """The small version of a picture, if one is kept."""

    async def keep_preview(self, name: str, body: bytes) -> None:
        """Keep the small version of a picture, unless the picture is gone by then."""


def is_name(name: str) -> bool:
    """Whether a file may have this name."""
    match = _NAME.fullmatch(name)
    return match is not None and match["extension"] in media.MEDIA_TYPES


def check_name(name: str) -> None:
    """Raise `FileNotFound` for a name that no file can have."""
    if not is_name(name):
        raise errors.FileNotFound


def new_name(media_type: str) -> str:
    """A name for a file of this type."""
    return ids.file_name(media.EXTENSIONS[media_type])


def preview_name(name: str) -> str:
    """What the small version of a picture is called, which is the name of no file."""
    return f"{name.partition('.')[0]}.preview"


def measure(source: Path) -> tuple[int, bytes]:
    """The bytes of a file and their SHA-256."""
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.digest()
