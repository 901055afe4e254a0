"""The sky of a scene: gradient, sun, clouds and stars, in scene light and on display."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.painter import clouds, light, night, palette
from darkroom.engine.backends.painter.noise import FloatArray, Numbers
from darkroom.engine.backends.painter.palette import Colour, SkyPalette
from darkroom.engine.backends.painter.scene import Scene
from darkroom.engine.backends.painter.view import View

_PIXELS_WORKED_MAX = 560_000
# How high the sun stands (slope), low and high, by time of day.
_ELEVATION = {
    "dawn": (0.0, 0.02), "sunrise": (0.03, 0.07), "day": (0.75, 0.95), "golden": (0.12, 0.2),
    "sunset": (0.028, 0.065), "dusk": (-0.06, -0.03), "night": (0.3, 0.42),
}  # fmt: skip


class Sky(msgspec.Struct, frozen=True):
    """A whole sky; arrays (height, width, 3) cover the canvas, below the horizon the haze.

    `rgb` is display RGB 0..1, `linear` the same as scene light (may exceed 1), `sun_xy` in pixels
    (may lie outside), `sun_direction` points to the light (right, up, ahead; unit length),
    `sun_colour`, `ambient_top`, `ambient_horizon` are display RGB; `sun_light` and `air_light`
    are (3,) scene light falling from the sun and from all the sky.
    """

    rgb: FloatArray
    linear: FloatArray
    sun_xy: tuple[float, float]
    sun_direction: tuple[float, float, float]
    sun_colour: Colour
    ambient_top: Colour
    ambient_horizon: Colour
    sun_light: FloatArray
    air_light: FloatArray
    haze: FloatArray


def sky(
    scene: Scene,
    width: int,
    height: int,
    horizon: float,
    sun: tuple[float, float] | None = None,
    *,
    discs: bool = True,
) -> Sky:
    """Returns the scene's sky for a canvas of width × height pixels, `horizon` 0..1 from the top.

    `sun` (right, up) puts the sun at these slopes; without it, time and seed decide. Without
    `discs` there are no stars, no moon and no sun, only their light.
    """
    view = View(width, height, horizon * height)
    colours = _colours(scene)
    right_up = sun or _sun_place(scene, view)
    bottom = min(float(height), max(view.horizon, height * 0.02) + 2.0)
    step = max(1.0, (width * bottom / _PIXELS_WORKED_MAX) ** 0.5)
    right, up = view.rays(step, (0.0, bottom))
    tint = palette.tints(scene)
    air, haze = _gradient(colours, tint, right, up, right_up, view)
    if scene.weather == "fog":
        pale = 0.45 * haze + 0.55 * haze.mean()
        air += (pale - air) * (0.45 + 0.4 * np.exp(-np.maximum(up, 0.0) / 0.12))[..., None]
    _add_glow(air, scene, colours, right, up, right_up)
    air = _add_night(air, scene, right, up)
    air = _add_clouds(air, scene, colours, (right, up, right_up))
    rows = max(1, round(bottom))
    upper = np.asarray(cv2.resize(air, (width, rows), interpolation=cv2.INTER_CUBIC), np.float32)
    if discs:
        _add_discs(upper, scene, colours, view, right_up)
    linear = np.empty((height, width, 3), np.float32)
    linear[:rows] = np.maximum(upper[:height], 0.0)
    linear[rows:] = linear[rows - 1]
    # Only the part above the horizon differs from row to row.
    rgb = np.empty_like(linear)
    rgb[:rows] = light.to_display(linear[:rows])
    rgb[rows:] = rgb[rows - 1]
    direction = np.array([right_up[0], right_up[1], 1.0])
    direction /= np.linalg.norm(direction)
    top, low = (
        upper[: max(1, rows // 3)].mean(axis=(0, 1)),
        upper[-max(1, rows // 6) :].mean(axis=(0, 1)),
    )
    sunlight = light.decoded(np.array(palette.rgb(colours.sun), np.float32)) * np.float32(
        colours.power * (0.5 if scene.weather == "fog" else 1.5)
    )
    return Sky(
        rgb, linear, view.pixel(*right_up), _triple(direction),
        palette.rgb(colours.sun), _shown(top), _shown(low), sunlight, 0.6 * top + 0.4 * low, haze,
    )  # fmt: skip


def shining(
    scene: Scene,
    width: int,
    height: int,
    horizon: float,
    sun: tuple[float, float] | None = None,
) -> FloatArray:
    """Returns the scene light (height, width, 3) of the sun's disc, moon and stars alone."""
    view = View(width, height, horizon * height)
    bottom = min(float(height), max(view.horizon, height * 0.02) + 2.0)
    alone = np.zeros((height, width, 3), np.float32)
    _add_discs(
        alone[: max(1, round(bottom))], scene, _colours(scene), view, sun or _sun_place(scene, view)
    )
    return alone


def drift(scene: Scene) -> tuple[float, float]:
    """Returns how far the wind has carried the clouds by the scene's moment, right and ahead.

    The unit is the clouds' altitude over the eye.
    """
    pace = {"storm": 0.11, "rain": 0.065, "cloudy": 0.05}.get(scene.weather, 0.042)
    gone = pace * (scene.moment or 0.0)
    return (gone if scene.seed % 2 else -gone, -0.45 * gone)


def _triple(vector: Numbers) -> tuple[float, float, float]:
    return (float(vector[0]), float(vector[1]), float(vector[2]))


def _shown(colour: FloatArray) -> Colour:
    out = light.to_display(colour.reshape(1, 1, 3))[0, 0]
    return (float(out[0]), float(out[1]), float(out[2]))


def _colours(scene: Scene) -> SkyPalette:
    chosen = palette.choose(scene)
    if scene.weather == "storm":
        return palette.STORM if scene.time != "night" else chosen
    if scene.weather in ("overcast", "rain", "fog", "snow") and scene.time in ("day", "golden"):
        return palette.GREY
    return chosen


def _sun_place(scene: Scene, view: View) -> tuple[float, float]:
    rng = np.random.default_rng(scene.seed + 5)
    low, high = _ELEVATION.get(scene.time, (0.7, 0.9))
    side = rng.choice([-1.0, 1.0])
    reach = view.width / view.focal
    across = side * rng.uniform(0.1, 0.2) * min(reach, 1.6)
    if scene.time == "golden":
        across = side * rng.uniform(0.3, 0.42) * min(reach, 1.6)
    top = view.horizon / view.focal
    up = rng.uniform(low, high)
    return (float(across), float(min(up, top * 0.72) if scene.time == "night" else up))


def _gradient(
    colours: SkyPalette,
    tint: tuple[Colour, ...],
    right: FloatArray,
    up: FloatArray,
    sun: tuple[float, float],
    view: View,
) -> tuple[FloatArray, FloatArray]:
    """Returns the bare air (h, w, 3) and the (3,) haze at the horizon."""
    near, far = palette.ramp(colours.near, tint), palette.ramp(colours.far, tint)
    top = max(view.horizon / view.focal, 0.05)
    # The whole ramp fits any frame: half by angle, half by what the frame shows.
    t = np.clip(up / (0.5 * top + 0.28), 0.0, 1.0) ** 0.8
    place = (t[:, 0] * (len(near) - 1)).astype(np.float32)
    index = np.arange(len(near), dtype=np.float32)
    column_near = np.stack([np.interp(place, index, near[:, i]) for i in range(3)], axis=1)
    column_far = np.stack([np.interp(place, index, far[:, i]) for i in range(3)], axis=1)
    away = np.abs(right - np.float32(sun[0]))
    wide = 0.42 if sun[1] < 0.08 else 0.6
    towards = np.exp(-((away / wide) ** 2)) * 0.85 + 0.15 * np.exp(-away)
    share = towards[..., None].astype(np.float32)
    air = column_far[:, None, :] * (1 - share) + column_near[:, None, :] * share
    return np.asarray(air, np.float32), np.asarray(0.5 * (near[6] + far[6]), np.float32)


def _add_glow(
    air: FloatArray,
    scene: Scene,
    colours: SkyPalette,
    right: FloatArray,
    up: FloatArray,
    sun: tuple[float, float],
) -> None:
    """Adds the light that the air scatters around the sun, wider along the horizon."""
    if scene.time == "night":
        return
    veil = {"overcast": 0.1, "rain": 0.05, "storm": 0.12, "fog": 0.3, "snow": 0.1}.get(
        scene.weather, 1.0
    )
    strength = {"day": 0.35, "dusk": 0.45, "dawn": 0.55, "golden": 0.8}.get(scene.time, 1.0) * veil
    dx, dy = right - np.float32(sun[0]), up - np.float32(sun[1])
    away = np.sqrt((dx * 0.85) ** 2 + (dy * 1.1) ** 2)
    wide = 0.34 * np.exp(-away / 0.20) + 0.75 * np.exp(-away / 0.06)
    band = 0.22 * np.exp(-np.abs(dx) / 0.5) * np.exp(-np.maximum(up, 0) / 0.05)
    tone = light.to_scene(np.array(palette.rgb(colours.glow), np.float32))
    air += ((wide + band) * np.float32(strength))[..., None] * np.minimum(tone, 1.6)


def _add_night(air: FloatArray, scene: Scene, right: FloatArray, up: FloatArray) -> FloatArray:
    if "milky_way" in scene.extras:
        band, _ = night.milky_way(right, up, scene.seed)
        air = air + band * np.clip(0.25 + up / 0.12, 0, 1)[..., None]
    if "aurora" in scene.extras:
        air = air + night.aurora(right, up, scene.seed, scene.moment or 0.0)
    return air


_COVER = {
    "clear": 0.36,
    "cloudy": 0.56,
    "overcast": 0.86,
    "rain": 0.84,
    "storm": 0.8,
    "fog": 0.3,
    "snow": 0.8,
}


def _add_clouds(
    air: FloatArray,
    scene: Scene,
    colours: SkyPalette,
    rays: tuple[FloatArray, FloatArray, tuple[float, float]],
) -> FloatArray:
    right, up, sun = rays
    rng = np.random.default_rng(scene.seed + 9)
    wind = drift(scene)
    cover = _COVER.get(scene.weather, 0.4) + rng.uniform(-0.04, 0.05)
    if scene.subject == "desert" and scene.weather == "clear":
        cover -= 0.1
    if {"milky_way", "aurora", "stars", "clear_sky"} & scene.extras or scene.weather == "fog":
        cover = 0.12
    warm = light.to_scene(np.array(palette.rgb(colours.lit), np.float32))
    shade = light.to_scene(np.array(palette.rgb(colours.shade), np.float32))
    away = np.sqrt((right - np.float32(sun[0])) ** 2 + (up - np.float32(sun[1])) ** 2)
    forward = (1.0 + 1.5 * np.exp(-away / 0.11) + 0.6 * np.exp(-away / 0.35)).astype(np.float32)
    veil = np.clip(up / 0.10, 0, 1) ** 0.8
    if scene.weather in ("clear", "cloudy") and cover > 0.2 and scene.time != "night":
        thin = (
            clouds.cirrus(
                right, up, scene.seed, rng.uniform(0.42, 0.62), (wind[0] * 0.6, wind[1] * 0.6)
            )
            * veil
            * np.float32(0.62)
        )
        high: Numbers = np.minimum(warm, 1.3) * forward[..., None]
        if scene.time != "day":
            # High ice away from the sun turns from gold to rose.
            rose = (1.0 - np.exp(-away / 0.4))[..., None]
            high = high * (1.0 - rose * np.array([0.05, 0.42, 0.12], np.float32))
        air = np.asarray(air + thin[..., None] * (high * 0.85 - air * 0.55), np.float32)
    if cover < 0.2:
        return air
    low_sun = scene.time in ("sunset", "sunrise", "dawn", "dusk")
    towards = np.array([sun[0], -0.10 if low_sun else sun[1], 1.0])
    if scene.time == "day":
        towards = np.array([0.6 * np.sign(sun[0] or 1.0), 0.75, 0.25])
    towards /= np.linalg.norm(towards)
    deep = {"storm": 1.0, "cloudy": 0.4, "rain": 0.5}.get(scene.weather, 0.32)
    direction = _triple(towards)
    layer = clouds.Layer(cover, deep, 0.052, direction, np.minimum(warm, 2.2), shade, drift=wind)
    body, through = clouds.cumulus(layer, right, up, scene.seed)
    covered = 1.0 - through
    body = body * forward[..., None]
    # Far clouds drown in the air that lies before them.
    haze = np.exp(-np.float32(0.055) / np.maximum(up, 0.004))
    mix = np.clip(haze, 0.0, 1.0)[..., None]
    fade = np.clip((up + 0.002) / 0.02, 0.0, 1.0)[..., None]
    painted = air * through[..., None] + body * mix + air * covered[..., None] * (1 - mix)
    return np.asarray(air + (painted - air) * fade, np.float32)


def _add_discs(
    upper: FloatArray, scene: Scene, colours: SkyPalette, view: View, sun: tuple[float, float]
) -> None:
    """Adds what is sharp: stars, the moon, the sun's disc; in place."""
    rows, columns = upper.shape[:2]
    if {"stars", "milky_way", "aurora"} & scene.extras or scene.time == "night":
        crowd = None
        right, up = view.rays(8.0, (0.0, float(rows)))
        if "milky_way" in scene.extras:
            _, small = night.milky_way(right, up, scene.seed)
            crowd = np.asarray(cv2.resize(small, (columns, rows)), np.float32)
        dim = {"clear": 1.0}.get(scene.weather, 0.35)
        field = night.stars((rows, columns), scene.seed, dim, crowd)
        low = np.clip(
            (view.horizon - np.arange(rows, dtype=np.float32)) / (0.16 * view.focal), 0, 1
        )
        upper += field * low[:, None, None]
    x, y = view.pixel(*sun)
    if "moon" in scene.extras or (
        scene.time == "night" and not {"milky_way", "aurora"} & scene.extras
    ):
        if scene.weather not in ("storm", "overcast", "rain"):
            night.moon(upper, (x, y), 0.021 * view.focal, scene.seed)
    elif scene.weather in ("clear", "cloudy") and scene.time in ("sunset", "sunrise", "golden"):
        yy, xx = np.ogrid[:rows, :columns]
        away = np.hypot(xx + 0.5 - x, yy + 0.5 - y).astype(np.float32)
        radius = 0.0165 * view.focal
        disc = 1.0 / (1.0 + np.exp(np.clip((away - radius) / (0.09 * radius + 0.3), -30, 30)))
        beyond = np.maximum(away - radius, 0) / radius
        ring = (
            1.1 * np.exp(-beyond / 0.55)
            + 0.5 * np.exp(-beyond / 2.2)
            + 0.22 * np.exp(-beyond / 7.0)
        )
        tone = light.to_scene(np.array(palette.rgb(colours.sun), np.float32))
        upper += (disc * 3.4)[..., None] * np.array([1.0, 0.82, 0.5], np.float32)
        upper += ring[..., None] * np.minimum(tone, 2.0)
