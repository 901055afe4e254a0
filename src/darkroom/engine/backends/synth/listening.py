"""Listening: the tempo and the key of a sound, estimated."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.sounds import Samples
from darkroom.engine.backends.synth.tones import RATE

_DOWN = 4
_SIZE, _HOP = 2048, 256
_KEY_SIZE, _KEY_HOP = 8192, 2048
_SECONDS_HEARD = 90
# How well each tone of the scale fits a key: Krumhansl and Kessler, Psychological Review 89 (1982).
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


class Heard(msgspec.Struct, frozen=True):
    """A tempo in beats a minute (None: no beat), a tonic's pitch class, "major" or "minor"."""

    tempo: float | None
    tonic: int
    mode: str


def listen(sound: Samples) -> Heard:
    """Returns what is heard in the first 90 seconds of float32 (samples, 2) at 48 kHz."""
    mono = sound[: _SECONDS_HEARD * RATE].mean(axis=1)
    mono = mono[: len(mono) // _DOWN * _DOWN].reshape(-1, _DOWN).mean(axis=1)
    mono = np.pad(mono, (0, max(0, 2 * _KEY_SIZE - len(mono))))
    tonic, mode = _key(_spectrum(mono, _KEY_SIZE, _KEY_HOP))
    return Heard(_tempo(_spectrum(mono, _SIZE, _HOP)), tonic, mode)


def _spectrum(mono: npt.NDArray[Any], size: int, hop: int) -> npt.NDArray[np.float64]:
    windows = np.lib.stride_tricks.sliding_window_view(mono, size)[::hop]
    window = np.hanning(size).astype(np.float32)
    return np.asarray(np.abs(np.fft.rfft(windows * window, axis=1)), np.float64)


def _tempo(spectrum: npt.NDArray[np.float64]) -> float | None:
    """The lag at which the rise in loudness repeats best, weighted towards 110 a minute."""
    rise = np.maximum(np.diff(np.log1p(spectrum * 30), axis=0), 0).sum(axis=1)
    rise = rise - np.convolve(rise, np.ones(43) / 43, mode="same")
    if not rise.std():
        return None
    size = 1 << (2 * len(rise) - 1).bit_length()
    power = np.abs(np.fft.rfft(rise, size)) ** 2
    alike = np.fft.irfft(power)[: len(rise)] / np.arange(len(rise), 0, -1)
    alike /= alike[0]
    frames = RATE / _DOWN / _HOP
    tempos = np.arange(55.0, 190.0, 0.25)
    lags = frames * 60 / tempos
    # A beat repeats after two and four of its lengths as well.
    score = sum(
        weight * np.interp(lags * times, np.arange(len(alike)), alike)
        for times, weight in ((1, 1.0), (2, 0.8), (4, 0.5))
    )
    score = np.maximum(score, 0) * np.exp(-(np.log2(tempos / 110) ** 2) / 0.9)
    best = int(np.argmax(score))
    return float(tempos[best]) if score[best] > 0.15 else None


def _key(spectrum: npt.NDArray[np.float64]) -> tuple[int, str]:
    """The key whose profile the tones fit best, each moment counting as much as the next.

    Low partials count more: a third harmonic is a fifth, and would speak for the wrong key.
    """
    hz = np.fft.rfftfreq(_KEY_SIZE, _DOWN / RATE)
    heard = (hz > 100) & (hz < 1000)
    pitch = 69 + 12 * np.log2(hz[heard] / 440)
    nearness = np.maximum(0, 1 - 2 * np.abs(pitch - np.round(pitch)))
    levels = np.sqrt(spectrum[:, heard]) * nearness / hz[heard]
    levels = (levels / (levels.sum(axis=1, keepdims=True) + 1e-9)).sum(axis=0)
    chroma = np.bincount(np.round(pitch).astype(int) % 12, levels, 12)
    chroma = chroma - chroma.mean()
    best, found = -np.inf, (0, "major")
    for mode, profile in (("major", _MAJOR), ("minor", _MINOR)):
        ideal = np.asarray(profile) - np.mean(profile)
        for tonic in range(12):
            fit = float(chroma @ np.roll(ideal, tonic)) / float(np.linalg.norm(ideal))
            if fit > best:
                best, found = fit, (tonic, mode)
    return found
