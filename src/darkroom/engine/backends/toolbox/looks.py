"""The looks that a clip can take on, frame by frame and without flicker."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox import tones
from darkroom.engine.backends.toolbox.footage import FloatArray
from darkroom.engine.backends.toolbox.steady import Steady

Look = Callable[[Pixels], Pixels]


def look(name: str, seed: int) -> Look:
    """A look of `LOOKS` for one clip: give it the frames in their order, RGB uint8."""
    memory, made = LOOKS[name]
    steady, paint = Steady(memory), made(seed)
    return lambda pixels: paint(steady.filtered(pixels))


def _realistic(seed: int) -> Look:
    """A film's grade: fuller contrast, clarity in the middle tones, warm lights, a fine grain."""
    rng = np.random.default_rng(seed)
    rise = tones.curve((0, 0.12, 0.5, 0.85, 1), (0.012, 0.098, 0.515, 0.89, 0.985))
    grain: list[FloatArray] = []
    shade: list[FloatArray] = []

    def paint(pixels: Pixels) -> Pixels:
        luma, red, blue = tones.planes(pixels)
        unit = tones.unit(luma)
        if not grain:
            grain.append(_grain(rng, luma.shape))
            shade.append(_shade(luma.shape))
        around = tones.blurred(tones.flat(tones.halved(luma), 40, 1), 9 * unit)
        around = tones.grown(around, luma)
        clear = cv2.addWeighted(luma, 1.3, around, -0.3, 0.0)
        toned = cv2.multiply(cv2.LUT(clear, rise), shade[0], dtype=cv2.CV_8U)
        turn = int(rng.integers(0, luma.shape[0])), int(rng.integers(0, luma.shape[1]))
        grainy = cv2.add(toned, np.roll(grain[0], turn, (0, 1)), dtype=cv2.CV_8U)
        red = tones.tinted(tones.vivid(red, 1.22), luma, -3.5, 3.0)
        blue = tones.tinted(tones.vivid(blue, 1.22), luma, 3.5, -4.5)
        return tones.joined(np.asarray(grainy, np.uint8), red, blue)

    return paint


def _grain(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    noise = rng.normal(0, 1, shape[:2]).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 0.8)
    return np.asarray(soft * np.float32(1.5 / soft.std()), np.float32)


def _shade(shape: tuple[int, ...]) -> FloatArray:
    """A lens's fall of light towards the corners, 1 in the middle."""
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)
    return np.asarray(1 - 0.13 * np.clip((x * x + y * y) / 2, 0, 1) ** 1.5, np.float32)


def _anime(seed: int) -> Look:
    """A drawn film: flat clear colours in few tones, bright skies, clean dark lines."""
    rise = tones.curve((0, 0.2, 0.5, 0.8, 1), (0.05, 0.235, 0.57, 0.87, 1.0))
    few = tones.steps(9, 0.45)

    def paint(pixels: Pixels) -> Pixels:
        luma, red, blue = tones.planes(pixels)
        unit = tones.unit(luma)
        small = tones.flat(tones.halved(luma), 34, 3)
        clean = tones.flat(luma, 18, 1)
        calm = tones.flat(clean, 26, 1)
        both = cv2.addWeighted(calm, 0.45, tones.grown(small, luma), 0.55, 0)
        calm = tones.flat(np.asarray(both, np.uint8), 18, 1)
        pen = tones.lines(clean, 1.25 * max(unit, 0.5), 5.0)
        level = cv2.LUT(cv2.LUT(calm, rise), few)
        red = tones.grown(tones.flat(tones.halved(red), 22, 2), luma)
        blue = tones.grown(tones.flat(tones.halved(blue), 22, 2), luma)
        red = tones.tinted(tones.vivid(red, 1.48), luma, -2.0, 1.0)
        blue = tones.tinted(tones.vivid(blue, 1.48), luma, 7.0, -2.0)
        return tones.joined(tones.inked(np.asarray(level, np.uint8), pen, 0.78), red, blue)

    return paint


def _pastel(seed: int) -> Look:
    """A painted background: brushed patches, milky pastel tones, a soft glow, on a sheet."""
    rng = np.random.default_rng(seed)
    rise = tones.curve((0, 0.25, 0.6, 1), (0.17, 0.40, 0.76, 0.985))
    sheet: list[FloatArray] = []

    def paint(pixels: Pixels) -> Pixels:
        if not sheet:
            sheet.append(_sheet(rng, pixels.shape))
        unit = tones.unit(pixels[..., 0])
        luma, red, blue = tones.planes(brushed(pixels, 4.0 * unit))
        pen = tones.lines(luma, 1.6 * max(unit, 0.5), 4.0)
        lifted = tones.inked(np.asarray(cv2.LUT(luma, rise), np.uint8), pen, 0.30)
        bright = tones.lit(lifted, tones.glow(luma, 22 * unit, 0.62, 0.2))
        lit = cv2.multiply(bright, sheet[0], dtype=cv2.CV_8U)
        red = tones.tinted(tones.vivid(red, 1.28), luma, 2.5, 2.5)
        blue = tones.tinted(tones.vivid(blue, 1.28), luma, 7.0, -2.5)
        return tones.joined(np.asarray(lit, np.uint8), red, blue)

    return paint


def _sheet(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """The light on a fine rough paper, about 1, which stays where it is."""
    fine = cv2.GaussianBlur(rng.normal(0, 1, shape[:2]).astype(np.float32), (0, 0), 1.1)
    coarse = cv2.GaussianBlur(rng.normal(0, 1, shape[:2]).astype(np.float32), (0, 0), 3.0)
    return np.asarray(1 + 0.010 * fine / fine.std() + 0.008 * coarse / coarse.std(), np.float32)


def brushed(pixels: Pixels, radius: float) -> Pixels:
    """The frame in small patches with crisp borders, as broad strokes leave them.

    A generalised Kuwahara filter (Papari et al., 2007) with four windows, at half size: of the
    windows around a pixel, those of little variance count.
    """
    height, width = pixels.shape[:2]
    half = cv2.resize(pixels, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    reach = max(1, round(radius / 2))
    rows, columns = half.shape[:2]
    edge = cv2.copyMakeBorder(half, *(reach,) * 4, cv2.BORDER_REFLECT_101)
    tone = cv2.cvtColor(edge, cv2.COLOR_RGB2GRAY).astype(np.float32)
    sigma = max(0.6, reach * 0.62)
    mean = cv2.GaussianBlur(edge, (0, 0), sigma)
    middle = cv2.GaussianBlur(tone, (0, 0), sigma)
    varied = cv2.GaussianBlur(tone * tone, (0, 0), sigma) - middle * middle
    weight = np.asarray(1 / (3.0 + np.maximum(varied, 0)) ** 2, np.float32)
    total = np.zeros((rows, columns, 3), np.float32)
    weights = np.zeros((rows, columns), np.float32)
    for dy in (0, 2 * reach):
        for dx in (0, 2 * reach):
            window = np.s_[dy : dy + rows, dx : dx + columns]
            share = weight[window]
            total += cv2.multiply(mean[window], cv2.merge([share] * 3), dtype=cv2.CV_32F)
            weights += share
    patch = np.asarray(total / weights[..., None] + 0.5, np.uint8)
    return np.asarray(cv2.resize(patch, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _rendered(seed: int) -> Look:
    """A rendered film: smooth surfaces, rounded shading, rich colours, light that blooms."""
    rise = tones.curve((0, 0.2, 0.55, 0.85, 1), (0.02, 0.19, 0.60, 0.91, 1.0))

    def paint(pixels: Pixels) -> Pixels:
        luma, red, blue = tones.planes(pixels)
        unit = tones.unit(luma)
        calm = tones.flat(luma, 30, 3)
        around = tones.blurred(calm, 16 * unit)
        round_ = cv2.LUT(cv2.addWeighted(calm, 1.3, around, -0.3, 0.0), rise)
        lit = tones.lit(np.asarray(round_, np.uint8), tones.glow(luma, 18 * unit, 0.7, 0.36))
        red = tones.grown(tones.flat(tones.halved(red), 24, 2), luma)
        blue = tones.grown(tones.flat(tones.halved(blue), 24, 2), luma)
        red = tones.tinted(tones.vivid(red, 1.5), luma, 0.0, 4.0)
        blue = tones.tinted(tones.vivid(blue, 1.5), luma, 4.0, -5.0)
        return tones.joined(np.asarray(lit, np.uint8), red, blue)

    return paint


def _cyberpunk(seed: int) -> Look:
    """A city at night: deep shadows in teal, lights in magenta that spill far."""
    rise = tones.curve((0, 0.25, 0.55, 0.85, 1), (0.0, 0.12, 0.40, 0.78, 0.97))

    def paint(pixels: Pixels) -> Pixels:
        luma, red, blue = tones.planes(pixels)
        unit = tones.unit(luma)
        halo = tones.glow(luma, 26 * unit, 0.5, 0.42)
        lit = tones.lit(np.asarray(cv2.LUT(luma, rise), np.uint8), halo)
        red = tones.tinted(tones.vivid(red, 1.35), luma, -22.0, 24.0)
        blue = tones.tinted(tones.vivid(blue, 1.35), luma, 20.0, 16.0)
        red = np.asarray(cv2.addWeighted(red, 1.0, halo, 0.35, 0.0), np.uint8)
        blue = np.asarray(cv2.addWeighted(blue, 1.0, halo, 0.2, 0.0), np.uint8)
        return tones.joined(np.asarray(lit, np.uint8), red, blue)

    return paint


def _comic(seed: int) -> Look:
    """A printed comic: few tones, bold ink, dots in the shades, warm paper."""
    few = tones.steps(5, 0.15)
    rise = tones.curve((0, 0.2, 0.5, 0.8, 1), (0.02, 0.20, 0.60, 0.93, 1.0))
    screen: list[FloatArray] = []

    def paint(pixels: Pixels) -> Pixels:
        luma, red, blue = tones.planes(pixels)
        unit = max(tones.unit(luma), 0.5)
        if not screen:
            screen.append(_screen(luma.shape, 6.0 * unit))
        calm = cv2.LUT(tones.flat(luma, 34, 3), rise)
        pen = tones.lines(tones.flat(luma, 20, 1), 1.9 * unit, 4.0)
        level = cv2.LUT(calm, few)
        dots = cv2.multiply(cv2.bitwise_not(level), screen[0], scale=0.34, dtype=cv2.CV_8U)
        printed = tones.inked(np.asarray(cv2.subtract(level, dots), np.uint8), pen, 0.9)
        red = tones.grown(tones.flat(tones.halved(red), 26, 2), luma)
        blue = tones.grown(tones.flat(tones.halved(blue), 26, 2), luma)
        red = tones.tinted(tones.vivid(red, 1.7), luma, 0.0, 2.0)
        blue = tones.tinted(tones.vivid(blue, 1.7), luma, 3.0, -6.0)
        return tones.joined(printed, red, blue)

    return paint


def _screen(shape: tuple[int, ...], pitch: float) -> FloatArray:
    """A printer's dots at 45 degrees, 0 between them and 1 in their middle."""
    y = np.arange(shape[0], dtype=np.float32)[:, None] * np.float32(np.pi / pitch)
    x = np.arange(shape[1], dtype=np.float32) * np.float32(np.pi / pitch)
    wave = np.cos(x + y) * np.cos(x - y)
    return np.asarray(np.clip(wave * 1.8 + 0.2, 0, 1), np.float32)


# How much of the last frames stays in each, and the look itself.
LOOKS: Mapping[str, tuple[float, Callable[[int], Look]]] = {
    "realistic_2": (0.35, _realistic),
    "anime_style_3": (0.7, _anime),
    "anime_style_4": (0.72, _pastel),
    "anime": (0.7, _anime),
    "3d_animation": (0.6, _rendered),
    "cyberpunk": (0.4, _cyberpunk),
    "comic": (0.7, _comic),
}
