"""The speaking voices: how each of the kind's voices is made out of an engine's one."""

from __future__ import annotations

import msgspec

from darkroom.domain.kinds.audio import VOICES


class Manner(msgspec.Struct, frozen=True):
    """How a voice speaks.

    `variant` is eSpeak's voice variant; `pitch` its 0 to 99; `pace` a factor on the speed; `size` a
    factor on the throat (over 1 larger, so lower); `warmth` and `presence` are decibels at 180 Hz
    and 3 kHz; `effect` is "", "robot" or "growl".
    """

    variant: str
    pitch: int = 50
    pace: float = 1.0
    size: float = 1.0
    warmth: float = 0.0
    presence: float = 0.0
    effect: str = ""


MANNERS = {
    85: Manner("f2", 46, 0.94, 0.98, 2.0, 2.0),
    84: Manner("f4", 72, 1.08, 0.93, -1.0, 2.0),
    83: Manner("f3", 80, 1.02, 0.9, -2.0, 1.0),
    82: Manner("f1", 64, 1.1, 0.96, 0.0, 3.0),
    81: Manner("f5", 34, 0.88, 1.04, 2.0, 0.0),
    80: Manner("f4", 58, 1.06, 0.97, 0.0, 3.0),
    79: Manner("f5", 42, 0.92, 1.02, 2.0, 0.0),
    78: Manner("f5", 30, 0.82, 1.06, 3.0, -1.0),
    77: Manner("f1", 52, 0.98, 0.97, 0.0, 2.0),
    76: Manner("f2", 50, 1.08, 1.0, 1.0, 3.0),
    75: Manner("m4", 40, 0.86, 1.04, 2.0, 0.0),
    74: Manner("m7", 58, 1.0, 0.98, -2.0, 2.0, "robot"),
    73: Manner("m6", 34, 1.04, 1.12, 2.0, 2.0, "growl"),
    72: Manner("m3", 30, 0.84, 1.26, 4.0, 0.0),
    71: Manner("m2", 18, 0.9, 1.12, 4.0, 1.0),
    70: Manner("m6", 48, 1.04, 1.0, 0.0, 1.0),
    69: Manner("m3", 36, 0.96, 1.04, 2.0, 2.0),
    68: Manner("m4", 50, 0.86, 1.0, 2.0, 0.0),
    67: Manner("m1", 56, 1.06, 0.98, 0.0, 2.0),
    66: Manner("m1", 70, 1.0, 0.9, -1.0, 1.0),
}


class Speaker(msgspec.Struct, frozen=True):
    """One of the kind's voices: its number, name, language, gender and manner."""

    number: int
    name: str
    language: str
    gender: str
    manner: Manner


def speaker(number: int) -> Speaker:
    """The voice of a number; raises `KeyError` where there is none."""
    return Speaker(number, *VOICES[number], MANNERS[number])
