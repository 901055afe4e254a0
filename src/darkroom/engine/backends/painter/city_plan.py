"""The plan of a city: towers as stacks of boxes in metres, from far to near, as an eye sees
them."""

from __future__ import annotations

from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from darkroom.engine.backends.painter.mottle import FloatArray

FRONT, SIDE, ROOF = 1, 2, 3
Metres = TypeVar("Metres", float, NDArray[np.float64])
_BOXES_MAX = 9000


class Eye(msgspec.Struct, frozen=True):
    """A pinhole camera: canvas in pixels, the horizon's row, focal length in pixels, height in
    metres."""

    width: int
    height: int
    horizon: float
    focal: float
    above: float

    def point(self, x: Metres, y: Metres, z: Metres) -> tuple[Metres, Metres]:
        """Returns the pixel (x, y) of a place in metres: right, up from the ground, ahead."""
        scale = self.focal / z
        return self.width / 2 + x * scale, self.horizon - (y - self.above) * scale


class Boxes(msgspec.Struct, frozen=True):
    """Boxes in drawing order: (n, 6) left, right, near, far, foot, top in metres; house and crown
    of each.

    `cut` (n, 4) moves the four upper front corners' share of the width and top: left and right
    inset, left and right drop, in metres.
    """

    sides: FloatArray
    house: NDArray[np.int32]
    cut: FloatArray


def skyline(eye: Eye, shore: float, rng: np.random.Generator, tall: float) -> Boxes:
    """Plan a downtown across the water: low at the shore at `shore` metres, towers behind."""
    made: list[tuple[float, ...]] = []
    span = eye.width / eye.focal
    hearts = rng.uniform(-0.33, 0.33, 3) * span
    heights = rng.uniform(0.6, 1.0, 3) * (1.0, 0.75, 0.6)
    houses = 0
    z = shore
    for row in range(11):
        depth = 34.0 + 8 * row
        x = -0.56 * span * z
        while x < 0.56 * span * z and len(made) < _BOXES_MAX:
            wide = float(rng.uniform(20, 48)) * (1 + 0.06 * row)
            at = (x + wide / 2) / z
            bump = float(
                (heights * np.exp(-(((at - hearts) / (0.11 * max(span, 0.6))) ** 2))).sum()
            )
            grow = min(1.0, 0.16 + row * 0.16) * (1.0 if row < 7 else 0.8)
            height = (14 + 30 * rng.random() + 235 * bump * grow * rng.random() ** 1.4) * (
                tall * (0.75 + z / shore * 0.25)
            )
            slim = height > 110 * tall and wide > 34
            wide = wide * 0.72 if slim else wide
            if rng.random() < (0.92 if row < 3 else 0.7):
                _house(made, (x, wide, z + rng.uniform(0, 6), depth), height, houses, rng)
                houses += 1
            x += wide + float(rng.choice([1.5, 5, 14], p=[0.55, 0.3, 0.15])) * (1 + 0.1 * row)
        z += depth + 16 + 12 * row
    return _sorted(made)


def aerial(eye: Eye, rng: np.random.Generator, tall: float) -> Boxes:
    """Plan a whole city seen from above: blocks of 92 metres with streets of 20 between them."""
    made: list[tuple[float, ...]] = []
    span = eye.width / eye.focal
    near = eye.above / ((eye.height - eye.horizon) / eye.focal) * 1.15
    heart = rng.uniform(-0.22, 0.22) * span
    houses = 0
    row = int(near // 92)
    while row * 92 < near + 6500 and len(made) < _BOXES_MAX:
        z = row * 92.0
        reach = 0.53 * span * (z + 92)
        for column in range(int(-reach // 92), int(reach // 92) + 1):
            at = (column * 92 + 46) / z
            downtown = np.exp(-(((at - heart) / 0.24) ** 2) - ((z - near - 900) / 620) ** 2)
            fringe = np.exp(-(((at + 1.6 * heart) / 0.3) ** 2) - ((z - near - 2500) / 900) ** 2)
            parts = int(rng.choice([1, 2, 3], p=[0.3, 0.45, 0.25])) if z < near + 2600 else 1
            for k in range(parts):
                wide = 72 / parts - 3
                height = (
                    12 + 26 * rng.random() + (400 * downtown + 260 * fringe) * rng.random() ** 1.5
                )
                if z < near + 300:
                    height = min(height, eye.above * 0.5)
                place = (column * 92 + 10 + k * 72 / parts, wide, z + 10, rng.uniform(40, 72))
                _house(made, place, height * (0.6 + 0.4 * tall), houses, rng)
                houses += 1
        row += 1
    return _sorted(made)


def drawn_faces(boxes: Boxes, eye: Eye) -> tuple[NDArray[np.int32], FloatArray]:
    """Returns box * 4 + face (n,) of every visible face, in drawing order, and the pixels (n, 4, 2)
    of its corners."""
    left, right, near, far, foot, top = boxes.sides.T.astype(np.float64)
    in_left, in_right, drop_left, drop_right = boxes.cut.T.astype(np.float64)
    from_left = left > 0
    wall = np.where(from_left, left, right)
    inner = wall + np.where(from_left, in_left, -in_right)
    high = top - np.where(from_left, drop_left, drop_right)
    x = [
        *(left, right, right, left),
        *(wall, inner, inner, wall),
        *(left, left + in_left, right - in_right, right),
    ]
    y = [*(top, top, top, top), *(foot, high, high, foot)]
    y += [foot, top - drop_left, top - drop_right, foot]
    z = [*(near, near, far, far), *(near, near, far, far), *(near, near, near, near)]
    pixels = eye.point(*(np.stack(one, 1) for one in (x, y, z)))
    outlines = np.stack(pixels, 2).reshape(-1, 3, 4, 2).astype(np.float32)
    is_seen = np.stack([top < eye.above, (right < 0) | from_left, np.full(len(top), True)], 1)
    labels = np.arange(len(top), dtype=np.int32)[:, None] * 4 + np.array(
        [ROOF, SIDE, FRONT], np.int32
    )
    return labels[is_seen], outlines[is_seen]


def _house(
    made: list[tuple[float, ...]],
    place: tuple[float, float, float, float],
    height: float,
    house: int,
    rng: np.random.Generator,
) -> None:
    """Add one building: a slab, a stepped tower, a needle, a slanted or a pointed one, with its
    roof things."""
    x, wide, z, deep = place
    kind = rng.random() if height > 70 else 1.0

    def box(share: float, foot: float, top: float, cut: tuple[float, ...] = (0, 0, 0, 0)) -> None:
        gap = wide * (1 - share) / 2
        inset = deep * (1 - share) / 2
        made.append((x + gap, x + wide - gap, z + inset, z + deep - inset, foot, top, house, *cut))

    if kind < 0.34:  # stepped
        steps = int(rng.integers(2, 5))
        foot, share = 0.0, 1.0
        for k in range(steps):
            top = height * (0.5 + 0.5 * (k + 1) / steps) if k else height * rng.uniform(0.42, 0.62)
            box(share, foot, top)
            foot, share = top, share * rng.uniform(0.66, 0.84)
        if rng.random() < 0.6:
            box(0.07, foot, foot + height * rng.uniform(0.1, 0.24))
    elif kind < 0.48:  # tapered to a needle
        box(1.0, 0, height * 0.86, (wide * 0.16, wide * 0.16, 0, 0))
        box(0.5, height * 0.86, height * 0.93, (wide * 0.12, wide * 0.12, 0, 0))
        box(0.06, height * 0.93, height * 1.2, (wide * 0.02, wide * 0.02, 0, 0))
    elif kind < 0.62:  # slanted roof
        drop = wide * rng.uniform(0.5, 1.1)
        box(1.0, 0, height, (0, 0, drop, 0) if rng.random() < 0.5 else (0, 0, 0, drop))
    elif kind < 0.76:  # pyramid crown
        box(1.0, 0, height * 0.88)
        box(0.8, height * 0.88, height * 1.04, (wide * 0.38, wide * 0.38, 0, 0))
        box(0.04, height * 1.0, height * 1.12)
    else:
        box(1.0, 0, height)
        if height > 26:
            box(rng.uniform(0.25, 0.6), height, height + rng.uniform(3, 7))
        if height > 110 and rng.random() < 0.5:
            box(0.03, height, height * 1.16)


def _sorted(made: list[tuple[float, ...]]) -> Boxes:
    """Far before near; in a row, outer before inner, so that nearer faces cover farther ones."""
    rows = np.array(made, np.float32)
    middle = np.abs(rows[:, 0] + rows[:, 1])
    order = np.lexsort((rows[:, 4], -middle, -np.round(rows[:, 2] / 8)))
    rows = rows[order]
    return Boxes(rows[:, :6], rows[:, 6].astype(np.int32), rows[:, 7:11])
