"""Recordings: small clips and sounds in every container that is taken, made anew for a test."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import av
import numpy as np

CLIPS = {"mp4": ("libx264", "aac"), "mov": ("libx264", "aac"), "webm": ("libvpx-vp9", "libopus")}
SOUNDS = {
    "mp3": "libmp3lame",
    "ipod": "aac",
    "wav": "pcm_s16le",
    "ogg": "libopus",
    "flac": "flac",
}
_RATE = 48_000
_FRAMES = 10


def clip(
    form: str = "mp4",
    *,
    size: tuple[int, int] = (160, 90),
    sounds: int = 1,
    is_seen: bool = True,
    seconds_apart: int = 0,
    **options: str,
) -> bytes:
    """A clip of noise with so many tracks of sound; ten frames in a second, or further apart."""
    video, audio = CLIPS[form]
    # Headers are put first by reading the file again, which one in memory is not.
    with (
        tempfile.NamedTemporaryFile() as file,
        av.open(file.name, "w", format=form, options=options) as container,
    ):
        seen = _picture(container, video, size) if is_seen else None
        heard = [container.add_stream(audio, rate=_RATE) for _ in range(sounds)]
        if seen is not None:
            for number in range(2 if seconds_apart else _FRAMES):
                rng = np.random.default_rng(number)
                pixels = rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts = number * (seconds_apart * 10 or 1)
                container.mux(seen.encode(frame))
            container.mux(seen.encode())
        for one in heard:
            _fill(container, one)
        container.close()
        return Path(file.name).read_bytes()


def sound(form: str) -> bytes:
    """A second of silence."""
    made = io.BytesIO()
    with av.open(made, "w", format=form) as container:
        _fill(container, container.add_stream(SOUNDS[form], rate=_RATE))
    return made.getvalue()


def _picture(container: Any, codec: str, size: tuple[int, int]) -> Any:
    stream = container.add_stream(codec, rate=10)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    return stream


def _fill(container: Any, stream: Any) -> None:
    form = stream.format.name
    depth = {"flt": np.float32, "s32": np.int32, "s16": np.int16}[form.removesuffix("p")]
    for number in range(_RATE // 960):
        shape = (2, 960) if form.endswith("p") else (1, 1920)
        frame = av.AudioFrame.from_ndarray(np.zeros(shape, depth), format=form, layout="stereo")
        frame.sample_rate, frame.pts = _RATE, number * 960
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def wide(width: int, height: int) -> bytes:
    """A clip of one dark frame of any size."""
    made = io.BytesIO()
    with av.open(made, "w", format="mov") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
        pixels = np.zeros((height * 3 // 2, width), np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="yuvj420p")))
        container.mux(stream.encode())
    return made.getvalue()
