"""The soft edge of a cut-out at full size, and its own colours without the old background's."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.salience import Flags, Floats

Places = tuple[npt.NDArray[np.intp], ...]

_SIDE = 1200  # colours of both sides are spread at this size at most; they are smooth


def refined(pixels: Pixels, front: Flags) -> Floats:
    """Returns the opacity (h, w), 0..1, of RGB uint8 whose subject is roughly `front` (any size).

    In a narrow band along the outline each pixel is a mix of the colours on both sides: its share
    comes from where it lies between them, and where they are alike from a guided filter (He et
    al., "Guided Image Filtering", 2010).
    """
    full = pixels.shape[:2]
    work = _working(pixels)
    size = work.shape[1::-1]
    rough = cv2.resize(front.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    band = max(2.0, max(size) / 150)
    rough = cv2.GaussianBlur(rough, (0, 0), max(0.8, band / 4))
    solid = (rough > 0.5).astype(np.uint8)
    inside = np.asarray(cv2.distanceTransform(solid, cv2.DIST_L2, 3), np.float32)
    depth = inside - np.asarray(cv2.distanceTransform(1 - solid, cv2.DIST_L2, 3), np.float32)
    fore = spread(work, (depth > band).astype(np.float32))
    back = spread(work, (depth < -band).astype(np.float32))
    lines = _guide(work, np.clip(rough, 0, 1), round(band * 1.5), np.abs(depth) < 4 * band)
    deep = np.asarray(cv2.resize(depth, full[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    opacity = (deep > 0).astype(np.float32)
    edge = np.nonzero(np.abs(deep) < 1.5 * band)
    if not len(edge[0]):
        return opacity
    front_colour, back_colour, line = (sampled(one, edge, full) for one in (fore, back, lines))
    own = pixels[edge].astype(np.float32) / 255
    axis = front_colour - back_colour
    length = (axis**2).sum(axis=1)
    between = ((own - back_colour) * axis).sum(axis=1) / np.maximum(length, 1e-4)
    guided = (own * line[:, :3]).sum(axis=1) + line[:, 3]
    trust = np.clip((length - 0.01) / 0.06, 0, 1)
    mixed = np.clip((trust * between + (1 - trust) * guided - 0.08) / 0.84, 0, 1)
    near = np.clip(1.5 - np.abs(deep[edge]) / band, 0, 1)
    opacity[edge] = near * mixed + (1 - near) * opacity[edge]
    return opacity


def own_colours(pixels: Pixels, opacity: Floats) -> Pixels:
    """Returns RGB uint8 whose half-opaque pixels no longer carry the old background's colour.

    Each is what it must have been to give the picture, C = opacity · F + (1 - opacity) · B, bent
    towards the solid colours nearby where it is thin; black where nothing shows.
    """
    full = pixels.shape[:2]
    work = _working(pixels)
    thick = cv2.resize(opacity, work.shape[1::-1], interpolation=cv2.INTER_AREA)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    sure = (cv2.erode(one.astype(np.float32), disc) for one in (thick > 0.97, thick < 0.03))
    fore, back = (spread(work, np.asarray(one, np.float32)) for one in sure)
    clean = pixels.copy()
    clean[opacity < 0.002] = 0
    thin = np.nonzero((opacity >= 0.002) & (opacity < 0.995))
    if len(thin[0]):
        part = opacity[thin][:, None]
        near, far = sampled(fore, thin, full), sampled(back, thin, full)
        own = pixels[thin].astype(np.float32) / 255
        solved = np.clip((own - (1 - part) * far) / np.maximum(part, 0.1), 0, 1)
        trust = np.clip((part - 0.3) / 0.6, 0, 1)
        mixed = trust * solved + (1 - trust) * near
        clean[thin] = np.clip(mixed * 255 + 0.5, 0, 255).astype(np.uint8)
    return clean


def spread(colours: Floats, known: Floats) -> Floats:
    """Returns colours (h, w, 3) carried from where `known` is 1 to everywhere, nearest first."""
    total = colours * known[..., None]
    result = np.zeros_like(colours)
    share = np.zeros_like(known)
    for sigma in (1.5, 4.0, 12.0, 40.0):
        near, amount = _wide_blur(total, sigma), _wide_blur(known, sigma)
        fresh = np.clip(amount * 8, 0, 1) * (1 - share)
        result += near * (fresh / np.maximum(amount, 1e-6))[..., None]
        share += fresh
    mean = total.sum(axis=(0, 1)) / max(1.0, float(known.sum()))
    return np.asarray(result + mean * (1 - share)[..., None], np.float32)


def sampled(field: Floats, places: Places, full: tuple[int, int]) -> Floats:
    """Returns a field (h, w, n) at (rows, columns) of the picture whose size `full` it stands
    for, between its own values, as (places, n)."""
    high, wide = field.shape[:2]
    down = np.clip((places[0] + 0.5) * (high / full[0]) - 0.5, 0, high - 1)
    across = np.clip((places[1] + 0.5) * (wide / full[1]) - 0.5, 0, wide - 1)
    top, left = down.astype(np.intp), across.astype(np.intp)
    foot, right = np.minimum(top + 1, high - 1), np.minimum(left + 1, wide - 1)
    y, x = (down - top).astype(np.float32)[:, None], (across - left).astype(np.float32)[:, None]
    upper = field[top, left] * (1 - x) + field[top, right] * x
    return np.asarray(upper * (1 - y) + (field[foot, left] * (1 - x) + field[foot, right] * x) * y)


def _working(pixels: Pixels) -> Floats:
    """The picture 0..1 at the working size."""
    height, width = pixels.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255)


def _wide_blur(values: Floats, sigma: float) -> Floats:
    """A Gaussian blur, done on a smaller picture where it is wide."""
    if sigma <= 4:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)
    step = int(sigma // 3)
    height, width = values.shape[:2]
    size = (max(2, width // step), max(2, height // step))
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / step)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def _guide(guide: Floats, values: Floats, radius: int, where: Flags) -> Floats:
    """The guided filter's local lines, (h, w, 4): values ≈ three slopes · guide + the fourth."""
    box = (2 * radius + 1, 2 * radius + 1)
    mean, centre = cv2.blur(guide, box), cv2.blur(values, box)
    covariance = cv2.blur(guide * values[..., None], box) - mean * centre[..., None]
    second = np.empty((int(where.sum()), 3, 3), np.float32)
    for i in range(3):
        for j in range(i, 3):
            cell = cv2.blur(guide[..., i] * guide[..., j], box) - mean[..., i] * mean[..., j]
            second[:, i, j] = second[:, j, i] = cell[where] + (1e-4 if i == j else 0)
    lines = np.zeros((*values.shape, 4), np.float32)
    slopes = np.linalg.solve(second, covariance[where][..., None])[..., 0]
    lines[where, :3] = slopes
    lines[where, 3] = centre[where] - (slopes * mean[where]).sum(axis=1)
    return np.asarray(cv2.blur(lines, box), np.float32)
