"""Image to image: a given picture repainted in a prompt's colours, light and style, still
itself."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.engine.backends.painter import compose, light, repaint_light, styles, words
from darkroom.engine.backends.painter.abstract_harmony import by_lightness
from darkroom.engine.backends.painter.compose import PIXELS_PAINTED_MAX, Painting
from darkroom.engine.backends.painter.lexicon import SEASONS, STYLES, TIMES, WEATHERS
from darkroom.engine.backends.painter.mottle import FloatArray
from darkroom.engine.backends.painter.scene import Progress, Scene
from darkroom.engine.backends.painter.style_field import soft

_SAMPLE = (192, 128)  # the prompt painted small: its colours are what the picture moves towards


def _silent(fraction: float) -> None:
    """Tells nobody."""


def repaint(
    image: NDArray[np.uint8],
    prompt: str,
    size: tuple[int, int],
    seed: int,
    *,
    negative_prompt: str = "",
    progress: Progress = _silent,
) -> Painting:
    """Returns a picture (RGB uint8, any size) repainted by a prompt at a size (width, height).

    Cropped to the new ratio around what stands out, moved towards the colours that the prompt
    would be painted in, lit for the time, season and weather that it names, and put in its style.
    What the prompt does not name stays as it is. The same arguments give the same bytes.
    """
    cv2.setNumThreads(1)
    width, height = size
    progress(0.0)
    scene = words.read(prompt, seed, negative_prompt)
    scale = min(1.0, (PIXELS_PAINTED_MAX / (width * height)) ** 0.5)
    rgb = fitted(image, max(16, round(width * scale)), max(16, round(height * scale)))
    progress(0.1)
    named = set(scene.words_used)
    rgb = _towards_prompt(rgb, scene, seed)
    progress(0.35)
    above = repaint_light.open_sky(rgb)
    if named & SEASONS.keys() and scene.season != "summer":
        rgb = repaint_light.in_season(rgb, scene.season, above)
    if (named & TIMES.keys() or scene.time == "night") and scene.time != "day":
        rgb = repaint_light.at_hour(rgb, scene, above)
    progress(0.55)
    if named & WEATHERS.keys():
        rgb = repaint_light.in_weather(rgb, scene, above)
    if scene.mood != "neutral" or scene.vividness != 0.5:
        rgb = light.grade(rgb, scene)
    progress(0.65)
    rgb = styles.apply(rgb, scene)
    progress(0.95)
    # No dither: what the prompt does not touch stays as it was given.
    pixels = np.clip(rgb * 255 + 0.5, 0, 255).astype(np.uint8)
    if pixels.shape[:2] != (height, width):
        way = cv2.INTER_NEAREST if scene.style == "pixel" else cv2.INTER_CUBIC
        pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=way), np.uint8)
    progress(1.0)
    return Painting(pixels, scene)


def fitted(image: NDArray[np.uint8], width: int, height: int) -> FloatArray:
    """Returns the picture cropped to the ratio of width × height where it says most, at that
    size, 0..1."""
    rows, columns = image.shape[:2]
    wide = min(columns, max(1, round(rows * width / height)))
    tall = min(rows, max(1, round(columns * height / width)))
    left = _place(_saliency(image).sum(0), columns, wide)
    top = _place(_saliency(image).sum(1), rows, tall)
    part = image[top : top + tall, left : left + wide]
    way = cv2.INTER_AREA if width < wide else cv2.INTER_CUBIC
    sized = cv2.resize(np.ascontiguousarray(part), (width, height), interpolation=way)
    return np.asarray(sized, np.float32) / np.float32(255)


def _saliency(image: NDArray[np.uint8]) -> FloatArray:
    """What stands out, on a 96 × 96 grid: unlike the picture's colours, detailed, near the
    middle."""
    small = cv2.resize(image, (96, 96), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2Lab)
    unlike = np.sqrt(((cv2.GaussianBlur(lab, (0, 0), 2) - lab.mean((0, 1))) ** 2).sum(2))
    grey = lab[..., 0]
    detail = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    detail = soft(detail, 4.0)
    centre = np.hanning(98)[1:-1].astype(np.float32)
    seen = unlike / (unlike.max() + 1e-6) + detail / (detail.max() + 1e-6)
    return np.asarray(seen * (0.5 + centre[:, None] * centre), np.float32)


def _place(profile: FloatArray, length: int, window: int) -> int:
    """Where along an axis a window holds the most of a profile; the middle wins a tie."""
    if window >= length:
        return 0
    fine = np.interp(np.arange(length) * len(profile) / length, np.arange(len(profile)), profile)
    total = np.concatenate([[0.0], np.cumsum(fine)])
    held = total[window:] - total[:-window]
    middle = np.abs(np.arange(len(held)) - len(held) / 2) / length
    return int(np.argmax(held / held.max() - 0.02 * middle))


def _towards_prompt(rgb: FloatArray, scene: Scene, seed: int) -> FloatArray:
    """Move the colours towards the prompt's own: named ones by tone, the rest by linear
    transport."""
    lab = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2Lab)
    if scene.palette:
        ordered = by_lightness(np.array(scene.palette, np.float32))
        wish = cv2.cvtColor(ordered[None], cv2.COLOR_RGB2Lab)[0]
        stops = np.linspace(24, 74, len(wish)) if len(wish) > 1 else np.array([50.0])
        level = np.clip(lab[..., 0], 0, 100)
        room = np.clip(np.minimum(level, 106 - level) / 30, 0.15, 1)
        for k in (1, 2):
            tint = np.interp(level, stops, wish[:, k]).astype(np.float32) * room
            lab[..., k] += (tint - lab[..., k]) * np.float32(0.58)
        return np.clip(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB), 0, 1)
    told = [word for word in scene.words_used if word not in STYLES]
    if scene.subject == "abstract" or not told:
        return rgb
    sample = compose.paint(" ".join(told), *_SAMPLE, seed).pixels
    goal = cv2.cvtColor(sample.astype(np.float32) / 255, cv2.COLOR_RGB2Lab).reshape(-1, 3)
    return np.clip(cv2.cvtColor(_transported(lab, goal), cv2.COLOR_Lab2RGB), 0, 1)


def _transported(lab: FloatArray, goal: FloatArray) -> FloatArray:
    """Half-way linear optimal transport of a, b (Pitié & Kokaram, 2007); a quarter of the way in
    L."""
    given = lab[::4, ::4].reshape(-1, 3)
    mean, wish = given.mean(0), goal.mean(0)
    have = np.cov(given[:, 1:].T) + np.eye(2) * 6
    want = np.cov(goal[:, 1:].T) + np.eye(2) * 6
    root = _root(have)
    inverse = np.linalg.inv(root)
    carry = inverse @ _root(root @ want @ root) @ inverse
    moved = (lab[..., 1:] - mean[1:]) @ carry.T.astype(np.float32) + wish[1:]
    out = lab.copy()
    out[..., 1:] += (moved - lab[..., 1:]).astype(np.float32) * np.float32(0.5)
    gain = float(np.clip(goal[:, 0].std() / max(given[:, 0].std(), 4.0), 0.7, 1.3))
    level = (lab[..., 0] - mean[0]) * gain + wish[0]
    out[..., 0] += (level - lab[..., 0]).astype(np.float32) * np.float32(0.25)
    return out


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 1e-9)) @ vectors.T)
