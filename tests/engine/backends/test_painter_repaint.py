"""Image to image: the picture stays itself while light, colour and style follow the prompt."""

from __future__ import annotations

import functools

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from darkroom.engine.backends.painter.repaint import fitted, repaint

Pixels = NDArray[np.uint8]


def photograph(width: int = 480, height: int = 320) -> Pixels:
    """A bright blue sky over green land with a tree, a house and a red roof."""
    rgb = np.empty((height, width, 3), np.float32)
    rgb[:] = np.linspace([90, 150, 235], [205, 225, 245], height)[:, None]
    rgb[height * 6 // 10 :] = (70, 120, 45)
    noise = np.random.default_rng(0).normal(0, 12, (height, width, 1))
    rgb[height * 6 // 10 :] += noise[height * 6 // 10 :]
    left, top = width * 6 // 10, height * 45 // 100
    cv2.rectangle(rgb, (left, top), (left + width // 6, top + height // 4), (225, 205, 170), -1)
    cv2.rectangle(rgb, (left, top - height // 12), (left + width // 6, top), (180, 45, 35), -1)
    cv2.rectangle(
        rgb, (width // 4, height // 2), (width // 4 + 8, height * 7 // 10), (80, 55, 35), -1
    )
    cv2.circle(rgb, (width // 4 + 4, height * 45 // 100), height // 8, (50, 105, 30), -1)
    return np.clip(rgb, 0, 255).astype(np.uint8)


def edges(pixels: Pixels) -> NDArray[np.float32]:
    grey = cv2.GaussianBlur(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 3)
    return np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)).astype(
        np.float32
    )


def alike(one: Pixels, other: Pixels) -> float:
    inner = np.s_[30:-30, 30:-30]
    return float(np.corrcoef(edges(one)[inner].ravel(), edges(other)[inner].ravel())[0, 1])


@functools.cache
def made(prompt: str, seed: int = 5) -> Pixels:
    """The picture repainted, kept: the tests ask for the same ones."""
    return repaint(photograph(), prompt, (480, 320), seed).pixels


@pytest.mark.parametrize(
    "prompt",
    ["sunset", "night city", "misty morning", "autumn oil painting", "snow in winter", "rainy day",
     "watercolour", "pencil sketch", "poster in teal and orange", "something unknown"],
)  # fmt: skip
def test_keeps_the_picture_recognisable(prompt: str) -> None:
    pixels = made(prompt)
    assert pixels.shape == (320, 480, 3)
    assert pixels.dtype == np.uint8
    assert alike(photograph(), pixels) > 0.4


def test_repeats_the_same_bytes_for_the_same_arguments() -> None:
    assert np.array_equal(made("sunset watercolour"), made.__wrapped__("sunset watercolour"))


def test_leaves_the_picture_alone_when_nothing_is_known() -> None:
    assert np.array_equal(made("xyzzy"), photograph())


def test_warms_at_sunset_and_darkens_at_night() -> None:
    def warmth(pixels: Pixels) -> float:
        return float(pixels[..., 0].mean() - pixels[..., 2].mean())

    assert warmth(made("sunset")) > warmth(photograph()) + 20
    assert made("night").mean() < 0.5 * photograph().mean()


def test_turns_leaves_in_autumn_and_whitens_in_winter() -> None:
    tree = np.s_[120:165, 105:140]
    assert made("autumn")[tree][..., 0].mean() > photograph()[tree][..., 0].mean() + 40
    assert made("winter")[tree].mean() > photograph()[tree].mean() + 40


@pytest.mark.parametrize(("colour", "channel"), [("red", 0), ("green", 1), ("blue", 2)])
def test_moves_towards_the_named_colour(colour: str, channel: int) -> None:
    def share(pixels: Pixels) -> float:
        return float(pixels[..., channel].mean() / pixels.mean())

    others = [name for name in ("red", "green", "blue") if name != colour]
    assert share(made(colour)) > max(share(made(name)) for name in others) + 0.1


def test_veils_in_fog_and_streaks_in_rain() -> None:
    assert made("fog").std() < 0.8 * photograph().std()
    assert not np.array_equal(made("rain"), made("overcast"))


@pytest.mark.parametrize("size", [(64, 64), (512, 64), (64, 512), (333, 200)])
def test_crops_to_every_ratio_without_bending(size: tuple[int, int]) -> None:
    assert repaint(photograph(), "dusk", size, 1).pixels.shape == (size[1], size[0], 3)


@pytest.mark.parametrize("at", [0.12, 0.5, 0.88])
def test_crops_around_what_stands_out(at: float) -> None:
    image = np.full((100, 400, 3), 128, np.uint8)
    cv2.circle(image, (int(400 * at), 50), 22, (230, 40, 30), -1)
    red = fitted(image, 100, 100)
    assert (red[..., 0] - red[..., 1] > 0.4).mean() > 0.1


def test_repaints_tiny_plain_and_huge_requests() -> None:
    plain = np.full((8, 5, 3), 200, np.uint8)
    assert repaint(plain, "snowy night", (64, 96), 1).pixels.shape == (96, 64, 3)
    assert repaint(plain, "pixel art", (2400, 1600), 1).pixels.shape == (1600, 2400, 3)


def test_tells_progress_that_never_falls() -> None:
    told: list[float] = []
    repaint(photograph(), "foggy dusk", (96, 64), 1, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
