"""Likeness: a copy is known that was re-encoded and made smaller, and no other picture is."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter

from darkroom import cleaning, likeness
from darkroom.domain.origins import DISTANCE_MAX

MEDIA_TYPES = {form: media_type for media_type, form in cleaning.FORMATS.items()}


def scene(seed: int, size: tuple[int, int] = (480, 320)) -> Image.Image:
    """A picture with shapes and shades that follow from the seed."""
    width, height = size
    made = Image.linear_gradient("L").rotate(90 * seed).resize(size).convert("RGB")
    draw = ImageDraw.Draw(made)
    for number in range(14):
        turn = math.sin(seed * 12.9898 + number * 78.233) * 43758.5453
        x, y, size_of = (turn * factor % 1 for factor in (1, 7, 49))
        at = (x * width, y * height, (x + 0.4 * size_of) * width, (y + 0.5 * size_of) * height)
        draw.ellipse(at, fill=tuple(int(turn * factor % 256) for factor in (3, 5, 11)))
    return made.filter(ImageFilter.GaussianBlur(1))


def measured(picture: Image.Image, path: Path, form: str = "PNG", **options: int) -> int | None:
    picture.save(path, form, **options)
    return likeness.measure(path, MEDIA_TYPES[form])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("form", "options"), [("JPEG", {"quality": 70}), ("WEBP", {"quality": 70}), ("PNG", {})]
)
def test_a_copy_is_alike(tmp_path, seed, form, options):
    whole = scene(seed)
    small = whole.resize((288, 192))
    one = measured(whole, tmp_path / "whole")
    other = measured(small, tmp_path / "small", form, **options)
    assert likeness.distance(one, other) <= DISTANCE_MAX


def test_other_pictures_are_not_alike(tmp_path):
    found = [measured(scene(seed), tmp_path / "one") for seed in range(24)]
    distances = [likeness.distance(*pair) for pair in itertools.combinations(found, 2)]
    assert min(distances) > DISTANCE_MAX


def test_a_picture_turned_by_its_exif_is_alike(tmp_path):
    whole = scene(3)
    exif = Image.Exif()
    exif[274] = 6  # to be shown turned by 90 degrees, clockwise
    whole.rotate(90, expand=True).save(tmp_path / "turned", "JPEG", exif=exif, quality=90)
    turned = likeness.measure(tmp_path / "turned", "image/jpeg")
    assert likeness.distance(turned, measured(whole, tmp_path / "a")) <= DISTANCE_MAX


def test_what_is_transparent_counts_as_white(tmp_path):
    cut = scene(2)
    cut.putalpha(Image.radial_gradient("L").resize(cut.size))
    white = Image.alpha_composite(Image.new("RGBA", cut.size, "white"), cut).convert("RGB")
    one, other = measured(cut, tmp_path / "cut"), measured(white, tmp_path / "white")
    assert likeness.distance(one, other) <= 2


def test_a_picture_in_memory_has_the_likeness_of_its_file(tmp_path):
    cut = scene(4)
    cut.putalpha(Image.radial_gradient("L").resize(cut.size))
    for picture in (scene(5), cut):
        assert likeness.of(picture) == measured(picture, tmp_path / "file")


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_picture_has_no_likeness(tmp_path, level):
    assert measured(Image.new("RGB", (64, 64), (level, level, level)), tmp_path / "flat") is None


@pytest.mark.parametrize("body", [b"", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n" + b"x" * 100])
def test_what_is_no_picture_has_no_likeness(tmp_path, body):
    (tmp_path / "broken").write_bytes(body)
    assert likeness.measure(tmp_path / "broken", "image/png") is None


def test_a_picture_of_too_many_pixels_has_no_likeness(tmp_path):
    huge = Image.new("1", (9000, cleaning.PIXELS_MAX // 9000 + 1))
    assert measured(huge, tmp_path / "huge") is None
