"""Sound that goes on as it was: short pieces of its end laid over each other, then faded."""

from __future__ import annotations

import numpy as np

from darkroom.engine.backends import sounds
from darkroom.engine.backends.sounds import Samples

_HEARD_SECONDS = 4.0  # of the end, that pieces are taken from
_PIECE_SECONDS = 1.1
_OVERLAP_SECONDS = 0.25
_FADE_SECONDS = 1.5
_TRIES = 48


def continued(sound: Samples, seconds: float, seed: int) -> Samples:
    """The sound and so many seconds more of it, float32 (samples, 2); silence stays silence.

    Each piece begins where its sound is most like the end so far (as in WSOLA: Verhelst and
    Roelands, 1993), at equal power over a quarter of a second.
    """
    more = round(seconds * sounds.RATE)
    if len(sound) < sounds.RATE // 5:
        return np.concatenate([sound, np.zeros((more, 2), np.float32)])
    rng = np.random.default_rng(seed)
    heard = sound[-round(_HEARD_SECONDS * sounds.RATE) :]
    overlap = min(round(_OVERLAP_SECONDS * sounds.RATE), len(heard) // 4)
    piece = min(round(_PIECE_SECONDS * sounds.RATE), len(heard) - overlap)
    out = np.zeros((len(sound) + more + piece, 2), np.float32)
    out[: len(sound)], end = sound, len(sound)
    rise = np.linspace(0, np.pi / 2, overlap, dtype=np.float32)[:, None]
    while end < len(sound) + more:
        before = out[end - overlap : end]
        start = _alike(heard, before, len(heard) - piece, rng)
        taken = heard[start : start + piece]
        like = _likeness(before, taken[:overlap])
        # What is alike adds up in level, what is not in power.
        power = 1 / np.sqrt(
            np.cos(rise) ** 2 + np.sin(rise) ** 2 + 2 * like * np.cos(rise) * np.sin(rise)
        )
        out[end - overlap : end] = (before * np.cos(rise) + taken[:overlap] * np.sin(rise)) * power
        out[end : end + piece - overlap] = taken[overlap:]
        end += piece - overlap
    out = out[: len(sound) + more]
    fade = min(round(_FADE_SECONDS * sounds.RATE), more)
    out[-fade:] *= np.cos(np.linspace(0, np.pi / 2, fade, dtype=np.float32))[:, None]
    return out


def _alike(heard: Samples, before: Samples, last: int, rng: np.random.Generator) -> int:
    """Where in `heard`, up to sample `last`, what follows begins most like `before`."""
    if last <= 0:
        return 0
    at = rng.integers(0, last + 1, _TRIES)
    wide = [_likeness(before[::4], heard[k : k + len(before) : 4]) for k in at]
    best = int(at[int(np.argmax(wide))])
    near = range(max(0, best - 240), min(last, best + 240) + 1, 8)
    fine = [_likeness(before[::4], heard[k : k + len(before) : 4]) for k in near]
    return near[int(np.argmax(fine))]


def _likeness(first: Samples, second: Samples) -> float:
    """How alike two sounds of one length are, 0 to 1, by their normalised correlation."""
    both = float(np.vdot(first, second))
    power = float(np.sqrt(np.vdot(first, first) * np.vdot(second, second)))
    return max(0.0, both / power) if power > 1e-9 else 0.0
