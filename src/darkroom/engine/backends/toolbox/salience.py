"""What stands out in a picture: what no path from its border reaches without a change of colour."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.pictures import Pixels

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

_CLUSTERS = 6
# Subjects often leave the picture at its foot: only the rest of the border is surely background.
_SURE_SIDES = 0.55
_SPREAD_MIN = 5.0  # Lab; the least that a colour of the background is thought to vary


def salience(pixels: Pixels) -> Floats:
    """Returns how much each pixel of RGB uint8 (h, w, 3) stands out, 0..1, for small pictures.

    Half is the minimum barrier distance from the border (Zhang et al., "Minimum Barrier Salient
    Object Detection at 80 FPS", 2015), half the distance from the border's colours.
    """
    lab = to_lab(pixels)
    soft = np.asarray(cv2.bilateralFilter(lab, 5, 12, 5), np.float32)
    unlike, seeds = _background(soft)
    barrier = _barrier(soft, seeds).sum(axis=2)
    barrier /= max(float(np.percentile(barrier, 99)), 20.0)
    seen = 0.5 * np.clip(barrier, 0, 1) + 0.5 * unlike
    height, width = seen.shape
    across = np.linspace(-1, 1, width, dtype=np.float32)[None]
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None] - 0.1
    middle = np.exp(-(across**2 + down**2) / 1.1)
    return np.asarray(np.clip(seen * (0.35 + 0.75 * middle), 0, 1), np.float32)


def to_lab(pixels: Pixels) -> Floats:
    """Returns RGB uint8 as CIE Lab float32: lightness 0..100, a and b about -100..100."""
    scaled = pixels.astype(np.float32) / np.float32(255)
    return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2Lab), np.float32)


def sure_border(height: int, width: int) -> Flags:
    """The border that is taken for background: the top and the upper part of both sides."""
    band = max(2, min(height, width) // 40)
    sure = np.zeros((height, width), np.bool_)
    sure[:band] = True
    deep = round(height * _SURE_SIDES)
    sure[:deep, :band] = sure[:deep, width - band :] = True
    return sure


def _background(lab: Floats) -> tuple[Floats, Flags]:
    """How unlike the border's colours each pixel is, 0..1, and which border pixels are surely
    background."""
    height, width = lab.shape[:2]
    sure = sure_border(height, width)
    samples = np.ascontiguousarray(lab[sure])
    cv2.setRNGSeed(1)
    count = min(_CLUSTERS, len(samples))
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    empty = np.empty(0, np.int32)
    _, labels, centres = cv2.kmeans(samples, count, empty, stop, 2, cv2.KMEANS_PP_CENTERS)
    nearest = np.full((height, width), np.inf, np.float32)
    for one in range(count):
        own = samples[labels[:, 0] == one]
        if len(own) < 0.04 * len(samples):
            continue
        spread = np.maximum(own.std(axis=0), _SPREAD_MIN) * np.array([1.5, 1, 1], np.float32)
        apart = (((lab - centres[one]) / spread) ** 2).sum(axis=2)
        nearest = np.minimum(nearest, apart)
    unlike = 1 - np.exp(-nearest / 18)
    edge = np.zeros((height, width), np.bool_)
    edge[0] = edge[-1] = edge[:, 0] = edge[:, -1] = True
    return np.asarray(unlike, np.float32), edge & (sure | (unlike < 0.35))


def _barrier(lab: Floats, seeds: Flags) -> Floats:
    """The least difference of highest and lowest along any path from a seed, each channel alone."""
    high, low = lab.copy(), lab.copy()
    reached = np.where(seeds[..., None], np.float32(0), np.float32(1e6))
    reached = np.repeat(reached, 3, axis=2) if reached.shape[2] == 1 else reached
    views = [tuple(one[::step] for one in (lab, high, low, reached)) for step in (1, -1)] + [
        tuple(one.transpose(1, 0, 2)[::step] for one in (lab, high, low, reached))
        for step in (1, -1)
    ]
    for _ in range(2):
        for own, highest, lowest, best in views:
            for row in range(1, len(own)):
                top = np.maximum(highest[row - 1], own[row])
                foot = np.minimum(lowest[row - 1], own[row])
                better = top - foot < best[row]
                np.copyto(best[row], top - foot, where=better)
                np.copyto(highest[row], top, where=better)
                np.copyto(lowest[row], foot, where=better)
    return reached
