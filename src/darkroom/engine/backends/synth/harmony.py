"""Harmony: keys, chords from Roman numerals, and voices that move no further than they must."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Sequence

import msgspec

from darkroom.engine.backends.synth.score import Chord

NAMES = ("C", "D♭", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
}
QUALITIES = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "5": (0, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "ø": (0, 3, 6, 10),
    "o": (0, 3, 6),
    "sus4": (0, 5, 7),
    "7sus": (0, 5, 7, 10),
    "add9": (0, 4, 7, 14),
    "maj9": (0, 4, 7, 11, 14),
    "m9": (0, 3, 7, 10, 14),
    "9": (0, 4, 7, 10, 14),
    "13": (0, 4, 10, 14, 21),
    "7b9": (0, 4, 7, 10, 13),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
}
_DEGREES = {"i": 0, "ii": 2, "iii": 4, "iv": 5, "v": 7, "vi": 9, "vii": 11}
_NUMERAL = re.compile(r"([b#]?)([iv]+|[IV]+)(.*)")
# The chromatic fifths and octaves between two voices that move the same way sound hollow.
_HOLLOW = (0, 7)


def chord(numeral: str, tonic: int) -> Chord:
    """The chord of a Roman numeral in a key, such as "ii7", "bVII" or "Vsus4" of C (0).

    Degrees are those of the major scale; small letters are minor chords.
    """
    match = _NUMERAL.fullmatch(numeral)
    assert match is not None, numeral
    accidental, degree, suffix = match.groups()
    shift = {"b": -1, "#": 1, "": 0}[accidental]
    if degree.islower() and suffix not in ("ø", "o"):
        suffix = "m" + suffix
    root = (tonic + _DEGREES[degree.lower()] + shift) % 12
    return Chord(root, QUALITIES[suffix], name=NAMES[root] + suffix)


def spelled(progression: Sequence[str], tonic: int, beat: float, meter: int) -> tuple[Chord, ...]:
    """The chords of a progression, one string a bar ("ii7,V7" are two in a bar), laid in time."""
    chords: list[Chord] = []
    for number, bar in enumerate(progression):
        numerals = bar.split(",")
        length = meter / len(numerals)
        for place, numeral in enumerate(numerals):
            at = beat + number * meter + place * length
            chords.append(msgspec.structs.replace(chord(numeral, tonic), beat=at, beats=length))
    return tuple(chords)


def scale_under(scale: Sequence[int], sounding: Chord) -> tuple[int, ...]:
    """A key's pitch classes as a chord bends them: its own tones push their neighbours out.

    So a minor key gets its leading tone over a major fifth, and loses it after.
    """
    classes = set(scale)
    tones = set(sounding.classes)
    for tone in tones - classes:
        for near in ((tone - 1) % 12, (tone + 1) % 12):
            if near not in tones:
                classes.discard(near)
        classes.add(tone)
    return tuple(sorted(classes))


def voicing(
    sounding: Chord, before: tuple[int, ...], low: int, high: int, voices: int = 3
) -> tuple[int, ...]:
    """Pitches for a chord between two MIDI pitches, near to the ones before, lowest first.

    The bass has the root, so of more tones than voices the fifth goes first, then the root.
    """
    return _voicing(_upper(sounding, voices), before, low, high)


def _upper(sounding: Chord, voices: int) -> tuple[int, ...]:
    intervals = list(sounding.intervals)
    for spare in (7, 0):
        if len(intervals) > voices and spare in intervals and len(intervals) > 3:
            intervals.remove(spare)
    kept = [(sounding.root + one) % 12 for one in intervals[:voices]]
    while len(kept) < voices:
        kept.append(kept[len(kept) - len(intervals)])
    return tuple(kept)


@functools.lru_cache(maxsize=4096)
def _voicing(
    classes: tuple[int, ...], before: tuple[int, ...], low: int, high: int
) -> tuple[int, ...]:
    places = [[p for p in range(low, high + 1) if p % 12 == tone] for tone in classes]
    best: tuple[int, ...] = ()
    cost_of_best = float("inf")
    for pitches in itertools.product(*places):
        voices = tuple(sorted(pitches))
        cost = _cost(voices, before, (low + high) / 2)
        if cost < cost_of_best:
            best, cost_of_best = voices, cost
    return best


def _cost(voices: tuple[int, ...], before: tuple[int, ...], middle: float) -> float:
    steps = [b - a for a, b in itertools.pairwise(voices)]
    cost = sum(30.0 for step in steps if step == 0) + sum(3.0 for step in steps if step == 1)
    cost += sum(step - 9 for step in steps if step > 9)
    # Close seconds low down are mud.
    cost += sum(6.0 for low, step in zip(voices, steps, strict=False) if low < 52 and step < 4)
    cost += 0.35 * abs(sum(voices) / len(voices) - middle)
    if len(before) != len(voices):
        return cost
    moves = [b - a for a, b in zip(before, voices, strict=True)]
    cost += sum(abs(move) for move in moves)
    for (i, first), (j, second) in itertools.combinations(enumerate(moves), 2):
        hollow = (voices[j] - voices[i]) % 12
        if first == second != 0 and hollow in _HOLLOW and (before[j] - before[i]) % 12 == hollow:
            cost += 4.0
    return cost
