"""Provenance: whether a file was made here, and the certificate that tells everybody so."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from pathlib import Path
from typing import Any, Literal

from starlette.responses import Response

from darkroom import credentials, errors, likeness, media
from darkroom.api import parts
from darkroom.api.call import Call, Route
from darkroom.authority import Authority
from darkroom.credentials import Reading
from darkroom.domain import certificates, origins, spellings
from darkroom.domain.origins import Origin

_CACHED_SECONDS = 3600


async def verify(call: Call) -> Any:
    """Whether the part `file` was made here: by its signature, its bytes, or its looks."""
    part = await parts.read(call.request)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        media_type = await asyncio.to_thread(parts.spool, part, path)
        trusted = await _trusted(call)
        reading = await asyncio.to_thread(credentials.read, path, media_type, trusted)
        if reading.signature == "valid":
            return await _by_signature(call, reading)
        digest = await asyncio.to_thread(_digest, path)
        async with call.edge.database.statement() as tx:
            found = await origins.of_bytes(tx, call.principal.account_id, digest)
        if found is not None:
            return _told(reading, "bytes", found)
        measured = None
        if media_type in media.PICTURES:
            measured = await asyncio.to_thread(likeness.measure, path, media_type)
    if measured is not None:
        async with call.edge.database.statement() as tx:
            found = await origins.of_likeness(tx, call.principal.account_id, measured)
        if found is not None:
            return _told(reading, "likeness", found) | {"distance": found.distance}
    return _told(reading, None, None)


async def get_root(call: Call) -> Response:
    """The root certificates in PEM: that of what is made now, then the one that it replaced."""
    if call.edge.authority is None:
        async with call.edge.database.transaction() as tx:
            await certificates.ours(tx)
    roots = dict.fromkeys(one.root for one in await _trusted(call))
    return Response(
        "".join(roots),
        headers={"Cache-Control": f"public, max-age={_CACHED_SECONDS}"},
        media_type="application/pem-certificate-chain",
    )


async def _trusted(call: Call) -> list[Authority]:
    """The operator's certificate, if one is set, and the instance's own, if it was ever needed."""
    async with call.edge.database.statement() as tx:
        ours = await certificates.find(tx)
    return [one for one in (call.edge.authority, ours) if one is not None]


async def _by_signature(call: Call, reading: Reading) -> dict[str, Any]:
    """What this server knows of the task that a file names, or else what the file says of it."""
    told, found = reading.origin, None
    if told is not None:
        async with call.edge.database.statement() as tx:
            found = await origins.of_task(tx, call.principal.account_id, told.task_id)
        found = found or Origin(None, told.model, told.kind, None, told.source, 0)
    return _told(reading, "signature", found)


def _told(
    reading: Reading, by: Literal["signature", "bytes", "likeness"] | None, found: Origin | None
) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "is_ours": by is not None,
        "by": by,
        "signature": reading.signature,
        "made_at": None,
        "model": None,
        "kind": None,
        "digital_source_type": None,
    }
    if found is not None:
        answer |= {
            "made_at": spellings.instant(found.made_at),
            "model": found.model,
            "kind": found.kind,
            "digital_source_type": found.source or credentials.SOURCE_DEFAULT,
        }
        if found.task_id is not None:
            answer["task_id"] = found.task_id
    return answer


def _digest(path: Path) -> bytes:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


ROUTES = (
    Route(
        "POST",
        "/v1/verify",
        verify,
        "Whether a file was made here: by its signature, its bytes, or how it looks.",
        (
            errors.Unauthenticated,
            errors.RateLimited,
            errors.BadParameter,
            errors.UploadTooLarge,
            errors.UnsupportedMedia,
            errors.UnsupportedFormat,
        ),
    ),
    Route(
        "GET",
        "/.well-known/provenance.pem",
        get_root,
        "The root certificate behind the signatures of the files that are made here.",
        needs_key=False,
    ),
)
