"""Holes in a picture filled with pieces of the rest of it, from coarse to fine."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.matting import spread
from darkroom.engine.backends.toolbox.patches import RADIUS, Field, Layer, search, settle, vote
from darkroom.engine.backends.toolbox.salience import Flags, Floats
from darkroom.engine.backends.toolbox.steps import Progress

_SIDE_MAX = 448
_SIDE_MIN = 40
_GUESS_DEPTH = 40.0  # of the hole at the first size, pixels, where there is a guess to begin from
_STRIP = 256
_EVEN = 2.0
_NEAR = 3
_JOIN_SIDE, _JOIN_DEPTH, _JOINED_MAX = 1200, 40.0, 64.0
_HOLE_SMALL = 12_000  # pixels; a hole of fewer is cheap
_ROUNDS_COARSE, _ROUNDS_GUESSED, _ROUNDS_FINE, _ROUNDS_SMALL = 8, 3, 2, 5


class Wish(msgspec.Struct, frozen=True):
    """How a hole is to be filled.

    `guess` is a first picture to begin from, RGB uint8 of the whole size, that settles what is
    where; `stay` is how strongly pieces come from their own height in the picture, 0 for anywhere.
    """

    seed: int
    guess: Pixels | None = None
    stay: float = 0.0


def fill(pixels: Pixels, hole: Flags, wish: Wish, progress: Progress) -> Pixels:
    """Returns RGB uint8 (h, w, 3) whose `hole` continues the rest; known pixels are unchanged.

    Every small piece in the hole shall occur somewhere outside of it (Wexler et al., "Space-Time
    Completion of Video", 2007), found by PatchMatch (Barnes et al., 2009). It works on a small
    picture; the fine detail is then copied from where the pieces came from.
    """
    if not hole.any() or hole.all():
        return pixels
    levels = _levels(pixels, hole, wish)
    if not all(layer.usable.any() for layer in levels):
        return _begun(pixels, hole, wish)
    rng = np.random.default_rng(wish.seed)
    field: Field | None = None
    work = 0.0
    total = sum(float(layer.hole.size) * layer.rounds for layer in levels)
    for below, layer in zip([levels[0], *levels], levels, strict=False):
        if field is None:
            field = Field.random(layer, rng)
            search(layer, field, rng)
            search(layer, field, rng)
        else:
            field = Field.grown(field, below, layer)
            vote(layer, field)
        for _ in range(layer.rounds):
            search(layer, field, rng)
            vote(layer, field)
            work += layer.hole.size
            progress(0.9 * work / total)
    assert field is not None
    settle(levels[-1], field)
    result = _enlarged(pixels, hole, levels[-1], field)
    progress(1.0)
    return result


def _levels(pixels: Pixels, hole: Flags, wish: Wish) -> list[Layer]:
    """The picture at each size, the smallest first, its hole begun from the guess."""
    scales = [min(1.0, _SIDE_MAX / max(hole.shape))]
    depth = float(cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3).max())
    shallow = 3.0 if wish.guess is None else _GUESS_DEPTH
    while min(hole.shape) * scales[-1] > _SIDE_MIN and depth * scales[-1] > shallow:
        scales.append(scales[-1] / 2)
    begun = _begun(pixels, hole, wish)
    return [_layer(begun, hole, one, one == scales[-1], wish) for one in scales[::-1]]


def _layer(begun: Pixels, hole: Flags, scale: float, coarsest: bool, wish: Wish) -> Layer:
    size = (max(8, round(hole.shape[1] * scale)), max(8, round(hole.shape[0] * scale)))
    small = cv2.resize(begun, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    part = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    closed = np.asarray(part > 1e-3, np.bool_)
    rounds = _ROUNDS_FINE if closed.sum() > _HOLE_SMALL else _ROUNDS_SMALL
    if coarsest:
        rounds = _ROUNDS_COARSE if wish.guess is None else _ROUNDS_GUESSED
    return Layer(small, closed, _usable(closed), wish.stay, rounds)


def _usable(closed: Flags) -> Flags:
    """The middles of the pieces that lie inside the picture and hold no closed pixel."""
    box = np.ones((2 * RADIUS + 1, 2 * RADIUS + 1), np.uint8)
    framed = np.pad(closed.astype(np.uint8), RADIUS, constant_values=1)
    inner = slice(RADIUS, -RADIUS)
    return np.asarray(cv2.dilate(framed, box)[inner, inner] == 0, np.bool_)


def _begun(pixels: Pixels, hole: Flags, wish: Wish) -> Pixels:
    """The whole picture with a first guess in its hole."""
    if wish.guess is not None:
        return np.where(hole[..., None], wish.guess, pixels)
    small = min(1.0, 320 / max(hole.shape))
    size = (max(4, round(hole.shape[1] * small)), max(4, round(hole.shape[0] * small)))
    known = cv2.resize((~hole).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    light = cv2.resize(
        (pixels * ~hole[..., None]).astype(np.float32), size, interpolation=cv2.INTER_AREA
    )
    colours = np.asarray(light / np.maximum(known, 1e-3)[..., None], np.float32)
    smooth = spread(colours, (known > 0.5).astype(np.float32))
    large = cv2.resize(smooth, hole.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(hole[..., None], np.clip(large, 0, 255).astype(np.uint8), pixels)


def _enlarged(pixels: Pixels, hole: Flags, layer: Layer, field: Field) -> Pixels:
    """The hole at full size: detail from where each piece came from, colours from the layer.

    Between pieces from different places the detail is cross-faded.
    """
    size, small = hole.shape[::-1], layer.hole.shape[::-1]
    ratio = np.array(hole.shape, np.float32) / np.array(layer.hole.shape, np.float32)
    shift = np.zeros((*layer.hole.shape, 2), np.float32)
    shift[layer.targets[:, 0], layer.targets[:, 1]] = field.source - layer.targets
    shift = np.round(shift * ratio)
    copied = pixels.copy()
    for top in range(0, size[1], _STRIP):
        rows = np.flatnonzero(hole[top : top + _STRIP].any(axis=1))
        if len(rows):
            part = slice(top + int(rows[0]), top + int(rows[-1]) + 1)
            np.copyto(copied[part], _copied(pixels, shift, part), where=hole[part][..., None])
    off = layer.image - cv2.resize(copied, small, interpolation=cv2.INTER_AREA)
    off[~layer.hole] = 0
    # Only the wide differences: the narrow ones are the detail.
    share = cv2.GaussianBlur(layer.hole.astype(np.float32), (0, 0), _EVEN)
    off = cv2.GaussianBlur(off, (0, 0), _EVEN) / np.maximum(share, 1e-3)[..., None]
    off[~layer.hole] = 0
    for top in range(0, size[1], _STRIP):
        part = slice(top, min(size[1], top + _STRIP))
        if not hole[part].any():
            continue
        even = cv2.remap(off, *_cells(part, size, small), cv2.INTER_LINEAR)
        even += copied[part]
        filled = np.clip(even + np.float32(0.5), 0, 255).astype(np.uint8)
        np.copyto(copied[part], filled, where=hole[part][..., None])
    _join(copied, hole)
    return copied


def _join(pixels: Pixels, hole: Flags) -> None:
    """Let the filled pixels meet their known neighbours, in place: what still differs along the
    rim is taken away from the rim inwards."""
    scale = min(1.0, _JOIN_SIDE / max(hole.shape))
    size = (max(4, round(hole.shape[1] * scale)), max(4, round(hole.shape[0] * scale)))
    sides = [_near_mean(pixels, side, size) for side in (~hole, hole)]
    rim = (sides[0][1] > 0) & (sides[1][1] > 0)
    if not rim.any():
        return
    # Means on both sides, so that texture is not taken for a step.
    differs = np.clip(sides[0][0] - sides[1][0], -_JOINED_MAX, _JOINED_MAX)
    carried = spread(differs, rim.astype(np.float32))
    inside = cv2.resize(hole.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    carried *= np.exp(-depth / _JOIN_DEPTH)[..., None]
    for top in range(0, hole.shape[0], _STRIP):
        part = slice(top, min(hole.shape[0], top + _STRIP))
        more = cv2.remap(carried, *_cells(part, hole.shape[::-1], size), cv2.INTER_LINEAR)
        joined = np.clip(pixels[part] + more + np.float32(0.5), 0, 255).astype(np.uint8)
        np.copyto(pixels[part], joined, where=hole[part][..., None])


def _near_mean(pixels: Pixels, side: Flags, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """At a small size the mean colour of one side's pixels around each place, and how much of
    that side is there."""
    own = pixels if side.all() else np.where(side[..., None], pixels, np.uint8(0))
    share = cv2.resize(side.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    total = cv2.resize(own, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    near = (_NEAR, _NEAR)
    amount = np.asarray(cv2.blur(share, near), np.float32)
    means = cv2.blur(total, near) / np.maximum(amount, 1e-6)[..., None]
    return np.asarray(means, np.float32), np.where(amount > 0.02, amount, np.float32(0))


def _cells(part: slice, size: tuple[int, int], small: tuple[int, int]) -> tuple[Floats, Floats]:
    """For some rows of a picture of `size` (width, height) the columns and rows in a small one."""
    across = (np.arange(size[0], dtype=np.float32) + 0.5) * (small[0] / size[0]) - 0.5
    down = (np.arange(part.start, part.stop, dtype=np.float32) + 0.5) * (small[1] / size[1]) - 0.5
    x, y = np.meshgrid(np.clip(across, 0, small[0] - 1), np.clip(down, 0, small[1] - 1))
    return np.asarray(x, np.float32), np.asarray(y, np.float32)


def _copied(pixels: Pixels, shift: Floats, part: slice) -> Pixels:
    """Some rows as the pixels that the shifts of the four cells around each point to, blended."""
    height, width = pixels.shape[:2]
    across, down = _cells(part, (width, height), shift.shape[1::-1])
    left, top = np.floor(across), np.floor(down)
    own_x = np.arange(width, dtype=np.float32)[None]
    own_y = np.arange(part.start, part.stop, dtype=np.float32)[:, None]
    total = np.zeros((*across.shape, 3), np.float32)
    for dy in (0, 1):
        for dx in (0, 1):
            x = np.minimum(left + dx, shift.shape[1] - 1)
            y = np.minimum(top + dy, shift.shape[0] - 1)
            moved = np.asarray(cv2.remap(shift, x, y, cv2.INTER_NEAREST), np.float32)
            share = np.abs(1 - dy - (down - top)) * np.abs(1 - dx - (across - left))
            moved[..., 1] += own_x
            moved[..., 0] += own_y
            np.clip(moved[..., 1], 0, width - 1, out=moved[..., 1])
            np.clip(moved[..., 0], 0, height - 1, out=moved[..., 0])
            source = cv2.remap(
                pixels, moved[..., 1].copy(), moved[..., 0].copy(), cv2.INTER_NEAREST
            )
            total += source * share[..., None]
    return np.asarray(total + np.float32(0.5), np.uint8)
