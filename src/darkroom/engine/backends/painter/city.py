"""The city: a skyline across the water or a metropolis from above, lit by the hour."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from darkroom.engine.backends.painter import city_light, city_plan, sky
from darkroom.engine.backends.painter.city_plan import Eye
from darkroom.engine.backends.painter.mottle import FloatArray, mottle
from darkroom.engine.backends.painter.precipitation import fog, rainfall, snowfall
from darkroom.engine.backends.painter.scene import Scene
from darkroom.engine.backends.painter.sky import Sky
from darkroom.engine.backends.painter.style_field import soft, unit
from darkroom.engine.backends.painter.survey import Survey

_SIGHT = {"clear": 4200.0, "cloudy": 3600.0, "overcast": 2600.0, "rain": 1500.0,
          "storm": 1400.0, "snow": 1300.0, "fog": 520.0}  # fmt: skip
_WATER_WORDS = {"reflection", "boat", "rain_reflections", "beach", "island"}


def city(
    scene: Scene,
    width: int,
    height: int,
    progress: Callable[[float], None],
    survey: Survey | None = None,
) -> FloatArray:
    """Paint a city: (height, width, 3) display RGB 0..1, a skyline on the water or a view from
    above."""
    rng = np.random.default_rng(scene.seed)
    across_water = rng.random() < 0.5 or bool(_WATER_WORDS & scene.extras)
    focal = float(np.sqrt(width * height))
    horizon = height * (rng.uniform(0.58, 0.66) if across_water else rng.uniform(0.32, 0.42))
    room = horizon / focal
    tall = float(np.clip(room / 0.42, 0.35, 2.2))
    above = rng.uniform(9, 16) if across_water else rng.uniform(150, 200)
    eye = Eye(width, height, horizon, focal, float(above))
    air = sky.sky(scene, width, height, horizon / height)
    rgb = air.rgb.copy()
    if "neon" in scene.extras and scene.time in ("night", "dusk"):
        _neon_air(rgb, horizon)
    progress(0.35)
    if across_water:
        shore = 430.0
        boxes = city_plan.skyline(eye, shore, rng, tall)
    else:
        shore = 0.0
        boxes = city_plan.aerial(eye, rng, tall)
    glow = np.zeros_like(rgb) if across_water else _streets(rgb, eye, scene, air)
    lamps, near = city_light.raised(rgb, boxes, eye, scene, air, _SIGHT[scene.weather])
    glow += lamps
    if survey:
        _note(survey, eye, shore, near)
    progress(0.65)
    if across_water:
        _quay(rgb, glow, eye, shore, scene, rng)
    _glow(rgb, glow, 0.9 if scene.time == "night" else 0.6)
    if across_water:
        _water(rgb, eye, shore, scene)
    progress(0.85)
    out = _weathered(rgb, eye, scene)
    progress(1.0)
    return np.clip(out, 0, 1).astype(np.float32)


def _note(survey: Survey, eye: Eye, shore: float, near: FloatArray) -> None:
    """Notes how near houses (height, width; 0: none), streets and water are, and the water."""
    rows = np.arange(eye.height, dtype=np.float32)[:, None] + 0.5
    plane = np.maximum((rows - np.float32(eye.horizon)) / np.float32(eye.above * eye.focal), 0)
    if shore:
        plane = np.where(plane > 1 / shore, plane, 0.0)
        survey.water = np.repeat((plane > 0).astype(np.float32), eye.width, axis=1)
    survey.line = eye.horizon / eye.height
    survey.near = np.where(near > 0, near, plane).astype(np.float32)
    if survey.water is not None:
        survey.water[near > 0] = 0.0


def _neon_air(rgb: FloatArray, horizon: float) -> None:
    """Let the sky over neon streets glow: magenta low down, violet above it."""
    height, width = rgb.shape[:2]
    far = np.abs(np.arange(height, dtype=np.float32)[:, None] - horizon) / height
    x = np.linspace(-1, 1, width, dtype=np.float32)
    middle = 0.55 + 0.45 * np.exp(-x * x * 3)
    rgb += np.exp(-far * 8)[..., None] * middle[:, None] * np.array([0.40, 0.08, 0.30], np.float32)
    rgb += np.exp(-far * 3.2)[..., None] * np.array([0.09, 0.04, 0.18], np.float32)


def _streets(rgb: FloatArray, eye: Eye, scene: Scene, air: Sky) -> FloatArray:
    """Lay the ground of a city from above: asphalt, parks, and by night the rivers of light."""
    top = int(np.clip(eye.horizon + 1, 0, eye.height - 1))
    y = np.arange(top, eye.height, dtype=np.float32)[:, None] + 0.5
    x = np.arange(eye.width, dtype=np.float32) + 0.5 - eye.width / 2
    z = eye.above * eye.focal / (y - eye.horizon)
    right = x * z / eye.focal
    pixel = z / eye.focal
    lit, _front, sunny, _shady, ambient = city_light.HOURS[scene.time]
    street_x = np.abs((right / 92) % 1 - 0.0) * 92  # a street runs from 0 to 8 and from 82 on
    street_z = np.abs((z / 92) % 1) * 92
    lane_x = np.minimum(street_x, 92 - street_x)
    lane_z = np.minimum(street_z, 92 - street_z)
    light = (
        np.array(air.ambient_top, np.float32) * ambient
        + np.array(air.sun_colour, np.float32) * sunny * 0.3
    )
    ground = np.array([0.27, 0.28, 0.29], np.float32) * light
    patch = mottle((rgb[top:].shape[0], eye.width), scene.seed + 4, 40, 3)[..., None]
    haze = rgb[max(0, top - 3)].copy()
    rgb[top:] = ground * (0.8 + 0.4 * patch)
    glow = np.zeros_like(rgb)
    pools = np.exp(-np.minimum(lane_x, lane_z) / 6) * (lit * 0.38)
    glow[top:] = np.array([1.0, 0.60, 0.26], np.float32) * pools[..., None]
    lane_z = np.broadcast_to(lane_z, lane_x.shape)
    for lane, way, colour in (
        (lane_x - 2.0, z / 9, (1.0, 0.25, 0.12)),
        (lane_x - 5.5, z / 9 + 0.5, (1.0, 0.92, 0.75)),
        (lane_z - 3.5, right / 9, (1.0, 0.85, 0.6)),
    ):
        near = np.clip((1.1 - np.abs(lane)) / np.maximum(pixel, 0.5) + 0.5, 0, 1)
        near = near * np.clip(2.2 / np.maximum(pixel, 2.2), 0.15, 1)
        busy = 0.4 + 0.6 * (np.sin(way * 2.1 + np.floor(right / 92) * 4) > 0.1)
        cars = (
            np.array(colour, np.float32)
            * (near * busy * np.float32(lit * 1.3)).astype(np.float32)[..., None]
        )
        glow[top:] = np.maximum(glow[top:], cars)
    thin = np.exp(-z / _SIGHT[scene.weather])[..., None]
    rgb[top:] = haze + (rgb[top:] - haze) * thin + glow[top:] * (0.3 + 0.7 * thin)
    return glow


def _quay(
    rgb: FloatArray,
    glow: FloatArray,
    eye: Eye,
    shore: float,
    scene: Scene,
    rng: np.random.Generator,
) -> None:
    """Line the shore with a low wall, trees and lamps."""
    _x, line = eye.point(0, 0, shore)
    metre = eye.focal / shore
    lit = city_light.HOURS[scene.time][0]
    trees = mottle((4, eye.width), scene.seed + 1, eye.width / (5.0 * metre), 2)[0]
    trees += 0.8 * mottle((4, eye.width), scene.seed + 2, eye.width / (70.0 * metre), 2)[0] - 0.55
    crown = line - metre * np.clip(4.5 + 9 * (trees - 0.3), 2.0, 10)
    y = np.arange(eye.height, dtype=np.float32)[:, None]
    top = max(0, int(crown.min()) - 2)
    bottom = min(eye.height, int(line) + 3)
    mask = np.clip(y[top:bottom] - crown + 0.5, 0, 1)[..., None]
    leaf = {
        "autumn": (0.42, 0.24, 0.10),
        "winter": (0.34, 0.35, 0.37),
        "spring": (0.26, 0.33, 0.16),
    }
    green = np.array(leaf.get(scene.season, (0.13, 0.20, 0.11)), np.float32)
    texture = 0.6 + 0.8 * mottle((bottom - top, eye.width), scene.seed + 3, 520, 2)[..., None]
    part = rgb[top:bottom]
    dim = 0.28 + 0.75 * float(part.mean())
    part += (green * texture * dim - part) * (mask * (y[top:bottom] < line)[..., None])
    if lit < 0.1:
        return
    step = max(18.0 * metre, eye.width / 160)
    for x in np.arange(rng.uniform(0, step), eye.width, step):
        spot = (round(float(x) * 16), round(float(line - 4.5 * metre) * 16))
        shade = tuple(float(v) for v in np.array([1.0, 0.74, 0.42]) * min(1.0, lit * 2))
        cv2.circle(glow, spot, max(10, round(0.8 * metre * 16)), shade, -1, shift=4)
        cv2.circle(rgb, spot, max(10, round(0.6 * metre * 16)), (1.0, 0.9, 0.7), -1, shift=4)


def _glow(rgb: FloatArray, lamps: FloatArray, strength: float) -> None:
    """Let bright lamps spill into the air: a tight halo and a wide one."""
    scale = unit(rgb.shape)
    near = soft(lamps, 3.5 * scale)
    wide = soft(near, 28 * scale)
    spill = (0.55 * near + 0.8 * wide) * strength
    rgb += spill * (1 - np.clip(rgb, 0, 1))


def _water(rgb: FloatArray, eye: Eye, shore: float, scene: Scene) -> None:
    """Mirror the city in moving water: long vertical streaks, broken by ripples that grow
    nearer."""
    _x, line = eye.point(0, 0, shore)
    start = int(np.clip(line, 2, eye.height - 2))
    rows = eye.height - start
    y = np.arange(rows, dtype=np.float32)[:, None]
    depth = (y + 1) / rows
    z = eye.above * eye.focal / (start + y + 1 - eye.horizon)
    x = np.arange(eye.width, dtype=np.float32)
    right = (x - eye.width / 2) * z / eye.focal
    tile = mottle((512, 512), scene.seed, 24, 4)
    tile = (tile + tile[::-1, ::-1]) * 0.5  # the ends meet: it repeats without a seam
    u, v = (right * 0.8) % 511, np.broadcast_to((z * 4.2) % 511, right.shape)
    ripple = cv2.remap(tile, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR) - 0.5
    u, v = (right * 2.6) % 511, np.broadcast_to((z * 12.0) % 511, right.shape)
    fine = cv2.remap(tile, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR) - 0.5
    rough = 1.6 if scene.weather in ("rain", "storm") else 1.0
    wave = (ripple + 0.6 * fine) * rough
    at_y = start - 1 - y * 0.92 - wave * (10 + 150 * depth) * eye.height / 1080
    at_x = x + wave * (4 + 34 * depth) * eye.height / 1080
    streaked = cv2.blur(rgb[: start + 1], (1, max(1, round(0.02 * eye.height)) | 1))
    at_y = np.clip(at_y, 0, start - 1).astype(np.float32)
    mirrored = cv2.remap(streaked, at_x.astype(np.float32), at_y, cv2.INTER_LINEAR,
                         borderMode=cv2.BORDER_REFLECT)  # fmt: skip
    deep = rgb[max(0, int(eye.horizon * 0.25))].mean(0) * 0.28 + np.array([0.0, 0.02, 0.035])
    clear = (0.80 - 0.42 * depth + 0.5 * wave * depth)[..., None]
    rgb[start:] = deep + (mirrored - deep) * np.clip(clear, 0.12, 0.92)


def _weathered(rgb: FloatArray, eye: Eye, scene: Scene) -> FloatArray:
    size = (rgb.shape[0], rgb.shape[1])
    if scene.weather == "fog":
        rows = np.abs(np.arange(size[0], dtype=np.float32)[:, None] - eye.horizon) / size[0]
        bank = np.broadcast_to(np.exp(-((rows / 0.16) ** 2)) * 0.5, size)
        colour = rgb[max(0, int(eye.horizon) - 4)].mean(0) * 1.02
        return fog(rgb, bank.astype(np.float32), colour.astype(np.float32), scene.seed)
    if scene.moment is not None:
        return rgb
    if scene.weather in ("rain", "storm"):
        return rainfall(rgb, scene.seed, 0.9 if scene.weather == "storm" else 0.5)
    if scene.weather == "snow":
        return snowfall(rgb, scene.seed, 0.6)
    return rgb
