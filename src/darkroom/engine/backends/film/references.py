"""What an almighty film refers to: clips and sounds checked, and what they become in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from darkroom.engine.backends import clips, sounds
from darkroom.engine.backends.film.ambience import faded
from darkroom.engine.backends.sounds import RATE, Samples
from darkroom.errors import BadInput

_SECONDS_MIN, _SECONDS_MAX = 2.0, 15.0
# Frames and packets end a little before or after what a clip is said to last.
_TOLERANCE = 0.1
_FADE_SECONDS = 0.35
_PEAK = 0.92


class Reference(msgspec.Struct, frozen=True):
    """A clip to refer to."""

    path: Path
    clip: clips.Clip


def videos(paths: Sequence[Path]) -> list[Reference]:
    """Returns the clips; raises `BadInput` for one under 2 or over 15 seconds, or 15 together."""
    found = [Reference(path, clips.probe(path)) for path in paths]
    _check("videos", [one.clip.seconds for one in found])
    return found


def audios(paths: Sequence[Path]) -> list[Samples]:
    """Returns the sounds; raises `BadInput` for one under 2 or over 15 seconds, or 15 together."""
    found = [sounds.read(path, seconds_max=60.0) for path in paths]
    _check("audios", [len(one) / RATE for one in found])
    return found


def _check(name: str, lengths: Sequence[float]) -> None:
    for number, length in enumerate(lengths, start=1):
        if not _SECONDS_MIN - _TOLERANCE <= length <= _SECONDS_MAX + _TOLERANCE:
            raise BadInput(
                f"{name}: number {number} lasts {length:.1f} seconds; send 2 to 15 seconds."
            )
    if sum(lengths) > _SECONDS_MAX + _TOLERANCE:
        raise BadInput(f"{name} last {sum(lengths):.1f} seconds together; send at most 15 seconds.")


def mixed(parts: Sequence[tuple[Samples, float, float]], seconds: float) -> Samples:
    """Returns sounds laid over each other: (sound, start, most it may last) in seconds.

    Each is faded at both ends and cut where the film ends; loud places are bent below full scale.
    """
    total = np.zeros((round(seconds * RATE), 2), np.float32)
    for sound, start, most in parts:
        at = round(start * RATE)
        part = sound[: min(round(most * RATE), max(0, len(total) - at))]
        total[at : at + len(part)] += faded(part, _FADE_SECONDS)
    peak = float(np.abs(total).max()) if len(total) else 0.0
    if peak > _PEAK:
        total = np.asarray(np.float32(_PEAK) * np.tanh(total / np.float32(_PEAK)), np.float32)
    return faded(total, _FADE_SECONDS)


def soundtrack(given: Sequence[Samples], seconds: float) -> Samples:
    """Returns given sounds as a film's: they begin one after the other, evenly, and may overlap."""
    step = seconds / len(given)
    return mixed([(one, number * step, seconds) for number, one in enumerate(given)], seconds)
