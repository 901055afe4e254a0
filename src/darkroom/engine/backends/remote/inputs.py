"""Inputs: a task's pictures as upstreams take them."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image

from darkroom import errors, media
from darkroom.domain.kinds.image_tools import numbers
from darkroom.engine.backends.contract import Input


class Picture(msgspec.Struct, frozen=True):
    """A picture to send: its bytes and their type."""

    data: bytes
    media_type: str

    @property
    def base64(self) -> str:
        return base64.b64encode(self.data).decode()

    @property
    def data_address(self) -> str:
        """The picture as a "data:" address (RFC 2397)."""
        return f"data:{self.media_type};base64,{self.base64}"

    @property
    def name(self) -> str:
        """A file name for it."""
        return f"picture.{media.EXTENSIONS[self.media_type]}"


def pictures(given: Input) -> list[Picture]:
    """The task's pictures in the caller's order; one that goes on a canvas in its size there."""
    paths = [path for several in given.files.values() for path in several]
    if given.kind == "image-expand":
        return [_resized(paths[0], numbers(given.fields["original_image_size"]))]
    return [_read(path) for path in paths]


def margins(fields: Mapping[str, Any]) -> dict[str, int]:
    """What an expanded picture gets on each side, pixels: left, top, right, bottom."""
    width, height = numbers(fields["original_image_size"])
    canvas_width, canvas_height = numbers(fields["canvas_size"])
    left, top = numbers(fields["original_image_location"])
    return {
        "left": left,
        "top": top,
        "right": canvas_width - left - width,
        "bottom": canvas_height - top - height,
    }


def _read(path: Path) -> Picture:
    data = path.read_bytes()
    media_type = media.sniff(data[: media.SNIFF_BYTES])
    if media_type is None:
        raise errors.BadInput("The picture cannot be read.")
    return Picture(data, media_type)


def _resized(path: Path, size: tuple[int, int]) -> Picture:
    try:
        with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as picture:
            if picture.size == size:
                return _read(path)
            written = io.BytesIO()
            picture.resize(size, Image.Resampling.LANCZOS).save(written, "PNG")
    except (OSError, Image.DecompressionBombError) as exc:
        raise errors.BadInput("The picture cannot be read.") from exc
    return Picture(written.getvalue(), "image/png")
