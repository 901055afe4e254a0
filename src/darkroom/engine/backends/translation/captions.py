"""video-subtitle-translate, its second half: subtitles taken out, and set in another language."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np
from PIL import Image, ImageDraw

from darkroom.engine.backends.contract import Context, Output
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox import erase, footage, overlays
from darkroom.engine.backends.toolbox.footage import Cut, Footage
from darkroom.engine.backends.toolbox.overlays import Mask
from darkroom.engine.backends.translation import fonts, typesetting
from darkroom.engine.backends.translation.languages import LANGUAGES, Language
from darkroom.engine.backends.translation.subtitles import MASK, SHOTS, Kept, Shot
from darkroom.engine.backends.translation.typesetting import Setting

_AROUND_SECONDS = 0.2  # in which letters come and go, and are erased as well
_WIDE = 0.9  # of the frame, for a line
_LINES_MAX = 3
_SMALL = 28  # type is no smaller than a frame's height by this, as far as it fits


def set_texts(
    path: Path, texts: Sequence[str], language: str, context: Context
) -> Iterator[Output]:
    """Yields the clip with a text for each that was found, when and where that stood; its cover."""
    footage.seeded(context.seed)
    clip = footage.probed(path)
    kept = msgspec.json.decode((context.folder / SHOTS).read_bytes(), type=Kept)
    drawn = _shown(clip, kept, texts, LANGUAGES[language], context)
    notes = {"subtitles": len(kept.shots)}
    yield from footage.written(drawn, Cut.like(clip, notes=notes), context)


def _shown(
    clip: Footage, kept: Kept, texts: Sequence[str], language: Language, context: Context
) -> Iterator[Pixels]:
    """The frames without the old subtitles and with the new ones."""
    around = round(_AROUND_SECONDS * clip.fps)
    left, top, right, foot = kept.region
    numbers = itertools.count()

    def masks(pixels: Pixels) -> Mask:
        at = next(numbers)
        mask = np.zeros(pixels.shape[:2], np.uint8)
        for start, end, number in kept.covers:
            if start - around <= at < end + around:
                mask[top:foot, left:right] |= _mask(context.folder / MASK.format(number))
        return mask

    width, height = clip.size
    band = overlays.Box(left / width, top / height, right / width, foot / height)
    clean = erase.cleaned(clip, masks, [band], footage.Watch(context, 0.0))
    waiting, drawn = [*kept.shots[::-1]], None
    for number, pixels in enumerate(clean):
        while waiting and waiting[-1].end <= number:
            waiting.pop()
            drawn = None
        if not waiting or number < waiting[-1].start:
            yield pixels
            continue
        if drawn is None:
            drawn = _drawn(clip.size, kept, waiting[-1], texts[waiting[-1].text], language)
        yield _laid(pixels, drawn)


@functools.lru_cache(maxsize=4)
def _mask(path: Path) -> Mask:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8)


def _drawn(
    size: tuple[int, int], kept: Kept, shot: Shot, text: str, language: Language
) -> tuple[int, Pixels]:
    """A subtitle as RGBA uint8 (rows, w, 4), and the row that it begins at."""
    width, height = size
    face = fonts.face(language, text, is_bold=kept.is_bold)
    type_size = max(kept.size, height / _SMALL)
    room = min(float(shot.foot), _LINES_MAX * 1.25 * type_size)
    setting = typesetting.fitted(text, face, type_size, 1.25 * type_size, (_WIDE * width, room))
    rows = typesetting.balanced(text, setting.font, _WIDE * width)
    setting = Setting(tuple(rows), face, setting.size, setting.pitch)
    widest = max(setting.font.getlength(one) for one in rows)
    middle = (shot.box[0] + shot.box[2]) / 2
    edge = (1 - _WIDE) / 2 * width + widest / 2
    middle = min(max(middle, edge), width - edge)
    foot = min(shot.foot, round(0.98 * height))
    canvas = Image.new("RGBA", size, (*kept.colour, 0))
    draw = ImageDraw.Draw(canvas)
    rim = max(1, round(setting.size / 12))
    is_light = float(np.dot(kept.colour, (0.299, 0.587, 0.114))) > 110
    for number, row in enumerate(reversed(rows)):
        draw.text(
            (middle, foot - number * setting.pitch),
            row,
            font=setting.font,
            fill=(*kept.colour, 255),
            anchor="ms",
            stroke_width=rim,
            stroke_fill=(12, 12, 12, 255) if is_light else (245, 245, 245, 255),
        )
    drawn = np.asarray(canvas, np.uint8)
    top = max(0, round(foot - len(rows) * setting.pitch - setting.size))
    return top, drawn[top:]


def _laid(pixels: Pixels, drawn: tuple[int, Pixels]) -> Pixels:
    """The frame with a subtitle over it."""
    top, subtitle = drawn
    made = pixels.copy()
    alpha = subtitle[..., 3:].astype(np.float32) / 255
    below = made[top:].astype(np.float32)
    made[top:] = below + (subtitle[..., :3] - below) * alpha + np.float32(0.5)
    return made
