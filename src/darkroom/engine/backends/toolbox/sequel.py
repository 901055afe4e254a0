"""Frames after the end of a clip: the camera glides to rest, and what moves keeps moving."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.footage import FloatArray, Progress, Size
from darkroom.engine.backends.toolbox.motion import (
    Camera,
    Flow,
    Matrix,
    grey,
    grid,
    moved,
    strength,
)
from darkroom.engine.backends.toolbox.steady import mixed

_GLIDE_SECONDS = 2.2  # in which the camera's own motion fades
_GLIDED_MAX = 0.13  # of the frame's sides, that the fading motion carries it
_TURNED_MAX = 0.05  # radians
_PUSH = 0.04  # how much larger the scene has become at the end: a camera is never quite still
_PANNED, _ZOOMED = 0.10, 0.18  # parts of the frame, and log scale, that words ask for at most
_BAND = 0.45  # of the frame, that is drawn out where the camera sees more than was ever seen
_SWING, _OVERSHOOT = 0.75, 0.2  # seconds: how far things swing to and fro, how far on at first
_OVER_SECONDS, _LOOP_SECONDS_MIN = 0.4, 0.8  # in which a loop's end goes over into its start
_ACTIVE, _ACTIVE_PART = 1.0, 0.01  # levels a frame; of the frame
_ALIKE = 1.6  # of the change from frame to frame, by which frames of one moment differ
_TEXTURE_PART, _SLOW = 0.05, 0.045  # of the frame; of its width a second
_FLOW_SIDE = 480
_STILL = 0.0006  # of the frame's width, by which a camera that stands still may tremble
_SPEED_STEPS = 10


class Course(msgspec.Struct, frozen=True):
    """For how many seconds the camera goes on, and where words send it.

    Right, down and closer are -1 to 1; still is nowhere at all.
    """

    seconds: float
    right: float = 0.0
    down: float = 0.0
    closer: float = 0.0
    still: bool = False


class Sequel:
    """What comes after a clip's tail: its last frames in order, RGB uint8 (height, width, 3)."""

    def __init__(self, tail: Sequence[Pixels], fps: float, course: Course, tell: Progress) -> None:
        """`tell` is called during long work."""
        self._tail, self._fps, self._course, self._tell = tail, fps, course, tell
        self._size: Size = (tail[-1].shape[1], tail[-1].shape[0])
        half = (self._size[0] // 2, self._size[1] // 2)
        # Fields are kept at half size; their first place lies half a pixel within the frame.
        self._places = grid(half) * np.float32(2) + np.float32(0.5)
        camera = Camera(self._size)
        steps = []
        for one in tail:
            steps.append(camera.step(one))
            tell(0.0)
        del steps[0]
        if max((strength(one, self._size) for one in steps), default=0) < _STILL * self._size[0]:
            steps = [np.eye(3)] * len(steps)
        self._speed = _speed(steps, self._size) * fps
        # From a place in the last frame to the same thing's place in each frame of the tail.
        self._there = [np.eye(3)]
        for step in reversed(steps):
            self._there.insert(0, np.asarray(np.linalg.inv(step) @ self._there[0], np.float64))
        self._flow = Flow()
        self._flows: dict[int, FloatArray] = {}
        self._fling = None if len(tail) < 3 else self._leading(self._local(len(tail) - 2))
        self._again = self._returning()

    def frame(self, number: int) -> Pixels:
        """The frame that comes `number` + 1 frames after the last one of the clip."""
        seconds = (number + 1) / self._fps
        seen = self._seen(seconds)
        if self._fling is None:
            return self._drawn(self._tail[-1], seen)
        if self._again is not None:
            return self._looped(number, seen, self._again)
        ahead = self._swing(seconds) * self._fps
        if ahead >= 0:
            return self._flung(ahead, seen)
        return self._between(max(0.0, len(self._tail) - 1 + ahead), seen)

    def _flung(self, ahead: float, seen: FloatArray) -> Pixels:
        """The last frame, each thing in it carried on by its own motion for so many frames."""
        if self._fling is None:
            return self._drawn(self._tail[-1], seen)
        along = _at(self._fling, seen) * np.float32(ahead)
        return self._drawn(self._tail[-1], np.asarray(seen - along, np.float32))

    def _leading(self, field: FloatArray) -> FloatArray:
        """The field with what is close before a moving thing moving as that does.

        A thing's own places then come from within it, and it keeps its shape as it goes on.
        """
        size = (max(8, field.shape[1] // 4), max(8, field.shape[0] // 4))
        small = cv2.resize(field, size, interpolation=cv2.INTER_AREA)
        weight = (small * small).sum(axis=2) + np.float32(1e-3)
        far = float(np.sqrt(np.quantile(weight, 0.98))) * _OVERSHOOT * self._fps
        sigma = max(1.0, far / 8)  # of pixels at an eighth of the frame's size
        total = cv2.GaussianBlur(small * weight[..., None], (0, 0), sigma)
        led = total / cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
        return np.asarray(cv2.resize(led, field.shape[1::-1]), np.float32)

    def _looped(self, number: int, seen: FloatArray, again: int) -> Pixels:
        """The tail from frame `again` on, over and over; its end goes over into that frame."""
        period = len(self._tail) - 1 - again
        gone = number % period
        fade = min(round(_OVER_SECONDS * self._fps), period // 2)
        drawn = self._aligned(again + 1 + gone, seen, seen)
        if gone + 1 >= fade:
            return drawn
        share = (gone + 1) / fade
        share = share * share * (3 - 2 * share)
        carried = self._flung(gone + 1, seen)
        return np.asarray(cv2.addWeighted(carried, 1 - share, drawn, share, 0.0), np.uint8)

    def _returning(self) -> int | None:
        """The frame of the tail that is most like the last one, if what moves may go on from there.

        It may where it comes back by itself, as in Schödl et al., "Video textures", 2000, or where
        many small things move and none goes far, as water and leaves do. What goes away would jump.
        """
        count = len(self._tail)
        last = count - 1 - round(_LOOP_SECONDS_MIN * self._fps)
        if last < 1:
            return None
        still = np.stack([self._stilled(k) for k in range(count)]).astype(np.float32)
        changes = np.abs(np.diff(still, axis=0)).mean(axis=0)
        active = changes > _ACTIVE
        edge = max(2, active.shape[1] // 8)
        active[:, :edge] = active[:, -edge:] = active[:edge] = active[-edge:] = False
        part = float(active.mean())
        if part < _ACTIVE_PART:
            return None
        seen = still[:, active]
        moves = np.abs(seen[1 : last + 1] - seen[-1]).mean(axis=1)
        before = np.abs(seen[:last] - seen[-2]).mean(axis=1)
        best = int(np.argmin(moves + before)) + 1
        comes_back = moves[best - 1] < _ALIKE * changes[active].mean()
        texture = part > _TEXTURE_PART and self._is_slow(active)
        return best if comes_back or texture else None

    def _is_slow(self, active: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> bool:
        """Whether nothing that moves goes far in the time of a loop."""
        size = active.shape[::-1]
        fields = [self._local(k) for k in range(0, len(self._tail) - 1, 4)]
        near = [cv2.resize(one, size, interpolation=cv2.INTER_AREA)[active] for one in fields]
        paces = np.hypot(*np.concatenate(near).T) * self._fps / self._size[0]
        return float(np.quantile(paces, 0.95)) < _SLOW

    def _between(self, at: float, seen: FloatArray) -> Pixels:
        """The tail's picture at a time between two of its frames, from where the camera is now."""
        first = min(int(at), len(self._tail) - 2)
        share = at - first
        shift = _at(self._local(first), seen)
        before = self._aligned(first, seen - shift * np.float32(share), seen)
        after = self._aligned(first + 1, seen + shift * np.float32(1 - share), seen)
        return np.asarray(cv2.addWeighted(before, 1 - share, after, share, 0.0), np.uint8)

    def _aligned(self, number: int, places: FloatArray, seen: FloatArray) -> Pixels:
        """A frame of the tail as if the camera had stood where it ended.

        Where that frame did not reach, the last one is shown.
        """
        if number == len(self._tail) - 1:
            return self._drawn(self._tail[number], places)
        there = moved(places, self._there[number])
        drawn = self._drawn(self._tail[number], there)
        width, height = self._size
        x, y = there[..., 0], there[..., 1]
        inside = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y))
        share = np.clip(inside / (0.04 * min(self._size)), 0, 1).astype(np.float32)
        if float(share[2:-2, 2:-2].min()) >= 1:
            return drawn
        last = self._drawn(self._tail[-1], seen)
        return mixed(last, drawn, np.asarray(cv2.resize(share, self._size), np.float32))

    def _drawn(self, pixels: Pixels, places: FloatArray) -> Pixels:
        full = cv2.resize(places, self._size, interpolation=cv2.INTER_LINEAR)
        whole, rest = cv2.convertMaps(full, np.empty(0, np.float32), cv2.CV_16SC2)
        drawn = cv2.remap(pixels, whole, rest, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(drawn, np.uint8)

    def _local(self, number: int) -> FloatArray:
        """How things move from one frame of the tail to the next, the camera's motion aside.

        Pixels a frame, at half size, in the last frame's places.
        """
        if number not in self._flows:
            small = [self._stilled(k) for k in (number, number + 1)]
            self._tell(0.0)
            flow = np.asarray(cv2.GaussianBlur(self._flow.between(*small), (0, 0), 1.5), np.float32)
            flow *= np.float32(self._size[0] / small[0].shape[1])
            self._flows[number] = np.asarray(
                cv2.resize(flow, (self._size[0] // 2, self._size[1] // 2)), np.float32
            )
        return self._flows[number]

    def _stilled(self, number: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
        """A frame of the tail, small and grey, brought to where the camera ended."""
        small = grey(self._tail[number], _FLOW_SIDE)
        size = (small.shape[1], small.shape[0])
        matrix = self._there[number].copy()
        matrix[:2, 2] *= size[0] / self._size[0]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        still = cv2.warpAffine(
            small, matrix[:2], size, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(still, np.uint8)

    def _swing(self, seconds: float) -> float:
        """Where in the tail time stands, in seconds from its end: on at first, then to and fro.

        A sine that passes the last frame at the clip's own pace, so that nothing jumps there.
        """
        reach = min(_SWING, ((len(self._tail) - 1) / self._fps + _OVERSHOOT) / 2)
        rise = 1 - min(_OVERSHOOT, reach * 0.8) / reach
        pace = 1 / (reach * np.sqrt(1 - rise * rise))
        return float(reach * (np.sin(pace * seconds + np.arcsin(rise)) - rise))

    def _seen(self, seconds: float) -> FloatArray:
        """Where each pixel of a coming frame lies in the last one, at half size (h, w, 2)."""
        width, height = self._size
        right, down, scale, angle = self._speed
        sides = np.array([width, height])
        fastest = max(abs(right) / width, abs(down) / height, abs(scale) / 2, 1e-6)
        fade = min(_GLIDE_SECONDS, _GLIDED_MAX / fastest, _TURNED_MAX / max(abs(angle), 1e-6))
        glided = fade * (1 - np.exp(-seconds / fade))
        done = min(seconds / self._course.seconds, 1.0)
        eased = done * done * (3 - 2 * done)
        course = self._course
        asked = np.array([course.right, course.down]) * sides * (_PANNED * eased)
        carried = np.array([right, down]) * glided - asked
        push = 0.0 if course.still or course.closer < 0 else _PUSH
        grown = scale * glided + (push + course.closer * _ZOOMED) * eased
        turned = angle * glided
        cosine, sine = np.cos(-turned) * np.exp(-grown), np.sin(-turned) * np.exp(-grown)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        middle = (sides - 1) / 2
        matrix = np.column_stack([turn, middle - turn @ (middle + carried)])
        places = np.asarray(cv2.transform(self._places, matrix.astype(np.float32)), np.float32)
        for axis, side in enumerate((width, height)):
            places[..., axis] = _within(places[..., axis], side)
        return places


def _speed(steps: Sequence[Matrix], size: Size) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """How the scene moves at the end: right and down (pixels), log scale and radians, a frame."""
    if not steps:
        return np.zeros(4)
    middle = np.array([(size[0] - 1) / 2, (size[1] - 1) / 2, 1.0])
    told = []
    for step in steps[-_SPEED_STEPS:]:
        shift = (step @ middle - middle)[:2]
        scale = 0.5 * np.log(max(1e-6, float(np.linalg.det(step[:2, :2]))))
        told.append([*shift, scale, np.arctan2(step[1, 0], step[0, 0])])
    return np.asarray(np.median(np.array(told), axis=0), np.float64)


def _at(field: FloatArray, places: FloatArray) -> FloatArray:
    """A field at half size, read at places in the frame."""
    small = (places - np.float32(0.5)) / np.float32(2)
    x, y = cv2.split(small)
    read = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(read, np.float32)


def _within(places: FloatArray, side: int) -> FloatArray:
    """Places along one side brought into the frame: a band at the border is drawn out, ever more.

    What was never seen is so made of what stands at the border, without a fold or a smear: the
    picture there grows wider as it does at the rim of a wide lens.
    """
    band = _BAND * side
    for sign in (1, -1):
        over = float((places * sign).max()) - (side - 1 if sign > 0 else 0)
        if over <= 0:
            continue
        border = side - 1 if sign > 0 else 0
        inner = np.maximum(places * np.float32(sign) - (border * sign - band), 0)
        over = min(over, 0.9 * band)
        places = places - np.float32(sign * over / (band + over) ** 2) * inner * inner
    return np.clip(places, 0, side - 1)
