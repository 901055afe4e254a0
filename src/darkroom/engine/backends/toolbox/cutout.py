"""What a picture is about, cut out: several guesses at the subject, judged, and the best made
fine."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.faces import faces
from darkroom.engine.backends.toolbox.matting import refined
from darkroom.engine.backends.toolbox.salience import Flags, Floats, salience, sure_border, to_lab
from darkroom.engine.backends.toolbox.steps import Progress, silent

_GUESS_SIDE = 200
_GUESSES = 7  # the steps that are told of: six guesses and the last, finer cut
_FINE_SIDE = 450
_PIECE_MIN = 0.08  # of the largest piece; smaller ones are specks
_HOLE_MIN = 0.004  # of the picture; smaller ones are filled

_GAP_MAX = 0.05
_GAP_UNLIKE = 0.75


def matte(pixels: Pixels) -> Floats:
    """Returns the subject's opacity, 0..1, as float32 (height, width) for RGB uint8.

    GrabCut (Rother et al., 2004) from several guesses, at small size; the best result's edge is
    found again at full size. Always finds something, also where a picture has no clear subject.
    """
    cv2.setNumThreads(1)
    return refined(pixels, outline(pixels))


def outline(pixels: Pixels, progress: Progress = silent) -> Flags:
    """Returns the subject as bool (h, w) at a small size: the picture's shape, 450 px at most."""
    small = fitted(pixels, _GUESS_SIDE)
    seen = salience(small)
    lab = to_lab(small)
    sharp = focus(small)
    faced = np.zeros(seen.shape, np.bool_)
    for face in faces(small):
        faced |= face.covered(*seen.shape)
        # A neck and a chest hang below every face.
        side, chin = round(face.width * 0.22), face.top + round(face.height * 0.85)
        middle, foot = face.left + face.width // 2, face.top + round(face.height * 2.3)
        faced[chin:foot, max(0, middle - side) : middle + side] = True
    results = []
    for start in _starts(seen, sharp):
        start[faced] = cv2.GC_FGD
        results.append(_filled(cleaned(_cut(small, start, 2)), lab))
        progress(len(results) / _GUESSES)
    best = max(results, key=lambda mask: _worth(mask, seen, sharp, lab))
    fine = fitted(pixels, _FINE_SIDE)
    return cleaned(_sharpened(fine, best))


def fitted(pixels: Pixels, side: int) -> Pixels:
    """Returns the picture with its longer side at most `side` pixels."""
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _starts(seen: Floats, sharp: Floats) -> Iterator[Pixels]:
    """GrabCut masks to begin from: what stands out at several levels, is in focus, is central."""
    height, width = seen.shape
    scaled = (seen * 255).astype(np.uint8)
    otsu = cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0] / 255
    sure = sure_border(height, width)
    for factor in (0.45, 0.7, 1.0, 1.35):
        level = otsu * factor
        start = np.where(seen > level, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        start[sure & (seen < level)] = cv2.GC_BGD
        start[seen > max(0.75, level * 1.3)] = cv2.GC_FGD
        yield start
    start = np.where(sharp > 0.4, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    start[sharp < 0.12] = cv2.GC_BGD
    yield start
    across = np.linspace(-1, 1, width)[None] / 0.62
    down = (np.linspace(-1, 1, height)[:, None] - 0.08) / 0.75
    inside = across**2 + down**2 < 1
    start = np.where(inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    start[sure] = cv2.GC_BGD
    yield start


def focus(small: Pixels) -> Floats:
    """How much fine detail lies around each pixel, 0..1: lenses keep the subject sharp."""
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 1.2))
    side = max(small.shape[:2])
    around = cv2.GaussianBlur(np.sqrt(fine), (0, 0), side / 30)
    low, high = np.percentile(around, (5, 95))
    return np.asarray(np.clip((around - low) / max(float(high - low), 0.5), 0, 1), np.float32)


def _cut(small: Pixels, start: Pixels, rounds: int) -> Flags:
    """Returns what GrabCut keeps from a start mask; the start itself where it holds one side."""
    mask = start.copy()
    front = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if not 16 < front.sum() < front.size - 16:
        return front
    cv2.setRNGSeed(1)
    back, fore = np.zeros((1, 65)), np.zeros((1, 65))
    whole = (0, 0, small.shape[1], small.shape[0])
    cv2.grabCut(small, mask, whole, back, fore, rounds, cv2.GC_INIT_WITH_MASK)
    return np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _sharpened(fine: Pixels, rough: Flags) -> Flags:
    """Returns a small outline found again at a finer size: only near its edge is in doubt."""
    height, width = fine.shape[:2]
    level = cv2.resize(rough.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    band = max(3, max(height, width) // 60)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * band + 1, 2 * band + 1))
    front = (level > 0.5).astype(np.uint8)
    start = np.where(front > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    start[cv2.erode(front, disc) > 0] = cv2.GC_FGD
    start[cv2.dilate(front, disc) == 0] = cv2.GC_BGD
    return _cut(fine, start, 2)


def cleaned(mask: Flags) -> Flags:
    """Returns a mask without specks and pinholes, its edge smoothed."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    whole = np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc), np.uint8)
    stats = cv2.connectedComponentsWithStats(whole, connectivity=4)[2]
    least = _PIECE_MIN * stats[1:, cv2.CC_STAT_AREA].max(initial=0)
    whole = _large(whole, least)
    return np.asarray(_large(1 - whole, _HOLE_MIN * mask.size) == 0, np.bool_)


def _filled(mask: Flags, lab: Floats) -> Flags:
    """Returns a mask with the gaps filled through which no background shows."""
    _, labels = cv2.connectedComponents((~mask).astype(np.uint8), connectivity=4)
    outer = np.unique(labels[sure_border(*mask.shape)])
    ground = lab[np.isin(labels, outer) & ~mask]
    whole = mask.copy()
    for one in np.setdiff1d(np.unique(labels[~mask]), outer):
        gap = labels == one
        if gap.mean() < _GAP_MAX and _histogram_distance(lab[gap], ground) > _GAP_UNLIKE:
            whole |= gap
    return whole


def _large(mask: Pixels, least: float) -> Pixels:
    """The pieces of a mask that have at least so many pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    kept = np.asarray(stats[:, cv2.CC_STAT_AREA] >= least, np.uint8)
    kept[0] = 0
    return kept[labels]


def _worth(mask: Flags, seen: Floats, sharp: Floats, lab: Floats) -> float:
    """How likely a mask is the subject: it stands out, its rim is an edge, it is one whole."""
    area = float(mask.mean())
    if not 0.004 < area < 0.92:
        return -10.0
    front = mask.astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13))
    ring = (cv2.dilate(front, disc) > 0) & ~mask
    shell = mask & (cv2.erode(front, disc) == 0)
    apart = _histogram_distance(lab[shell], lab[ring | ~(mask | ring)])
    stands = float(seen[mask].mean() - seen[~mask].mean())
    focused = float(sharp[mask].mean() - sharp[~mask].mean())
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.0)
    steep = np.zeros(mask.shape, np.float32)
    for channel in cv2.split(smooth):
        steep += np.hypot(
            cv2.Sobel(channel, cv2.CV_32F, 1, 0), cv2.Sobel(channel, cv2.CV_32F, 0, 1)
        )
    rim = cv2.morphologyEx(front, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    edge = float(steep[rim].mean() / (steep.mean() + 4.0))
    length = float(rim.sum()) / 2
    ragged = length**2 / (4 * np.pi * mask.sum())
    on_border = float(mask[sure_border(*mask.shape)].mean())
    hull = cv2.convexHull(cv2.findNonZero(front))
    solid = float(mask.sum()) / max(1.0, cv2.contourArea(hull))
    frame = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    size = 2.0 * min(area, 0.3) - 3.0 * max(0.0, area - 0.6) - 8.0 * max(0.0, 0.06 - area)
    return float(
        1.5 * apart
        + 2.0 * stands
        + 0.18 * min(edge, 4.0)
        - 0.05 * min(ragged, 20.0)
        - 2.0 * on_border
        - 1.5 * frame.mean()
        + size
        + 1.2 * focused
        + 1.3 * solid
    )


def _histogram_distance(one: Floats, other: Floats) -> float:
    """Half the L1 distance of two colour histograms, 0 (alike) to 1 (no colour in common)."""
    edges = [np.linspace(0, 100, 9), np.linspace(-60, 60, 9), np.linspace(-60, 60, 9)]
    shares = []
    for part in (one, other):
        clipped = np.clip(part.reshape(-1, 3), [0, -60, -60], [100, 60, 60])
        counts = np.histogramdd(clipped, bins=edges)[0]
        shares.append(counts / max(1.0, counts.sum()))
    return float(np.abs(shares[0] - shares[1]).sum() / 2)
