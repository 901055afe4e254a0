"""The players: which instruments take the lead, the chords, the bass and the drums of a piece."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from darkroom.engine.backends.synth import keys, percussion, plucked, sustained
from darkroom.engine.backends.synth.brief import Brief
from darkroom.engine.backends.synth.tones import Random, Wave

# A pitch (MIDI), seconds held, velocity 0 to 1, chance: the tone, (samples,) or (samples, 2).
Instrument = Callable[[float, float, float, Random], Wave]

INSTRUMENTS: Mapping[str, Instrument] = {
    one.__name__: one
    for one in (
        keys.piano, keys.epiano, keys.bells, keys.kalimba,
        plucked.guitar, plucked.harp, plucked.drive, plucked.bass, plucked.upright, plucked.sub,
        sustained.strings, sustained.violin, sustained.cello, sustained.flute, sustained.organ,
        sustained.pad, sustained.lead, sustained.pluck, sustained.synthbass, sustained.blip,
        percussion.kick, percussion.snare, percussion.clap, percussion.hat, percussion.pedal,
        percussion.ride, percussion.crash, percussion.brush, percussion.shaker,
        percussion.tambourine, percussion.drum, percussion.conga, percussion.timpani,
    )
}  # fmt: skip

_SPANS = {
    "piano": (64, 86), "epiano": (62, 82), "bells": (74, 93), "kalimba": (65, 86),
    "guitar": (57, 78), "harp": (62, 86), "drive": (57, 78), "violin": (60, 84),
    "flute": (67, 88), "lead": (60, 81), "blip": (64, 84), "cello": (48, 69),
    "pluck": (64, 86), "organ": (60, 79), "strings": (60, 81),
}  # fmt: skip


class Players(msgspec.Struct, frozen=True):
    """Who plays what; spans are MIDI pitches, levels dB below full scale."""

    lead: str
    comp: str
    pad: str
    bass: str
    comping: str
    second: str = ""
    colour: str = ""
    drums: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    drum_gain: float = 0.0
    comp_level: float = -24.0
    pad_level: float = -27.0
    bass_level: float = -20.0

    @property
    def lead_span(self) -> tuple[int, int]:
        """Where the lead is at its best."""
        return _SPANS[self.lead]

    @property
    def comp_span(self) -> tuple[int, int]:
        """Where the chords lie: under the lead, above the bass."""
        if self.comp == "drive":
            return (40, 64)
        if self.comping in ("arpeggio", "picking"):
            return (50, 70)
        return (50, 72)

    @property
    def bass_low(self) -> int:
        """The bass's lowest tone."""
        return {"cello": 36, "upright": 31, "bass": 31}.get(self.bass, 33)


def choose(brief: Brief, *, is_song: bool) -> Players:
    """Returns the genre's players, changed as the brief's instruments ask."""
    genre, asked = brief.genre, set(brief.instruments)
    lead, comp, pad, low, comping = genre.lead, genre.comp, genre.pad, genre.low, genre.comping
    second = colour = ""
    if brief.emotion.energy < 0.5 and genre.comping == "chords" and comp != "drive":
        comping = "waves"
    if brief.emotion.energy < 0.5 and comp == "drive":
        comp, comping = "guitar", "picking"
    if "GUITAR" in asked and comp != "drive":
        comp, comping = "guitar", "picking" if brief.emotion.energy < 0.6 else "chords"
        lead = "guitar" if lead == "piano" else lead
    if "PIANO" in asked:
        lead = "piano" if lead != "flute" or "WIND" not in asked else lead
        if "GUITAR" not in asked:
            comp = "piano"
            comping = {"power": "chords", "picking": "waves", "arpeggio": "waves"}.get(
                comping, comping
            )
    if "SYNTHESIZER" in asked:
        lead, pad = "lead", "pad"
    if "ELECTRONIC_SOUND" in asked:
        lead, comp, comping, low = "blip", "pluck", "arpeggio", "synthbass"
    if "FOLK_INSTRUMENT" in asked:
        comp, comping, colour = "harp", "picking", "kalimba"
    if "STRINGS" in asked:
        pad = "strings"
        lead = "violin" if not asked & {"PIANO", "GUITAR", "SYNTHESIZER", "WIND"} else lead
    if "WIND" in asked:
        lead = "flute"
    if "MIXED_ORCHESTRATION" in asked:
        pad, colour, second, low = "strings", "bells", "violin", "cello"
        lead = lead if asked & {"PIANO", "WIND"} else "flute"
    if brief.emotion_name == "EPIC":
        pad, second = pad or "strings", "violin"
    if brief.emotion_name in ("MYSTERIOUS", "HAPPY") and not colour and genre.swing == 0.5:
        colour = "bells"
    if is_song and lead in ("drive", "lead"):
        lead = {"drive": "guitar", "lead": "pluck"}[lead]
    return Players(
        lead, comp, pad, low, comping, second, colour,
        drums=_drums(brief, asked),
        drum_gain=3.0 * ("DRUMS" in asked) - 3.0 * (brief.emotion.energy < 0.4),
        comp_level=-23.0 if comp == lead else -24.0,
        pad_level=-25.0 if "STRINGS" in asked or not comp else -27.0,
        bass_level=-19.0 if "BASS" in asked else -21.5,
    )  # fmt: skip


_EPIC = {"drum": ("x.....x.x..x..o.", "x..x..x...x.x..."), "timpani": ("x.......x.......",)}
_WALTZ = {
    "kick": "x...........", "snare": "....o...o...", "hat": "x...o...o...",
    "ride": "x...x.o.x...", "brush": "x...o...o...", "shaker": "x...o...o...",
}  # fmt: skip
_SOFT = {"kick": ("o.......o.......",), "shaker": ("o.-.o.-.o.-.o.-.",)}


def _drums(brief: Brief, asked: set[str]) -> Mapping[str, tuple[str, ...]]:
    patterns = dict(brief.genre.drums)
    if not patterns and brief.emotion_name == "EPIC":
        patterns = dict(_EPIC)
    if not patterns and "DRUMS" in asked:
        patterns = dict(_SOFT)
    if brief.meter == 3:
        patterns = {name: (_WALTZ[name],) for name in patterns if name in _WALTZ}
    return patterns
