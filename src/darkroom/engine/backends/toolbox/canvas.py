"""A larger canvas painted on around a picture, so that no seam shows."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.fill import Wish, fill
from darkroom.engine.backends.toolbox.salience import Flags, Floats
from darkroom.engine.backends.toolbox.steps import Progress, within

_STAY = 3e5
_EDGE, _EDGE_MAX = (
    0.25,
    0.3,
)  # how deep edges darken, of the picture; how much at most, in logarithms
_SUBJECT_MAX = 0.65  # of the picture; more than that is no subject on a ground
# How much of a side a subject takes that is cut off by it; a head may just touch the top.
_TOUCHES, _TOUCHES_TOP = 0.04, 0.3
_ACROSS, _ABOVE, _BELOW = 0.8, 0.3, 0.35  # how deep into the picture the surround is taken from


def expand(
    picture: Pixels,
    canvas: tuple[int, int],
    place: tuple[int, int],
    seed: int,
    progress: Progress,
    front: Flags,
) -> Pixels:
    """Returns RGB uint8 of the size `canvas` (width, height) with `picture` at `place` (left, top).

    `front` is its subject at any size. The picture's own pixels are unchanged. The surround begins
    as the picture mirrored at its edges and stretched the more the farther out, without the
    subject where that does not reach the edge; then it is made anew from small pieces of the
    picture, so that nothing looks drawn out.
    """
    width, height = canvas
    left, top = place
    high, wide = picture.shape[:2]
    hole = np.ones((height, width), np.bool_)
    hole[top : top + high, left : left + wide] = False
    if not hole.any():
        return picture
    subject = _widened(front, (wide, high))
    empty = fill(picture, subject, Wish(seed, stay=_STAY), within(progress, 0.0, 0.4))
    across = _inward(width, left, wide, (_ACROSS, _ACROSS))
    down = _inward(height, top, high, (_ABOVE, _BELOW))
    grid = np.tile(across, (height, 1)), np.tile(down[:, None], (1, width))
    guess = np.asarray(cv2.remap(empty, *grid, cv2.INTER_LINEAR), np.uint8)
    own = cv2.remap(picture, *grid, cv2.INTER_LINEAR)
    for strip, cut in _cut_off(front, (left, top, wide, high)):
        guess[strip] = np.where(cut, own[strip], guess[strip])
    guess[top : top + high, left : left + wide] = picture
    wish = Wish(seed, guess=guess, stay=_STAY)
    whole = fill(guess, hole, wish, within(progress, 0.4, 1.0))
    light = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    beside = _levelled(light, left, across)
    above = _levelled(light.T, top, down)
    for y in range(height):
        outside = hole[y]
        lit = whole[y, outside] * (beside[outside] * above[y])[:, None]
        whole[y, outside] = np.clip(lit + 0.5, 0, 255)
    return whole


def _levelled(light: Pixels, start: int, inward: Floats) -> Floats:
    """What to multiply the surround with, place by place along one axis, so that it goes on as
    light as the picture's edge is. Mirrored alone, the darkening of most pictures towards their
    edges would draw a frame; `start` is where the picture begins, `inward` the places in it that
    each place is mirrored from."""
    moved = inward + np.float32(start) - np.arange(len(inward), dtype=np.float32)
    own = light.shape[1]
    deep = max(2, round(own * _EDGE))
    factor = np.ones(len(inward), np.float32)
    logs = np.log(cv2.blur(light, (3, 9)).astype(np.float32) + 8)
    for side, beyond in ((logs[:, :deep], moved > 0), (logs[:, ::-1][:, :deep], moved < 0)):
        rising = np.median(side - side[:, :1], axis=0)
        rising = np.clip(
            cv2.GaussianBlur(rising[None], (0, 0), deep / 12)[0], -_EDGE_MAX, _EDGE_MAX
        )
        rising -= rising[0]
        if not beyond.any():
            continue
        inside = inward[beyond] if moved[beyond][0] > 0 else own - 1 - inward[beyond]
        gained = np.interp(inside, np.arange(deep), rising)
        far = np.abs(moved[beyond]) - inside
        factor[beyond] = np.exp(-gained * np.exp(-np.maximum(far, 0) / (0.6 * own)))
    return factor


def _inward(length: int, start: int, own: int, deep: tuple[float, float]) -> Floats:
    """For each place along a canvas the place in the picture: its own, or as far inside an edge
    as outside, nearing a part `deep` of the picture."""
    at = np.arange(length, dtype=np.float32) - start
    before, behind = deep[0] * own, deep[1] * own
    mirrored = np.where(at < 0, before * (1 - np.exp(np.minimum(at, 0) / before)), at)
    beyond = np.maximum(at - (own - 1), 0)
    mirrored = np.where(at > own - 1, own - 1 - behind * (1 - np.exp(-beyond / behind)), mirrored)
    return np.asarray(np.clip(mirrored, 0, own - 1), np.float32)


def _cut_off(
    front: Flags, place: tuple[int, int, int, int]
) -> Iterator[tuple[tuple[slice, slice], Flags]]:
    """What lies beyond each side of the picture, and where along that side it cuts the subject
    off, so that the subject goes on there."""
    left, top, wide, high = place
    across, down = slice(left, left + wide), slice(top, top + high)
    sides = (
        (front[:, 0], (down, slice(0, left)), _TOUCHES),
        (front[:, -1], (down, slice(left + wide, None)), _TOUCHES),
        (front[0], (slice(0, top), across), _TOUCHES_TOP),
        (front[-1], (slice(top + high, None), across), _TOUCHES),
    )
    for side, strip, least in sides:
        if side.mean() > least:
            upright = strip[0] is down
            size = (1, high) if upright else (wide, 1)
            line = side[:, None] if upright else side[None]
            cut = cv2.resize(line.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            yield strip, cut[..., None] > 0


def _widened(front: Flags, size: tuple[int, int]) -> Flags:
    """The subject at full size (width, height) with its rim; nothing if that is nearly all of
    the picture or goes from side to side: then it is a scene."""
    grown = cv2.dilate(front.astype(np.uint8), np.ones((9, 9), np.uint8))
    both_sides = min(front[:, 0].mean(), front[:, -1].mean()) > _TOUCHES
    if both_sides or grown.mean() > _SUBJECT_MAX:
        grown[:] = 0
    return np.asarray(cv2.resize(grown, size, interpolation=cv2.INTER_NEAREST) > 0, np.bool_)
