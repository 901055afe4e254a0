"""A picture that was brought keeps its pixels and loses what it says of people."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from darkroom import cleaning, errors

MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


def _shades() -> Image.Image:
    ramp = np.linspace(0, 255, 60 * 40 * 3).astype(np.uint8).reshape(40, 60, 3)
    return Image.fromarray(ramp)


def _exif(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[271], exif[274] = "A camera of mine", orientation
    exif.get_ifd(0x8825)[1] = "N"
    return exif


@pytest.mark.parametrize("form", MEDIA_TYPES)
def test_place_camera_and_words_are_gone_and_the_pixels_stay(form: str, tmp_path: Path) -> None:
    path, told = tmp_path / "picture", PngImagePlugin.PngInfo()
    told.add_itxt("Author", "A person")
    more = {"pnginfo": told} if form == "PNG" else {}
    _shades().save(path, form, exif=_exif(), xmp=b"<x:xmpmeta/>", **more)
    before = np.asarray(Image.open(path).convert("RGB"), np.int16)
    cleaning.clean(path, MEDIA_TYPES[form], "file")
    with Image.open(path) as after:
        assert (after.format, dict(after.getexif())) == (form, {})
        assert not after.info.keys() & {"exif", "xmp", "Author", "comment"}
        assert abs(np.asarray(after.convert("RGB"), np.int16) - before).mean() < 2
    assert b"A camera of mine" not in path.read_bytes()


def test_a_turned_picture_is_upright(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    _shades().save(path, "JPEG", exif=_exif(orientation=6))
    cleaning.clean(path, "image/jpeg", "file")
    with Image.open(path) as after:
        assert after.size == (40, 60)


def test_one_that_says_nothing_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    _shades().save(path, "PNG")
    before = path.read_bytes()
    cleaning.clean(path, "image/png", "file")
    assert path.read_bytes() == before


@pytest.mark.parametrize("form", MEDIA_TYPES)
def test_a_cut_off_picture_is_refused(form: str, tmp_path: Path) -> None:
    body, path = io.BytesIO(), tmp_path / "picture"
    _shades().save(body, form)
    path.write_bytes(body.getvalue()[: len(body.getvalue()) * 2 // 3])
    with pytest.raises(errors.InputRefused, match="broken or cut off") as refused:
        cleaning.clean(path, MEDIA_TYPES[form], "images")
    assert refused.value.field == "images"


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    Image.new("1", (9000, cleaning.PIXELS_MAX // 9000 + 1)).save(path, "PNG")
    with pytest.raises(errors.InputRefused, match="50 megapixels"):
        cleaning.clean(path, "image/png", "file")
