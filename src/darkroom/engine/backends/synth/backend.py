"""The synthesiser as a backend: composes and plays music, speaks, and hears where it can."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from darkroom.engine.backends import pictures, sounds
from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.synth import cover, music

_COMPOSED, _WRITTEN = 0.86, 0.92


class Synth:
    """Darkroom's own band, voice and ear: no weights, one core."""

    name: ClassVar[str] = "synth"
    kinds: ClassVar[frozenset[str]] = frozenset({"music-generate"})

    def setup(self, model: str) -> None:
        """Loads nothing: every sound is made when it is asked for."""

    def run(self, given: Input, context: Context) -> Iterator[Output]:
        """Yields the sound, or the text; after music its cover.

        Raises `BadInput` for an input it cannot use, `BackendFailed` where a program is missing.
        """
        yield from _music(given, context)


def _music(given: Input, context: Context) -> Iterator[Output]:
    piece = music.compose(given, context.seed, lambda at: context.progress(_COMPOSED * at))
    path = context.folder / "music.mp3"
    sounds.write_mp3(piece.sound, path)
    context.progress(_WRITTEN)
    yield _sound(path, piece.sound, dict(piece.notes))
    picture = cover.draw(
        piece.title,
        str(given.fields.get("description") or ""),
        piece.brief,
        context.seed,
        lambda at: context.progress(_WRITTEN + (1 - _WRITTEN) * at),
    )
    yield pictures.write_cover(picture, context.folder / "cover.jpg")


def _sound(path: Path, sound: sounds.Samples, notes: dict[str, Any]) -> Output:
    notes |= {
        "duration_seconds": round(len(sound) / sounds.RATE, 2),
        "digital_source_type": pictures.MADE,
    }
    return Output(path, "audio/mpeg", notes=notes)
