"""The programs of the machine that the synth needs: which are here, and what to install."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

_ENGINES = ("espeak-ng", "espeak", "flite")
_RECOGNIZERS = ("whisper-cli", "whisper-cpp")
_MODEL = "WHISPER_MODEL"
MISSING_ENGINE = (
    "No speech engine is installed on this server: the operator can install espeak-ng "
    "(Debian: apt install espeak-ng)."
)
MISSING_RECOGNIZER = (
    "No speech recognition engine is configured on this server: the operator can install "
    f"whisper.cpp's whisper-cli and name a model file in {_MODEL}."
)


class Engine(msgspec.Struct, frozen=True):
    """A program that speaks, by its name and where it is."""

    name: str
    path: str


def engine() -> Engine | None:
    """The best speech engine on the path."""
    found = ((name, shutil.which(name)) for name in _ENGINES)
    return next((Engine(name, path) for name, path in found if path), None)


def recognizer() -> tuple[str, str] | None:
    """The program that hears and its model file; None where either is missing."""
    program = next((path for name in _RECOGNIZERS if (path := shutil.which(name))), None)
    model = os.environ.get(_MODEL, "")
    return (program, model) if program and model and Path(model).is_file() else None


def lacks() -> Mapping[str, str]:
    """What cannot be done on this machine now, by kind, and what to install for it."""
    found: dict[str, str] = {}
    if engine() is None:
        found |= dict.fromkeys(("text-to-audio", "podcast-audio"), MISSING_ENGINE)
    if recognizer() is None:
        found["speech-recognize"] = MISSING_RECOGNIZER
    return found
