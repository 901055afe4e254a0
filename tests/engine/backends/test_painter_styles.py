"""The styles: each leaves its own measurable mark on a picture, and the photo leaves none."""

from __future__ import annotations

import functools

import cv2
import numpy as np
import pytest

from darkroom.engine.backends.painter import styles
from darkroom.engine.backends.painter.mottle import FloatArray, mottle
from darkroom.engine.backends.painter.scene import Scene


def picture(width: int = 480, height: int = 320) -> FloatArray:
    """A hill under a graded sky with a red disc and a white wall."""
    return _drawn(width, height).copy()


@functools.cache
def _drawn(width: int, height: int) -> FloatArray:
    rgb = np.empty((height, width, 3), np.float32)
    rgb[:] = np.linspace([0.25, 0.5, 0.9], [0.95, 0.8, 0.6], height)[:, None]
    hill = 0.55 * height + 0.1 * height * np.sin(np.linspace(0, 5, width))
    below = np.arange(height)[:, None] > hill
    rgb[below] = (
        np.array([0.2, 0.4, 0.15]) * (0.7 + 0.6 * mottle((height, width), 1, 30.0)[below])[:, None]
    )
    cv2.circle(rgb, (width // 3, height // 3), height // 8, (0.85, 0.1, 0.1), -1)
    cv2.rectangle(
        rgb, (width * 3 // 5, height // 2), (width * 4 // 5, height * 4 // 5), (0.95, 0.93, 0.9), -1
    )
    return np.clip(rgb, 0, 1)


@functools.cache
def styled(style: str, seed: int = 3, width: int = 480, height: int = 320) -> FloatArray:
    """The picture in a style, kept: the tests ask for the same ones."""
    return styles.apply(picture(width, height), Scene("field", seed, style=style))


def grey(rgb: FloatArray) -> FloatArray:
    return rgb @ np.array([0.2126, 0.7152, 0.0722], np.float32)


def detail(rgb: FloatArray) -> float:
    return float(np.abs(cv2.Laplacian(grey(rgb), cv2.CV_32F)).mean())


def test_leaves_a_photo_as_it_is() -> None:
    assert np.array_equal(styled("photo"), picture())


@pytest.mark.parametrize("style", styles.STYLES)
def test_paints_the_same_bytes_again_and_another_picture(style: str) -> None:
    first = styled(style)
    assert first.tobytes() == styled.__wrapped__(style).tobytes()
    assert np.abs(first - picture()).mean() > 0.015


@pytest.mark.parametrize("size", [(64, 64), (640, 80), (80, 640), (201, 133)])
@pytest.mark.parametrize("style", styles.STYLES)
def test_keeps_size_and_range_at_every_ratio(style: str, size: tuple[int, int]) -> None:
    rgb = styled(style, width=size[0], height=size[1])
    assert rgb.shape == (size[1], size[0], 3)
    assert rgb.dtype == np.float32
    assert np.isfinite(rgb).all()
    assert 0 <= rgb.min() <= rgb.max() <= 1


@pytest.mark.parametrize("style", [name for name in styles.STYLES if name != "line"])
def test_keeps_the_forms_of_the_picture(style: str) -> None:
    given, made = (
        cv2.GaussianBlur(grey(rgb), (0, 0), 6)[40:-40, 40:-40] for rgb in (picture(), styled(style))
    )
    assert np.corrcoef(given.ravel(), made.ravel())[0, 1] > 0.8


@pytest.mark.parametrize("style", styles.STYLES)
def test_takes_a_plain_picture_too(style: str) -> None:
    for value in (0.0, 0.5, 1.0):
        flat = np.full((80, 120, 3), value, np.float32)
        assert np.isfinite(styles.apply(flat, Scene("sky", 1, style=style))).all()


def test_draws_pixel_art_in_square_blocks_of_few_colours() -> None:
    rgb = styled("pixel")
    assert len(np.unique(rgb.reshape(-1, 3), axis=0)) <= styles.PIXEL_COLOURS
    assert np.array_equal(rgb[0::2, 0::2], rgb[1::2, 1::2])
    assert np.array_equal(rgb[0::2, 1::2], rgb[1::2, 0::2])


def test_draws_lines_on_paper_that_stays_mostly_bare() -> None:
    tones = grey(styled("line"))
    assert (tones > 0.8).mean() > 0.8
    assert 0.005 < (tones < 0.4).mean() < 0.15


def test_draws_lines_where_the_forms_end() -> None:
    given = cv2.GaussianBlur(grey(picture()), (0, 0), 2)
    edge = np.hypot(cv2.Sobel(given, cv2.CV_32F, 1, 0), cv2.Sobel(given, cv2.CV_32F, 0, 1))
    ink = cv2.GaussianBlur(1 - grey(styled("line")), (0, 0), 2)
    assert ink[edge > 0.25].mean() > 3 * ink[edge < 0.05].mean()


@pytest.mark.parametrize("style", ["line", "pencil", "ink"])
def test_draws_without_colour(style: str) -> None:
    rgb = styled(style)
    assert np.quantile(rgb.max(2) - rgb.min(2), 0.95) < 0.12


def test_hatches_dark_places_more_than_light_ones() -> None:
    given, made = grey(picture()), grey(styled("pencil"))
    assert made[given < 0.3].mean() < made[given > 0.8].mean() - 0.2


def test_prints_posters_in_a_few_flat_inks() -> None:
    rgb = cv2.medianBlur((styled("poster") * 255).astype(np.uint8), 5)
    cells, count = np.unique(rgb.reshape(-1, 3) // 16, axis=0, return_counts=True)
    largest = np.sort(count)[::-1][: 2 * styles.POSTER_COLOURS]
    assert len(cells) > 3
    assert largest.sum() > 0.85 * count.sum()


def test_keeps_the_small_red_disc_red_in_a_poster() -> None:
    red = styled("poster")[320 // 3, 480 // 3]
    assert red[0] > red[1] + 0.4


def test_leaves_a_bare_border_round_a_watercolour() -> None:
    rgb = styled("watercolour")
    border = np.concatenate([rgb[:3].reshape(-1, 3), rgb[-3:].reshape(-1, 3)])
    assert border.min(1).mean() > 0.85
    assert grey(rgb[60:-60, 60:-60]).mean() < 0.85


@pytest.mark.parametrize("style", ["oil", "impressionist"])
def test_shows_brush_strokes_where_the_picture_was_smooth(style: str) -> None:
    assert detail(styled(style)[:60]) > 4 * detail(picture()[:60])


def test_breaks_colour_more_in_impressionism_than_in_oil() -> None:
    def broken(rgb: FloatArray) -> float:
        return float(cv2.cvtColor(np.ascontiguousarray(rgb[:60]), cv2.COLOR_RGB2Lab)[..., 1:].std())

    assert broken(styled("impressionist")) > broken(styled("oil"))
