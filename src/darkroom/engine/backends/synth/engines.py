"""Speech engines: programs of the machine that say a text, each run apart from this one.

eSpeak NG and eSpeak are used by their command lines (espeak-ng.1), Flite by its own (flite --help).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from darkroom.engine.backends import sounds
from darkroom.engine.backends.programs import run
from darkroom.engine.backends.sounds import Samples
from darkroom.engine.backends.synth import programs
from darkroom.engine.backends.synth.programs import Engine
from darkroom.engine.backends.synth.voices import Speaker
from darkroom.errors import BackendFailed

_SECONDS_MAX = 60.0
_WORDS_A_MINUTE = 170


def find() -> Engine:
    """The best engine on the path; raises `BackendFailed` that tells what to install."""
    if (found := programs.engine()) is None:
        raise BackendFailed(programs.MISSING_ENGINE)
    return found


def language(text: str, speaker: Speaker) -> str:
    """What a text is spoken in: a voice's own language, unless its letters are of the other."""
    has_chinese = any("\u3400" <= one <= "\u9fff" for one in text)
    has_latin = any(one.isascii() and one.isalpha() for one in text)
    if speaker.language == "zh" and has_latin and not has_chinese:
        return "en"
    if speaker.language == "en" and has_chinese and not has_latin:
        return "zh"
    return speaker.language


def say(
    engine: Engine,
    text: str,
    speaker: Speaker,
    speed: float,
    folder: Path,
    progress: Callable[[], None],
) -> Samples:
    """Returns a text spoken, plain: the engine's own sound, float32 (samples, 2) at 48 kHz.

    `progress` is called while the engine works, and ends it by what it raises. Raises
    `BackendFailed` where the engine fails, takes over a minute, or does not know the language.
    """
    path = folder / "speech.wav"
    # The throat's size is changed after, by the speed at which the sound is read.
    pace = speed * speaker.manner.pace * speaker.manner.size
    if engine.name == "flite":
        if language(text, speaker) != "en":
            raise BackendFailed("Flite speaks English alone: the operator can install espeak-ng.")
        command = _flite(engine, speaker, pace, path)
    else:
        command = _espeak(engine, language(text, speaker), speaker, pace, path)
    given = text.replace("[[", "[ [").encode()
    run(command, given, seconds_max=_SECONDS_MAX, progress=progress)
    try:
        if not path.exists() or path.stat().st_size <= 44:
            # Nothing in it can be said, such as a line of dots.
            return np.zeros((0, 2), np.float32)
        return sounds.read(path)
    finally:
        path.unlink(missing_ok=True)


def _espeak(engine: Engine, spoken: str, speaker: Speaker, pace: float, path: Path) -> list[str]:
    # Of eSpeak NG's Mandarin voices only this one reads the tones of characters in version 1.51.
    chinese = "cmn-latn-pinyin" if engine.name == "espeak-ng" else "zh"
    voice = {"en": "en-us", "zh": chinese}[spoken]
    words = min(max(round(_WORDS_A_MINUTE * pace), 80), 450)
    options = ["-v", f"{voice}+{speaker.manner.variant}", "-p", str(speaker.manner.pitch)]
    return [engine.path, "--stdin", "-b", "1", *options, "-s", str(words), "-w", str(path)]


def _flite(engine: Engine, speaker: Speaker, pace: float, path: Path) -> list[str]:
    voice = "slt" if speaker.gender == "f" else "rms"
    stretch = f"duration_stretch={1 / pace:.3f}"
    return [engine.path, "-voice", voice, "--setf", stretch, "-f", "/dev/stdin", "-o", str(path)]
