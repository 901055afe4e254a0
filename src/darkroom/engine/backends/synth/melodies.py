"""The melody: motifs that return and vary, in phrases that ask and answer, over the chords."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec

from darkroom.engine.backends.synth.harmony import scale_under
from darkroom.engine.backends.synth.score import Chord, Note, Section
from darkroom.engine.backends.synth.tones import Random

# Onset and length, in beats from the bar's start.
Rhythm = tuple[tuple[float, float], ...]
# What each bar of a period plays: motif a or b, or a cadence that half closes or closes.
_PERIODS = {2: "aC", 4: "abaC", 8: "abahabaC"}
_LEAP_MAX = 9


class Motif(msgspec.Struct, frozen=True):
    """A bar's figure: when its tones begin, and where they lie, in scale steps from its anchor."""

    rhythm: Rhythm
    contour: tuple[int, ...]


class Range(msgspec.Struct, frozen=True):
    """Where a melody may go (MIDI pitches), and where a section's centre lies in it, 0 to 1."""

    low: int
    high: int
    centre: float = 0.4

    @property
    def middle(self) -> float:
        """The pitch around which phrases turn."""
        return self.low + (self.high - self.low) * self.centre


def rhythm(cell: str, meter: int) -> Rhythm:
    """A cell of the genres' as onsets and lengths; in three, the last quarter is left out."""
    step = 4 / len(cell)
    cell = cell[: round(meter / step)]
    onsets = [place for place, sign in enumerate(cell) if sign == "x"]
    found = []
    for place in onsets:
        end = place + 1
        while end < len(cell) and cell[end] == "-":
            end += 1
        found.append((place * step, (end - place) * step))
    return tuple(found) or ((0.0, float(meter)),)


def motif(figure: Rhythm, rng: Random) -> Motif:
    """A figure with a contour of its own: mostly steps, a leap now and then, then a turn back."""
    steps, at, last = [0], 0, 0
    for _ in figure[1:]:
        if abs(last) >= 2:
            move = -1 if last > 0 else 1
        else:
            move = int(rng.choice([-2, -1, -1, 1, 1, 2, 3, 0], p=_MOVES))
        if abs(at + move) > 4:
            move = -move
        at, last = at + move, move
        steps.append(at)
    return Motif(figure, tuple(steps))


_MOVES = [0.1, 0.24, 0.12, 0.2, 0.12, 0.1, 0.07, 0.05]


def varied(given: Motif, rng: Random) -> Motif:
    """The motif as it may return: a long tone split by a neighbour, or its tail turned over."""
    lengths = [length for _, length in given.rhythm]
    longest = max(range(len(lengths)), key=lambda i: lengths[i])
    if lengths[longest] >= 1 and rng.random() < 0.7:
        onset, length = given.rhythm[longest]
        cut = ((onset, length / 2), (onset + length / 2, length / 2))
        neighbour = given.contour[longest] + int(rng.choice([-1, 1]))
        return Motif(
            given.rhythm[:longest] + cut + given.rhythm[longest + 1 :],
            (*given.contour[: longest + 1], neighbour, *given.contour[longest + 1 :]),
        )
    half = len(given.contour) // 2
    pivot = given.contour[half]
    return Motif(
        given.rhythm,
        given.contour[:half] + tuple(2 * pivot - one for one in given.contour[half:]),
    )


def write(
    section: Section,
    motifs: Sequence[Motif],
    scale: Sequence[int],
    span: Range,
    before: float | None,
) -> list[Note]:
    """Returns a section's melody: its bars play the two motifs and close with cadences.

    The first tones of beats are chord tones; between them it walks the key's scale as the chord of
    the moment bends it. The last tone of a period is the key's first, where its chord has it.
    `before` is the pitch that it comes from.
    """
    meter = section.meter
    notes: list[Note] = []
    line = _Line(scale, span, before)
    for bar in range(section.bars):
        sign = _sign(bar, section.bars)
        start = section.beat + bar * meter
        figure = motifs[1 if sign == "b" else 0]
        if sign in "hcC":
            figure = _closing(meter)
        for (onset, length), step in zip(figure.rhythm, figure.contour, strict=True):
            beat = start + onset
            sounding = chord_at(section.chords, beat)
            is_strong = onset % 2 == 0 or length >= 1.5
            is_last = sign in "cC" and onset == figure.rhythm[-1][0]
            if onset == figure.rhythm[0][0]:
                line.anchor(sounding, is_return=bar % 4 == 0)
            pitch = line.place(step, sounding, is_strong=is_strong, closes=is_last and sign == "C")
            velocity = 0.62 + 0.14 * is_strong + 0.2 * section.energy * (onset == 0)
            notes.append(Note(beat, length * 0.97, pitch, min(velocity, 1.0)))
    return notes


def _sign(bar: int, bars: int) -> str:
    period = next(size for size in (8, 4, 2) if bars % size == 0)
    return _PERIODS[period][bar % period]


def _closing(meter: int) -> Motif:
    """A cadence's bar: two steps down into a long tone."""
    return Motif(((0.0, 1.0), (1.0, 1.0), (2.0, meter - 2.25)), (2, 1, 0))


def chord_at(chords: Sequence[Chord], beat: float) -> Chord:
    """The chord that sounds at a beat."""
    return next((one for one in reversed(chords) if one.beat <= beat + 1e-6), chords[0])


class _Line:
    """A melody being sung: where it is, and the steps it can take from there."""

    def __init__(self, scale: Sequence[int], span: Range, before: float | None = None) -> None:
        self._scale, self._span = tuple(scale), span
        self._anchor = self._last = span.middle if before is None else before

    def anchor(self, sounding: Chord, *, is_return: bool) -> None:
        """Begin a bar: on a chord tone near the last one, or, where a phrase begins, the middle."""
        near = self._span.middle if is_return else (self._last * 0.6 + self._span.middle * 0.4)
        self._anchor = self._nearest(near, sounding.classes)

    def place(self, step: int, sounding: Chord, *, is_strong: bool, closes: bool) -> float:
        """The pitch of the next tone: so many scale steps from the anchor, then put right."""
        if closes:
            tonic = self._scale[0]
            tones = (tonic,) if tonic in sounding.classes else sounding.classes[:3]
            return self._took(self._nearest(self._last, tones))
        ladder = self._ladder(sounding)
        base = min(range(len(ladder)), key=lambda i: abs(ladder[i] - self._anchor))
        pitch = ladder[min(max(base + step, 0), len(ladder) - 1)]
        if is_strong:
            # Of chord tones the plain triad first: a ninth held long sounds like a mistake.
            tones = sounding.classes[:4]
            snapped = self._nearest(pitch, tones)
            if snapped == self._last != pitch:
                # Where the line means to move, it moves on to the next chord tone.
                snapped = self._nearest(pitch + (2 if pitch > self._last else -2), tones)
            pitch = snapped
        if abs(pitch - self._last) > _LEAP_MAX:
            tones = sounding.classes[:3] if is_strong else scale_under(self._scale, sounding)
            pitch = self._nearest(self._last + (4 if pitch > self._last else -4), tones)
        return self._took(pitch)

    def _took(self, pitch: float) -> float:
        self._last = pitch
        return pitch

    def _ladder(self, sounding: Chord) -> list[int]:
        classes = scale_under(self._scale, sounding)
        return [p for p in range(self._span.low, self._span.high + 1) if p % 12 in classes]

    def _nearest(self, pitch: float, classes: Sequence[int]) -> int:
        inside = [p for p in range(self._span.low, self._span.high + 1) if p % 12 in classes]
        return min(inside, key=lambda p: (abs(p - pitch), p))


# The sixteen eighths of two bars by how well a syllable begins there.
_EASE = (10.0, 2.5, 7.0, 4.0, 9.0, 3.5, 7.2, 4.2, 9.5, 3.0, 6.8, 3.8, 6.5, 1.5, 0.6, 0.3)


def sung_rhythm(syllables: int, meter: int, rng: Random) -> Rhythm:
    """When the syllables of one line begin within two bars, in beats, and how long they last.

    The easiest places go first; what does not fit into eighths takes sixteenths. The same count
    and `rng` give the same rhythm, so lines of one length rhyme in time as well.
    """
    slots = 4 * meter
    ease = [_EASE[i % 16] + rng.uniform(-0.9, 0.9) for i in range(slots)]
    last = slots - 4
    step = 0.5
    if syllables > last:
        ease = [value for one in ease for value in (one, one - 6)]
        slots, last, step = 2 * slots, 2 * slots - 4, 0.25
    best = sorted(range(last), key=lambda i: -ease[i])[: min(syllables, last)]
    onsets = sorted(best)
    ends = [*onsets[1:], min(onsets[-1] + round(2 / step), slots - 1)]
    return tuple(
        (onset * step, min(end - onset, round(2 / step)) * step)
        for onset, end in zip(onsets, ends, strict=True)
    )


_ARCHES = ((0, 1, 2, 1), (0, 2, 1, 0), (2, 1, 0, 1), (0, -1, 1, 2))


def sung(
    section: Section, lines: Sequence[Rhythm], scale: Sequence[int], span: Range
) -> list[list[Note]]:
    """Returns each line's melody: an arch over two bars, the last line closing on the key's first.

    Lines 1 and 2 of four share their arch, so that the ear knows them again.
    """
    voice = _Line(scale, span)
    found: list[list[Note]] = []
    for number, figure in enumerate(lines):
        shape = _ARCHES[(0, 0, 1, 2)[number % 4]]
        start = section.beat + number * 2 * section.meter
        notes: list[Note] = []
        voice.anchor(chord_at(section.chords, start), is_return=number % 2 == 0)
        for place, (onset, length) in enumerate(figure):
            part = place / max(len(figure) - 1, 1) * (len(shape) - 1)
            step = shape[int(part)] + (place % 2 if length < 1 else 0)
            sounding = chord_at(section.chords, start + onset)
            is_last = place == len(figure) - 1
            pitch = voice.place(
                step,
                sounding,
                is_strong=onset % 2 == 0 or length >= 1 or is_last,
                closes=is_last and number == len(lines) - 1,
            )
            notes.append(Note(start + onset, length, pitch, 0.7 + 0.2 * section.energy))
        found.append(notes)
    return found


def third(note: Note, chords: Sequence[Chord], scale: Sequence[int]) -> Note:
    """The tone for a second voice above a tone: the next chord tone from a minor third up."""
    sounding = chord_at(chords, note.beat)
    classes = sounding.classes[:3] if note.beats >= 0.75 else scale_under(scale, sounding)
    pitch = next(note.pitch + up for up in range(3, 16) if (note.pitch + up) % 12 in classes)
    return msgspec.structs.replace(note, pitch=pitch)


def leaps(notes: Sequence[Note]) -> list[float]:
    """The intervals from tone to tone, semitones."""
    return [b.pitch - a.pitch for a, b in itertools.pairwise(notes)]
