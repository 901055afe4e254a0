"""Marking: an output signed and measured, between the child that made it and the store."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from darkroom import credentials, errors, likeness, media
from darkroom.authority import Authority
from darkroom.credentials import Origin
from darkroom.domain import certificates
from darkroom.engine import protocol
from darkroom.storage.database import Database

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 0.5


class Marker:
    """Signs with the operator's certificate, or with the instance's own once it is asked for."""

    def __init__(self, database: Database, authority: Authority | None) -> None:
        self._database = database
        self._authority = authority

    async def prepare(self) -> None:
        """Have the certificate at hand, so that no end of a task need ask the database for it."""
        if self._authority is None:
            async with self._database.transaction() as tx:
                self._authority = await certificates.ours(tx)

    async def sign(self, made: protocol.Made, origin: Origin) -> Path:
        """Where the signed file lies, beside the one that was made; raises `NotSigned`.

        A file that can carry no manifest stays as it is.
        """
        path = Path(made.path)
        if made.media_type not in credentials.MEDIA_TYPES:
            return path
        authority, signed = await self._ours(), path.with_name(f"{path.name}.signed")
        await asyncio.to_thread(credentials.sign, path, made.media_type, origin, authority, signed)
        return signed

    async def measure(self, made: protocol.Made) -> int | None:
        """The likeness of a picture, before or after it is signed."""
        if made.likeness is not None or made.media_type not in media.PICTURES:
            return made.likeness
        return await asyncio.to_thread(likeness.measure, Path(made.path), made.media_type)

    async def _ours(self) -> Authority:
        while self._authority is None:
            try:
                await self.prepare()
            except errors.DatabaseUnavailable as fault:
                # The end of the task waits for it as well.
                _log.warning("the certificate cannot be had yet: %s", fault)
                await asyncio.sleep(_RETRY_SECONDS)
        return self._authority


def source_of(noted: object) -> str:
    """The digital source type that a backend notes, or the one for models that have learned."""
    is_word = isinstance(noted, str) and noted.isascii() and noted.isalnum()
    return str(noted) if is_word else credentials.SOURCE_DEFAULT
