"""Tones: what every instrument is built from: ringing partials, wavetables, bands of noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from darkroom.engine.backends import sounds

Wave = npt.NDArray[np.float32]
Curve = npt.NDArray[np.float64]
Random = np.random.Generator
RATE = sounds.RATE

_BLOCK = 512
_TABLE = 2048
_TOP_HZ = 19_000.0


def hertz(pitch: float) -> float:
    """The frequency of a MIDI pitch: 69 is A4, 440 Hz."""
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def count(seconds: float) -> int:
    """How many samples so many seconds are."""
    return max(1, round(seconds * RATE))


def ring(
    frequencies: npt.ArrayLike,
    levels: npt.ArrayLike,
    decays: npt.ArrayLike,
    length: int,
    phases: npt.ArrayLike = 0.0,
) -> Wave:
    """Returns the sum of dying sines, float32 (length,).

    `frequencies` are Hz, `levels` amplitudes, `decays` seconds until a partial is 60 dB down.
    A dying sine is a geometric series of complex numbers, so blocks of it are an outer product,
    and the sum over all partials is one product of matrices.
    """
    hz, level, decay, phase = np.broadcast_arrays(
        *(np.asarray(one, np.float64) for one in (frequencies, levels, decays, phases))
    )
    heard = (hz < _TOP_HZ) & (level != 0)
    hz, level, decay, phase = hz[heard], level[heard], decay[heard], phase[heard]
    rate = (2j * np.pi * hz - np.log(1000.0) / decay) / RATE
    blocks = -(-length // _BLOCK)
    starts = level * np.exp(1j * phase + np.outer(np.arange(blocks) * _BLOCK, rate))
    within = np.exp(np.outer(rate, np.arange(_BLOCK)))
    left = np.concatenate([starts.real, starts.imag], axis=1).astype(np.float32)
    right = np.concatenate([within.imag, within.real]).astype(np.float32)
    return np.asarray((left @ right).reshape(-1)[:length], np.float32)


def table(levels: Sequence[float] | Curve, rng: Random | None = None) -> Wave:
    """One period of a sound with these levels of harmonics, 2048 samples, peak 1.

    With `rng` the harmonics start anywhere in their turn: softer peaks, the same tone.
    """
    spectrum = np.zeros(_TABLE // 2 + 1, np.complex128)
    wanted = np.asarray(levels, np.float64)[: _TABLE // 2 - 1]
    turns = rng.random(len(wanted)) if rng is not None else np.full(len(wanted), 0.75)
    spectrum[1 : len(wanted) + 1] = wanted * np.exp(2j * np.pi * turns)
    period = np.fft.irfft(spectrum)
    return np.asarray(period / max(float(np.abs(period).max()), 1e-9), np.float32)


def harmonics(pitch: float, top_hz: float = _TOP_HZ) -> Curve:
    """The numbers 1, 2, 3 … of the harmonics of a pitch below `top_hz`, at most 200."""
    return np.arange(1, max(2, min(200, int(top_hz / hertz(pitch)) + 1)), dtype=np.float64)


def saw(pitch: float, cutoff_hz: float, *, steep: float = 2.0) -> Curve:
    """The harmonics of a saw tooth behind a gentle low-pass at `cutoff_hz`."""
    number = harmonics(pitch)
    return 1.0 / number / (1.0 + (number * hertz(pitch) / cutoff_hz) ** (2 * steep)) ** 0.5


def turns(frequency: npt.ArrayLike, length: int, start: float = 0.0) -> Curve:
    """The phase, in turns, of a tone whose frequency (Hz, one or a curve) may move."""
    steps = np.broadcast_to(np.asarray(frequency, np.float64) / RATE, length)
    return start + np.cumsum(steps) - steps[0]


def read(period: Wave, phase: Curve) -> Wave:
    """A wavetable's sound at these phases (turns), between its samples by straight lines."""
    position = (phase - np.floor(phase)) * _TABLE
    whole = position.astype(np.int32)
    part = (position - whole).astype(np.float32)
    # A phase a hair below 0 may round up to the table's end.
    longer = np.append(period, period[:2])
    near = longer[whole]
    return near + (longer[whole + 1] - near) * part


def vibrato(length: int, rate: float, cents: float, rng: Random, *, late: float = 0.3) -> Curve:
    """Factors on a frequency: a slow wave of so many cents that grows in after `late` seconds."""
    hop = 96
    time = np.arange(length // hop + 2) * hop / RATE
    grown = np.clip((time - late) / 0.35 + 0.15, 0.0, 1.0)
    wave = np.sin(2 * np.pi * (rate * time + rng.random()))
    factors = 1.0 + grown * wave * cents * (np.log(2) / 1200)
    return np.asarray(stretched(factors, hop)[:length], np.float64)


def stretched(frames: npt.NDArray[Any], hop: int) -> npt.NDArray[Any]:
    """A curve of frames as samples, `hop` from each to the next, by straight lines."""
    ramp = np.arange(hop, dtype=frames.dtype) / frames.dtype.type(hop)
    return (frames[:-1, None] + np.diff(frames)[:, None] * ramp).reshape(-1)


def noise(length: int, low_hz: float, high_hz: float, rng: Random) -> Wave:
    """Noise between two frequencies with soft edges, about 1 at its peaks."""
    size = 1 << max(8, (length - 1).bit_length())
    white = rng.standard_normal(size, np.float32)
    hz = np.fft.rfftfreq(size, 1 / RATE)
    with np.errstate(divide="ignore"):
        shape = 1 / (1 + (low_hz / np.maximum(hz, 1e-3)) ** 4) / (1 + (hz / high_hz) ** 4)
    sound = np.fft.irfft(np.fft.rfft(white) * shape.astype(np.float32), size)[:length]
    return np.asarray(sound / (3 * max(float(sound.std()), 1e-9)), np.float32)


def dying(length: int, seconds: float) -> Wave:
    """A curve from 1 that is 60 dB down after so many seconds."""
    return np.exp(np.arange(length, dtype=np.float32) * np.float32(-np.log(1000) / seconds / RATE))


def swell(seconds: float, rise: float, fall: float, *, sustain: float = 1.0) -> Wave:
    """How a held tone lives: it rises, sinks towards `sustain`, is let go after `seconds`, falls.

    Times in seconds; the curve is `seconds + fall` long and ends at exactly 0.
    """
    held, release = count(seconds), count(fall)
    time = np.arange(held, dtype=np.float32) / RATE
    risen = np.sin(np.minimum(time / max(rise, 1e-4), 1.0) * np.float32(np.pi / 2)) ** 2
    sunk = sustain + (1 - sustain) * np.exp(-np.maximum(time - rise, 0) * np.float32(3.0))
    body = risen * sunk
    tail = body[-1] * np.cos(np.linspace(0, np.pi / 2, release, dtype=np.float32)) ** 2
    return np.asarray(np.concatenate([body, tail]), np.float32)


def let_go(wave: Wave, seconds: float, fall: float) -> Wave:
    """The wave as it is until `seconds`, then damped to nothing within `fall` seconds."""
    held, release = count(seconds), count(fall)
    whole = wave[: held + release].copy()
    if len(whole) > held:
        left = len(whole) - held
        shape = np.cos(np.linspace(0, np.pi / 2, left, dtype=np.float32)) ** 2
        whole[held:] *= shape[:, None] if whole.ndim == 2 else shape
    return soften(whole)


def soften(wave: Wave, seconds: float = 0.004) -> Wave:
    """The wave with its last moments faded, so that it does not end in a click."""
    edge = min(count(seconds), len(wave))
    shape = np.linspace(1, 0, edge, dtype=np.float32)
    wave[-edge:] *= shape[:, None] if wave.ndim == 2 else shape
    return wave


def convolve(signal: Wave, kernel: Wave) -> Wave:
    """The whole convolution, float32 (len(signal) + len(kernel) - 1,), block by block."""
    size = 1 << max(12, (4 * len(kernel) - 1).bit_length())
    hop = size - len(kernel) + 1
    spectrum = np.fft.rfft(kernel, size)
    sound = np.zeros(len(signal) + len(kernel) - 1, np.float32)
    for start in range(0, len(signal), hop):
        part = np.fft.irfft(np.fft.rfft(signal[start : start + hop], size) * spectrum, size)
        end = min(start + size, len(sound))
        sound[start:end] += part[: end - start]
    return sound


def equalize(signal: Wave, gain: Callable[[Curve], Curve], taps: int = 4096) -> Wave:
    """The signal with its frequencies weighted by `gain` (of Hz), in phase, as long as before."""
    hz = np.asarray(np.fft.rfftfreq(taps, 1 / RATE), np.float64)
    kernel = np.roll(np.fft.irfft(gain(hz), taps), taps // 2) * np.hanning(taps)
    middle = taps // 2
    whole = convolve(signal, np.asarray(kernel, np.float32))
    return whole[middle : middle + len(signal)]
