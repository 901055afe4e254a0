"""Results brought home: fetched into the task's folder, told apart by what they are, measured."""

from __future__ import annotations

import asyncio
import base64
import binascii
from pathlib import Path
from typing import Any

from PIL import Image

from darkroom import errors, media
from darkroom.engine.backends.contract import Output
from darkroom.engine.backends.remote.line import RESULT_BYTES_MAX, Line, Lost
from darkroom.engine.backends.remote.upstream import Result

# Times that a result is asked for: some are told of a moment before they can be had.
_FETCHES_MAX = 5


async def bring(result: Result, name: str, line: Line) -> list[Output]:
    """A result as files of the task's folder: a clip comes with its cover."""
    path = line.errand.folder / name
    if result.data:
        await asyncio.to_thread(path.write_bytes, result.data)
    elif result.address.startswith("data:"):
        await asyncio.to_thread(path.write_bytes, _of_data_address(result.address))
    else:
        await _fetch(result.address, path, line)
    return await asyncio.to_thread(_measured, path, result.media_type, dict(result.notes))


async def _fetch(address: str, path: Path, line: Line) -> None:
    """Raises `Hindered` where it cannot be had now: the next attempt asks for it again."""
    for number in range(_FETCHES_MAX):
        try:
            if line.is_own(address):
                await line.download(address, path)
            else:
                await line.errand.fetch(address, path.name, bytes_max=RESULT_BYTES_MAX)
        except (Lost, errors.TaskError, errors.InputRefused) as exc:
            fault: Exception = exc
            await line.errand.pause(2.0**number)
        else:
            return
    raise errors.Hindered(f"The result cannot be fetched: {fault}", stays=True)


def _of_data_address(address: str) -> bytes:
    """The bytes of a "data:" address in base64 (RFC 2397)."""
    try:
        return base64.b64decode(address.partition(",")[2], validate=True)
    except binascii.Error as exc:
        raise errors.BackendFailed("The upstream's result is no base64.") from exc


def _measured(path: Path, said: str, notes: dict[str, Any]) -> list[Output]:
    with path.open("rb") as stream:
        media_type = said or media.sniff(stream.read(media.SNIFF_BYTES))
    if media_type not in media.EXTENSIONS:
        raise errors.BackendFailed("The upstream's result is of a type that nobody knows.")
    path = path.rename(path.with_suffix(f".{media.EXTENSIONS[media_type]}"))
    if media_type.startswith("image/"):
        try:
            with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as picture:
                picture.load()  # one that was cut off is known by its pixels alone
                return [Output(path, media_type, *picture.size, notes)]
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as exc:
            raise errors.BackendFailed("The upstream's picture cannot be read.") from exc
    if not media_type.startswith("video/"):
        return [Output(path, media_type, notes=notes)]
    # What reads clips costs a worker's start half a second, and its memory.
    from darkroom.engine.backends import clips, pictures

    try:
        clip = clips.probe(path)
        first = next(clips.frames(path, fps=clip.fps))
    except (errors.BadInput, StopIteration) as exc:
        raise errors.BackendFailed("The upstream's clip cannot be read.") from exc
    told = {"duration_seconds": clip.seconds, "fps": clip.fps} | notes
    return [
        Output(path, media_type, clip.width, clip.height, told),
        pictures.write_cover(first, path.with_suffix(".jpg")),
    ]
