"""The painter as a backend: paints from words, or repaints a picture; no weights, one core."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from darkroom.engine.backends.contract import Context, Input, Output
from darkroom.engine.backends.painter.compose import Painting, paint
from darkroom.engine.backends.painter.repaint import repaint
from darkroom.errors import BadInput

INPUT_PIXELS_MAX = 50_000_000
_SIDE_MAX = 16_384

# How the picture came to be, in the words of IPTC's digital source type vocabulary.
_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    "Iptc4xmpExt:DigitalSourceType="
    '"http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia"/>'
    "</rdf:RDF></x:xmpmeta>"
)


class Painter:
    """Darkroom's own procedural painter."""

    name: ClassVar[str] = "painter"
    kinds: ClassVar[frozenset[str]] = frozenset({"text-to-image", "image-to-image"})

    def setup(self, model: str) -> None:
        """Loads nothing: the painter has no weights."""

    def run(self, given: Input, context: Context) -> Iterator[Output]:
        """Yields one PNG; raises `BadInput` for a size or an input picture it cannot use."""
        width, height = _size(given)
        pictures = given.files.get("images", ())
        painting = _painting(given, context, pictures)
        path = context.folder / "picture.png"
        _write(painting, path, context.seed)
        scene = painting.scene
        notes: dict[str, Any] = {
            "words_used": list(scene.words_used),
            "words_ignored": list(scene.words_ignored),
            "style": scene.style,
            "subject": scene.subject,
            "digital_source_type": "algorithmicMedia",
        }
        if pictures:
            notes["images_used"], notes["images_ignored"] = 1, len(pictures) - 1
        yield Output(path, "image/png", width, height, notes)


def _painting(given: Input, context: Context, pictures: Sequence[Path]) -> Painting:
    size = _size(given)
    prompt = str(given.fields.get("prompt") or "")
    told: dict[str, Any] = {
        "negative_prompt": str(given.fields.get("negative_prompt") or ""),
        "progress": context.progress,
    }
    if given.kind != "image-to-image":
        return paint(prompt, *size, context.seed, **told)
    if not pictures:
        raise BadInput("image-to-image needs a picture.")
    return repaint(read_picture(pictures[0]), prompt, size, context.seed, **told)


def read_picture(path: Path) -> npt.NDArray[np.uint8]:
    """Returns an input picture as RGB uint8 (height, width, 3), upright; raises `BadInput`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("JPEG", "PNG", "WEBP")) as picture:
                if picture.width * picture.height > INPUT_PIXELS_MAX:
                    raise BadInput(f"The input picture has more than {INPUT_PIXELS_MAX} pixels.")
                upright = ImageOps.exif_transpose(picture)
                return np.asarray(upright.convert("RGB"), np.uint8)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise BadInput("The input picture is too large.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise BadInput("The input picture cannot be read: send a JPEG, PNG or WebP.") from error


def _size(given: Input) -> tuple[int, int]:
    width, height = given.fields.get("width"), given.fields.get("height")
    if not isinstance(width, int) or not isinstance(height, int):
        raise BadInput("The painter needs a whole width and height.")
    if not (1 <= width <= _SIDE_MAX and 1 <= height <= _SIDE_MAX):
        raise BadInput(f"Width and height must be 1 to {_SIDE_MAX} pixels.")
    return width, height


def _write(painting: Painting, path: Path, seed: int) -> None:
    told = PngImagePlugin.PngInfo()
    told.add_itxt("Software", "Darkroom painter")
    told.add_itxt("Seed", str(seed))
    told.add_itxt("XML:com.adobe.xmp", _XMP)
    Image.fromarray(painting.pixels).save(path, "PNG", compress_level=1, pnginfo=told)
