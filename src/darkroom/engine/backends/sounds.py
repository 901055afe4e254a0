"""Sounds as backends read and write them: float32 arrays (samples, 2) at 48 kHz, -1 to 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import numpy.typing as npt

from darkroom.errors import BadInput

Samples = npt.NDArray[np.float32]
RATE = 48_000
# Demuxers of FFmpeg that inputs may be read with: no playlists, nothing that names other files.
READ_OPTIONS = {"format_whitelist": "mov,matroska,webm,wav,mp3,ogg,flac"}
INPUT_SECONDS_MAX = 600.0


def read(path: Path, *, seconds_max: float = INPUT_SECONDS_MAX) -> Samples:
    """Returns the sound of a sound or clip as float32 (samples, 2) at 48 kHz.

    Raises `BadInput` for a file without sound, a broken one, or one that is longer.
    """
    try:
        with path.open("rb") as stream, av.open(stream, options=READ_OPTIONS) as container:
            if not container.streams.audio:
                raise BadInput("The input has no sound.")
            parts = list(_decoded(container, seconds_max))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise BadInput("The input sound cannot be read: send an mp3, m4a, wav, ogg or flac.") from (
            error
        )
    if not parts:
        raise BadInput("The input has no sound.")
    return np.concatenate(parts)


def _decoded(container: Any, seconds_max: float) -> Iterator[Samples]:
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
    left = round(seconds_max * RATE)
    for frame in container.decode(audio=0):
        # What a file says of its frames' times is not needed: they follow each other.
        frame.pts = None
        for part in resampler.resample(frame):
            left -= part.samples
            if left < 0:
                raise BadInput(f"The input sound is longer than {seconds_max:g} seconds.")
            yield part.to_ndarray().T.astype(np.float32)
    for part in resampler.resample(None):
        yield part.to_ndarray().T.astype(np.float32)


def write_mp3(
    samples: Samples, path: Path, progress: Callable[[float], None] = lambda _: None
) -> None:
    """Write float32 (samples, 2) at 48 kHz as an MP3 of 192 kbit/s; `progress` hears 0 to 1."""
    with av.open(str(path), "w", format="mp3", options={"fflags": "+bitexact"}) as container:
        # At this bit rate LAME's slower searches cost half as much again and are not heard.
        quick = {"compression_level": "7"}
        stream = container.add_stream("libmp3lame", rate=RATE, layout="stereo", options=quick)
        stream.bit_rate = 192_000
        for number, frame in enumerate(frames(samples)):
            if number % 64 == 0:
                progress(number * 1152 / len(samples))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def frames(samples: Samples, *, first: int = 0) -> Iterator[av.AudioFrame]:
    """The samples as frames of 1152, float planar, the first of them at sample `first`."""
    for start in range(0, len(samples), 1152):
        part = np.ascontiguousarray(samples[start : start + 1152].T, np.float32)
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = RATE, first + start
        frame.time_base = Fraction(1, RATE)
        yield frame


def loudness(samples: Samples) -> float:
    """The sound's root mean square in dB below full scale; -120 for silence."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return 10 * float(np.log10(max(power, 1e-12)))
