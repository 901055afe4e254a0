"""The arrangement: a brief made into a score, its form filled with chords, tune and players."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from darkroom.engine.backends.synth import backing, harmony, melodies
from darkroom.engine.backends.synth.brief import Brief
from darkroom.engine.backends.synth.harmony import SCALES
from darkroom.engine.backends.synth.players import Players, choose
from darkroom.engine.backends.synth.score import Clock, Note, Part, Score, Section
from darkroom.engine.backends.synth.tones import Random

_SECONDS = 74.0
_NAMES = ("intro", "A", "B", "A'", "bridge", "B'", "outro")
# Bars of each section; the form whose length comes nearest to 74 seconds is taken.
_FORMS = (
    (2, 4, 4, 4, 2, 4, 2),
    (2, 8, 4, 4, 4, 4, 2),
    (2, 8, 4, 8, 4, 4, 2),
    (2, 8, 8, 4, 4, 8, 2),
    (4, 8, 8, 4, 4, 8, 4),
    (4, 8, 8, 8, 4, 8, 4),
    (4, 8, 8, 8, 8, 8, 8),
    (4, 16, 8, 8, 8, 16, 4),
)
_FORCE = {
    "intro": 0.3, "A": 0.5, "B": 0.85, "A'": 0.6, "bridge": 0.4, "B'": 1.0, "outro": 0.32,
}  # fmt: skip


class Song(msgspec.Struct, frozen=True):
    """What a song's voice sings: the syllables of each section's lines, and where it may sing."""

    syllables: Mapping[str, tuple[int, ...]]
    low: int
    high: int


def bars(brief: Brief) -> dict[str, int]:
    """The bars of each section of the form, in order."""
    bar = brief.meter * 60 / brief.tempo
    form = min(_FORMS, key=lambda one: abs(sum(one) * bar - _SECONDS))
    return dict(zip(_NAMES, form, strict=True))


def arrange(brief: Brief, rng: Random, song: Song | None = None) -> Score:
    """Returns the score of a brief; of a song, with a tone for each syllable in `sung`.

    What the voice does not sing, an instrument leads.
    """
    sections = tuple(_sections(brief, rng))
    beats = sections[-1].beat + sections[-1].bars * brief.meter
    genre = brief.genre
    clock = Clock(brief.tempo, beats, brief.meter, genre.swing, genre.grid, genre.ritard)
    players = choose(brief, is_song=song is not None)
    writer = _Writer(brief, players, rng)
    parts = [
        *writer.melody(sections, song),
        *writer.backing(sections),
        *writer.rhythm(sections),
    ]
    return Score(
        clock,
        sections,
        tuple(part for part in parts if part.notes),
        tune=writer.tune,
        sung=tuple(writer.sung),
        above=tuple(writer.above),
    )


def _sections(brief: Brief, rng: Random) -> Iterator[Section]:
    side = "minor" if brief.is_minor else "major"
    chosen = {
        letter: list(rng.permutation(len(brief.genre.chords[f"{letter} {side}"])))
        for letter in ("A", "B", "bridge")
    }
    beat = 0.0
    for name, length in bars(brief).items():
        letter = {"intro": "A", "outro": "A"}.get(name, name.strip("'"))
        options = brief.genre.chords[f"{letter} {side}"]
        given = options[chosen[letter][0]]
        row = [given[bar % len(given)] for bar in range(length)]
        approach, dominant, home = brief.genre.cadence[side]
        if name in ("B", "B'"):
            row[-2:] = [dominant, home]
        elif (name == "A" and length > 2) or name == "bridge":
            row[-1] = dominant
        elif name == "outro":
            row[-2:] = [f"{approach},{dominant}", home] if length > 2 else [dominant, home]
        energy = _FORCE[name] * (0.55 + 0.5 * brief.emotion.energy)
        yield Section(
            name,
            beat,
            length,
            harmony.spelled(row, brief.tonic, beat, brief.meter),
            min(energy, 1.0),
            brief.meter,
        )
        beat += length * brief.meter


class _Writer:
    """Writes the parts of one piece."""

    def __init__(self, brief: Brief, players: Players, rng: Random) -> None:
        self._brief, self._players, self._rng = brief, players, rng
        # The same for each line, so that those of one length share their rhythm.
        self._voice_seed = int(rng.integers(1 << 32))
        self._scale = tuple((brief.tonic + step) % 12 for step in SCALES[brief.mode])
        self.tune: tuple[Note, ...] = ()
        self.sung: list[tuple[Note, ...]] = []
        self.above: list[tuple[Note, ...]] = []

    def _sing(self, section: Section, song: Song) -> None:
        """Write a section's lines for the voice, and a second part where the piece is full."""
        figures = [
            melodies.sung_rhythm(count, self._brief.meter, np.random.default_rng(self._voice_seed))
            for count in song.syllables[section.name]
        ]
        centre = 0.6 if section.name in ("B", "B'") else 0.4
        span = melodies.Range(song.low, song.high, centre)
        for notes in melodies.sung(section, figures, self._scale, span):
            self.sung.append(tuple(notes))
            is_full = section.name in ("B", "B'")
            self.above.append(
                tuple(melodies.third(one, section.chords, self._scale) for one in notes)
                if is_full
                else ()
            )

    def melody(self, sections: Sequence[Section], song: Song | None) -> Iterator[Part]:
        """The instrument that leads, and a second above it where the piece is fullest."""
        rng, brief = self._rng, self._brief
        cells = [str(one) for one in rng.permutation(list(brief.genre.cells))]
        figures = [melodies.rhythm(cell, brief.meter) for cell in cells]
        motifs = {
            "A": [melodies.motif(figures[0], rng), melodies.motif(figures[1], rng)],
            "B": [melodies.motif(figures[2], rng), melodies.motif(figures[1], rng)],
        }
        motifs["A'"] = [melodies.varied(one, rng) for one in motifs["A"]]
        motifs["B'"] = [motifs["B"][0], melodies.varied(motifs["B"][1], rng)]
        motifs["bridge"] = [motifs["A"][1], melodies.motif(figures[-1], rng)]
        motifs["outro"] = [motifs["A"][0], motifs["A"][0]]
        low, high = self._players.lead_span
        notes: list[Note] = []
        for section in sections:
            if section.name == "intro":
                continue
            if song is not None and song.syllables.get(section.name):
                self._sing(section, song)
                continue
            centre = {"A": 0.35, "A'": 0.4, "B": 0.6, "B'": 0.65, "bridge": 0.45, "outro": 0.3}
            span = melodies.Range(low, high, centre[section.name])
            before = notes[-1].pitch if notes else None
            notes += melodies.write(section, motifs[section.name], self._scale, span, before)
        self.tune = tuple(notes)
        lead = self._players.lead
        yield Part("lead", lead, tuple(notes), -19.0, 0.06, 0.3)
        if self._players.second:
            doubled = [
                msgspec.structs.replace(one, pitch=one.pitch + 12 * (one.pitch <= 76))
                for one in notes
                if any(s.name == "B'" and _within(one, s, brief.meter) for s in sections)
            ]
            yield Part("second", self._players.second, tuple(doubled), -25.0, -0.3, 0.4)

    def backing(self, sections: Sequence[Section]) -> Iterator[Part]:
        """What plays the chords: broken or struck, and held."""
        players, rng = self._players, self._rng
        low, high = players.comp_span
        comp: list[Note] = []
        held: list[Note] = []
        for section in sections:
            style = players.comping
            if section.name in ("intro", "bridge") and style in ("chords", "soft"):
                style = "waves"
            if style in ("alberti", "picking", "arpeggio", "waves"):
                comp += backing.broken(section, style, low, high)
            else:
                comp += backing.struck(section, style, low, high, rng)
            is_thin = section.name == "A" and section.energy < 0.6
            if players.pad and not is_thin:
                held += backing.held(section, 52, 74, 4)
        comp = _closed(comp, sections[-1], self._brief.meter)
        duck = 0.75 if self._brief.genre.ducked else 0.0
        yield Part("comp", players.comp, tuple(comp), players.comp_level, -0.22, 0.22, duck * 0.7)
        yield Part("pad", players.pad, tuple(held), players.pad_level, 0.0, 0.4, duck)
        if players.colour:
            yield Part("colour", players.colour, tuple(self._sparkle(sections)), -27.0, 0.4, 0.45)

    def _sparkle(self, sections: Sequence[Section]) -> Iterator[Note]:
        for section in sections:
            if section.name in ("B", "B'", "outro", "intro"):
                for chord in section.chords:
                    tones = harmony.voicing(chord, (), 76, 92, 3)
                    for place, pitch in enumerate(tones[:: -1 if chord.beat % 8 else 1]):
                        yield Note(chord.beat + place * 0.5, 1.5, pitch, 0.6 - 0.1 * place)

    def rhythm(self, sections: Sequence[Section]) -> Iterator[Part]:
        """Bass and drums."""
        brief, players, rng = self._brief, self._players, self._rng
        pattern = str(rng.choice(brief.genre.bass))
        low: list[Note] = []
        pieces: dict[str, list[Note]] = {}
        for number, section in enumerate(sections):
            following = sections[min(number + 1, len(sections) - 1)].chords[0]
            if section.name != "intro" or pattern == "walk":
                low += backing.bass(section, pattern, following, players.bass_low)
            beaten = backing.drums(section, dict(players.drums), brief.meter, rng)
            for name, notes in beaten.items():
                pieces.setdefault(name, []).extend(notes)
            has_cymbals = bool(players.drums.keys() & {"hat", "timpani"})
            if has_cymbals and section.name in ("B", "B'") and section.energy > 0.45:
                pieces.setdefault("crash", []).append(Note(section.beat, 1, 0, 0.6))
        low = _closed(low, sections[-1], brief.meter)
        duck = 0.6 if brief.genre.ducked else 0.0
        yield Part("bass", players.bass, tuple(low), players.bass_level, 0.0, 0.03, duck)
        for name, notes in pieces.items():
            level, pan, echo = _DRUM_PLACES[name]
            yield Part(name, name, tuple(notes), level + players.drum_gain, pan, echo)


# Loudness (dB), place and room of each drum.
_DRUM_PLACES = {
    "kick": (-17.0, 0.0, 0.03),
    "snare": (-20.5, 0.05, 0.2),
    "clap": (-22.5, -0.08, 0.25),
    "hat": (-29.0, 0.28, 0.08),
    "ride": (-26.0, 0.3, 0.12),
    "pedal": (-31.0, 0.28, 0.08),
    "brush": (-27.0, -0.12, 0.15),
    "shaker": (-31.0, -0.4, 0.1),
    "tambourine": (-29.0, 0.4, 0.2),
    "drum": (-20.0, -0.1, 0.2),
    "conga": (-23.0, 0.25, 0.2),
    "crash": (-29.0, 0.2, 0.35),
    "timpani": (-21.0, 0.1, 0.4),
}


def _within(note: Note, section: Section, meter: int) -> bool:
    return section.beat <= note.beat < section.beat + section.bars * meter


def _closed(notes: list[Note], outro: Section, meter: int) -> list[Note]:
    """The notes with the last bar's first chord held out and nothing struck after it."""
    last = outro.beat + (outro.bars - 1) * meter
    return [
        Note(one.beat, meter if one.beat >= last else one.beats, one.pitch, one.velocity)
        for one in notes
        if one.beat < last + 0.2 or one.beats >= meter
    ]
