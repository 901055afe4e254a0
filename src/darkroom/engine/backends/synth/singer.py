"""The singer: a formant voice, from harmonics shaped as a mouth shapes them and bursts of noise.

Vowel formants: Peterson and Barney, JASA 24 (1952); resonances as in Klatt, JASA 67 (1980).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.synth.phonemes import Syllable
from darkroom.engine.backends.synth.score import Clock, Note
from darkroom.engine.backends.synth.tones import (
    RATE,
    Curve,
    Random,
    Wave,
    count,
    noise,
    soften,
    stretched,
)

HOP = 240
_FRAME = HOP / RATE
_FORMANTS = {
    "i": (280, 2250, 2950), "I": (390, 1990, 2550), "E": (530, 1840, 2480), "a": (690, 1660, 2430),
    "A": (730, 1090, 2440), "O": (570, 840, 2410), "U": (440, 1020, 2240), "u": (310, 870, 2240),
    "V": (620, 1200, 2390), "R": (490, 1350, 1690), "e": (480, 1950, 2600), "o": (480, 900, 2350),
    "m": (250, 1000, 2100), "n": (250, 1450, 2300), "N": (250, 1700, 2300),
    "l": (360, 1100, 2600), "r": (340, 1100, 1500), "w": (310, 700, 2200), "y": (280, 2250, 2950),
}  # fmt: skip
_GLIDES = {"Y": ("A", "I"), "e": ("E", "i"), "o": ("O", "U"), "W": ("A", "U"), "Q": ("O", "I")}
_WIDTHS = (80.0, 100.0, 140.0, 200.0, 260.0)
# Loudness of the voice in a voiced consonant.
_VOICED = {"m": 0.4, "n": 0.4, "N": 0.4, "l": 0.55, "r": 0.55, "w": 0.55, "y": 0.6,
           "v": 0.3, "z": 0.25, "Z": 0.25, "J": 0.1, "b": 0.12, "d": 0.12, "g": 0.12}  # fmt: skip
# Noise of a consonant: lowest and highest Hz, loudness, seconds; stops are silent before it.
_NOISES = {
    "s": (4500, 9500, 0.30, 0.1), "z": (4500, 9500, 0.16, 0.08), "S": (2000, 6500, 0.32, 0.1),
    "Z": (2000, 6500, 0.15, 0.08), "f": (1500, 8500, 0.12, 0.09), "v": (1500, 8500, 0.05, 0.07),
    "T": (1600, 8000, 0.1, 0.08), "h": (500, 3500, 0.12, 0.07), "C": (2200, 7000, 0.34, 0.08),
    "J": (2000, 6500, 0.2, 0.06), "t": (2800, 7500, 0.3, 0.035), "d": (2500, 6000, 0.14, 0.02),
    "k": (1300, 3600, 0.3, 0.04), "g": (1200, 3000, 0.14, 0.025), "p": (400, 2200, 0.26, 0.03),
    "b": (300, 1500, 0.14, 0.015),
}  # fmt: skip
_SECONDS = {**dict.fromkeys("mnNlr", 0.075), **dict.fromkeys("wy", 0.06),
            **dict.fromkeys("sSfTCh", 0.1), **dict.fromkeys("zZvJ", 0.08),
            **dict.fromkeys("tkp", 0.07), **dict.fromkeys("dgb", 0.055)}  # fmt: skip


class Voice(msgspec.Struct, frozen=True):
    """Who sings: a factor on the formants and the lowest and highest pitch (MIDI)."""

    name: str
    size: float
    low: int
    high: int


Line = Sequence[tuple[Note, Syllable]]
VOICES = {"f": Voice("f", 1.16, 57, 74), "m": Voice("m", 1.0, 46, 63)}


class _Moment(msgspec.Struct, frozen=True):
    """One phoneme in time: from when to when (seconds), its formants, the voice's loudness."""

    start: float
    end: float
    sign: str
    shape: tuple[float, ...]
    loud: float


def sing(line: Line, clock: Clock, voice: Voice, rng: Random) -> tuple[float, Wave]:
    """Returns when a line begins (seconds) and its sound, float32 (samples,)."""
    moments = list(_moments(line, clock, voice))
    begin = moments[0].start - 0.05
    frames = int((moments[-1].end - begin + 0.25) / _FRAME) + 2
    pitch = _pitch(line, clock, (begin, frames), rng)
    shapes = np.zeros((frames, 5))
    loud = np.zeros(frames)
    shapes[:] = moments[0].shape
    for moment in moments:
        first, last = (int((at - begin) / _FRAME) for at in (moment.start, moment.end))
        shapes[first:] = moment.shape
        loud[first:last] = moment.loud
    shapes = np.stack([_smooth(shapes[:, one], 9) for one in range(5)], axis=1)
    loud = _smooth(loud, 7)
    sound = _voiced(440 * 2 ** ((pitch - 69) / 12), shapes, loud)
    breath = noise(len(sound), 1800, 7000, rng) * np.repeat(loud, HOP)[: len(sound)]
    sound += np.asarray(breath * 0.018, np.float32)
    for moment in moments:
        _add_noise(sound, moment, begin, rng)
    return begin, sound


def _shape(sign: str, voice: Voice) -> tuple[float, ...]:
    first = _FORMANTS.get(sign, _FORMANTS["V"])
    # Two more that hardly move with the mouth: they tell a throat from a box.
    return tuple(one * voice.size for one in (*first, 3300, 3900))


def _moments(line: Line, clock: Clock, voice: Voice) -> Iterator[_Moment]:
    """A line's phonemes in time: vowels begin on the beat, consonants take from what is before."""
    starts = [clock.seconds(note.beat) for note, _ in line]
    ends = [clock.seconds(note.beat + note.beats) for note, _ in line]
    for number, (_, syllable) in enumerate(line):
        start, end = starts[number], ends[number]
        room = 0.4 * (start - starts[number - 1]) if number else 0.3
        length = sum(_SECONDS[one] for one in syllable.onset)
        pace = min(1.0, room / length) if length else 1.0
        at = start - length * pace
        for sign in syllable.onset:
            yield _consonant(sign, at, _SECONDS[sign] * pace, _shape(syllable.vowel, voice), voice)
            at += _SECONDS[sign] * pace
        following = line[number + 1][1].onset if number + 1 < len(line) else ""
        if number + 1 < len(line):
            taken = sum(_SECONDS[one] for one in following)
            until = starts[number + 1]
            end = min(end + 0.04, until - min(taken, 0.4 * (until - start)))
        coda = sum(_SECONDS[one] for one in syllable.coda)
        pace = min(1.0, 0.35 * (end - start) / coda) if coda else 1.0
        open_end = end - coda * pace
        pair = _GLIDES.get(syllable.vowel, (syllable.vowel,))
        middle = start + (open_end - start) * (0.62 if len(pair) == 2 else 1.0)
        yield _Moment(start, middle, syllable.vowel, _shape(pair[0], voice), 1.0)
        if len(pair) == 2:
            yield _Moment(middle, open_end, syllable.vowel, _shape(pair[1], voice), 0.9)
        at = open_end
        for sign in syllable.coda:
            yield _consonant(sign, at, _SECONDS[sign] * pace, _shape(pair[-1], voice), voice)
            at += _SECONDS[sign] * pace


def _consonant(
    sign: str, at: float, seconds: float, vowel: tuple[float, ...], voice: Voice
) -> _Moment:
    shape = _shape(sign, voice) if sign in _FORMANTS else vowel
    return _Moment(at, at + seconds, sign, shape, _VOICED.get(sign, 0.0))


def _pitch(line: Line, clock: Clock, span: tuple[float, int], rng: Random) -> Curve:
    """The line's pitch frame by frame (MIDI): it slides into tones and trembles in long ones."""
    begin, frames = span
    time = begin + np.arange(frames) * _FRAME
    pitch = np.full(frames, line[0][0].pitch, np.float64)
    held = np.zeros(frames)
    for note, _ in line:
        start = clock.seconds(note.beat)
        after = time >= start - 0.03
        pitch[after] = note.pitch
        held[after] = (time - start)[after]
    grown = np.clip((held - 0.18) / 0.4, 0, 1)
    tremble = grown * 0.32 * np.sin(2 * np.pi * 5.4 * time + rng.uniform(0, 6))
    drift = _smooth(rng.normal(0, 0.35, frames), 41)
    return _smooth(pitch, 13) + tremble + drift


def _smooth(curve: Curve, width: int) -> Curve:
    half = width // 2
    window = np.hanning(width + 2)[1:-1]
    return np.convolve(np.pad(curve, half, mode="edge"), window / window.sum(), mode="valid")


def _voiced(frequency: Curve, shapes: npt.NDArray[np.float64], loud: Curve) -> Wave:
    """The harmonics of a voice, each as loud as glottis and formants leave it, float32."""
    number = np.arange(1, min(64, int(7500 / frequency.min())) + 1)
    hz = number[:, None] * frequency
    response = np.ones_like(hz)
    for place, width in enumerate(_WIDTHS):
        formant = shapes[:, place]
        response *= formant**2 / np.sqrt((formant**2 - hz**2) ** 2 + (hz * width) ** 2)
    # Glottis and lips together fall by 5 dB an octave; a trained voice rings near 3 kHz.
    ringing = 1 + 1.2 * np.exp(-(((hz - 3000) / 500) ** 2))
    levels = response * ringing * (frequency / hz) ** 0.8 / (1 + (hz / 5200) ** 4)
    # A singer keeps all vowels about as loud, whatever harmonic meets a formant.
    levels *= loud / np.sqrt(np.square(levels).sum(axis=0)) ** 0.85
    size = (len(frequency) - 1) * HOP
    phase = np.cumsum(stretched(frequency, HOP) / RATE)
    step = np.exp(2j * np.pi * (phase % 1.0)).astype(np.complex64)
    turned = step.copy()
    sound = np.zeros(size, np.float32)
    for level in np.asarray(levels, np.float32):
        sound += stretched(level, HOP) * turned.imag
        turned *= step
    return sound * np.float32(0.5)


def _add_noise(sound: Wave, moment: _Moment, begin: float, rng: Random) -> None:
    if moment.sign not in _NOISES:
        return
    low, high, loud, seconds = _NOISES[moment.sign]
    length = count(min(seconds, moment.end - moment.start))
    is_stop = moment.sign in "ptkbdg"
    # A stop's burst comes at the end of its silence.
    start = count((moment.end if is_stop else moment.start) - begin) - (length if is_stop else 0)
    hiss = noise(length, low, high, rng) * np.float32(loud)
    if is_stop:
        hiss *= np.exp(-np.arange(length, dtype=np.float32) / np.float32(length * 0.4))
        hiss = soften(hiss, 0.003)
    else:
        arch = np.sin(np.linspace(0, np.pi, length, dtype=np.float32))
        hiss *= np.sqrt(np.maximum(arch, 0))
    part = hiss[: max(len(sound) - start, 0)]
    sound[start : start + len(part)] += part


def choir(
    line: Line, above: Line | None, clock: Clock, voice: Voice, rng: Random
) -> tuple[float, Wave]:
    """Returns when a line begins (seconds) and its sound, float32 (samples, 2).

    The singer, the same singer again softly at both sides, and `above` for a second part.
    """
    begin, middle = sing(line, clock, voice, rng)
    sound = np.repeat(middle[:, None], 2, axis=1)
    for side, (part, gain) in enumerate(((line, 0.3), (above or line, 0.55 if above else 0.3))):
        start, other = sing(part, clock, voice, rng)
        shift = count(0.012 + 0.008 * side + start - begin)
        other = other[: len(sound) - shift]
        sound[shift : shift + len(other), side] += other * np.float32(gain)
    return begin, sound
