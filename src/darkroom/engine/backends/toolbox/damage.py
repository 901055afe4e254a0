"""Where an old photo is scratched and dusty: thin lines and specks that nothing around explains."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.salience import Flags, Floats, to_lab

_SIDE = 800  # damage is looked for at this size at most
_LENGTH = 41  # of the line that gathers a scratch, pixels at that size
_TURNS = 20
_CAP = 30.0  # lightness; what stands out more counts no more
# How strong a scratch is, and how much of the longer side it takes: at least so much in an aged
# picture, and in another.
_STRENGTH = (6.0, 14.0)
_PART = (0.06, 0.16)
_SPECK_MIN = 10.0
_SPECK_PIXELS_MAX = 90
_COLOUR_MAX = 14.0  # of chroma that a mark may have beyond its surroundings; harm is grey
_SHARE_MAX = 0.1


def damage(picture: Pixels, *, aged: bool) -> Flags:
    """Returns where RGB uint8 (h, w, 3) is scratched or dusty, as bool (h, w).

    Scratches are long thin grey lines, lighter or darker than both sides. Specks of dust are taken
    for harm only in a picture that is `aged` in other ways too (stars and eyes are specks as
    well), and scratches there with less proof. Where much is marked, it is texture: nothing is.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = max(8, round(width * scale)), max(8, round(height * scale))
    lab = to_lab(np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8))
    found = np.zeros(lab.shape[:2], np.bool_)
    for sign in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
        stands = _standing(lab[..., 0], sign)
        found |= _scratches(stands, lab, aged)
        if aged:
            found |= _specks(stands, lab)
    if found.mean() > _SHARE_MAX:
        found[:] = False
    grown = cv2.dilate(found.astype(np.uint8), np.ones((3, 3), np.uint8))
    full = cv2.resize(grown * np.uint8(255), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(full > 96, np.bool_)


def _standing(light: Floats, sign: int) -> Floats:
    """How far each pixel is lighter (top-hat) or darker (black-hat) than what lies around a thin
    mark, in lightness above the local noise."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11))
    soft = cv2.GaussianBlur(light, (0, 0), 0.9)
    stands = cv2.morphologyEx(soft, sign, disc)
    noise = cv2.blur(np.minimum(stands, 12), (41, 41))
    return np.asarray(np.clip(stands - 1.6 * noise, 0, _CAP), np.float32)


def _scratches(stands: Floats, lab: Floats, aged: bool) -> Flags:
    """The pixels of long thin grey lines."""
    least, part_least = (pair[0 if aged else 1] for pair in (_STRENGTH, _PART))
    best = np.zeros_like(stands)
    for turn in range(_TURNS):
        line = _line(np.pi * turn / _TURNS)
        along = cv2.filter2D(stands, cv2.CV_32F, line, borderType=cv2.BORDER_CONSTANT)
        best = np.maximum(best, along)
    around = cv2.blur(stands, (_LENGTH, _LENGTH))
    line_like = best - 2.0 * around
    seeds = (line_like > least) & (stands > 0.5 * best)
    weak = (line_like > 0.6 * least) & (stands > 0.35 * best) & (stands > 4)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(weak.astype(np.uint8))
    seeded = np.bincount(labels[seeds], minlength=count)
    kept = np.zeros(count, np.bool_)
    shortest = part_least * max(stands.shape)
    for one in np.flatnonzero(seeded > 6):
        left, top, wide, tall, area = (int(value) for value in stats[one])
        length = float(np.hypot(wide, tall))
        if one and length > shortest and area / length < 5.5:
            part = labels[top : top + tall, left : left + wide] == one
            kept[one] = _is_grey(part, lab[top : top + tall, left : left + wide])
    return np.asarray(kept[labels], np.bool_)


def _specks(stands: Floats, lab: Floats) -> Flags:
    """Small grey marks on calm ground."""
    marks = (stands > 0.45 * _SPECK_MIN).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(marks, connectivity=8)
    light = lab[..., 0]
    peak = np.zeros(count, np.float32)
    np.maximum.at(peak, np.asarray(labels, np.intp), stands)
    kept = np.zeros(count, np.bool_)
    for one in np.flatnonzero((peak > _SPECK_MIN) & (stats[:, 4] <= _SPECK_PIXELS_MAX)):
        left, top, wide, tall, _area = (int(value) for value in stats[one])
        if not one or max(wide, tall) > 14:
            continue
        box = (slice(max(0, top - 5), top + tall + 5), slice(max(0, left - 5), left + wide + 5))
        part = labels[box] == one
        ring = cv2.dilate(part.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
        calm = float(light[box][ring].std()) if ring.any() else 99.0
        kept[one] = calm * 2.6 < peak[one] and _is_grey(part, lab[box])
    return np.asarray(kept[labels], np.bool_)


def _is_grey(part: Flags, lab: Floats) -> bool:
    """Whether a mark has no more colour than its surroundings."""
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    if part.all():
        return True
    return float(np.median(chroma[part])) < float(np.median(chroma[~part])) + _COLOUR_MAX


def _line(angle: float) -> Floats:
    """A kernel that takes the mean along a line through its middle."""
    kernel = np.zeros((_LENGTH, _LENGTH), np.float32)
    half = _LENGTH // 2
    across, down = np.cos(angle) * half, np.sin(angle) * half
    start = round((half - across) * 16), round((half - down) * 16)
    end = round((half + across) * 16), round((half + down) * 16)
    cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_8, 4)
    return np.asarray(kernel / kernel.sum(), np.float32)
