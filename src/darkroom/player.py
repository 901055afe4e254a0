"""The player: opens one clip or sound as far as its first frames, and prints what is wrong with it.

`python -m darkroom.player PATH FORMAT SORT` is the process that `darkroom.playback` starts.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import av.error
from av.stream import Disposition

STREAMS_MAX = 16
PIXELS_MAX = 7680 * 4320
HOURS_MAX = 4
RATE_MAX = 384_000
CHANNELS_MAX = 64
_MEMORY_BYTES_MAX = 2**30
_CPU_SECONDS_MAX = 10
# The first frame of a stream stands among these, of all streams together.
_PACKETS_MAX = 1000
_READ = {"probesize": "5000000", "analyzeduration": "5000000"}
_BROKEN = "is broken or cut off: it cannot be decoded."
# What moves in each sort, and what one without it is told.
_MAIN = {
    "clip": ("video", "has no video that can be decoded."),
    "sound": ("audio", "has no sound that can be decoded."),
}


def problem(path: Path, form: str, sort: str) -> str:
    """What is wrong with a file, as the end of a sentence; nothing if it can be played.

    Reads the container's headers, and packets until each stream has given a frame.
    """
    try:
        with path.open("rb") as stream, av.open(stream, format=form, options=_READ) as container:
            streams = _playing(container)
            return (
                _beyond(container, streams, sort)
                or _cut(streams, form, path.stat().st_size)
                or _undecoded(container, streams, sort)
            )
    except MemoryError:
        return "takes too much memory to open."
    except (av.error.FFmpegError, OSError, ValueError, OverflowError):
        return _BROKEN


def _beyond(container: Any, streams: Sequence[Any], sort: str) -> str:
    """What is missing, or beyond every bound, by the headers."""
    if len(container.streams) > STREAMS_MAX:
        return f"has {len(container.streams)} streams; {STREAMS_MAX} are the most."
    main, missing = _MAIN[sort]
    if not any(one.type == main for one in streams):
        return missing
    if (container.duration or 0) / av.time_base > HOURS_MAX * 3600:
        return f"is longer than {HOURS_MAX} hours."
    for one in streams:
        if one.type == "video" and one.width * one.height > PIXELS_MAX:
            return f"is of {one.width} x {one.height} pixels; 7680 x 4320 are the most."
        if one.type == "audio" and one.rate > RATE_MAX:
            return f"has {one.rate} samples a second; {RATE_MAX} are the most."
        if one.type == "audio" and one.channels > CHANNELS_MAX:
            return f"has {one.channels} channels; {CHANNELS_MAX} are the most."
    return ""


def _cut(streams: Sequence[Any], form: str, size: int) -> str:
    """Whether samples lie behind the file's end, by the tables that an MP4 begins with."""
    ends = [one.index_entries[-1] for one in streams if form == "mov" and len(one.index_entries)]
    return _BROKEN if any(one.pos + one.size > size for one in ends) else ""


def _undecoded(container: Any, streams: Sequence[Any], sort: str) -> str:
    for one in streams:
        one.codec_context.thread_count = 1
    begun: set[Any] = set()
    decoded: set[Any] = set()
    for count, packet in enumerate(container.demux(streams)):
        if count > _PACKETS_MAX or len(decoded) == len(streams):
            break
        if packet.stream in decoded:
            continue
        if packet.size:
            begun.add(packet.stream)
        if _decodes(packet):
            decoded.add(packet.stream)
    # A stream of another type may begin later than anybody looks.
    has_main = any(one.type == _MAIN[sort][0] for one in decoded)
    return "" if has_main and begun <= decoded else _BROKEN


def _playing(container: Any) -> Sequence[Any]:
    """The streams that play; a cover is a picture in a sound."""
    return [
        one
        for one in container.streams
        if one.type in ("video", "audio")
        and one.codec_context is not None
        and not one.disposition & Disposition.attached_pic
    ]


def _decodes(packet: Any) -> bool:
    try:
        return bool(packet.decode())
    except av.error.InvalidDataError:
        # Decoders may need a few packets to find their way in.
        return False


def main() -> None:
    """Bound this process, and print what is wrong with the file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS_MAX, _CPU_SECONDS_MAX))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES_MAX, _MEMORY_BYTES_MAX))
    path, form, sort = sys.argv[1:]
    sys.stdout.write(problem(Path(path), form, sort))


if __name__ == "__main__":
    main()
