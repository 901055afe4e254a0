"""What stands in a picture when the words ask for it: birds, boats, a lighthouse, palms."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.painter import noise
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.scene import Scene
from darkroom.engine.backends.painter.sky import Sky
from darkroom.engine.backends.painter.view import View

_FINE = 4  # bits of sub-pixel in drawn points
Points = npt.NDArray[np.float64]


def _filled(shape: tuple[int, ...], polygons: list[Points]) -> FloatArray:
    """Returns the polygons' coverage 0..1 (rows, columns), smooth at the edges."""
    mask = np.zeros(shape[:2], np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [np.round(polygon * 2**_FINE).astype(np.int32)], 255, cv2.LINE_AA, _FINE)
    return mask.astype(np.float32) / 255.0


def _lay(picture: FloatArray, mask: FloatArray, colour: FloatArray) -> None:
    """Lay a colour, for all pixels or for each, over a picture where a mask (rows, columns) is."""
    left, top, width, height = cv2.boundingRect((mask > 0).astype(np.uint8))
    here = np.s_[top : top + height, left : left + width]
    cover, part = mask[here][..., None], picture[here]
    tone = np.broadcast_to(colour, (*picture.shape[:2], 3))[here]
    part[..., :3] += (tone - part[..., :3]) * cover
    part[..., 3:] *= 1 - cover


def _dark(above: Sky, amount: float) -> FloatArray:
    """Returns the tone of a thing against the light: a little of the air, less of the sun."""
    return np.asarray(above.air_light * amount + above.haze * amount * 0.3, np.float32)


def add_figures(picture: FloatArray, view: View, above: Sky, scene: Scene) -> None:
    """Draws the scene's asked-for figures into `picture` (scene light), in place.

    A fourth value of its pixels is lowered to the share of what lies behind that is still seen.
    """
    if {"island", "hills"} & scene.extras and scene.subject == "sea":
        _far_land(picture, view, above, scene)
    if "boat" in scene.extras and scene.subject in ("sea", "lake"):
        _boat(picture, view, above, scene)
    if "lighthouse" in scene.extras:
        _lighthouse(picture, view, above, scene)
    if "cabin" in scene.extras:
        _cabin(picture, view, above, scene)
    if "birds" in scene.extras and scene.moment is None:
        _birds(picture, view, above, scene)
    if "palm" in scene.extras:
        _palms(picture, view, above, scene)


def _far_land(picture: FloatArray, view: View, above: Sky, scene: Scene) -> None:
    rows, columns = picture.shape[:2]
    seed = scene.seed + 201
    x = np.linspace(0, 1, columns, dtype=np.float32)[None]
    for layer, (tall, share, dim) in enumerate(((0.075, 0.72, 0.5), (0.045, 0.5, 0.32))):
        tile = noise.bands((64, 512), seed + layer, (2, 6))
        line = noise.layered(tile, x * 0.55 + layer * 0.37, x * 0 + 0.3, 6)[0] * 0.6 + 0.5
        if "hills" not in scene.extras:
            centre = 0.26 if above.sun_xy[0] > view.width / 2 else 0.74
            line = line * np.exp(-(((x[0] - centre) / 0.13) ** 2)) * 1.4
        top = view.horizon + 1.0 - np.clip(line, 0.0, None) * tall * view.height
        y = np.arange(rows, dtype=np.float32)[:, None] + 0.5
        mask = np.clip(y - top[None] + 0.5, 0, 1) * np.clip(view.horizon + 1.5 - y, 0, 1)
        band = above.linear[max(0, int(view.horizon) - 3)]
        _lay(
            picture,
            mask * (top < view.horizon)[None],
            band[None] * np.float32(share) * 0.6 + _dark(above, dim) * 0.4,
        )


def _boat(picture: FloatArray, view: View, above: Sky, scene: Scene) -> None:
    rows, columns = picture.shape[:2]
    size = 0.16 * min(rows, columns * 0.7)
    away = -1.0 if above.sun_xy[0] > columns / 2 else 1.0
    x = columns / 2 + away * columns * 0.16
    y = view.horizon + (0.30 + 0.02 * float(np.sin(1.3 * (scene.moment or 0.0)))) * size
    outlines = {
        "hull": [(-0.42, -0.10), (0.46, -0.13), (0.34, 0.03), (-0.33, 0.03)],
        "main": [(0.03, -1.0), (0.05, -0.16), (-0.40, -0.17), (-0.14, -0.55)],
        "jib": [(0.08, -0.90), (0.10, -0.17), (0.42, -0.18), (0.27, -0.48)],
        "mast": [(0.04, -1.03), (0.06, -1.03), (0.07, -0.1), (0.04, -0.1)],
    }  # fmt: skip
    shapes = {name: np.array(points) * size + (x, y) for name, points in outlines.items()}
    bright = scene.time in ("day", "golden", "dawn", "sunrise")
    sail = (above.air_light * 0.45 + above.sun_light * 0.3) if bright else _dark(above, 0.16)
    # The mirror image first, broken by the waves.
    flipped = [
        np.stack([points[:, 0], 2 * (y + 0.02 * size) - points[:, 1]], axis=1)
        for points in shapes.values()
    ]
    image = _filled(picture.shape, flipped)
    yy, xx = np.mgrid[:rows, :columns].astype(np.float32)
    shake = np.sin(
        yy * np.float32(90.0 / size) - np.float32(5.0 * (scene.moment or 0.0))
    ) * np.float32(0.03 * size)
    shaken = cv2.remap(image, xx + shake, yy, cv2.INTER_LINEAR)
    image = np.asarray(cv2.GaussianBlur(shaken, (0, 0), max(0.6, size * 0.012)), np.float32)
    fade = np.clip(1.0 - (yy - np.float32(y)) / np.float32(size * 0.9), 0, 1) * 0.6
    _lay(
        picture,
        image * fade,
        np.asarray(_dark(above, 0.10) if not bright else sail * 0.5, np.float32),
    )
    for name, points in shapes.items():
        cloth = {"main": 1.35, "jib": 0.8}.get(name)
        tone = np.asarray(sail * cloth if cloth else _dark(above, 0.06), np.float32)
        _lay(picture, _filled(picture.shape, [points]), tone)


def _lighthouse(picture: FloatArray, view: View, above: Sky, scene: Scene) -> None:
    rows, columns = picture.shape[:2]
    x, y = _headland(picture, view, above, scene)
    size = 0.34 * min(rows, columns)

    def part(points: list[tuple[float, float]]) -> FloatArray:
        return _filled(picture.shape, [np.array(points) * size + (x, y)])

    bright = scene.time in ("day", "golden", "dawn", "sunrise")
    white = (above.air_light * 0.55 + above.sun_light * 0.3) if bright else _dark(above, 0.22)
    tower = part([(-0.075, 0.0), (0.075, 0.0), (0.05, -0.74), (-0.05, -0.74)])
    _lay(picture, tower, np.asarray(white, np.float32))
    red = np.asarray(white * np.array((0.75, 0.12, 0.10)), np.float32)
    for low in (0.12, 0.42):
        high = low + 0.15
        stripe = part([(-0.08, -low), (0.08, -low), (0.08, -high), (-0.08, -high)])
        _lay(picture, stripe * tower, red)
    gallery = part([(-0.075, -0.74), (0.075, -0.74), (0.075, -0.77), (-0.075, -0.77)])
    roof = part([(-0.05, -0.87), (0.05, -0.87), (0.0, -0.96)])
    lamp = part([(-0.035, -0.77), (0.035, -0.77), (0.035, -0.87), (-0.035, -0.87)])
    _lay(picture, np.maximum(gallery, roof), _dark(above, 0.06))
    _lay(picture, lamp, np.array((3.0, 2.2, 1.0), np.float32))
    yy, xx = np.ogrid[:rows, :columns]
    away = np.hypot(xx - x, yy - (y - 0.82 * size)).astype(np.float32)
    glow = (0.25 if bright else 0.9) * np.exp(-away / np.float32(0.10 * size))
    picture[..., :3] += glow[..., None] * np.array((1.0, 0.75, 0.4), np.float32)


def _headland(picture: FloatArray, view: View, above: Sky, scene: Scene) -> tuple[float, float]:
    """Draws a rocky point on the side away from the sun; returns the pixel a tower stands on."""
    rows, columns = picture.shape[:2]
    rng = np.random.default_rng(scene.seed + 211)
    right = above.sun_xy[0] < columns / 2
    steps = np.linspace(0, 1, 60)
    rough = np.cumsum(rng.normal(0, 1, 60)) * 0.006
    climb = np.sin(np.clip(1.15 * steps, 0, 1) * np.pi / 2)
    line = view.horizon + rows * (0.10 - 0.19 * climb + rough)
    reach = 0.40 * columns
    at = columns - reach + reach * steps if right else reach - reach * steps
    edge, base = (columns if right else 0.0), view.horizon + rows * 0.13
    foot = [(edge, line[-1]), (edge, base), (at[0], base)]
    land = np.concatenate([np.stack([at, line], 1), foot])
    rock = noise.fractal((512, 512), scene.seed + 212, 7, (4, 6), 0.65)
    rock = np.asarray(cv2.resize(rock, (columns, rows)), np.float32)[..., None]
    slope = rock - np.roll(rock, 3 if right else -3, axis=1)
    lit = above.sun_light * 0.13 * np.clip(slope * 9.0 + 0.35, 0.0, 1.2)
    tone = _dark(above, 0.05) + lit + _dark(above, 0.10) * rock
    _lay(picture, _filled(picture.shape, [land]), np.asarray(tone, np.float32))
    return float(at[40]), float(line[40]) + 4.0


def _cabin(picture: FloatArray, view: View, above: Sky, scene: Scene) -> None:
    rows, columns = picture.shape[:2]
    size = 0.10 * min(rows, columns * 0.7)
    x = columns * (0.30 if scene.seed % 2 else 0.70)
    y = view.horizon + (0.10 if scene.subject in ("lake", "sea") else 0.22) * (rows - view.horizon)
    wood = np.asarray(
        (above.air_light * 0.5 + above.sun_light * 0.2) * np.array((0.24, 0.15, 0.10)), np.float32
    )
    roof_tone = (0.62, 0.66, 0.72) if scene.season == "winter" else (0.10, 0.08, 0.08)
    roof = np.asarray(
        (above.air_light * 0.7 + above.sun_light * 0.25) * np.array(roof_tone), np.float32
    )

    def part(points: list[tuple[float, float]]) -> FloatArray:
        return _filled(picture.shape, [np.array(points) * size + (x, y)])

    _lay(
        picture,
        part([(-0.7, 0.06), (0.75, 0.06), (0.65, 0.0), (-0.65, 0.0)]) * 0.5,
        _dark(above, 0.08),
    )
    _lay(picture, part([(-0.6, 0.03), (0.1, 0.03), (0.1, -0.38), (-0.6, -0.38)]), wood)
    _lay(
        picture,
        part([(0.1, 0.03), (0.62, 0.03), (0.62, -0.36), (0.36, -0.78), (0.1, -0.36)]),
        wood * np.float32(1.25),
    )
    _lay(picture, part([(-0.68, -0.34), (0.04, -0.34), (0.36, -0.84), (-0.36, -0.84)]), roof)
    _lay(
        picture,
        part([(0.34, -0.86), (0.40, -0.86), (0.72, -0.32), (0.65, -0.30)]),
        roof * np.float32(0.8),
    )
    _lay(
        picture,
        part([(-0.22, -0.95), (-0.10, -0.95), (-0.10, -0.70), (-0.22, -0.70)]),
        wood * np.float32(0.7),
    )
    warm = np.array((2.2, 1.15, 0.35), np.float32) * np.float32(
        1.0 if scene.time != "day" else 0.35
    )
    for left in (-0.48, -0.2, 0.28):
        _lay(
            picture,
            part([(left, -0.24), (left + 0.15, -0.24), (left + 0.15, -0.08), (left, -0.08)]),
            warm,
        )
    yy, xx = np.ogrid[:rows, :columns]
    away = np.hypot(xx - x, yy - (y - 0.15 * size)).astype(np.float32)
    if scene.time not in ("day", "golden"):
        picture[..., :3] += (0.30 * np.exp(-away / (0.55 * size)))[..., None] * np.array(
            (1.0, 0.6, 0.22), np.float32
        )


def _birds(picture: FloatArray, view: View, above: Sky, scene: Scene) -> None:
    rows, columns = picture.shape[:2]
    rng = np.random.default_rng(scene.seed + 221)
    unit = min(rows, columns)
    centre = (columns * (0.62 if above.sun_xy[0] < columns / 2 else 0.38), view.horizon * 0.45)
    wings = []
    for _ in range(int(rng.integers(7, 12))):
        size = unit * rng.uniform(0.008, 0.022)
        x = centre[0] + rng.normal(0, 0.09) * columns
        y = centre[1] + rng.normal(0, 0.10) * view.horizon
        lift, tilt = rng.uniform(0.15, 0.75), rng.uniform(-0.25, 0.25)
        t = np.linspace(-1, 1, 21)
        spine = -lift * np.sin(np.abs(t) ** 0.8 * np.pi * 0.62) + tilt * t
        thick = 0.11 * (1 - np.abs(t)) ** 0.7 + 0.015
        upper, lower = np.stack([t, spine - thick], 1), np.stack([t, spine + thick], 1)[::-1]
        wings.append(np.concatenate([upper, lower]) * size + (x, y))
    _lay(picture, _filled(picture.shape, wings) * 0.9, _dark(above, 0.09))


def _palms(picture: FloatArray, view: View, above: Sky, scene: Scene) -> None:
    rows, columns = picture.shape[:2]
    rng = np.random.default_rng(scene.seed + 231)
    right = above.sun_xy[0] < columns / 2
    unit = min(rows, columns * 0.75)
    parts: list[Points] = []
    for palm in range(2):
        foot = columns * (0.06 + 0.09 * palm + rng.uniform(0, 0.03))
        tall = unit * rng.uniform(0.66, 0.82) * (1.0 - 0.22 * palm)
        breeze = float(np.sin(1.1 * scene.moment + palm)) if scene.moment else 0.0
        lean = unit * (rng.uniform(0.10, 0.22) + 0.006 * breeze)
        t = np.linspace(0, 1, 24)
        px, py = foot + lean * t**1.7, rows * 1.01 - tall * t
        wide = unit * 0.011 * (1.5 - 0.8 * t)
        trunk = np.concatenate([np.stack([px - wide, py], 1), np.stack([px + wide, py], 1)[::-1]])
        parts.append(trunk)
        for angle in np.linspace(-0.35, np.pi + 0.35, 13) + rng.normal(0, 0.08, 13):
            parts += _frond(
                (px[-1], py[-1]),
                float(angle) + 0.022 * breeze * float(np.cos(angle)),
                unit * float(rng.uniform(0.17, 0.25)),
                rng,
            )
    if right:
        parts = [np.stack([columns - part[:, 0], part[:, 1]], 1) for part in parts]
    tone = _dark(above, 0.06) * np.array((0.8, 1.0, 0.7), np.float32)
    if scene.time in ("day", "golden"):
        tone = (above.air_light * 0.35 + above.sun_light * 0.25) * np.array(
            (0.10, 0.17, 0.05), np.float32
        )
    _lay(picture, _filled(picture.shape, parts), np.asarray(tone, np.float32))


def _frond(
    root: tuple[float, float], angle: float, length: float, rng: np.random.Generator
) -> list[Points]:
    """Returns one drooping palm leaf: its rib's leaflets as slim triangles."""
    t = np.linspace(0, 1, 26)
    x = root[0] + np.cos(angle) * length * t
    y = root[1] - np.sin(angle) * length * t + 0.62 * length * t**2.1
    leaves: list[Points] = [
        np.concatenate([np.stack([x, y - 1], 1), np.stack([x, y + 1.2], 1)[::-1]])
    ]
    dx, dy = np.gradient(x), np.gradient(y)
    size = np.hypot(dx, dy)
    for index in range(3, 26):
        ux, uy = dx[index] / size[index], dy[index] / size[index]
        span = length * 0.30 * np.sin(np.pi * min(1.0, 0.16 + 0.84 * t[index])) ** 0.6
        for side in (-1.0, 1.0):
            tx = x[index] + (ux * 0.75 - uy * side * 0.6) * span
            ty = (
                y[index]
                + (uy * 0.75 + ux * side * 0.6) * span
                + 0.22 * span * float(rng.uniform(0.6, 1.4))
            )
            half = length * 0.013
            leaves.append(
                np.array(
                    [
                        (x[index] - ux * half, y[index] - uy * half),
                        (x[index] + ux * half, y[index] + uy * half),
                        (tx, ty),
                    ]
                )
            )
    return leaves
