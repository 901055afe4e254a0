"""A bucket as the store of files: Amazon's S3, or any server that speaks its protocol."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from darkroom import config, errors
from darkroom.config import Config
from darkroom.storage import files
from darkroom.storage.files import Stored

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

_T = TypeVar("_T")
# A file goes up and comes down in blocks, each within a request's time: so much of it is in memory.
_BLOCK_BYTES = 5 * 2**20  # the least that a part of an upload may have
_BLOCKS_TOGETHER = 4
_CONNECT_SECONDS_MAX = 3
_REQUEST_SECONDS_MAX = 60
# What needs no time for its bytes; callers wait for it.
_ASK_SECONDS_MAX = 10.0
# For a while only: who has more time begins again.
_RETRIES_MAX = 4
_RETRY_SECONDS_MAX = 8
_CLIENT: ClientConfig = {
    "connect_timeout": timedelta(seconds=_CONNECT_SECONDS_MAX),
    "timeout": timedelta(seconds=_REQUEST_SECONDS_MAX),
}
_RETRY: RetryConfig = {
    "max_retries": _RETRIES_MAX,
    "retry_timeout": timedelta(seconds=_RETRY_SECONDS_MAX),
}
_KEPT = "public, max-age=31536000, immutable"
_RIGHTS = "s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket"
_NOBODY = f"{'0' * 32}.png"


class Bucket:
    """The files under `PREFIX/ab….png` of one bucket.

    The library takes the credentials where the customary variables say: AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY, a web identity, a container's or a machine's role.
    """

    def __init__(self, settings: Config) -> None:
        assert settings.files_url is not None, "no bucket is set"
        place = urlsplit(settings.files_url)
        self.name = place.netloc
        self._endpoint = settings.s3_endpoint
        self._is_presigned = settings.downloads == "presigned"
        self.origin: str | None = None
        given: S3Config = {}
        if self._endpoint is not None:
            given["endpoint"] = self._endpoint
        if settings.s3_region is not None:
            given["region"] = settings.s3_region
        self._store = S3Store(
            self.name,
            prefix=place.path.strip("/") or None,
            config=given,
            client_options={**_CLIENT, "allow_http": _is_plain(self._endpoint)},
            retry_config=_RETRY,
        )

    async def prove(self) -> None:
        """Raise `ConfigInvalid` unless everything that is done with files can be done here."""
        probe = f"probe-{secrets.token_hex(8)}"
        try:
            await self._put(probe, b"Darkroom was here.", "text/plain")
            await self._ask(obstore.get_range_async(self._store, probe, start=0, end=1))
            await self._ask(obstore.delete_async(self._store, [probe]))
            # Who may not list a bucket is answered 403, not 404, for what is not there.
            await self.find(_NOBODY)
            signed = urlsplit(await self._sign(_NOBODY))
        except (errors.FilesUnavailable, errors.FileNotFound) as exc:
            raise errors.ConfigInvalid(f"DARKROOM_FILES_URL cannot be used: {exc}") from exc
        if self._is_presigned:
            self.origin = f"{signed.scheme}://{signed.netloc}"

    async def take(self, source: Path, media_type: str) -> tuple[str, int, bytes]:
        """Upload a finished file, a big one in parts: nobody sees it before all of it is there."""
        size, digest = await asyncio.to_thread(files.measure, source)
        name = files.new_name(media_type)
        await self._put(name, source, media_type)
        return name, size, digest

    async def find(self, name: str) -> Stored | None:
        """An object of the bucket."""
        if not files.is_name(name):
            return None
        try:
            found = await self._ask(obstore.head_async(self._store, name))
        except errors.FileNotFound:
            return None
        return Stored(found["size"], found["last_modified"].timestamp())

    async def read(self, name: str, start: int, stop: int) -> AsyncIterator[bytes]:
        """The bytes of a file, by one request for each block, so that a slow reader holds none."""
        files.check_name(name)
        while start < stop:
            end = min(start + _BLOCK_BYTES, stop)
            asked = obstore.get_range_async(self._store, name, start=start, end=end)
            block = bytes(await self._ask(asked, _REQUEST_SECONDS_MAX))
            start += len(block)
            yield block

    async def fetch(self, name: str, target: Path) -> Path:
        """Download a file to the target."""
        found = await self.find(name)
        if found is None:
            raise errors.FileNotFound
        with await asyncio.to_thread(target.open, "wb") as stream:
            async for block in self.read(name, 0, found.size):
                await asyncio.to_thread(stream.write, block)
        return target

    async def address(self, name: str) -> str | None:
        """A presigned address, if these are wanted."""
        files.check_name(name)
        return await self._sign(name) if self._is_presigned else None

    async def remove(self, names: Sequence[str]) -> None:
        """Delete files and their previews, up to a thousand with one request."""
        # In this order: a preview that is kept meanwhile is seen here, or finds its picture gone.
        for some in ([*names], [files.preview_name(name) for name in names]):
            await self._ask(obstore.delete_async(self._store, some), _REQUEST_SECONDS_MAX)

    async def preview(self, name: str) -> bytes | None:
        """The object beside the picture's."""
        files.check_name(name)
        try:
            found = await self._ask(obstore.get_async(self._store, files.preview_name(name)))
            return bytes(await self._ask(found.bytes_async()))
        except errors.FileNotFound:
            return None

    async def keep_preview(self, name: str, body: bytes) -> None:
        """Put it beside the picture."""
        small = files.preview_name(name)
        await self._put(small, body, "image/webp")
        if await self.find(name) is None:
            await self._ask(obstore.delete_async(self._store, [small]))

    async def _put(self, key: str, body: Path | bytes, media_type: str) -> None:
        put = obstore.put_async(
            self._store,
            key,
            body,
            attributes={"Content-Type": media_type, "Cache-Control": _KEPT},
            chunk_size=_BLOCK_BYTES,
            max_concurrency=_BLOCKS_TOGETHER,
        )
        try:
            # Of a file each request is bounded, and so are their number and repeats.
            await self._ask(put, _ASK_SECONDS_MAX if isinstance(body, bytes) else None)
        except errors.FileNotFound as exc:
            raise errors.FilesUnavailable(
                f"There is no bucket {self.name} at {self._where}. Make it, or name another."
            ) from exc

    async def _sign(self, key: str) -> str:
        lifetime = timedelta(seconds=config.DOWNLOAD_SECONDS)
        return await self._ask(obstore.sign_async(self._store, "GET", key, lifetime))

    async def _ask(self, asked: Awaitable[_T], seconds_max: float | None = _ASK_SECONDS_MAX) -> _T:
        try:
            async with asyncio.timeout(seconds_max):
                return await asked
        except FileNotFoundError as exc:
            raise errors.FileNotFound from exc
        except (PermissionDeniedError, UnauthenticatedError) as exc:
            raise errors.FilesUnavailable(
                f"The bucket {self.name} at {self._where} refuses these credentials. Check "
                f"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that they allow {_RIGHTS}. "
                f"({_reason(exc)})"
            ) from exc
        except (BaseError, TimeoutError) as exc:
            raise errors.FilesUnavailable(
                f"The bucket {self.name} at {self._where} cannot be reached, or does not answer as "
                "S3 does. Check DARKROOM_S3_ENDPOINT, the network, and that AWS_ACCESS_KEY_ID and "
                f"AWS_SECRET_ACCESS_KEY are set. ({_reason(exc)})"
            ) from exc

    @property
    def _where(self) -> str:
        return self._endpoint or "Amazon S3"


async def opened(settings: Config) -> Bucket:
    """The bucket that the settings name, once it is seen to do all that is needed."""
    one = Bucket(settings)
    await one.prove()
    return one


def _is_plain(endpoint: str | None) -> bool:
    """Whether an endpoint is asked without TLS."""
    named = endpoint or os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""
    return named.startswith("http://")


def _reason(exc: Exception) -> str:
    """The server's own words if it has some, or the library's, without its insides."""
    text = str(exc)
    found = (re.search(f"<{tag}>(.+?)</{tag}>", text) for tag in ("Code", "Message"))
    told = ": ".join(one[1] for one in found if one) or text.partition("\n")[0]
    return told[:300] or "no answer in time"
