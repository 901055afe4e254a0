"""Relighting a given picture: another hour, another season, another weather, as far as one can
tell its depth."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.painter import sky
from darkroom.engine.backends.painter.mottle import FloatArray, mottle
from darkroom.engine.backends.painter.precipitation import fog, rainfall, snowfall
from darkroom.engine.backends.painter.scene import Scene
from darkroom.engine.backends.painter.style_field import soft, tone, unit

# Light and shade by time of day (display RGB), and the exposure.
_HOURS = {
    "dawn": ((1.02, 0.88, 0.86), (0.44, 0.48, 0.68), 0.86),
    "sunrise": ((1.10, 0.90, 0.70), (0.50, 0.44, 0.60), 0.98),
    "golden": ((1.14, 0.93, 0.64), (0.46, 0.42, 0.50), 1.0),
    "sunset": ((1.18, 0.78, 0.50), (0.42, 0.30, 0.50), 0.92),
    "dusk": ((0.80, 0.66, 0.84), (0.26, 0.28, 0.52), 0.66),
    "night": ((0.46, 0.58, 0.92), (0.08, 0.13, 0.32), 0.40),
}


def open_sky(rgb: FloatArray) -> FloatArray:
    """Returns how surely each pixel is sky, 0..1: bright, even, not green, and joined to the
    top."""
    height, width = rgb.shape[:2]
    small = cv2.resize(rgb, (160, max(24, min(400, 160 * height // width))))
    hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
    grey = tone(small)
    rough = soft(np.abs(cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 1), cv2.CV_32F)), 2.0)
    bluish = (hsv[..., 0] > 170) & (hsv[..., 0] < 275)
    pale = hsv[..., 1] < 0.28
    rows = np.linspace(0, 1, small.shape[0])[:, None]
    likely = (rough < 0.016) & (grey > 0.34) & (bluish | pale) & (rows < 0.8)
    _n, labels = cv2.connectedComponents(likely.astype(np.uint8))
    top = np.unique(labels[:2][likely[:2]])
    mask = np.isin(labels, top[top > 0]).astype(np.float32)
    if not 0.06 < float(mask.mean()) < 0.8:
        return np.zeros((height, width), np.float32)
    return np.asarray(cv2.resize(soft(mask, 1.5), (width, height)), np.float32)


def at_hour(rgb: FloatArray, scene: Scene, above: FloatArray) -> FloatArray:
    """Returns the picture at the scene's time of day: split light and shade, its sky blended in."""
    light, shade, exposure = (np.array(part, np.float32) for part in _HOURS[scene.time])
    size = (rgb.shape[0], rgb.shape[1])
    grey = tone(rgb)
    painted = sky.sky(scene, size[1], size[0], _horizon(above))
    x = np.arange(size[1], dtype=np.float32) - painted.sun_xy[0]
    y = np.arange(size[0], dtype=np.float32)[:, None] - min(painted.sun_xy[1], size[0] * 0.6)
    near = np.exp(-np.hypot(x, y) / (0.55 * max(size)))
    lit = np.clip(soft(grey, 6 * unit(size)) * 0.75 + grey * 0.35 + 0.25 * near - 0.05, 0, 1)[
        ..., None
    ]
    muted = grey[..., None] + (rgb - grey[..., None]) * (0.45 if scene.time == "night" else 0.82)
    out = muted * (shade + (light - shade) * lit) * (0.55 + 0.75 * exposure)
    if scene.time != "night":
        out += (np.array(painted.sun_colour, np.float32) * (near**2 * 0.22)[..., None]) * (1 - out)
    detail = np.clip(grey / np.maximum(soft(grey, 60 * unit(size)), 0.05), 0.75, 1.25)
    share = (above * 0.82)[..., None]
    out += (painted.rgb * detail[..., None] - out) * share
    if scene.time in ("night", "dusk"):
        out = _lamps(out, rgb, above, scene.seed)
    return np.clip(out, 0, 1)


def in_season(rgb: FloatArray, season: str, above: FloatArray) -> FloatArray:
    """Returns the picture with its greens turned (autumn), freshened (spring) or snowed over
    (winter)."""
    lab: FloatArray = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2Lab)
    green = np.clip((-lab[..., 1] - 3) / 14, 0, 1) * np.clip((lab[..., 2] + 4) / 12, 0, 1)
    if season == "autumn":
        patch = mottle((rgb.shape[0], rgb.shape[1]), 3, 14, 3)
        lab[..., 1] += green * (30 + 26 * patch - lab[..., 1] * 0.4)
        lab[..., 2] += green * (20 + 14 * (1 - patch))
        lab[..., 0] += green * 4
    elif season == "spring":
        lab[..., 0] += green * 5
        lab[..., 2] += green * 10
    else:
        chroma = 1 - 0.75 * green
        lab[..., 1] *= chroma
        lab[..., 2] = (lab[..., 2] + 3) * chroma - 4
        grey = cv2.GaussianBlur(lab[..., 0], (0, 0), 1.2)
        upward = np.clip(cv2.Sobel(grey, cv2.CV_32F, 0, 1) * -0.02, 0, 1)
        ground = np.linspace(-0.2, 1, rgb.shape[0], dtype=np.float32)[:, None].clip(0, 1)
        lies = np.clip(upward + green * 0.75 + 0.45 * ground * (lab[..., 0] > 35), 0, 0.85)
        lab[..., 0] += (93 - 0.25 * (60 - lab[..., 0]).clip(0) - lab[..., 0]) * lies * (1 - above)
    return np.clip(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB), 0, 1)


def in_weather(rgb: FloatArray, scene: Scene, above: FloatArray) -> FloatArray:
    """Returns the picture in the scene's weather: grey light, fog with depth, rain or snow
    falling."""
    size = (rgb.shape[0], rgb.shape[1])
    grey = tone(rgb)[..., None]
    air = np.array([0.74, 0.77, 0.80], np.float32) * (0.42 + 0.75 * float(grey.mean()))
    if scene.weather == "fog":
        return np.clip(fog(rgb, _depth(rgb, above), np.clip(air * 1.06, 0, 1), scene.seed), 0, 1)
    if scene.weather in ("rain", "storm", "overcast"):
        dim = 0.62 if scene.weather == "storm" else 0.82
        rgb = (grey + (rgb - grey) * 0.62) * np.array([0.92, 0.98, 1.05], np.float32) * dim
        rgb = fog(rgb, _depth(rgb, above) * 0.2, air * dim, scene.seed)
        rgb = _wet(rgb) if scene.weather != "overcast" else rgb
    if scene.weather in ("rain", "storm"):
        rgb = rainfall(rgb, scene.seed, 1.0 if scene.weather == "storm" else 0.55)
    if scene.weather == "snow":
        rgb = fog(rgb, _depth(rgb, above) * 0.4, np.clip(air * 1.1, 0, 1), scene.seed)
        rgb = snowfall(rgb, scene.seed, 0.6)
    return np.clip(rgb, 0, 1).reshape(*size, 3)


def _depth(rgb: FloatArray, above: FloatArray) -> FloatArray:
    """A guess of distance 0..1: higher is farther, pale is farther (He et al.'s dark channel),
    sky is far."""
    size = (rgb.shape[0], rgb.shape[1])
    pale = soft(np.ascontiguousarray(rgb.min(2)), 14 * unit(size))
    rows = np.linspace(1, 0, size[0], dtype=np.float32)[:, None]
    return np.maximum(np.clip(0.12 + 0.55 * rows + 0.35 * pale, 0, 1), above * 0.95)


def _horizon(above: FloatArray) -> float:
    rows = above.mean(1)
    seen = np.flatnonzero(rows > 0.3)
    return float(np.clip((seen[-1] + 1) / len(rows), 0.25, 0.9)) if len(seen) else 0.6


def _lamps(out: FloatArray, day: FloatArray, above: FloatArray, seed: int) -> FloatArray:
    """Light warm lamps at the brightest spots that stand out from what is round them."""
    size = (out.shape[0], out.shape[1])
    grey = tone(day)
    stands = soft(grey, 2.5 * unit(size)) - soft(grey, 24 * unit(size))
    stands *= (1 - above) * (np.arange(size[0])[:, None] > size[0] * 0.12)
    rows, columns = 18, max(3, round(18 * size[1] / size[0]))
    glow = np.zeros(size, np.float32)
    cells = []
    for row in range(rows):
        for column in range(columns):
            part = np.s_[
                row * size[0] // rows : (row + 1) * size[0] // rows,
                column * size[1] // columns : (column + 1) * size[1] // columns,
            ]
            if stands[part].size:
                y, x = np.unravel_index(int(stands[part].argmax()), stands[part].shape)
                cells.append((float(stands[part].max()), part[0].start + y, part[1].start + x))
    for strength, y, x in sorted(cells, reverse=True)[:14]:
        if strength > 0.05:
            glow[int(y), int(x)] += 1
    scale = max(0.6, unit(size))
    halo = np.zeros(size, np.float32)
    for reach, share in ((3.0, 30.0), (16.0, 260.0), (70.0, 1500.0)):
        halo += cv2.GaussianBlur(glow, (0, 0), reach * scale) * (share * scale * scale)
    warm = np.array([1.0, 0.72, 0.36], np.float32) * np.clip(halo, 0, 1.2)[..., None]
    lit = out + warm * (0.35 * day + 0.30)
    return np.asarray(lit, np.float32)


def _wet(rgb: FloatArray) -> FloatArray:
    """Let the lowest part mirror what stands above it, blurred downwards."""
    height = rgb.shape[0]
    start = int(height * 0.72)
    mirrored = rgb[max(0, 2 * start - height) : start][::-1]
    mirrored = cv2.blur(np.ascontiguousarray(mirrored), (3, max(3, height // 24)))
    part = rgb[start : start + len(mirrored)]
    fade = np.linspace(0, 0.34, len(part), dtype=np.float32)[:, None, None]
    out = rgb.copy()
    out[start : start + len(part)] = part + (mirrored[: len(part)] - part) * fade
    return out
