"""A stand-in for whisper.cpp's program, whose weights cannot be had here: it speaks its options."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# The options of whisper-cli (whisper.cpp, examples/cli/README.md); it hears what a wave is like.
PROGRAM = """
import sys, wave
from pathlib import Path
words = [word for word in sys.argv[1:] if word != "-otxt"]
given = dict(zip(words[::2], words[1::2]))
with wave.open(given["-f"]) as sound:
    facts = (sound.getframerate(), sound.getnchannels(), sound.getsampwidth(), sound.getnframes())
assert "-otxt" in sys.argv and Path(given["-m"]).is_file()
Path(given["-of"] + ".txt").write_text(f" Heard in {given['-l']}.\\n {facts}\\n", encoding="utf-8")
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
