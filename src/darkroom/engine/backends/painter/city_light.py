"""The light of a city: every visible wall shaded at once, its windows by day, its lamps by
night."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from darkroom.engine.backends.painter.city_plan import FRONT, ROOF, SIDE, Boxes, Eye, drawn_faces
from darkroom.engine.backends.painter.mottle import FloatArray
from darkroom.engine.backends.painter.scene import Scene
from darkroom.engine.backends.painter.sky import Sky

# By time of day: share of lit windows, light on fronts, on the sunny and on the shady sides, air
# light.
HOURS = {
    "dawn": (0.22, 0.24, 0.55, 0.10, 0.50),
    "sunrise": (0.12, 0.30, 0.95, 0.10, 0.50),
    "day": (0.0, 0.72, 0.95, 0.12, 0.52),
    "golden": (0.05, 0.45, 1.05, 0.08, 0.50),
    "sunset": (0.15, 0.22, 0.90, 0.05, 0.42),
    "dusk": (0.48, 0.06, 0.14, 0.03, 0.42),
    "night": (0.52, 0.02, 0.05, 0.01, 0.30),
}
_WALLS = np.array(
    [
        [0.60, 0.57, 0.53], [0.40, 0.46, 0.54], [0.52, 0.42, 0.36], [0.70, 0.69, 0.67],
        [0.30, 0.37, 0.45], [0.47, 0.48, 0.50], [0.64, 0.56, 0.46], [0.34, 0.42, 0.46],
    ], np.float32,
)  # fmt: skip
_GLASSY = np.array([0.45, 0.85, 0.4, 0.5, 0.9, 0.6, 0.42, 0.88], np.float32)
_LAMPS = np.array(
    [[1.0, 0.80, 0.50], [1.0, 0.88, 0.66], [1.0, 0.70, 0.36], [0.80, 0.90, 1.0]], np.float32
)
_NEON = np.array(
    [[1.0, 0.16, 0.62], [0.10, 0.85, 1.0], [0.62, 0.25, 1.0], [1.0, 0.45, 0.12], [0.15, 1.0, 0.65]],
    np.float32,
)


class _Seen(msgspec.Struct, frozen=True):
    """The pixels that show walls: their place in metres on the wall, distance, face and house."""

    place: NDArray[np.int64]
    face: NDArray[np.int32]
    box: NDArray[np.int32]
    house: NDArray[np.uint32]
    across: FloatArray
    up: FloatArray
    far: FloatArray


def raised(
    rgb: FloatArray, boxes: Boxes, eye: Eye, scene: Scene, air: Sky, reach: float
) -> tuple[FloatArray, FloatArray]:
    """Draw the city over a picture in place; returns its lamps' light (height, width, 3) for the
    glow, and 1 / distance (height, width) in metres, 0 where no house stands.

    `reach` is how far one sees, in metres.
    """
    behind = rgb[int(np.clip(eye.horizon - 2, 0, rgb.shape[0] - 1))].copy()
    owner = np.zeros(rgb.shape[:2], np.float32)
    labels, outlines = drawn_faces(boxes, eye)
    shapes = np.round(np.clip(outlines, -16000, 16000) * 16 - 8).astype(np.int32)
    for label, shape in zip(labels.tolist(), shapes, strict=True):
        cv2.fillPoly(owner, [shape], label, shift=4)
    seen = _looked_up(owner, boxes, eye)
    colour, lamps = _walls(seen, boxes, eye, scene, air)
    thin = np.exp(-seen.far / reach)[:, None]
    haze = behind
    if HOURS[scene.time][0] > 0.3:
        haze = haze + np.array([0.10, 0.075, 0.06], np.float32)
    haze = haze[seen.place % rgb.shape[1]]
    shown = haze + (colour - haze) * thin
    lamps *= 0.25 + 0.75 * thin
    flat = rgb.reshape(-1, 3)
    flat[seen.place] = np.clip(shown + lamps, 0, 1)
    glow = np.zeros_like(rgb)
    glow.reshape(-1, 3)[seen.place] = lamps
    _smoothed_edges(rgb, owner)
    near = np.zeros(rgb.shape[:2], np.float32)
    near.reshape(-1)[seen.place] = 1.0 / seen.far
    return glow, near


def _looked_up(owner: FloatArray, boxes: Boxes, eye: Eye) -> _Seen:
    """Find where on which wall each pixel looks, from the plane that its wall lies in."""
    place = np.flatnonzero(owner)
    label = owner.reshape(-1)[place].astype(np.int32)
    box, face = label >> 2, label & 3
    row = place // owner.shape[1]
    slope_x = ((place - row * owner.shape[1]) + np.float32(0.5 - eye.width / 2)) / eye.focal
    slope_x = slope_x.astype(np.float32)
    slope_y = ((eye.horizon - 0.5 - row) / eye.focal).astype(np.float32)
    sides = boxes.sides[box]
    wall_x = np.where(sides[:, 1] < 0, sides[:, 1], sides[:, 0])
    steep = np.where(np.abs(slope_x) < 1e-5, 1e-5, slope_x)
    level = np.where(np.abs(slope_y) < 1e-5, -1e-5, slope_y)
    far = np.where(face == SIDE, wall_x / steep, sides[:, 2])
    far = np.where(face == ROOF, (sides[:, 5] - eye.above) / level, far)
    far = np.clip(far, sides[:, 2], sides[:, 3]).astype(np.float32)
    up = eye.above + slope_y * far
    across = np.where(face == SIDE, far - sides[:, 2], slope_x * far - sides[:, 0])
    house = boxes.house[box].astype(np.uint32)
    return _Seen(place, face, box, house, across.astype(np.float32), up.astype(np.float32), far)


def _walls(
    seen: _Seen, boxes: Boxes, eye: Eye, scene: Scene, air: Sky
) -> tuple[FloatArray, FloatArray]:
    """Returns display colours and lamp light of the seen pixels, (n, 3) each."""
    lit_share, front, sunny, shady, ambient = HOURS[scene.time]
    kind = (_chance(seen.house, 1) * 7.99).astype(np.int32)
    from_right = air.sun_direction[0] > 0
    right_face = boxes.sides[seen.box, 1] < 0
    side = np.where(right_face == from_right, np.float32(sunny), np.float32(shady))
    direct = np.where(seen.face == FRONT, np.float32(front), side)
    direct = np.where(seen.face == ROOF, np.float32(0.5 * sunny), direct)
    closed = scene.weather in ("overcast", "rain", "storm", "fog", "snow")
    direct *= 0.25 if closed else 1.0
    sky_top = np.array(air.ambient_top, np.float32)
    sky_low = np.array(air.ambient_horizon, np.float32)
    open_to = (0.5 + 0.5 * np.clip(seen.up / 60, 0, 1)) * ambient * (1.4 if closed else 1.0)
    fill = (sky_top * 0.5 + sky_low * 0.5 + 0.12) * open_to[:, None]
    sun = np.array(air.sun_colour, np.float32)
    shade = fill + sun * direct[:, None]
    wall = _WALLS[kind] * (0.82 + 0.36 * _chance(seen.house, 2))[:, None]
    window, lit, cell = _windows(seen, eye, lit_share)
    glass = _GLASSY[kind] * window * (seen.face != ROOF)
    mirror = np.clip(seen.up / 150, 0, 1)[:, None]
    reflected = sky_low * 0.8 + (sky_top - sky_low * 0.8) * mirror
    reflected = reflected * (0.42 + 0.38 * _chance(cell, 5))[:, None]
    if not closed:
        reflected += sun * (direct * 0.22)[:, None]
    colour = wall * shade
    colour += (reflected - colour) * (glass * 0.75)[:, None]
    if scene.season == "winter" or scene.weather == "snow":
        colour = np.where((seen.face == ROOF)[:, None], (fill + sun * 0.5 * sunny) * 1.25, colour)
    lamp = _LAMPS[(_chance(seen.house, 7) * 2.3 + _chance(cell, 6) * 1.69).astype(np.int32)]
    lamps = lamp * (lit * window * (0.45 + 0.6 * _chance(cell, 8)))[:, None]
    if lit_share > 0.2:
        street = np.exp(-np.maximum(seen.up, 0) / 14) * 0.5 * lit_share * (seen.face != ROOF)
        lamps += np.array([1.0, 0.66, 0.34], np.float32) * (street * (1 - 0.5 * window))[:, None]
    if "neon" in scene.extras:
        lamps = lamps * np.float32(0.8) + _signs(seen, boxes, eye, cell)
    return colour.astype(np.float32), lamps.astype(np.float32)


def _windows(
    seen: _Seen, eye: Eye, lit_share: float
) -> tuple[FloatArray, FloatArray, NDArray[np.uint32]]:
    """Returns how much of each pixel is window, whether it is lit, and the window's number.

    Windows too small to be seen join into larger ones, so that the distance still sparkles.
    """
    pixel = seen.far / np.float32(eye.focal)
    wide = 2.0 + 1.8 * _chance(seen.house, 3)
    tall = 2.8 + 0.7 * _chance(seen.house, 4)
    join = np.exp2(np.ceil(np.log2(np.maximum(1.7 * pixel / np.minimum(wide, tall), 1))))
    wide, tall = wide * join, tall * join
    x, y = seen.across / wide, seen.up / tall
    column, row = np.floor(x), np.floor(y)
    share_x = np.where(_chance(seen.house, 9) < 0.35, np.float32(0.98), np.float32(0.62))
    share_y = np.where(_chance(seen.house, 10) < 0.25, np.float32(0.97), np.float32(0.60))
    edge_x = np.clip((share_x / 2 - np.abs(x - column - 0.5)) * wide / pixel + 0.5, 0, 1)
    edge_y = np.clip((share_y / 2 - np.abs(y - row - 0.5)) * tall / pixel + 0.5, 0, 1)
    cell = (
        column.astype(np.int32).astype(np.uint32) * np.uint32(73856093)
        ^ row.astype(np.int32).astype(np.uint32) * np.uint32(19349663)
        ^ seen.house * np.uint32(83492791)
        ^ seen.face.astype(np.uint32) * np.uint32(2654435)
    )
    floor = seen.house * np.uint32(7919) ^ row.astype(np.int32).astype(np.uint32)
    awake = lit_share * (0.25 + 1.5 * _chance(seen.house, 11)) * (0.45 + 1.1 * _chance(floor, 12))
    lit = (_chance(cell, 13) < awake) & (seen.face != ROOF) & (seen.up > 4)
    return (edge_x * edge_y).astype(np.float32), lit.astype(np.float32), cell


def _signs(seen: _Seen, boxes: Boxes, eye: Eye, cell: NDArray[np.uint32]) -> FloatArray:
    """Neon along the edges and crowns of some towers, and bright boards on some fronts."""
    sides = boxes.sides[seen.box]
    pixel = seen.far / np.float32(eye.focal)
    wide = np.where(seen.face == SIDE, sides[:, 3] - sides[:, 2], sides[:, 1] - sides[:, 0])
    line = np.maximum(0.5, 0.8 * pixel)
    edge = np.minimum(seen.across, wide - seen.across) < line
    crown = sides[:, 5] - seen.up < line * 1.5
    chosen = _chance(seen.house, 21) < 0.42
    colour = _NEON[(_chance(seen.house, 22) * 4.99).astype(np.int32)]
    level = np.floor(seen.up / 17)
    board_cell = level.astype(np.int32).astype(np.uint32) * np.uint32(99991) ^ seen.house
    start = _chance(board_cell, 24) * 0.6
    within = (seen.across / wide > start) & (seen.across / wide < start + 0.3)
    within &= (seen.up / 17 - level > 0.15) & (seen.up / 17 - level < 0.85)
    board = (_chance(board_cell, 23) < 0.13) & within & (seen.face != ROOF) & (seen.up < 150)
    board_colour = _NEON[(_chance(board_cell, 25) * 4.99).astype(np.int32)]
    shine = ((edge | crown) & chosen & (seen.face != ROOF)).astype(np.float32)[:, None]
    letters = np.where(_chance(cell, 26) > 0.4, np.float32(1.0), np.float32(0.35))
    return np.asarray(colour * shine * 0.9 + board_colour * (board * letters)[:, None], np.float32)


def _chance(number: NDArray[np.uint32], salt: int) -> FloatArray:
    """A number 0..1 that depends on whole numbers alone."""
    mixed = (number + np.uint32(salt * 2654435)) * np.uint32(2246822519)
    mixed ^= mixed >> np.uint32(15)
    mixed *= np.uint32(3266489917)
    mixed ^= mixed >> np.uint32(13)
    return (mixed & np.uint32(0xFFFF)).astype(np.float32) * np.float32(1 / 65535)


def _smoothed_edges(rgb: FloatArray, owner: FloatArray) -> None:
    """Blend the pixels on the borders of walls with their neighbours: no stairs."""
    border = cv2.morphologyEx(owner, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0
    calm = cv2.GaussianBlur(rgb, (3, 3), 0.7)
    rgb[border] = calm[border]
