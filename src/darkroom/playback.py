"""Playback: whether a clip or sound that somebody brought can be decoded, tried in another process.

What reads a stranger's file may loop, grow or crash; there it takes nobody with it.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from darkroom import errors, media

SECONDS_MAX = 30
_SAID_BYTES_MAX = 1000
# By its format alone a file is read: what names other files (a playlist, a list of parts) is none.
_FORMATS = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "video/webm": "matroska",
    "audio/mpeg": "mp3",
    "audio/mp4": "mov",
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
}
# Each takes a core, and up to the memory that `darkroom.player` bounds itself to.
_turns = asyncio.Semaphore(2)


async def check(path: Path, media_type: str, field: str) -> None:
    """Open a clip or sound as far as the first frame of each of its streams.

    Raises `InputRefused` for one that is broken, cut off, or larger than anything that is made on
    purpose: see `darkroom.player`.
    """
    sort = media.sort(media_type)
    async with _turns:
        said = await _play(path, _FORMATS[media_type], sort)
    if said:
        raise errors.InputRefused(f"The {sort} {said}", field=field)


async def _play(path: Path, form: str, sort: media.Sort) -> str:
    """What the player says of a file: nothing, or what is wrong."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "darkroom.player", str(path), form, sort),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS_MAX):
            said = (await process.stdout.read(_SAID_BYTES_MAX)).decode()
            status = await process.wait()
    except TimeoutError:
        return "takes too long to open."
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status > 0:
        raise RuntimeError(f"darkroom.player ended with {status}: is PyAV installed?")
    return said if status == 0 else "is broken: it cannot be decoded."
