"""The backing: what chords, bass and drums play under a melody, pattern by pattern."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from darkroom.engine.backends.synth.harmony import voicing
from darkroom.engine.backends.synth.score import Chord, Note, Section
from darkroom.engine.backends.synth.tones import Random

# Chords in steps of an eighth: x a chord, - held on.
_STRUMS = ("x-..x-xx", "x-.xx-x-", "x-x-.xx-")
_POWER = "x-xxx-xx"
_JAZZ = ("x..x....", "...x..x.", ".x....x.", "x....x..")
_SOFT = ("x-----x-", "..x---x-", "x---..x-")


def voices(chords: Sequence[Chord], low: int, high: int, count: int = 3) -> list[tuple[int, ...]]:
    """The chords' voicings in a row, each as near to the last as it goes."""
    found: list[tuple[int, ...]] = []
    before: tuple[int, ...] = ()
    for chord in chords:
        before = voicing(chord, before, low, high, count)
        found.append(before)
    return found


def held(section: Section, low: int, high: int, count: int = 4) -> list[Note]:
    """Whole chords held, a tone that two chords share tied over."""
    notes: list[Note] = []
    force = 0.4 + 0.4 * section.energy
    running: dict[int, tuple[float, float]] = {}
    for chord, pitches in zip(
        section.chords, voices(section.chords, low, high, count), strict=True
    ):
        for pitch in set(running) - set(pitches):
            start, beats = running.pop(pitch)
            notes.append(Note(start, beats, pitch, force))
        for pitch in pitches:
            start, beats = running.get(pitch, (chord.beat, 0.0))
            running[pitch] = (start, beats + chord.beats)
            if beats + chord.beats >= 8:
                notes.append(Note(start, beats + chord.beats, pitch, force))
                del running[pitch]
    notes += [Note(start, beats, pitch, force) for pitch, (start, beats) in running.items()]
    return sorted(notes, key=lambda note: (note.beat, note.pitch))


def struck(section: Section, style: str, low: int, high: int, rng: Random) -> list[Note]:
    """Chords by a rhythm: "chords", "power", "jazz", "soft" or "sparse"."""
    force = 0.42 + 0.35 * section.energy
    size = 4 if style in ("jazz", "soft", "sparse") else 3
    found = voices(section.chords, low, high, size)
    pattern = _POWER if style == "power" else str(rng.choice(_STRUMS))
    notes: list[Note] = []
    for chord, pitches in zip(section.chords, found, strict=True):
        if style == "power":
            root = low + (chord.root - low) % 12
            pitches = (root, root + 7, root + 12)
        elif style == "jazz":
            pattern = str(rng.choice(_JAZZ))
        elif style in ("soft", "sparse"):
            pattern = str(rng.choice(_SOFT)) if style == "soft" else "x-------"
        if section.energy < 0.35 and style in ("chords", "power"):
            pattern_now = "x-------"
        else:
            pattern_now = pattern
        for onset, length in _hits(pattern_now, chord.beats):
            accent = force + (0.1 if onset % 2 == 0 else 0.0)
            for number, pitch in enumerate(pitches):
                # A hand does not strike all at once; a guitar's stroke takes longer.
                lag = number * (0.012 if style == "chords" else 0.008)
                notes.append(Note(chord.beat + onset + lag, length * 0.95, pitch, accent))
    return notes


def _hits(pattern: str, beats: float) -> Iterator[tuple[float, float]]:
    cells = pattern[: max(1, round(beats * 2))]
    for place, sign in enumerate(cells):
        if sign == "x":
            end = place + 1
            while end < len(cells) and cells[end] == "-":
                end += 1
            yield place / 2, (end - place) / 2


# Which tone of the voicing each step of a broken chord takes, 0 the lowest.
_BROKEN = {
    "alberti": ((0, 2, 1, 2), 0.5),
    "picking": ((0, 2, 1, 3, 2, 1, 3, 2), 0.5),
    "arpeggio": ((0, 1, 2, 3, 2, 1, 3, 2), 0.25),
    "waves": ((0, 1, 2, 3, 2, 1), 0.5),
}


def broken(section: Section, style: str, low: int, high: int) -> list[Note]:
    """Chords tone by tone: "alberti", "picking", "arpeggio" or "waves"."""
    order, step = _BROKEN[style]
    if style == "arpeggio" and section.energy < 0.35:
        step = 0.5
    force = 0.42 + 0.3 * section.energy
    notes: list[Note] = []
    for chord, pitches in zip(section.chords, voices(section.chords, low, high, 4), strict=True):
        for place in range(round(chord.beats / step)):
            pitch = pitches[order[place % len(order)] % len(pitches)]
            accent = force + (0.12 if place == 0 else 0.05 if place * step % 1 == 0 else -0.05)
            # Tones ring on over their neighbours.
            rung = min(step * 2.5, chord.beats - place * step)
            notes.append(Note(chord.beat + place * step, max(rung, step), pitch, accent))
    return notes


def bass(section: Section, pattern: str, following: Chord, low: int) -> list[Note]:
    """A bass line below `low` + 14: a genre's pattern, or "walk" through the chords."""
    notes: list[Note] = []
    force = 0.6 + 0.25 * section.energy
    before = low + 5
    for chord, after in itertools.pairwise((*section.chords, following)):
        root = _near(chord.root, before, low)
        target = _near(after.root, root, low)
        if pattern == "walk":
            notes += _walk(chord, root, target, force)
        else:
            notes += _pattern(chord, pattern, (root, target), force, section.energy)
        before = root
    return notes


def _near(root: int, before: int, low: int) -> int:
    places = [pitch for pitch in range(low, low + 15) if pitch % 12 == root]
    return min(places, key=lambda pitch: (abs(pitch - before), pitch))


def _walk(chord: Chord, root: int, target: int, force: float) -> Iterator[Note]:
    """Four to the bar: root, two chord tones, and a step that leads into the next root."""
    third, fifth = root + chord.intervals[1] % 12, root + 7
    if len(chord.intervals) > 2:
        fifth = root + chord.intervals[2] % 12
    lead = target + (1 if fifth > target else -1)
    beats = max(1, round(chord.beats))
    steps = {1: [root], 2: [root, lead], 3: [root, third, lead]}.get(
        beats, [root, third, fifth, lead]
    )
    for place, pitch in enumerate(steps):
        yield Note(chord.beat + place, 0.92, pitch, force + (0.08 if place % 2 == 0 else 0.0))


def _pattern(
    chord: Chord, pattern: str, roots: tuple[int, int], force: float, energy: float
) -> Iterator[Note]:
    root, target = roots
    step = 4 / len(pattern)
    if energy < 0.35:
        pattern = "R" + "-" * (len(pattern) - 1)
    cells = pattern[: max(1, round(chord.beats / step))]
    fifth = root + (chord.intervals[2] if len(chord.intervals) > 2 else 7) % 12
    pitches = {"R": root, "5": fifth, "8": root + 12, "3": root + chord.intervals[1] % 12}
    pitches["a"] = target + (-2 if target > root else 2 if target < root else 0)
    for place, sign in enumerate(cells):
        if sign in pitches:
            end = place + 1
            while end < len(cells) and cells[end] == "-":
                end += 1
            accent = 0.1 if place * step % 2 == 0 else 0.0
            yield Note(
                chord.beat + place * step,
                (end - place) * step * 0.93,
                pitches[sign],
                force + accent,
            )


_LOUD = {"x": 0.9, "o": 0.55, "-": 0.3}
_PIECES_WHEN_LIGHT = ("hat", "shaker", "brush", "ride", "conga", "kick")


def drums(
    section: Section, patterns: dict[str, tuple[str, ...]], meter: int, rng: Random
) -> dict[str, list[Note]]:
    """What each drum plays: the genre's bars, thinner where the section is quiet, a fill to end."""
    chosen = {name: str(rng.choice(bars)) for name, bars in patterns.items()}
    found: dict[str, list[Note]] = {name: [] for name in patterns}
    if section.energy < 0.3:
        return found
    force = 0.6 + 0.4 * section.energy
    is_bridge = section.name == "bridge"
    is_light = section.energy < 0.5 or is_bridge
    for bar in range(section.bars):
        start = section.beat + bar * meter
        is_fill = bar == section.bars - 1 and section.bars >= 4 and section.name != "outro"
        for name, pattern in chosen.items():
            if (is_light and name not in _PIECES_WHEN_LIGHT) or (is_bridge and name == "kick"):
                continue
            for place, sign in enumerate(pattern[: meter * 4]):
                if sign not in _LOUD or (is_fill and name == "snare" and place >= meter * 4 - 4):
                    continue
                found[name].append(Note(start + place / 4, 0.25, 0, _LOUD[sign] * force))
        if is_fill and "snare" in chosen and (is_bridge or not is_light):
            # A roll that leads on; out of a bridge it takes half a bar.
            steps = 8 if is_bridge else 4
            found["snare"] += [
                Note(start + meter - (steps - place) / 4, 0.25, 0, force * (0.3 + place / 12))
                for place in range(steps)
                if place != 1
            ]
    return found
