"""What of a clip is its subject: a matte for each frame, steady over time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

import cv2
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.footage import FloatArray, Footage, Progress
from darkroom.engine.backends.toolbox.motion import Flow, Grey, camera, strength

Mask = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Guess = Callable[[Pixels], Flags]
_SIDE = 320  # the longer side of what is looked at, pixels
_SAMPLES_MAX = 40
_STILL = 1.5  # pixels that a still camera may be off by
_AHEAD = 4  # frames between two that tell what moves
_MOVING = 1.1  # pixels in that time
_CUT = 34.0  # levels between frames that show different scenes
_LEARN_EVERY = 10  # frames
_LOST = 0.002  # of the frame
_GAP_MAX = 0.004  # of the frame, holes and specks
_SLOW = 0.3  # of the subject's own motion


class Subject:
    """Follows the subject through a clip's frames in their order.

    The background is known where the camera stands still (a median over time); else what moves
    against the camera's motion is the subject, if that is one thing; else what `guess` says of a
    frame. From then on the flow carries the outline, and GrabCut (Rother et al., 2004) finds it
    anew near there.
    """

    def __init__(self, plate: Pixels | None, guess: Guess) -> None:
        """`plate` is the small background picture, if there is one; `guess` outlines a subject."""
        self._plate, self._guess = plate, guess
        self._flow = Flow()
        self._models = (np.zeros((1, 65)), np.zeros((1, 65)))
        self._last: tuple[Pixels, Grey] | None = None
        self._matte: FloatArray | None = None
        self._number = 0

    def matte(self, pixels: Pixels, later: Pixels) -> FloatArray:
        """How much of each pixel is the subject, 0 to 1, float32 (height, width).

        `later` is a frame that comes soon after, or the same one at the clip's end.
        """
        return _refined(self.outline(pixels, later), small(pixels), pixels)

    def outline(self, pixels: Pixels, later: Pixels) -> FloatArray:
        """The same at the size that is looked at, with a rough edge."""
        seen = small(pixels)
        tone = np.asarray(cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY), np.uint8)
        carried = self._carried(seen, tone)
        if carried is None or float((carried > 0.5).mean()) < _LOST:
            found = self._begun(seen, small(later))
        else:
            found = self._followed(seen, carried, small(later))
            found = np.asarray(0.7 * found + 0.3 * carried, np.float32)
        self._last, self._matte = (seen, tone), found
        self._number += 1
        return found

    def _carried(self, seen: Pixels, tone: Grey) -> FloatArray | None:
        """The last matte where the flow took it; None at the start and after a cut."""
        if self._last is None or self._matte is None:
            return None
        back = self._flow.between(tone, self._last[1])
        height, width = tone.shape
        x = back[..., 0] + np.arange(width, dtype=np.float32)
        y = back[..., 1] + np.arange(height, dtype=np.float32)[:, None]
        border = cv2.BORDER_REPLICATE
        expected = cv2.remap(self._last[0], x, y, cv2.INTER_LINEAR, borderMode=border)
        if float(cv2.absdiff(expected, seen).mean()) > _CUT:
            return None
        carried = cv2.remap(self._matte, x, y, cv2.INTER_LINEAR, borderMode=border)
        return np.asarray(carried, np.float32)

    def _begun(self, seen: Pixels, later: Pixels) -> FloatArray:
        """The matte of a frame that nothing is known of before."""
        self._models = (np.zeros((1, 65)), np.zeros((1, 65)))
        front = self._differing(seen)
        if front is None:
            front = _moving(seen, later, self._flow)
        if front is None:
            front = np.asarray(
                cv2.resize(self._guess(seen).astype(np.uint8), seen.shape[1::-1]) > 0, np.bool_
            )
        if float(front.mean()) < _LOST:
            front = _middle(seen.shape)
        begun = front.astype(np.float32)
        found = _cut(seen, _marks(begun, 7), self._models, 2, cv2.GC_INIT_WITH_MASK)
        return begun if float(found.mean()) < _LOST else found

    def _followed(self, seen: Pixels, carried: FloatArray, later: Pixels) -> FloatArray:
        marks = _marks(carried, 6)
        if self._plate is None:
            _leave_behind(marks, carried, _own_motion(seen, later, self._flow))
        front = self._differing(seen)
        if front is not None:
            inner = cv2.erode(front.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
            marks[inner & (marks == cv2.GC_BGD)] = cv2.GC_PR_FGD
            ground = cv2.dilate(front.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
            # A subject that rests for a while looks like its background: only near its edge.
            marks[ground & (marks == cv2.GC_PR_FGD)] = cv2.GC_PR_BGD
        learns = self._number % _LEARN_EVERY == 0
        mode = cv2.GC_EVAL if learns else cv2.GC_EVAL_FREEZE_MODEL
        return _cut(seen, marks, self._models, 1, mode)

    def _differing(self, seen: Pixels) -> Flags | None:
        """Where a frame is not the background that is known; None if that is nothing or most."""
        if self._plate is None:
            return None
        apart = cv2.absdiff(seen, self._plate)
        far = cv2.blur(np.asarray(apart.max(axis=2)), (3, 3)) > 22
        return _whole(np.asarray(far, np.bool_), 0.004, 0.7)


def small(pixels: Pixels) -> Pixels:
    """The frame as it is looked at: at most 320 pixels on its longer side."""
    height, width = pixels.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def plate(clip: Footage, tell: Progress) -> Pixels | None:
    """The clip's background, RGB uint8, small; None unless the camera stands still."""
    every = max(1, clip.count // _SAMPLES_MAX)
    samples = []
    for number, pixels in enumerate(clip.frames()):
        if number % every == 0:
            samples.append(small(pixels))
        tell((number + 1) / clip.count)
    tones = [np.asarray(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY), np.uint8) for one in samples]
    size = (tones[0].shape[1], tones[0].shape[0])
    moved = [strength(camera(tones[0], one), size) for one in tones[1:]]
    if len(moved) < 5 or float(np.quantile(moved, 0.8)) > _STILL:
        return None
    return np.asarray(np.median(np.stack(samples), axis=0), np.uint8)


def with_later(frames: Iterator[Pixels]) -> Iterator[tuple[Pixels, Pixels]]:
    """Each frame with the one that comes a little later, or the last one."""
    coming = deque(islice(frames, _AHEAD))
    for pixels in frames:
        coming.append(pixels)
        yield coming.popleft(), pixels
    while coming:
        last = coming[-1]
        yield coming.popleft(), last


def _middle(shape: tuple[int, ...]) -> Flags:
    """An oval in the middle of the frame: where nothing tells what a subject is."""
    drawn = np.zeros(shape[:2], np.uint8)
    height, width = drawn.shape
    axes = (round(width * 0.26), round(height * 0.4))
    cv2.ellipse(drawn, (width // 2, round(height * 0.55)), axes, 0, 0, 360, 1, cv2.FILLED)
    return np.asarray(drawn > 0, np.bool_)


def _moving(seen: Pixels, later: Pixels, flow: Flow) -> Flags | None:
    """What moves against the camera's own motion, if it is one thing."""
    own = _own_motion(seen, later, flow)
    edge = max(2, round(0.03 * own.shape[1]))
    own[:, :edge] = own[:, -edge:] = 0
    return _whole(np.asarray(own > _MOVING, np.bool_), 0.01, 0.45)


def _own_motion(seen: Pixels, later: Pixels, flow: Flow) -> FloatArray:
    """How far each pixel moves against the camera's motion, in pixels, float32 (height, width)."""
    tones = [np.asarray(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY), np.uint8) for one in (seen, later)]
    height, width = tones[0].shape
    matrix = camera(*tones)
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    ground_x = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] - x
    ground_y = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] - y
    field = flow.between(*tones)
    own = np.hypot(field[..., 0] - ground_x, field[..., 1] - ground_y)
    return np.asarray(cv2.blur(own, (3, 3)), np.float32)


def _leave_behind(marks: Mask, matte: FloatArray, own: FloatArray) -> None:
    """Where a subject moves against the camera, what does not move with it is no part of it."""
    inside, outside = own[matte > 0.5], own[matte <= 0.5]
    if len(inside) < 24 or len(outside) < 24:
        return
    pace, around = float(np.quantile(inside, 0.6)), float(np.median(outside))
    if pace < 1.0 or around > 0.4 * pace:
        return
    # Flow is blurred where things pass each other: only what lies well within counts.
    slow = cv2.erode((own < _SLOW * pace).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    marks[slow & (marks != cv2.GC_FGD)] = cv2.GC_BGD
    marks[slow & (marks == cv2.GC_FGD)] = cv2.GC_PR_FGD


def _whole(front: Flags, least: float, most: float) -> Flags | None:
    """A mask without specks and gaps; None where it is no one thing of a likely size."""
    closed = cv2.morphologyEx(front.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    closed = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    if count < 2:
        return None
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = np.flatnonzero(areas >= max(0.15 * areas.max(), 8)) + 1
    area = areas[kept - 1].sum() / front.size
    if not least < area < most or areas.max() < 0.45 * areas.sum():
        return None
    return np.asarray(np.isin(labels, kept), np.bool_)


def _marks(matte: FloatArray, band: int) -> Mask:
    """GrabCut's marks: sure within and without, open in a band of so many pixels at the edge."""
    front = (matte > 0.5).astype(np.uint8)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * band + 1, 2 * band + 1))
    marks = np.where(front > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[cv2.erode(front, brush) > 0] = cv2.GC_FGD
    marks[cv2.dilate(front, brush) == 0] = cv2.GC_BGD
    return marks


def _cut(
    seen: Pixels,
    marks: Mask,
    models: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    rounds: int,
    mode: int,
) -> FloatArray:
    front = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if 24 < front.sum() < front.size - 24:
        cv2.grabCut(seen, marks, (0, 0, 1, 1), *models, rounds, mode)
        front = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD))
    return _closed(front).astype(np.float32)


def _closed(front: Flags) -> Flags:
    """A mask without small holes and specks."""
    for value in (True, False):
        _, labels, stats, _ = cv2.connectedComponentsWithStats(
            (front == value).astype(np.uint8), connectivity=4
        )
        little = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < _GAP_MAX * front.size)
        front = np.asarray(
            np.where(np.isin(labels, little[little > 0]), not value, front), np.bool_
        )
    return front


def _refined(found: FloatArray, seen: Pixels, pixels: Pixels) -> FloatArray:
    """The small matte in the frame's size, its edge where the frame has one.

    A fast guided filter (He and Sun, 2015): fitted small to the tones, applied large.
    """
    tone = cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    window = (5, 5)
    mean, level = cv2.blur(tone, window), cv2.blur(found, window)
    varied = cv2.blur(tone * tone, window) - mean * mean
    slope = (cv2.blur(tone * found, window) - mean * level) / (varied + np.float32(1e-3))
    offset = level - slope * mean
    size = (pixels.shape[1], pixels.shape[0])
    fits = [cv2.resize(cv2.blur(one, window), size) for one in (slope, offset)]
    guide = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    alpha = cv2.add(cv2.multiply(guide, fits[0]), fits[1])
    bent = np.clip((alpha - np.float32(0.18)) / np.float32(0.64), 0, 1)
    return np.asarray(bent * bent * (3 - 2 * bent), np.float32)
