"""Speech: what an engine says, given a voice's character and a lasting loudness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from darkroom.engine.backends import sounds
from darkroom.engine.backends.sounds import Samples
from darkroom.engine.backends.synth.mixing import limited
from darkroom.engine.backends.synth.tones import RATE, Curve, Wave, count, equalize
from darkroom.engine.backends.synth.voices import Manner

_RMS_DB = -20.0
# Louder than this speech is all limiter.
_LOUDEST_DB = -8.0
# Up to here speech keeps its peaks.
_PLAIN_DB = -15.0
_QUIET = 10 ** (-48 / 20)


def shaped(plain: Samples, manner: Manner) -> Samples:
    """An engine's sound as a voice of this manner, float32 (samples, 2)."""
    mono = trimmed(plain).mean(axis=1)
    if not len(mono):
        return np.zeros((0, 2), np.float32)
    mono = _resized(np.asarray(mono, np.float32), manner.size)
    if manner.effect == "robot":
        mono = _robot(mono)
    elif manner.effect == "growl":
        mono = _growl(mono)
    mono = equalize(mono, lambda hz: _tone(hz, manner))
    return np.repeat(mono[:, None], 2, axis=1)


def trimmed(sound: Samples) -> Samples:
    """The sound without the silence before and after it."""
    level = np.maximum(np.abs(sound[:, 0]), np.abs(sound[:, 1]))
    heard = np.flatnonzero(level > _QUIET * max(float(level.max(initial=0)), 1e-9))
    if not len(heard):
        return sound[:0]
    edge = count(0.02)
    return sound[max(int(heard[0]) - edge, 0) : int(heard[-1]) + edge]


def _resized(mono: Wave, size: float) -> Wave:
    """A larger throat is a sound read slower: pitch and formants sink together."""
    places = np.arange(0, len(mono) - 1, 1 / size)
    return np.asarray(np.interp(places, np.arange(len(mono)), mono), np.float32)


def _robot(mono: Wave) -> Wave:
    """Half of it multiplied with a 55 Hz tone, and a short metal tube."""
    time = np.arange(len(mono)) / RATE
    ringing = mono * np.sin(2 * np.pi * 55 * time)
    sound = 0.55 * mono + 0.75 * ringing
    for delay, gain in ((0.0061, 0.45), (0.0113, 0.3)):
        shift = count(delay)
        sound[shift:] += gain * sound[:-shift] if len(sound) > shift else 0
    return np.asarray(sound, np.float32)


def _growl(mono: Wave) -> Wave:
    """A rough throat: the voice flutters at 31 Hz and is driven a little."""
    time = np.arange(len(mono)) / RATE
    flutter = 0.72 + 0.28 * np.sin(2 * np.pi * 31 * time + 0.8 * np.sin(2 * np.pi * 3.1 * time))
    peak = max(float(np.abs(mono).max()), 1e-9)
    return np.asarray(np.tanh(mono / peak * flutter * 2.4), np.float32)


def _tone(hz: Curve, manner: Manner) -> Curve:
    """Rumble out, warmth and presence as the manner says, the engine's hiss above 9 kHz down."""
    safe = np.maximum(hz, 1)
    low = 10 ** (manner.warmth / 20 * np.exp(-((np.log2(safe / 180) / 0.9) ** 2)))
    high = 10 ** ((manner.presence + 1) / 20 * np.exp(-((np.log2(safe / 3000) / 0.8) ** 2)))
    return low * high / np.sqrt((1 + (75 / safe) ** 6) * (1 + (hz / 9000) ** 6))


def loud(sound: Samples, volume: float, rms_db: float = _RMS_DB) -> Samples:
    """The sound at `rms_db` times `volume` (0 silences it), its peaks limited, its ends faded."""
    if not len(sound) or volume <= 0:
        return np.zeros_like(sound)
    wanted = min(rms_db + 20 * float(np.log10(volume)), max(_LOUDEST_DB, rms_db))
    if wanted > _PLAIN_DB:
        # A limiter alone cannot get there: the peaks are rounded off first.
        level = 10 ** ((sounds.loudness(sound) - wanted + _PLAIN_DB) / 20)
        sound = np.tanh(sound * np.float32(0.4 / max(level, 1e-9)))
    for _ in range(4):
        # Limiting takes some loudness, so it may take a few rounds to arrive.
        missing = wanted - sounds.loudness(sound)
        if abs(missing) < 0.05:
            break
        sound = limited(sound * np.float32(10 ** (missing / 20)))
    edge = min(count(0.01), len(sound) // 2)
    ramp = np.linspace(0, 1, edge, dtype=np.float32)[:, None]
    sound[:edge] *= ramp
    sound[len(sound) - edge :] *= ramp[::-1]
    return sound


def padded(sound: Samples, before: float = 0.08, after: float = 0.2) -> Samples:
    """The sound with so many seconds of silence around it."""
    return np.pad(sound, ((count(before), count(after)), (0, 0)))


def in_turn(parts: Sequence[Samples], pauses: Sequence[float]) -> Samples:
    """Sounds one after another, after each of them so many seconds of silence."""
    laid = [padded(part, 0.0, pause) for part, pause in zip(parts, pauses, strict=True)]
    return np.concatenate(laid) if laid else np.zeros((0, 2), np.float32)
