"""A stand-in for whisper.cpp's program, which cannot be had where tests run: by its options."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# What whisper-cli 1.9.3 does with these options; it hears what a wave is like. The languages that
# it does not know, and those that its model does not, it tells in words, and ends by status 0.
PROGRAM = """
import sys, wave
from pathlib import Path
words = [word for word in sys.argv[1:] if word != "-otxt"]
given = dict(zip(words[::2], words[1::2]))
language = given["-l"]
assert "-otxt" in sys.argv
if language not in ("auto", "de", "en", "zh"):
    print(f"error: unknown language '{language}'", "usage: ...", sep="\\n", file=sys.stderr)
    sys.exit(0)
if Path(given["-m"]).read_bytes() == b"english" and language != "en":
    ignored = "ignoring language and translation options"
    print(f"main: WARNING: model is not multilingual, {ignored}", file=sys.stderr)
    language = "en"
with wave.open(given["-f"]) as sound:
    facts = (sound.getframerate(), sound.getnchannels(), sound.getsampwidth(), sound.getnframes())
Path(given["-of"] + ".txt").write_text(f"Heard in {language}.\\n{facts}\\n", encoding="utf-8")
"""


def install(folder: Path) -> dict[str, str]:
    """Put it and a model file into a folder; the environment in which it is found last."""
    folder.mkdir(parents=True, exist_ok=True)
    model, program = folder / "model.bin", folder / "whisper-cli"
    model.write_bytes(b"model")
    program.write_text(f"#!{sys.executable}\n{PROGRAM}", encoding="utf-8")
    program.chmod(0o755)
    path = f"{os.environ.get('PATH', '')}{os.pathsep}{folder}"
    return {"PATH": path, "WHISPER_MODEL": str(model)}
