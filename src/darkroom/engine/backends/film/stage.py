"""A picture as a stage: plates one behind the other, each with its depth, seen by a moving eye."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.film import warps
from darkroom.engine.backends.film.camera import Pose
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.pictures import Pixels

# Depth is looked up on a grid this coarse and enlarged: within a plate it changes slowly.
_GRID = 4
# Takes canvas places (x, y; both (rows, columns), pixels) and seconds; returns how far to look
# aside from there.
Sway = Callable[[FloatArray, FloatArray, float], tuple[FloatArray, FloatArray]]


class Plate(msgspec.Struct):
    """One layer of a stage: `rgba` uint8 (H, W, 4), colours multiplied by cover, which never
    changes; `near` (h, w) is its inverse distance 0..1, coarser than the canvas; `sway` moves what
    is on it, worked out on a `grid` of 4 pixels or of 2."""

    rgba: Pixels
    near: FloatArray
    sway: Sway | None = None
    grid: int = _GRID
    used: tuple[int, int] | None = None  # found out: its first row and its last; none: empty

    def __post_init__(self) -> None:
        rows = np.flatnonzero(self.rgba[..., 3].any(axis=1))
        self.used = (int(rows[0]), int(rows[-1])) if rows.size else None


class Frame(msgspec.Struct, frozen=True):
    """How a frame is cut from a canvas: both sizes (width, height), the horizon's row on the
    canvas, and how many canvas pixels a frame's pixel spans before any zoom."""

    size: tuple[int, int]
    canvas: tuple[int, int]
    horizon: float
    span: float

    def places(self, pose: Pose, grid: int = 1) -> tuple[FloatArray, FloatArray]:
        """Returns the canvas places (1, columns) and (rows, 1) of far things at grid points."""
        width, height = self.size
        x = (np.arange(-(-width // grid), dtype=np.float32) + 0.5) * np.float32(grid) - 0.5
        y = (np.arange(-(-height // grid), dtype=np.float32) + 0.5) * np.float32(grid) - 0.5
        step, shift_x, shift_y = self.far(pose)
        return (x * step + shift_x)[None], (y * step + shift_y)[:, None]

    def far(self, pose: Pose) -> tuple[np.float32, np.float32, np.float32]:
        """Returns how a frame pixel lies on the canvas for far things: step, and x, y of (0, 0).

        A view that would leave the canvas stops at its edge.
        """
        step = self.span / pose.zoom
        room_x = max(0.0, (self.canvas[0] - 1 - step * (self.size[0] - 1)) / 2)
        room_y = max(0.0, (self.canvas[1] - 1 - step * (self.size[1] - 1)) / 2)
        yaw = float(np.clip(pose.yaw * self.canvas[0], -room_x, room_x))
        pitch = float(np.clip(pose.pitch * self.canvas[0], -room_y, room_y))
        shift_x = (self.canvas[0] - 1) / 2 + yaw - step * (self.size[0] - 1) / 2
        shift_y = (self.canvas[1] - 1) / 2 - pitch - step * (self.size[1] - 1) / 2
        return np.float32(step), np.float32(shift_x), np.float32(shift_y)

    def matrix(self, pose: Pose, scale: float) -> FloatArray:
        """Returns the affine map (2, 3) from frame pixels to a copy of the canvas `scale` large."""
        step, x, y = self.far(pose)
        off = 0.5 * scale - 0.5
        return np.array(
            [[step * scale, 0, x * scale + off], [0, step * scale, y * scale + off]], np.float32
        )


class Seen(msgspec.Struct, frozen=True):
    """What a frame shows of a plate: `pixels` (count, width, 4) in some of its rows, which from the
    row `solid` on hide all that lies behind."""

    rows: slice
    pixels: Pixels
    solid: int


def look(plates: list[Plate], cut: Frame, pose: Pose, seconds: float) -> tuple[list[Seen], int]:
    """Returns what a pose sees of plates, far to near, and the frame's row from which on nothing
    shows that lies behind them; nor is it worked out what of a plate nearer ones hide there."""
    seen, end = [], cut.size[1]
    for plate in reversed(plates):
        warp = _warp(plate, cut, pose, seconds, end)
        if warp is None:
            continue
        rows, at_x, at_y = warp
        pixels = warps.mapped(plate.rgba, at_x, at_y, cv2.BORDER_REFLECT)
        open_lines = np.flatnonzero(cv2.extractChannel(pixels, 3).min(axis=1) < 255)
        solid = rows.start + (int(open_lines[-1]) + 1 if len(open_lines) else 0)
        seen.append(Seen(rows, pixels, solid))
        if rows.stop >= end:
            end = solid
    return seen[::-1], end


def lay(frame: Pixels, seen: list[Seen], gain: Pixels | None = None) -> None:
    """Lay what is seen of plates, far to near, over a frame (height, width, 3), in place.

    `gain` (height, width, 3) is the light on them, in 200ths.
    """
    for one in seen:
        colour = warps.narrowed(one.pixels)
        if gain is not None:
            colour = cv2.multiply(colour, gain[one.rows], scale=1 / 200)
        count = one.solid - one.rows.start
        if count:
            part = frame[one.rows.start : one.solid]
            open_share = cv2.bitwise_not(cv2.extractChannel(one.pixels[:count], 3))
            behind = cv2.multiply(part, cv2.cvtColor(open_share, cv2.COLOR_GRAY2RGB), scale=1 / 255)
            part[:] = cv2.add(behind, colour[:count])
        frame[one.solid : one.rows.stop] = colour[count:]


def _warp(
    plate: Plate, cut: Frame, pose: Pose, seconds: float, end: int
) -> tuple[slice, FloatArray, FloatArray] | None:
    """Returns the frame's rows before `end` that may show the plate, and where they look."""
    if plate.used is None:
        return None
    top, bottom = plate.used
    x, y = cut.places(pose, _GRID)
    at_x, at_y = seen_places(plate.near, cut, pose, (x, y[: -(-end // _GRID) + 1]))
    # Beyond the canvas the plate is mirrored: there it has no end.
    low = np.inf if bottom == plate.rgba.shape[0] - 1 else bottom + 2 * _GRID
    lines = np.flatnonzero(((at_y >= top - 2 * _GRID) & (at_y <= low)).any(axis=1))
    if not len(lines):
        return None
    first, last = max(0, int(lines[0]) - 1), min(len(at_y), int(lines[-1]) + 2)
    rows = slice(first * _GRID, min(last * _GRID, end))
    if rows.start >= rows.stop:
        return None
    at_x, at_y = at_x[first:last], at_y[first:last]
    if plate.sway is not None:
        at_x, at_y = (_enlarged(one, _GRID // plate.grid) for one in (at_x, at_y))
        aside_x, aside_y = plate.sway(at_x, at_y, seconds)
        at_x, at_y = at_x + aside_x, at_y + aside_y
    scale = plate.grid if plate.sway is not None else _GRID
    count, columns = rows.stop - rows.start, cut.size[0]
    large_x, large_y = (_enlarged(one, scale)[:count, :columns] for one in (at_x, at_y))
    return rows, large_x, large_y


def _enlarged(coarse: FloatArray, grid: int) -> FloatArray:
    if grid == 1:
        return coarse
    size = (coarse.shape[1] * grid, coarse.shape[0] * grid)
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR), np.float32)


def seen_places(
    near: FloatArray, cut: Frame, pose: Pose, far: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Returns where on the canvas the pose sees a surface of inverse distance `near`.

    `far` are the places where it would see infinitely far things. A camera that went right by r
    and ahead by a sees a point of inverse distance d, once at x, now at (x - r d) / (1 - a d);
    solved backwards by looking the depth up where the last round ended.
    """
    width, height = cut.canvas
    x, y = np.broadcast_arrays(*far)
    middle_x, middle_y = np.float32(width / 2), np.float32(cut.horizon)
    across = np.float32(pose.right * width)
    rise = np.float32(-pose.up * width)
    scale_x, scale_y = near.shape[1] / width, near.shape[0] / height
    at_x, at_y = x, y
    for _ in range(3):
        depth = cv2.remap(
            near,
            np.asarray(at_x * scale_x - 0.5, np.float32),
            np.asarray(at_y * scale_y - 0.5, np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        shrink = 1.0 - np.float32(pose.ahead) * depth
        at_x = (x - middle_x) * shrink + middle_x + across * depth
        at_y = (y - middle_y) * shrink + middle_y + rise * depth
    return np.asarray(at_x, np.float32), np.asarray(at_y, np.float32)
