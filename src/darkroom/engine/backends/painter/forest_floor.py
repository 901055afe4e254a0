"""The floor of a forest: earth, moss, snow or fallen leaves, a path, ferns and grass."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from darkroom.engine.backends.painter.city_plan import Eye
from darkroom.engine.backends.painter.forest_trees import Lighting, draw_leaves
from darkroom.engine.backends.painter.mottle import FloatArray, mottle

Pixels = NDArray[np.uint8]
_EARTH = {
    "spring": ((0.24, 0.30, 0.10), (0.36, 0.42, 0.14)),
    "summer": ((0.17, 0.22, 0.08), (0.29, 0.34, 0.12)),
    "autumn": ((0.40, 0.22, 0.08), (0.70, 0.42, 0.12)),
    "winter": ((0.74, 0.80, 0.88), (0.90, 0.94, 0.99)),
}
_GREENS = np.array([[0.24, 0.40, 0.10], [0.32, 0.48, 0.13], [0.18, 0.32, 0.09]], np.float32)


class Floor(msgspec.Struct, frozen=True):
    """The season on the ground, its path's bend and half width in metres (0: none)."""

    season: str
    bend: float
    path: float


def path_at(z: FloatArray | float, bend: float) -> FloatArray:
    """Returns how far right of the middle the path runs at a distance ahead, both in metres."""
    return np.asarray(
        1.5 * np.sin(np.asarray(z) / 7.5 + bend) * np.clip(np.asarray(z) / 9, 0, 1.8), np.float32
    )


def draw_floor(canvas: Pixels, eye: Eye, floor: Floor, light: Lighting, seed: int) -> None:
    """Draw the ground below the horizon, with its path."""
    height, width = canvas.shape[:2]
    top = int(np.clip(eye.horizon - 1, 0, height - 2))
    y = np.arange(top, height, dtype=np.float32)[:, None] + 0.5
    x = np.arange(width, dtype=np.float32) + 0.5 - width / 2
    z = eye.above * eye.focal / np.maximum(y - eye.horizon, 0.6)
    right = x * z / eye.focal
    coarse = _laid(right, z, 1.9, seed, 5)
    fine = _laid(right, z, 9.0, seed + 1, 4)
    low, high = (np.array(colour, np.float32) for colour in _EARTH[floor.season])
    mixed = np.clip(0.9 * coarse + 0.7 * (fine - 0.5), 0, 1)[..., None]
    ground = low + (high - low) * mixed
    if floor.path > 0:
        off = (
            np.abs(right - path_at(z, floor.bend))
            - floor.path
            - 0.7 * (fine - 0.5)
            - 0.5 * (coarse - 0.5)
        )
        on = np.clip(0.5 - off * 2.2, 0, 1)[..., None]
        trod = np.array([0.44, 0.36, 0.26], np.float32) if floor.season != "winter" else high * 0.93
        ground += (trod * (0.7 + 0.6 * fine)[..., None] - ground) * on * 0.85
    dapple = np.clip((_laid(right, z * 0.6, 1.1, seed + 2, 4) - 0.55) * 6, 0, 1)
    away = np.hypot(x - (light.spot[0] - width / 2), (y - eye.horizon) * 1.4)
    pool = np.exp(-away / (0.8 * light.reach))
    shade = light.ambient * (0.5 + 0.25 * coarse) + 0.06
    lit = ground * shade[..., None] + ground * light.sun * (dapple * (0.25 + 1.1 * pool))[..., None]
    thin = np.exp(-z / 26)[..., None]
    canvas[top:] = np.clip((light.air + (lit - light.air) * thin) * 255, 0, 255)


def draw_undergrowth(
    canvas: Pixels,
    eye: Eye,
    floor: Floor,
    light: Lighting,
    reach: tuple[float, float],
    rng: np.random.Generator,
) -> None:
    """Draw ferns, grass and fallen leaves between two distances in metres, off the path."""
    near, far = reach
    season = floor.season
    span = 0.55 * eye.width / eye.focal
    count = int(min(46, 9 * (far - near) * span + 8))
    z = np.sort(rng.uniform(near, far, count))[::-1]
    x = rng.uniform(-1, 1, count) * span * z
    free = np.abs(x - path_at(z, floor.bend)) > floor.path + 0.35
    thin = np.exp(-np.sqrt(near * far) / 26)
    if season == "winter":
        _sprinkle(canvas, eye, (x[free], z[free]), np.array([[0.30, 0.24, 0.17]]), light, rng)
        return
    greens = _GREENS if season != "autumn" else np.array([[0.46, 0.36, 0.10], [0.36, 0.36, 0.12]])
    for place_x, place_z in zip(x[free], z[free], strict=True):
        foot = eye.point(float(place_x), 0.0, float(place_z))
        metre = eye.focal / float(place_z)
        away = np.exp(-np.hypot(foot[0] - light.spot[0], foot[1] - light.spot[1]) / light.reach)
        shade = light.ambient * 0.85 + 0.7 * away * light.sun
        colour = greens[rng.integers(len(greens))] * shade
        colour = light.air * (1 - thin) + colour * thin
        if rng.random() < 0.55:
            _fern(canvas, foot, metre * rng.uniform(0.35, 0.75), colour, rng)
        else:
            _tuft(canvas, foot, metre * rng.uniform(0.25, 0.5), colour, rng)
    if season == "autumn":
        many = 26 * count
        z = near + (far - near) * rng.random(many) ** 1.2
        x = rng.uniform(-1, 1, many) * span * z
        _sprinkle(
            canvas,
            eye,
            (x, z),
            np.array([[0.86, 0.46, 0.1], [0.74, 0.3, 0.08], [0.9, 0.64, 0.18]]),
            light,
            rng,
        )


def _laid(right: FloatArray, z: FloatArray, cells: float, seed: int, octaves: int) -> FloatArray:
    """Noise lying on the ground: `cells` a metre, as seen in perspective."""
    tile = mottle((512, 512), seed, 32, octaves)
    u = np.abs((right * cells * 16 + 211) % 1022 - 511)
    v = np.abs((np.broadcast_to(z, right.shape) * cells * 16) % 1022 - 511)
    return np.asarray(
        cv2.remap(tile, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR), np.float32
    )


def _fern(
    canvas: Pixels,
    foot: tuple[float, float],
    size: float,
    colour: FloatArray,
    rng: np.random.Generator,
) -> None:
    """Arching fronds, each a midrib with leaflets that shorten to the tip."""
    fronds = int(rng.integers(6, 10))
    drawn = [(rng.normal(0, 0.12), rng.uniform(0.75, 1.1), *rng.random(2)) for _ in range(fronds)]
    leaning, reaching, *bright = np.array(drawn).T[..., None]
    t = np.linspace(0.08, 1, 15)
    lean = np.linspace(-1.25, 1.25, fronds)[:, None] + leaning
    reach = size * reaching
    x = foot[0] + reach * np.sin(lean) * t
    y = (
        foot[1]
        - reach * (np.cos(lean) * 0.9 + 0.25) * t
        + reach * 0.55 * t**2.3 * np.abs(np.sin(lean))
    )
    heading = np.arctan2(np.gradient(y, axis=1), np.gradient(x, axis=1))
    length = reach * 0.30 * np.sin(np.clip(t * 2.7 + 0.35, 0, np.pi)) + 0.8
    sides = np.array([[-1], [1]])
    angle = heading[:, None] + sides * 1.05
    long = np.repeat(length[:, None], 2, 1)
    at = np.stack(
        [
            x[:, None] + np.cos(angle) * long / 2,
            y[:, None] + np.sin(angle) * long / 2,
        ],
        -1,
    )
    shade = (0.75 + 0.5 * np.stack(bright, 1)) * (1.0 + 0.12 * sides) + 0.25 * t
    leaves = (at.reshape(-1, 2), angle.ravel(), long.ravel(), np.full(long.size, 0.24))
    draw_leaves(canvas, leaves, colour * shade.reshape(-1, 1), np.arange(long.size))


def _tuft(
    canvas: Pixels,
    foot: tuple[float, float],
    size: float,
    colour: FloatArray,
    rng: np.random.Generator,
) -> None:
    """A tuft of grass: slim blades from one root."""
    many = 26
    lean = rng.normal(0, 0.42, many)
    length = size * rng.uniform(0.5, 1.2, many)
    root = foot[0] + rng.normal(0, 0.22, many) * size
    at = np.stack([root + np.sin(lean) * length / 2, foot[1] - np.cos(lean) * length / 2], 1)
    shade = rng.uniform(0.6, 1.35, (many, 1))
    draw_leaves(
        canvas,
        (at, lean - np.pi / 2, length, np.full(many, 0.05)),
        colour * shade,
        rng.random(many),
    )


def _sprinkle(
    canvas: Pixels,
    eye: Eye,
    places: tuple[FloatArray, FloatArray],
    colours: FloatArray,
    light: Lighting,
    rng: np.random.Generator,
) -> None:
    """Scatter fallen leaves and twigs flat on the ground."""
    x, z = places
    scale = eye.focal / z
    at = np.stack([eye.width / 2 + x * scale, eye.horizon + eye.above * scale], 1)
    base = colours[rng.integers(len(colours), size=len(z))] * rng.uniform(0.6, 1.2, (len(z), 1))
    lit = base * (light.ambient * 0.8 + 0.25)
    thin = np.exp(-z / 26)[:, None]
    size = np.maximum(1.5, 0.10 * scale)
    angle = rng.normal(0, 0.5, len(z))
    draw_leaves(
        canvas, (at, angle, size, np.full(len(z), 0.35)), light.air + (lit - light.air) * thin, -z
    )
