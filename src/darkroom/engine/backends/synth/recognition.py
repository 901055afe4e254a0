"""Recognition: speech written down by whisper.cpp's program, where the operator has set it up.

The command line is that of whisper-cli (whisper.cpp, examples/cli/README.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from darkroom.engine.backends import sounds
from darkroom.engine.backends.programs import run
from darkroom.engine.backends.sounds import Samples
from darkroom.engine.backends.synth import programs
from darkroom.errors import BackendFailed, BadInput

_RATE = 16_000
_SECONDS_MAX = 1200.0
_LANGUAGE = re.compile(r"(auto|[a-z]{2,3})(?:[-_][A-Za-z]{2,8})?")


def recognize(path: Path, language: str, folder: Path, progress: Callable[[], None]) -> str:
    """Returns what is said in a sound, as one text.

    `progress` is called while it is heard. Raises `BadInput` for a sound or a language that cannot
    be used, `BackendFailed` where no engine is set up or it fails.
    """
    if (found := programs.recognizer()) is None:
        raise BackendFailed(programs.MISSING_RECOGNIZER)
    program, model = found
    match = _LANGUAGE.fullmatch(language.strip().lower() or "en")
    if match is None:
        raise BadInput("language is a code such as en or zh, or auto.")
    wave, out = folder / "heard.wav", folder / "heard"
    text = out.with_suffix(".txt")
    try:
        write_wave(sounds.read(path), wave)
        progress()
        command = [program, "-m", model, "-f", str(wave), "-l", match[1], "-otxt", "-of", str(out)]
        _, told = run(command, seconds_max=_SECONDS_MAX, progress=progress)
        _check(match[1], told)
        if not text.is_file():
            raise BackendFailed("whisper-cli wrote no text.")
        lines = text.read_text(encoding="utf-8", errors="replace").splitlines()
    finally:
        wave.unlink(missing_ok=True)
        text.unlink(missing_ok=True)
    return " ".join(line.strip() for line in lines if line.strip())


def _check(language: str, told: str) -> None:
    """Raise `BadInput` for a language that was not heard: whisper-cli ends well all the same."""
    if "error: unknown language" in told:
        raise BadInput(f"whisper.cpp knows no language {language}: send en, zh or such, or auto.")
    if "model is not multilingual" in told and language not in ("en", "auto"):
        raise BadInput(f"The speech model of this server hears English alone, not {language}.")


def write_wave(samples: Samples, path: Path) -> None:
    """Write float32 (samples, 2) at 48 kHz as 16 bit mono at 16 kHz, what whisper.cpp reads."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=_RATE)
    with av.open(str(path), "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=_RATE, layout="mono")
        for frame in sounds.frames(np.clip(samples, -1, 1)):
            for part in resampler.resample(frame):
                container.mux(stream.encode(part))
        for part in resampler.resample(None):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
