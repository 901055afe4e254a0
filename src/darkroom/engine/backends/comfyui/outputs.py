"""What a prompt saved, brought home without the workflow that ComfyUI writes into its files."""

from __future__ import annotations

import asyncio
import contextlib
import urllib.parse
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
from PIL import Image

from darkroom import cleaning, errors, media
from darkroom.domain.kinds.table import KINDS
from darkroom.engine.backends.comfyui.wire import Entry
from darkroom.engine.backends.contract import Output
from darkroom.engine.backends.remote import results
from darkroom.engine.backends.remote.line import Line
from darkroom.engine.backends.remote.upstream import Result

_FILES_MAX = 64
_ASK_SECONDS_MAX = 10.0
_FORMATS = {
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "audio/mpeg": "mp3",
    "audio/mp4": "ipod",
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
}


class _File(msgspec.Struct):
    """A file as nodes tell of it; of type `output`, `temp` (a preview) or `input`."""

    filename: str
    subfolder: str = ""
    type: str = "output"

    @property
    def path(self) -> str:
        """Its path below ComfyUI's address."""
        return f"view?{urllib.parse.urlencode(msgspec.structs.asdict(self))}"


async def bring(entry: Entry, kind: str, line: Line) -> AsyncIterator[Output]:
    """Yield what a prompt saved of what the kind makes; raises `BackendFailed` where it is none."""
    files, fitting = _files(entry), media.OUTPUTS[KINDS[kind].outputs]
    if len(files) > _FILES_MAX:
        raise errors.BackendFailed(f"The workflow saved {len(files)} files, over {_FILES_MAX}.")
    is_empty = True
    for number, file in enumerate(files):
        await _check(file, line)
        made = await results.bring(Result(address=file.path), f"result-{number}", line)
        # A clip comes first, then its cover.
        if made[0].media_type in fitting:
            await asyncio.to_thread(strip, made[0].path, made[0].media_type)
            is_empty = False
            for output in made:
                yield output
    if is_empty:
        raise errors.BackendFailed(
            f"The workflow saved none of the {KINDS[kind].outputs} that {kind} makes: end it with "
            "a node that saves them as files."
        )


def _files(entry: Entry) -> list[_File]:
    """What was saved, or else what was only shown; nodes tell of files in lists by many names."""
    found: list[_File] = []
    for told in entry.outputs.values():
        for listed in told.values():
            for one in listed if isinstance(listed, list) else ():
                if isinstance(one, dict) and isinstance(one.get("filename"), str):
                    with contextlib.suppress(msgspec.ValidationError):
                        found.append(msgspec.convert(one, _File))
    saved = [one for one in found if one.type == "output"]
    return saved or [one for one in found if one.type == "temp"]


async def _check(file: _File, line: Line) -> None:
    """Raise `BackendFailed` where a file is gone, which nodes that ran before do not notice."""
    with contextlib.suppress(httpx.HTTPError):
        answer = await line.errand.http.head(line.whole(file.path), timeout=_ASK_SECONDS_MAX)
        if answer.status_code == 404:
            raise errors.BackendFailed(
                "ComfyUI no longer has the file that it names: it made nothing new, since the same "
                "was asked before. End the workflow with a node that saves."
            )


def strip(path: Path, media_type: str) -> None:
    """Take off what a file says beside its pixels and samples; raises `BackendFailed`."""
    if media_type in media.PICTURES:
        _check_still(path)
        try:
            cleaning.clean(path, media_type, "")
        except errors.InputRefused as refused:
            raise errors.BackendFailed(f"ComfyUI's picture is refused: {refused}") from refused
    else:
        # What reads clips costs a worker's start half a second, and its memory.
        import av.error

        try:
            _copy(path, _FORMATS[media_type])
        except (av.error.FFmpegError, OSError, ValueError) as exc:
            raise errors.BackendFailed("ComfyUI's clip or sound cannot be read.") from exc


def _check_still(path: Path) -> None:
    with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as picture:
        if getattr(picture, "is_animated", False):
            raise errors.BackendFailed(
                "The workflow saved an animated picture: let it save a video instead."
            )


def _copy(path: Path, container: str) -> None:
    """The same packets in a fresh file, which has none of the old one's words."""
    import av

    from darkroom.engine.backends import sounds

    fresh = path.with_name(f"fresh-{path.name}")
    options: dict[str, Any] = {"fflags": "+bitexact"}
    if container in ("mp4", "mov", "ipod"):
        options["movflags"] = "+faststart"
    with (
        path.open("rb") as stream,
        av.open(stream, "r", options=sounds.READ_OPTIONS) as old,
        av.open(str(fresh), "w", format=container, options=options) as new,
    ):
        kept = {
            one.index: new.add_stream_from_template(one)
            for one in (*old.streams.video, *old.streams.audio)
        }
        for packet in old.demux(*(old.streams[index] for index in kept)):
            if packet.dts is not None:
                packet.stream = kept[packet.stream.index]
                new.mux(packet)
    fresh.replace(path)
