"""The tools that work on one picture, by kind: read it, do the work, write what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np

from darkroom.domain.kinds import image_tools
from darkroom.engine.backends import pictures
from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.painter.compose import paint
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.background import cut_out, on_colour, on_scene
from darkroom.engine.backends.toolbox.canvas import expand
from darkroom.engine.backends.toolbox.caption import caption
from darkroom.engine.backends.toolbox.cutout import outline
from darkroom.engine.backends.toolbox.erasure import erase
from darkroom.engine.backends.toolbox.lettering import lettering, outlined
from darkroom.engine.backends.toolbox.marks import mark
from darkroom.engine.backends.toolbox.reframe import reframe
from darkroom.engine.backends.toolbox.repair import repair
from darkroom.engine.backends.toolbox.steps import within
from darkroom.engine.backends.toolbox.swap import swap
from darkroom.engine.backends.toolbox.upscale import upscale
from darkroom.errors import BadInput

_SIDE_MIN = 16
_LARGE_PIXELS_MAX = 4096 * 4096


def _picture(given: Input, field: str = "img_url", *, alpha: bool = False) -> Pixels:
    paths = given.files.get(field, ())
    if not paths:
        raise BadInput(f"{given.kind} needs a picture in {field}.")
    return pictures.read(paths[0], alpha=alpha)


def _not_tiny(picture: Pixels) -> Pixels:
    if min(picture.shape[:2]) < _SIDE_MIN:
        raise BadInput(f"The picture needs sides of {_SIDE_MIN} pixels at least.")
    return picture


def _written(pixels: Pixels, context: Context, **notes: Any) -> Output:
    output = pictures.write(
        pixels,
        context.folder / "picture.png",
        software="Darkroom toolbox",
        seed=context.seed,
        source=pictures.EDITED,
        notes=notes,
    )
    context.progress(1.0)
    return output


def _bg_remove(given: Input, context: Context) -> Iterator[Output]:
    context.progress(0.0)
    subject = cut_out(_picture(given, alpha=True), context.progress)
    shown = float(np.mean(subject[..., 3]) / 255)
    yield _written(subject, context, method="GrabCut", subject_share=round(shown, 3))


def _bg_change(given: Input, context: Context) -> Iterator[Output]:
    context.progress(0.0)
    subject = cut_out(_picture(given, alpha=True), within(context.progress, 0.0, 0.4))
    prompt, colour = str(given.fields.get("prompt") or ""), given.fields.get("bg_color")
    if colour:
        yield _written(on_colour(subject, colour), context, ground=colour)
        return
    height, width = subject.shape[:2]
    painting = paint(
        prompt, width, height, context.seed, progress=within(context.progress, 0.4, 0.85)
    )
    scene = painting.scene
    made = on_scene(subject, painting.pixels)
    words = {"words_used": list(scene.words_used), "words_ignored": list(scene.words_ignored)}
    yield _written(made, context, ground=scene.subject, **words)


def _expand(given: Input, context: Context) -> Iterator[Output]:
    context.progress(0.0)
    size, canvas, place = (
        image_tools.numbers(given.fields[field])
        for field in ("original_image_size", "canvas_size", "original_image_location")
    )
    picture = _picture(given)
    if min(*size, *canvas) < _SIDE_MIN:
        raise BadInput(f"The picture and its canvas need sides of {_SIDE_MIN} pixels at least.")
    way = cv2.INTER_AREA if size[0] < picture.shape[1] else cv2.INTER_CUBIC
    sized = np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)
    front = outline(sized, within(context.progress, 0.0, 0.2))
    heard = within(context.progress, 0.2, 0.95)
    whole = expand(sized, canvas, place, context.seed, heard, front)
    yield _written(whole, context, method="patch synthesis")


def _reframe(given: Input, context: Context) -> Iterator[Output]:
    context.progress(0.0)
    picture = _not_tiny(_picture(given))
    ratio = image_tools.numbers(given.fields["aspect_ratio"])
    made = reframe(picture, ratio, context.seed, within(context.progress, 0.0, 0.95))
    yield _written(made.pixels, context, widened=made.widened)


def _repair(given: Input, context: Context) -> Iterator[Output]:
    context.progress(0.0)
    made = repair(_picture(given), within(context.progress, 0.0, 0.95))
    yield _written(
        made.pixels,
        context,
        damaged_share=round(made.damaged, 4),
        grain=round(made.grain, 2),
        fading_undone=made.faded,
    )


def _text_erase(given: Input, context: Context) -> Iterator[Output]:
    context.progress(0.0)
    picture = _picture(given)
    text = lettering(picture, within(context.progress, 0.0, 0.3))
    clean = erase(picture, text.mask, context.seed, within(context.progress, 0.3, 0.95))
    yield _written(clean, context, lines_found=len(text.lines))


def _translate(given: Input, context: Context) -> Iterator[Output]:
    context.progress(0.0)
    picture = _picture(given)
    text = lettering(picture, within(context.progress, 0.0, 0.8))
    shown = mark(outlined(picture, text), "SANDBOX · translation needs a model")
    language = given.fields["target_lang"]
    yield _written(
        shown, context, stand_in=True, lines_found=len(text.lines), language_ignored=language
    )


def _face_swap(given: Input, context: Context) -> Iterator[Output]:
    context.progress(0.0)
    picture, other = _picture(given), _picture(given, "face_img_url")
    swapped, found = swap(_not_tiny(picture), _not_tiny(other))
    context.progress(0.8)
    shown = mark(swapped, "SANDBOX · face swap needs a model")
    yield _written(shown, context, stand_in=True, faces_found=found)


def _to_prompt(given: Input, context: Context) -> Iterator[Output]:
    context.progress(0.0)
    prompt = caption(_picture(given))
    path = context.folder / "prompt.txt"
    path.write_text(prompt, "utf-8")
    notes = {"prompt": prompt, "method": "measured colours, light and layout"}
    language = str(given.fields.get("language") or "en")
    if not language.lower().startswith("en"):
        notes["language_ignored"] = language
    context.progress(1.0)
    yield Output(path, "text/plain", notes=notes)


def _upscale(given: Input, context: Context) -> Iterator[Output]:
    context.progress(0.0)
    picture = _picture(given, alpha=True)
    if 4 * picture.shape[0] * picture.shape[1] > _LARGE_PIXELS_MAX:
        raise BadInput(
            "The picture is too large to be doubled: send one of at most 4.19 megapixels, such as "
            "2048x2048; the result has at most 16.7."
        )
    if picture[..., 3].min() == 255:
        picture = np.ascontiguousarray(picture[..., :3])
    large = upscale(picture, within(context.progress, 0.0, 0.95))
    yield _written(large, context, method="iterative back-projection", factor=2)


PICTURE_TOOLS: Mapping[str, Callable[[Input, Context], Iterator[Output]]] = {
    "image-bg-change": _bg_change,
    "image-bg-remove": _bg_remove,
    "image-expand": _expand,
    "image-face-swap": _face_swap,
    "image-reframe": _reframe,
    "image-repair": _repair,
    "image-text-erase": _text_erase,
    "image-translate": _translate,
    "image-to-prompt": _to_prompt,
    "image-upscale": _upscale,
}
