"""Trees that stand near: conifers drawn once as small pictures and set into the land by depth."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.painter.land import Land, veil
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.sky import Sky
from darkroom.engine.backends.painter.view import View

_KINDS = 4
_DRAWN = (360, 170)  # rows, columns of a conifer's picture


def conifer(seed: int, snow: float) -> FloatArray:
    """Returns one conifer (360, 170, 3): sunlit 0..1, snowy 0..1, opacity 0..1."""
    rows, columns = _DRAWN
    rng = np.random.default_rng(seed)
    picture = np.zeros((rows, columns, 3), np.float32)
    middle = columns / 2
    cv2.line(
        picture, (int(middle), rows - 1), (int(middle), rows // 3), (0.12, 0.0, 1.0), 4, cv2.LINE_AA
    )
    whorls = 46
    for whorl in range(whorls):
        t = (whorl + rng.uniform(0, 0.8)) / whorls
        y = rows * (0.015 + 0.90 * t)
        reach = columns * 0.47 * (t**0.85) * rng.uniform(0.72, 1.05) + 2
        for _ in range(5 + int(9 * t)):
            angle = rng.uniform(-1, 1)
            length = reach * abs(angle) ** 0.55 * rng.uniform(0.75, 1.08)
            drop = rows * (0.018 + 0.055 * t) * rng.uniform(0.6, 1.3)
            side = np.sign(angle)
            tip = (middle + side * length, y + drop)
            lit = float(
                np.clip(0.5 + 0.42 * side * length / reach + rng.uniform(-0.2, 0.2), 0.05, 1.0)
            )
            white = float(snow * rng.uniform(0.2, 1.0))
            bend = (middle + side * length * 0.55, y + drop * 0.30)
            points = np.array(
                [
                    (middle, y),
                    bend,
                    tip,
                    (bend[0], bend[1] + rows * 0.016),
                    (middle, y + rows * 0.03),
                ]
            )
            cv2.fillPoly(
                picture, [np.round(points * 8).astype(np.int32)], (lit, white, 1.0), cv2.LINE_AA, 3
            )
    return picture


def plant(
    picture: FloatArray,
    depth: FloatArray,
    top: int,
    stands: FloatArray,
    given: tuple[Land, View, Sky],
) -> None:
    """Sets conifers at `stands` (n, 3: x, z, height, km) into `picture` in place, far first.

    `depth` (rows from `top`, columns) hides what stands behind the land.
    """
    land, view, above = given
    if not len(stands):
        return
    snow = 0.85 if land.cover.season == "winter" else 0.0
    kinds = [conifer(int(land.cover.tile[0, k] * 1e6) & 0xFFFF, snow) for k in range(_KINDS)]
    kinds += [kind[:, ::-1].copy() for kind in kinds]
    x, z, tall = stands[:, 0], stands[:, 1], stands[:, 2]
    foot = land.surface(x[:, None], z[:, None], np.full((len(x), 1), 0.001, np.float32))[0][:, 0]
    for index in np.argsort(-z):
        size = tall[index] / z[index] * view.focal
        base = view.horizon - view.focal * (foot[index] - land.eye) / z[index]
        middle = view.width / 2 + view.focal * x[index] / z[index]
        _set(
            picture,
            (depth, top),
            (kinds[index % len(kinds)], middle, base + 0.02 * size, size, z[index], foot[index]),
            (land, above),
        )


def _set(
    picture: FloatArray,
    behind: tuple[FloatArray, int],
    tree: tuple[FloatArray, float, float, float, float, float],
    given: tuple[Land, Sky],
) -> None:
    kind, middle, base, size, z, foot = tree
    land, above = given
    rows, columns = picture.shape[:2]
    high, wide = max(2, round(size)), max(1, round(size * _DRAWN[1] / _DRAWN[0]))
    y0, x0 = round(base - high), round(middle - wide / 2)
    ya, yb, xa, xb = max(0, y0), min(rows, y0 + high), max(0, x0), min(columns, x0 + wide)
    if ya >= yb or xa >= xb or high > 4 * rows:
        return
    small = cv2.resize(
        kind, (wide, high), interpolation=cv2.INTER_AREA if high < _DRAWN[0] else cv2.INTER_LINEAR
    )
    part = small[ya - y0 : yb - y0, xa - x0 : xb - x0]
    alpha = part[..., 2].copy()
    depth, top = behind
    start = max(0, top - ya)
    seen = depth[max(0, ya - top) : max(0, yb - top), xa:xb]
    alpha[start:] *= seen > z * 0.97
    seen[alpha[start:] > 0.5] = z
    lx = above.sun_direction[0]
    lit = np.clip(part[..., 0] if lx > 0 else 1.0 - part[..., 0], 0.0, 1.0)
    tone = np.array((0.022, 0.045, 0.020), np.float32)
    if land.cover.season == "autumn" and (int(middle) % 3 == 0):
        tone = np.array((0.20, 0.10, 0.02), np.float32)
    light = above.air_light * 0.7 + above.sun_light * (0.9 * lit**1.5)[..., None]
    colour = (tone * (0.5 + 0.9 * lit[..., None])) * light
    snow = (above.air_light + above.air_light.mean()) * 0.55 + above.sun_light.mean() * 0.35
    colour += (snow - colour) * part[..., 1:2] * (0.3 + 0.6 * lit[..., None])
    place = np.array([[(middle - columns / 2) / columns * z, z, foot + 0.01]], np.float32)
    hidden = float(veil(land, place[:, 0], place[:, 1], place[:, 2])[0])
    colour = colour * (1 - hidden) + land.air[0, min(max(round(middle), 0), columns - 1)] * hidden
    patch = picture[ya:yb, xa:xb]
    patch += (colour - patch) * alpha[..., None]


def stand(land: Land, view: View, seed: int, near: float, far: float, count: int) -> FloatArray:
    """Returns where up to `count` trees stand (n, 3), in clumps on dry gentle ground."""
    rng = np.random.default_rng(seed + 161)
    z = (near * (far / near) ** rng.random(count * 3)).astype(np.float32)
    half = 0.55 * view.width / view.focal
    x = (rng.uniform(-half, half, count * 3) * z).astype(np.float32)
    height, slope_x, slope_z = (
        part[:, 0]
        for part in land.surface(x[:, None], z[:, None], np.full((len(x), 1), 0.002, np.float32))
    )
    tile = land.cover.tile
    size = tile.shape[0]
    clump = tile[(z * 90).astype(int) % size, (x * 90).astype(int) % size]
    # The middle stays open: the eye walks in between.
    aside = np.abs(x / z) / half
    good = (
        (height > 0.004)
        & (np.hypot(slope_x, slope_z) < 0.9)
        & (clump + 1.9 * aside - 0.7 > 0.25)
        & (height < 0.5)
    )
    chosen = np.flatnonzero(good)[:count]
    tall = 0.025 * rng.uniform(0.55, 1.25, len(chosen))
    return np.stack([x[chosen], z[chosen], tall], axis=1).astype(np.float32)
