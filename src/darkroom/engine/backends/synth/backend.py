"""The synthesiser as a backend: composes and plays music, speaks, and hears where it can."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from darkroom.domain.kinds.podcast import SPEAKERS
from darkroom.engine.backends import pictures, sounds
from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.synth import (
    cover,
    engines,
    music,
    podcast,
    recognition,
    speech,
    voices,
)
from darkroom.errors import BadInput

# How far a piece is when it is composed, and when it is written.
_COMPOSED, _WRITTEN = 0.7, 0.9


class Synth:
    """Darkroom's own band, voice and ear: no weights, one core."""

    name: ClassVar[str] = "synth"
    kinds: ClassVar[frozenset[str]] = frozenset(
        {
            "music-generate",
            "text-to-audio",
            "speech-recognize",
            "podcast-text",
            "podcast-audio",
        }
    )

    def setup(self, model: str, options: Mapping[str, Any]) -> None:
        """Loads nothing: every sound is made when it is asked for."""

    def run(self, given: Input, context: Context) -> Iterator[Output]:
        """Yields the sound, or the text; after music its cover.

        Raises `BadInput` for an input it cannot use, `BackendFailed` where a program is missing.
        """
        makers = {
            "music-generate": _music,
            "text-to-audio": _speech,
            "speech-recognize": _text,
            "podcast-text": _script,
            "podcast-audio": _podcast,
        }
        yield from makers[given.kind](given, context)


def _music(given: Input, context: Context) -> Iterator[Output]:
    piece = music.compose(given, context.seed, lambda at: context.progress(_COMPOSED * at))
    path = context.folder / "music.mp3"
    _write(piece.sound, path, context, (_COMPOSED, _WRITTEN))
    yield _sound(path, piece.sound, dict(piece.notes))
    picture = cover.draw(
        piece.title,
        str(given.fields.get("description") or ""),
        piece.brief,
        context.seed,
        lambda at: context.progress(_WRITTEN + (1 - _WRITTEN) * at),
    )
    yield pictures.write_cover(picture, context.folder / "cover.jpg")


def _speech(given: Input, context: Context) -> Iterator[Output]:
    context.progress(0.0)
    engine = engines.find()
    text = str(given.fields["text"])
    speaker = _speaker(given)
    speed, volume = _number(given, "speed"), _number(given, "vol")
    plain = engines.say(engine, text, speaker, speed, context.folder, lambda: context.progress(0.2))
    context.progress(0.5)
    sound = speech.shaped(plain, speaker.manner)
    if not len(sound):
        raise BadInput("The text has nothing in it that can be said.")
    sound = speech.loud(speech.padded(sound), volume)
    path = context.folder / "speech.mp3"
    _write(sound, path, context, (0.7, 1.0))
    context.progress(1.0)
    notes = {
        "voice": speaker.name,
        "engine": engine.name,
        "language": engines.language(text, speaker),
    }
    yield _sound(path, sound, notes)


def _write(sound: sounds.Samples, path: Path, context: Context, span: tuple[float, float]) -> None:
    begin, end = span
    sounds.write_mp3(sound, path, lambda at: context.progress(begin + (end - begin) * at))


def _speaker(given: Input) -> voices.Speaker:
    try:
        return voices.speaker(int(given.fields["voice_id"]))
    except (KeyError, ValueError, TypeError) as error:
        raise BadInput("voice_id is a whole number from 66 to 85.") from error


def _number(given: Input, name: str) -> float:
    try:
        return float(given.fields.get(name, "1.0"))
    except (ValueError, TypeError) as error:
        raise BadInput(f'{name} is a number such as "1.0".') from error


def _text(given: Input, context: Context) -> Iterator[Output]:
    paths = given.files.get("audio_url", ())
    if not paths:
        raise BadInput("speech-recognize needs a sound.")
    context.progress(0.0)
    text = recognition.recognize(
        paths[0],
        str(given.fields.get("language") or "en"),
        context.folder,
        lambda: context.progress(0.5),
    )
    path = context.folder / "speech.txt"
    path.write_text(text + "\n", encoding="utf-8")
    context.progress(1.0)
    yield Output(path, "text/plain", notes={"speech_text": text})


def _script(given: Input, context: Context) -> Iterator[Output]:
    context.progress(0.0)
    fields = given.fields
    speakers = [podcast.Speaker(one, SPEAKERS[one].name) for one in fields["speakers"]]
    turns = podcast.write_script(
        fields["query"], fields["mode"], speakers, context.seed, language=fields["language"]
    )
    scripts = [msgspec.structs.asdict(one) for one in turns]
    path = context.folder / "script.json"
    path.write_text(json.dumps(scripts, ensure_ascii=False, indent=1), encoding="utf-8")
    context.progress(1.0)
    yield Output(path, "application/json", notes={"scripts": scripts})


def _podcast(given: Input, context: Context) -> Iterator[Output]:
    turns = [
        podcast.Turn(
            one["speaker_id"],
            one.get("speaker_name") or SPEAKERS[one["speaker_id"]].name,
            one["content"],
        )
        for one in given.fields["scripts"]
    ]
    voices_of = {one.speaker_id: SPEAKERS[one.speaker_id].voice_id for one in turns}
    yield podcast.voice_script(turns, voices_of, context)


def _sound(path: Path, sound: sounds.Samples, notes: dict[str, Any]) -> Output:
    notes |= {
        "duration_seconds": round(len(sound) / sounds.RATE, 2),
        "digital_source_type": pictures.MADE,
    }
    return Output(path, "audio/mpeg", notes=notes)
