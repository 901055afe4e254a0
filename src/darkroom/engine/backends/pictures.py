"""Pictures as backends read and write them: upright arrays, PNG with how they came to be."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from darkroom import likeness, thumbnails
from darkroom.engine.backends.contract import Output, Preview
from darkroom.errors import BadInput

Pixels = npt.NDArray[np.uint8]
INPUT_PIXELS_MAX = 50_000_000
# IPTC's digital source type vocabulary: made by an algorithm that learned from nothing; made of
# something given, by such an algorithm.
MADE = "algorithmicMedia"
EDITED = "algorithmicallyEnhanced"

# Half the time of Pillow's quickest for as many bytes, where a picture is none of flat colours.
_QUICK = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB),
    *(cv2.IMWRITE_PNG_ZLIBBUFFER_SIZE, 2**17),
)
_ORDERS = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
# A PNG's signature and its IHDR, behind which words about it may stand (PNG, third edition, 5.6).
_HEAD_BYTES = 8 + 25

_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    "Iptc4xmpExt:DigitalSourceType="
    '"http://cv.iptc.org/newscodes/digitalsourcetype/{source}"/>'
    "</rdf:RDF></x:xmpmeta>"
)


def read(path: Path, *, alpha: bool = False) -> Pixels:
    """Returns an input picture as RGB (with `alpha` RGBA) uint8 (height, width, 3 or 4), upright.

    Raises `BadInput` for what is no JPEG, PNG or WebP, is broken, or has over 50 megapixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("JPEG", "PNG", "WEBP")) as picture:
                if picture.width * picture.height > INPUT_PIXELS_MAX:
                    raise BadInput(f"The input picture has more than {INPUT_PIXELS_MAX} pixels.")
                upright = ImageOps.exif_transpose(picture)
                return np.asarray(upright.convert("RGBA" if alpha else "RGB"), np.uint8)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise BadInput("The input picture is too large.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise BadInput("The input picture cannot be read: send a JPEG, PNG or WebP.") from error


def write(
    pixels: Pixels, path: Path, *, software: str, seed: int, source: str, notes: Mapping[str, Any]
) -> Output:
    """Write RGB or RGBA uint8 (height, width, 3 or 4) as a PNG that says how it came to be."""
    told = PngImagePlugin.PngInfo()
    told.add_itxt("Software", software)
    told.add_itxt("Seed", str(seed))
    told.add_itxt("XML:com.adobe.xmp", _XMP.format(source=source))
    ordered = cv2.cvtColor(pixels, _ORDERS[pixels.shape[2]])
    encoded = cv2.imencode(".png", ordered, _QUICK)[1].tobytes()
    with path.open("wb") as stream:
        stream.write(encoded[:_HEAD_BYTES])
        for name, words, _ in told.chunks:
            PngImagePlugin.putchunk(stream, name, words)
        stream.write(encoded[_HEAD_BYTES:])
    noted = {**notes, "digital_source_type": source}
    picture = Image.fromarray(pixels)
    return Output(path, "image/png", *picture.size, noted, likeness.of(picture))


def preview(pixels: Pixels) -> Preview:
    """What is made so far, RGB uint8 (height, width, 3), as small as it is shown."""
    small = Image.fromarray(pixels)
    small.thumbnail((thumbnails.SIDE_PIXELS, thumbnails.SIDE_PIXELS))
    held = io.BytesIO()
    small.save(held, "JPEG", quality=88)
    return Preview(held.getvalue())


def write_cover(pixels: Pixels, path: Path) -> Output:
    """Write RGB uint8 (height, width, 3) as the JPEG that stands for a clip or a sound."""
    Image.fromarray(pixels).save(path, "JPEG", quality=88)
    return Output(path, "image/jpeg", pixels.shape[1], pixels.shape[0])
