"""Inputs named by a submit: data: URLs are stored, own files resolved, other addresses checked."""

from __future__ import annotations

import asyncio
import base64
import re
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from darkroom import cleaning, errors, media, playback
from darkroom.api.call import Call
from darkroom.domain import assets
from darkroom.domain.kinds.kind import Files, Kind, several
from darkroom.storage import files

_OWN = re.compile(r"^https?://[^/?#]+[^?#]*/(?:files|uploads)/(?P<file>[0-9a-z]{32}\.[a-z0-9]+)$")


class Taken(msgspec.Struct):
    """The inputs of one submit: references by field, and what was stored to make them."""

    store: files.Files
    references: dict[str, list[str]] = msgspec.field(default_factory=dict)
    stored: list[assets.Asset] = msgspec.field(default_factory=list)

    async def discard(self) -> None:
        """Remove what was stored for a submit that was refused."""
        if self.stored:
            await self.store.remove([one.file for one in self.stored])


async def take(call: Call, kind: Kind, given: Any) -> Taken:
    """Turn every input address of a submit into a reference that a worker can fetch."""
    taken = Taken(call.edge.files)
    try:
        for name, rule in kind.files.items():
            taken.references[name] = [
                await _take_one(call, name, address, rule, taken)
                for address in several(getattr(given, name))
            ]
    except errors.Refusal:
        await taken.discard()
        raise
    return taken


async def _take_one(call: Call, name: str, address: str, rule: Files, taken: Taken) -> str:
    if not address.strip():
        raise errors.BadParameter(f"{name}: image url cannot be empty", field=name)
    if address.startswith("data:"):
        asset = await _store(call.edge.files, _decoded(name, address, rule), rule, name)
        taken.stored.append(asset)
        return f"file:{asset.file}"
    # Whatever this server is called from outside: nobody else has a file of that name.
    if (own := _OWN.search(address)) and await call.edge.files.find(own["file"]):
        return f"file:{own['file']}"
    if address.startswith((f"{call.base_url}/files/", f"{call.base_url}/uploads/")):
        raise errors.FileNotFound(f"{name}: image url error: no such file here.", field=name)
    call.edge.outbound.check_address(address, field=name)
    return address


def _decoded(name: str, address: str, rule: Files) -> bytes:
    header, comma, body = address.partition(",")
    if not comma or not header.endswith(";base64"):
        raise errors.InputRefused(
            f"{name}: image url error: a data: URL must be data:…;base64,…", field=name
        )
    if len(body) * 3 // 4 > rule.bytes_max + 3:
        raise errors.UploadTooLarge(
            f"{name}: image url error: the file is over {rule.bytes_max} bytes.", field=name
        )
    try:
        return base64.b64decode(body, validate=True)
    except ValueError as exc:
        raise errors.InputRefused(
            f"{name}: image url error: the data: URL is not valid base64.", field=name
        ) from exc


async def check(path: Path, media_type: str, name: str) -> None:
    """Refuse a file that cannot be decoded; what a picture says beside its pixels is gone then."""
    if media_type in media.PICTURES:
        await asyncio.to_thread(cleaning.clean, path, media_type, name)
    else:
        await playback.check(path, media_type, name)


async def _store(store: files.Files, body: bytes, rule: Files, name: str) -> assets.Asset:
    media_type = media.sniff(body[: media.SNIFF_BYTES])
    if media_type not in rule.media_types:
        raise errors.UnsupportedFormat(rule.refusal, field=name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "input"
        await asyncio.to_thread(path.write_bytes, body)
        await check(path, media_type, name)
        file, size, digest = await store.take(path, media_type)
    return assets.Asset(file, media_type, size, digest)
