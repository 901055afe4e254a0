"""From a task's fields to a film's plan: from words, a picture, pictures, or references."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace

from darkroom.engine.backends import pictures, sounds
from darkroom.engine.backends.contract import Context, Input
from darkroom.engine.backends.film import airs, camera, framing, references, scenes
from darkroom.engine.backends.film.ambience import ambience, mix_of
from darkroom.engine.backends.film.footage import Footage
from darkroom.engine.backends.film.montages import Montage, Take, scheduled, tinted
from darkroom.engine.backends.film.plan import Plan
from darkroom.engine.backends.film.portraits import Portrait, portray
from darkroom.engine.backends.film.shots import Shot
from darkroom.engine.backends.painter import words
from darkroom.engine.backends.painter.lexicon import SUBJECTS
from darkroom.engine.backends.painter.scene import Progress, Scene
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.sounds import Samples
from darkroom.errors import BadInput

# A reference is shown for at least so long; those that do not fit are left out, and named.
_SHOWN_SECONDS_MIN = 0.5
# Words that let something fall or fly over a given picture.
_EFFECTS = frozenset(
    ("rain", "rainy", "raining", "downpour", "drizzle", "storm", "stormy", "thunderstorm",
     "lightning", "snowfall", "snowing", "blizzard", "snowstorm", "bird", "birds", "seagulls")
)  # fmt: skip


def from_words(given: Input, context: Context, progress: Progress) -> Plan:
    """Returns the plan of a text-to-video task."""
    size, seconds = framing.asked(given)
    scene, prompt = _read(given, context.seed)
    move = camera.choose(prompt, context.seed, seconds)
    shot = scenes.shoot(scene, scenes.Film(size, seconds, move), progress)
    spoken = camera.words_of(prompt)
    notes = {
        "words_used": [*scene.words_used, *sorted(spoken - set(scene.words_used))],
        "words_ignored": [word for word in scene.words_ignored if word not in spoken],
        "subject": scene.subject,
        "style": scene.style,
        "camera": list(move.names),
    }
    return Plan(shot, size, seconds, mix_of(scene), pictures.MADE, notes)


def from_picture(given: Input, context: Context, progress: Progress) -> Plan:
    """Returns the plan of an image-to-video task; raises `BadInput` without a readable picture."""
    return _of_pictures(given, context, "image", progress)


def from_pictures(given: Input, context: Context, progress: Progress) -> Plan:
    """Returns the plan of a multi-image-to-video task: the pictures in their order."""
    return _of_pictures(given, context, "images", progress)


def _of_pictures(given: Input, context: Context, name: str, progress: Progress) -> Plan:
    paths = given.files.get(name, ())
    if not paths:
        raise BadInput(f"{name} is missing: send a JPEG, PNG or WebP.")
    shown = [pictures.read(path) for path in paths]
    size, seconds = framing.asked(given, (shown[0].shape[1], shown[0].shape[0]))
    scene, prompt = _read(given, context.seed)
    length = seconds / len(shown)
    portraits = []
    for number, picture in enumerate(shown):
        told = _slice(progress, number, len(shown))
        portraits.append(_portrait(picture, size, (scene, prompt, number, length), told))
    notes: dict[str, Any] = {
        "camera": [", ".join(one.shot.move.names) for one in portraits],
        "found": [list(one.found) for one in portraits],
        "words_ignored": _unread(scene, prompt),
    }
    mix = _mix(scene, portraits)
    if len(shown) == 1:
        return Plan(portraits[0].shot, size, seconds, mix, pictures.EDITED, notes)
    times = scheduled([1.0] * len(portraits), seconds)
    montage = Montage([Take(one.shot, *time) for one, time in zip(portraits, times, strict=True)])
    notes["transitions"] = montage.kinds
    return Plan(montage, size, seconds, mix, pictures.EDITED, notes)


def from_references(given: Input, context: Context, progress: Progress) -> Plan:
    """Returns the plan of an almighty-reference-to-video task.

    Raises `BadInput` without any picture or clip, and for clips and sounds that last too long.
    """
    films = references.videos(given.files.get("videos", ()))
    heard = references.audios(given.files.get("audios", ()))
    shown = [pictures.read(path) for path in given.files.get("images", ())]
    if not films and not shown:
        raise BadInput("images and videos are missing: send at least one to refer to.")
    shape = (
        (shown[0].shape[1], shown[0].shape[0])
        if shown
        else (films[0].clip.width, films[0].clip.height)
    )
    size, seconds = framing.asked(given, shape)
    order = _interleaved(len(shown), len(films))
    kept = order[: max(1, int(seconds / _SHOWN_SECONDS_MIN))]
    weights = [1.4 if kind == "video" else 1.0 for kind, _ in kept]
    times = scheduled(weights, seconds)
    scene, prompt = _read(given, context.seed)
    shots: list[Shot] = []
    portraits: list[Portrait] = []
    for number, ((kind, at), (start, end)) in enumerate(zip(kept, times, strict=True)):
        if kind == "image":
            asked = (scene, prompt, number, end - start)
            told = _slice(progress, number, len(kept))
            portraits.append(_portrait(shown[at], size, asked, told))
            shots.append(portraits[-1].shot)
        else:
            shots.append(Footage(films[at].path, films[at].clip, size, end - start))
        progress((number + 1) / len(kept))
    montage = Montage(_matched(shots, times))
    notes: dict[str, Any] = {
        "used": [
            f"{kind} {at + 1}: {start:.1f} to {end:.1f} s"
            for (kind, at), (start, end) in zip(kept, times, strict=True)
        ],
        "references_ignored": [f"{kind} {at + 1}: no time" for kind, at in order[len(kept) :]],
        "camera": [", ".join(one.shot.move.names) for one in portraits],
        "transitions": montage.kinds,
        "words_ignored": _unread(scene, prompt),
    }
    mix = _mix(scene, portraits)
    sound = references.soundtrack(heard, seconds) if heard else None
    if heard:
        notes["used"] += [f"audio {number + 1}: the sound" for number in range(len(heard))]
    elif given.fields.get("generate_audio") in (True, "true"):
        own = [
            (films[at], time) for (kind, at), time in zip(kept, times, strict=True)
            if kind == "video" and films[at].clip.has_sound
        ]  # fmt: skip
        sound = _with_clips(own, mix, (seconds, context.seed), progress) if own else None
        if own:
            notes["sound"] = [*sorted(mix), "the clips' own"]
    return Plan(montage, size, seconds, mix, pictures.EDITED, notes, sound)


def _read(given: Input, seed: int) -> tuple[Scene, str]:
    prompt = str(given.fields.get("prompt") or "")
    return words.read(prompt, seed, str(given.fields.get("negative_prompt") or "")), prompt


def _portrait(
    picture: Pixels, size: tuple[int, int], asked: tuple[Scene, str, int, float], told: Progress
) -> Portrait:
    """Returns a picture's shot: the prompt's camera, else one that differs from the last's."""
    scene, prompt, number, seconds = asked
    move = camera.choose(prompt, scene.seed + 5 * number, seconds, at_rest=True)
    falling = _EFFECTS & set(re.findall(r"\w+", prompt.lower()))
    above: tuple[airs.Air, ...] = ()
    if falling:
        # What the words say falls or flies over the picture; the picture itself is as given.
        film = scenes.Film(size, seconds, move)
        subject = replace(words.read(f"{prompt} sky", scene.seed), subject="sky")
        above = tuple(scenes.airs_of(subject, film))
    return portray(picture, size, move, scene.seed + number, above, told)


def _slice(progress: Progress, number: int, count: int) -> Progress:
    return lambda part: progress((number + part) / count)


def _unread(scene: Scene, prompt: str) -> list[str]:
    spoken = camera.words_of(prompt) | _EFFECTS
    return [word for word in (*scene.words_used, *scene.words_ignored) if word not in spoken]


def _mix(scene: Scene, portraits: Sequence[Portrait]) -> dict[str, float]:
    """Returns the sound's sources: what the words name, else what the pictures show."""
    if any(word in SUBJECTS or word.removesuffix("s") in SUBJECTS for word in scene.words_used):
        return mix_of(scene)
    found = {name for one in portraits for name in one.found}
    mix = {"pad": 0.7}
    if "water" in found:
        mix |= {"lapping": 0.8, "pad": 0.3}
    if "sky" in found:
        mix |= {"wind": 0.5, "pad": 0.4}
    return mix


def _interleaved(images: int, clips: int) -> list[tuple[str, int]]:
    """Returns the references' order: each group's own, spread evenly among each other."""
    placed = [((n + 0.5) / images, "image", n) for n in range(images)]
    placed += [((n + 0.6) / clips, "video", n) for n in range(clips)]
    return [(kind, number) for _, kind, number in sorted(placed)]


def _matched(shots: Sequence[Shot], times: Sequence[tuple[float, float]]) -> list[Take]:
    """Returns the takes, each's colours brought a third of the way to what all have in common."""
    firsts = [shot.frame(0.0, 0.0) for shot in shots]
    means = [frame[::4, ::4].reshape(-1, 3).mean(axis=0) for frame in firsts]
    common = np.asarray(np.mean(means, axis=0), np.float32)
    tables = [tinted(frame, common, 0.3) for frame in firsts]
    return [
        Take(shot, *time, tint=table if len(shots) > 1 else None)
        for shot, time, table in zip(shots, times, tables, strict=True)
    ]


def _with_clips(
    own: Sequence[tuple[references.Reference, tuple[float, float]]],
    mix: dict[str, float],
    asked: tuple[int, int],
    progress: Progress,
) -> Samples:
    """Returns the place's sound, softer, and over it that of the clips while they are shown."""
    seconds, seed = asked
    quiet = ambience(mix, seconds, seed, lambda _: progress(1.0)) * np.float32(0.45)
    parts = [(np.asarray(quiet, np.float32), 0.0, float(seconds))]
    parts += [(sounds.read(one.path), start, end - start) for one, (start, end) in own]
    return references.mixed(parts, seconds)
