"""Shots cut together: one goes over into the next while both go on moving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.film.shots import Shot
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.pictures import Pixels

_FLOW_WIDTH = 320
_LAP_SECONDS_MAX = 1.2


class Take(msgspec.Struct, frozen=True):
    """A shot from `start` to `end` seconds of the film; it overlaps the next one's start."""

    shot: Shot
    start: float
    end: float
    tint: Pixels | None = None  # (256, 1, 3): how its colours are shown

    def frame(self, seconds: float) -> Pixels:
        """Returns the take at a moment of the film."""
        own = seconds - self.start
        share = min(1.0, max(0.0, own / max(self.end - self.start, 1e-6)))
        frame = self.shot.frame(max(own, 0.0), share)
        return frame if self.tint is None else np.asarray(cv2.LUT(frame, self.tint), np.uint8)


def scheduled(weights: Sequence[float], seconds: float) -> list[tuple[float, float]]:
    """Returns (start, end) of each shot in a film of so many seconds, long by weight.

    Each overlaps the next by about a third of the shortest, at most 1.2 seconds.
    """
    ends = np.cumsum(weights) / sum(weights) * seconds
    shortest = float(np.diff(ends, prepend=0.0).min())
    half = min(_LAP_SECONDS_MAX, 0.36 * shortest) / 2
    starts = [0.0, *(float(end) - half for end in ends[:-1])]
    return list(zip(starts, [*(float(end) + half for end in ends[:-1]), seconds], strict=True))


class _Crossing(Protocol):
    def between(self, before: Pixels, after: Pixels, part: float) -> Pixels:
        """Returns the picture `part` (0..1) of the way."""


class Montage(msgspec.Struct):
    """A shot made of takes, in order; `kinds` tells how each went over into the next."""

    takes: list[Take]
    kinds: list[str] = msgspec.field(default_factory=list)
    _crossing: _Crossing | None = None

    def frame(self, seconds: float, share: float) -> Pixels:
        """Returns the film at a moment."""
        del share  # each take's camera has a way of its own
        active = [n for n, take in enumerate(self.takes) if take.start <= seconds < take.end]
        if not active:
            active = [len(self.takes) - 1]
        first = active[0]
        before = self.takes[first].frame(seconds)
        if len(active) < 2:
            return before
        after = self.takes[first + 1].frame(seconds)
        if len(self.kinds) <= first:
            self._crossing = _morph(before, after) or _Dissolve(_order(before))
            self.kinds.append("morph" if isinstance(self._crossing, _Morph) else "dissolve")
        assert self._crossing is not None
        begin, end = self.takes[first + 1].start, self.takes[first].end
        part = (seconds - begin) / max(end - begin, 1e-6)
        eased = part * part * (3 - 2 * part)
        return self._crossing.between(before, after, eased)


class _Morph(msgspec.Struct, frozen=True):
    """Two pictures of much the same thing: each is bent towards the other along the flow."""

    flow: FloatArray  # (h, w, 2): from the first to the second, in frame pixels

    def between(self, before: Pixels, after: Pixels, part: float) -> Pixels:
        """Returns the picture `part` (0..1) of the way."""
        height, width = before.shape[:2]
        large = cv2.resize(self.flow, (width, height), interpolation=cv2.INTER_LINEAR)
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        bent = []
        for picture, way in ((before, -part), (after, 1.0 - part)):
            at_x = (x + np.float32(way) * large[..., 0]).astype(np.float32)
            at_y = (y + np.float32(way) * large[..., 1]).astype(np.float32)
            bent.append(
                cv2.remap(picture, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            )
        return np.asarray(cv2.addWeighted(bent[0], 1 - part, bent[1], part, 0), np.uint8)


class _Dissolve(msgspec.Struct, frozen=True):
    """One picture lets the next through, here earlier, there later: `order` (h, w) 0..1."""

    order: FloatArray

    def between(self, before: Pixels, after: Pixels, part: float) -> Pixels:
        """Returns the picture `part` (0..1) of the way."""
        soft = 0.65
        share = np.clip((part * (1 + soft) - self.order * 1.0) / soft, 0, 1)
        size = (before.shape[1], before.shape[0])
        large = cv2.resize(np.asarray(share * 255, np.uint8), size)
        mask = cv2.merge([large] * 3)
        kept = cv2.multiply(before, cv2.bitwise_not(mask), scale=1 / 255)
        return np.asarray(cv2.add(kept, cv2.multiply(after, mask, scale=1 / 255)), np.uint8)


def _order(before: Pixels) -> FloatArray:
    """Returns when (0..1) each place of a picture gives way: the far and bright first.

    High up and bright is mostly far: the sky opens, the foreground goes last.
    """
    small = cv2.resize(before, (64, 36), interpolation=cv2.INTER_AREA)
    grey = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), (0, 0), 2.0) / 255
    rows = np.linspace(0, 1, 36)[:, None]
    late = 0.65 * rows + 0.35 * (1 - grey)
    spread = max(float(late.max() - late.min()), 1e-6)
    return np.asarray((late - late.min()) / spread, np.float32)


def _morph(before: Pixels, after: Pixels) -> _Morph | None:
    """Returns the flow between two pictures where there is one; None where they differ too much."""
    height, width = before.shape[:2]
    size = (_FLOW_WIDTH, max(24, round(_FLOW_WIDTH * height / width)))
    a, b = (
        np.asarray(
            cv2.equalizeHist(cv2.cvtColor(cv2.resize(one, size), cv2.COLOR_RGB2GRAY)), np.uint8
        )
        for one in (before, after)
    )
    # A clear flow has structure to follow.
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    there = np.asarray(dis.calc(a, b, np.zeros((*a.shape, 2), np.float32)), np.float32)
    x, y = np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32))
    warped = cv2.remap(
        b, x + there[..., 0], y + there[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    plain = float(cv2.absdiff(a, b).mean())
    left = float(cv2.absdiff(a, np.asarray(warped, np.uint8)).mean())
    reach = float(np.quantile(np.abs(there), 0.95))
    if left > 24 or left > 0.62 * max(plain, 8.0) + 4 or reach > 0.16 * _FLOW_WIDTH:
        return None
    smooth = np.asarray(cv2.GaussianBlur(there, (0, 0), 2.5), np.float32)
    return _Morph(np.asarray(smooth * np.float32(width / size[0]), np.float32))


def tinted(frame: Pixels, towards: FloatArray, share: float) -> Pixels:
    """Returns a table (256, 1, 3) that brings a frame's mean colour part of the way to another.

    `towards` is a mean colour (3,), 0..255. Black stays black.
    """
    own = frame[::4, ::4].reshape(-1, 3).mean(axis=0)
    gain = np.clip((towards + 8) / (own + 8), 0.6, 1.6) ** share
    table = np.clip(np.arange(256)[:, None] * gain[None], 0, 255)
    return np.ascontiguousarray(np.round(table)[:, None, :], np.uint8)
