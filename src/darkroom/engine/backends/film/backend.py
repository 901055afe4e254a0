"""Film as a backend: moves scenes, pictures, clips and sounds; no weights, one core."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import cv2

from darkroom.engine.backends import clips, pictures
from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.film import camera, framing, scenes
from darkroom.engine.backends.film.ambience import ambience, mix_of
from darkroom.engine.backends.film.shots import Shot
from darkroom.engine.backends.painter import words
from darkroom.engine.backends.sounds import Samples

# Progress: until the shots stand, and while frames are made.
_BUILT, _MADE = 0.12, 0.98
_POSTER_AT = 0.3


@dataclass(frozen=True, slots=True)
class _Plan:
    """A film that stands ready to be made."""

    shot: Shot
    size: tuple[int, int]
    seconds: int
    mix: Mapping[str, float]
    source: str
    notes: Mapping[str, Any] = field(default_factory=dict)
    sound: Samples | None = None


class Film:
    """Darkroom's own procedural film maker."""

    name: ClassVar[str] = "film"
    kinds: ClassVar[frozenset[str]] = frozenset({"text-to-video"})

    def setup(self, model: str) -> None:
        """Loads nothing: the film maker has no weights."""

    def run(self, given: Input, context: Context) -> Iterator[Output]:
        """Yields an MP4 and its poster; raises `BadInput` for inputs that it cannot use."""
        # One film uses one core: the worker decides how many run at a time.
        cv2.setNumThreads(1)
        context.progress(0.0)
        plan = _text(given, context)
        sound = plan.sound
        if sound is None and given.fields.get("generate_audio") in (True, "true"):
            sound = ambience(plan.mix, plan.seconds, context.seed)
        yield from _made(plan, sound, context)


def _text(given: Input, context: Context) -> _Plan:
    prompt = str(given.fields.get("prompt") or "")
    size, seconds = framing.asked(given)
    scene = words.read(prompt, context.seed, str(given.fields.get("negative_prompt") or ""))
    move = camera.choose(prompt, context.seed, seconds)
    film = scenes.Film(size, seconds, move)
    shot = scenes.shoot(scene, film, lambda part: context.progress(_BUILT * part))
    spoken = camera.words_of(prompt)
    notes = {
        "words_used": [*scene.words_used, *sorted(spoken - set(scene.words_used))],
        "words_ignored": [word for word in scene.words_ignored if word not in spoken],
        "subject": scene.subject,
        "style": scene.style,
        "camera": list(move.names),
    }
    return _Plan(shot, size, seconds, mix_of(scene), pictures.MADE, notes)


def _made(plan: _Plan, sound: Samples | None, context: Context) -> Iterator[Output]:
    path = context.folder / "film.mp4"
    count = plan.seconds * clips.FPS
    poster = None
    with clips.Writer(path, plan.size, sound=sound) as writer:
        for number in range(count):
            share = number / max(count - 1, 1)
            frame = plan.shot.frame(number / clips.FPS, share)
            writer.add(frame)
            if poster is None and share >= _POSTER_AT:
                poster = frame.copy()
            context.progress(_BUILT + (_MADE - _BUILT) * (number + 1) / count)
    assert poster is not None
    context.progress(1.0)
    notes = {
        **plan.notes,
        "duration_seconds": plan.seconds,
        "fps": clips.FPS,
        "has_sound": sound is not None,
        "digital_source_type": plan.source,
    }
    if sound is not None and plan.sound is None:
        notes["sound"] = sorted(plan.mix)
    yield Output(path, writer.media_type, *plan.size, notes)
    yield pictures.write_cover(poster, context.folder / "poster.jpg")
