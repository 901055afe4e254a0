"""Film as a backend: moves scenes, pictures, clips and sounds; no weights, one core."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import cv2

from darkroom.engine.backends import clips, pictures
from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.film import effects, scripts
from darkroom.engine.backends.film.ambience import ambience
from darkroom.engine.backends.film.plan import Plan
from darkroom.engine.backends.sounds import Samples

_SCRIPTS = {
    "text-to-video": scripts.from_words,
    "image-to-video": scripts.from_picture,
    "multi-image-to-video": scripts.from_pictures,
    "almighty-reference-to-video": scripts.from_references,
}
# Progress: until the shots stand, until the sound does, and while frames are made.
_BUILT, _HEARD, _MADE = 0.12, 0.16, 0.98
_POSTER_AT = 0.3


class Film:
    """Darkroom's own procedural film maker."""

    name: ClassVar[str] = "film"
    kinds: ClassVar[frozenset[str]] = frozenset(_SCRIPTS) | {"effect-template"}

    def setup(self, model: str, options: Mapping[str, Any]) -> None:
        """Loads nothing: the film maker has no weights."""

    def run(self, given: Input, context: Context) -> Iterator[Output]:
        """Yields an MP4 and its poster; raises `BadInput` for inputs that it cannot use."""
        # One film uses one core: the worker decides how many run at a time.
        cv2.setNumThreads(1)
        context.progress(0.0)
        if given.kind == "effect-template":
            given = effects.as_clip(given)
        plan = _SCRIPTS[given.kind](given, context, lambda part: context.progress(_BUILT * part))
        sound = plan.sound
        if sound is None and given.fields.get("generate_audio") in (True, "true"):
            sound = ambience(
                plan.mix,
                plan.seconds,
                context.seed,
                lambda part: context.progress(_BUILT + (_HEARD - _BUILT) * part),
            )
        yield from _made(plan, sound, context)


def _made(plan: Plan, sound: Samples | None, context: Context) -> Iterator[Output]:
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
            context.preview(functools.partial(pictures.preview, frame))
            context.progress(_HEARD + (_MADE - _HEARD) * (number + 1) / count)
    assert poster is not None
    notes = {
        "sound": sorted(plan.mix) if sound is not None and plan.sound is None else [],
        **plan.notes,
        "duration_seconds": plan.seconds,
        "fps": clips.FPS,
        "has_sound": sound is not None,
        "digital_source_type": plan.source,
    }
    cover = pictures.write_cover(poster, context.folder / "poster.jpg")
    context.progress(1.0)
    yield Output(path, writer.media_type, *plan.size, notes)
    yield cover
