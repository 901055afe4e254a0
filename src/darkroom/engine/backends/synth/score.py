"""A score: who plays which notes when, in beats, and the clock that turns beats into seconds."""

from __future__ import annotations

import msgspec

# The last bars of a piece with `ritard` slow down to this share of the tempo.
_SLOWEST = 0.78


class Note(msgspec.Struct, frozen=True):
    """A tone of a MIDI pitch, from a beat on for some beats, from silent 0 to loud 1."""

    beat: float
    beats: float
    pitch: float
    velocity: float


class Part(msgspec.Struct, frozen=True):
    """What one instrument plays, and its place in the mix.

    `level` is its loudness where it plays, dB below full scale; `pan` -1 left to 1 right; `echo`
    how much goes into the room; `ducked` how far it gives way to the kick, 0 to 1.
    """

    role: str
    instrument: str
    notes: tuple[Note, ...]
    level: float
    pan: float = 0.0
    echo: float = 0.2
    ducked: float = 0.0


class Chord(msgspec.Struct, frozen=True):
    """A chord of a MIDI pitch class and its intervals in semitones, from a beat on."""

    root: int
    intervals: tuple[int, ...]
    beat: float = 0.0
    beats: float = 4.0
    name: str = ""

    @property
    def classes(self) -> tuple[int, ...]:
        """The pitch classes, the root first."""
        return tuple((self.root + one) % 12 for one in self.intervals)


class Section(msgspec.Struct, frozen=True):
    """A stretch of the form: its letter, its first beat, its bars, its chords, its force."""

    name: str
    beat: float
    bars: int
    chords: tuple[Chord, ...]
    energy: float
    meter: int = 4


class Clock(msgspec.Struct, frozen=True):
    """Beats as seconds: a steady tempo with swing, slower over the last bars where asked.

    `swing` is where the off-beat lies between two grid points, 0.5 straight to 0.67 triplet;
    `grid` the length of that pair in beats.
    """

    tempo: float
    beats: float
    meter: int = 4
    swing: float = 0.5
    grid: float = 1.0
    ritard: bool = False

    def swung(self, beat: float) -> float:
        """The beat where it is played."""
        pair, within = divmod(beat, self.grid)
        part = within / self.grid
        if part < 0.5:
            moved = part * 2 * self.swing
        else:
            moved = self.swing + (part - 0.5) * 2 * (1 - self.swing)
        return (pair + moved) * self.grid

    def seconds(self, beat: float) -> float:
        """When a beat is played."""
        played = self.swung(beat)
        slow = self.beats - 2 * self.meter
        if not self.ritard or played <= slow:
            return played * 60 / self.tempo
        # Over the last two bars the tempo falls in a straight line.
        part = min((played - slow) / (2 * self.meter), 1.0)
        mean = 1 - (1 - _SLOWEST) * part / 2
        return (slow + (played - slow) / mean) * 60 / self.tempo


class Score(msgspec.Struct, frozen=True):
    """A whole piece before it is played.

    `tune` is what the leading instrument plays; `sung` each line of a song, a tone a syllable, and
    `above` a second voice's tones for it, none where it is silent.
    """

    clock: Clock
    sections: tuple[Section, ...]
    parts: tuple[Part, ...]
    tune: tuple[Note, ...] = ()
    sung: tuple[tuple[Note, ...], ...] = ()
    above: tuple[tuple[Note, ...], ...] = ()

    @property
    def chords(self) -> tuple[Chord, ...]:
        """Every chord in order."""
        return tuple(chord for section in self.sections for chord in section.chords)
