"""The sea of a film: painted anew for every frame, its waves running as waves do."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from msgspec.structs import replace

from darkroom.engine.backends.film import warps
from darkroom.engine.backends.film.airs import Air
from darkroom.engine.backends.film.camera import Move, Pose
from darkroom.engine.backends.film.skies import Skies
from darkroom.engine.backends.film.stage import Frame
from darkroom.engine.backends.painter import light
from darkroom.engine.backends.painter.beach import Beach
from darkroom.engine.backends.painter.figures import add_figures
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.scene import Scene
from darkroom.engine.backends.painter.sea import horizon, paint_water, water_of
from darkroom.engine.backends.painter.sky import Sky, shining
from darkroom.engine.backends.painter.survey import Survey
from darkroom.engine.backends.painter.view import Part, View
from darkroom.engine.backends.painter.weather import add_weather
from darkroom.engine.backends.pictures import Pixels

# A frame is painted with at most so many pixels, and enlarged; fewer where waves hide each other.
_PIXELS_MAX, _STORM_PIXELS_MAX = 290_000, 230_000
_KEYS_A_SECOND = 3
_STANDING = frozenset({"island", "hills", "lighthouse", "cabin"})
_MOVING = frozenset({"boat", "palm"})
# How far the camera goes over the water, metres, where the nearest thing would cross the picture.
_REACH = 40.0


class SeaShot:
    """A shot of the sea."""

    def __init__(
        self, scene: Scene, size: tuple[int, int], span: float, move: Move, airs: Sequence[Air]
    ) -> None:
        most = _STORM_PIXELS_MAX if scene.weather == "storm" else _PIXELS_MAX
        scale = min(1.0, (most / (size[0] * size[1] * span * span)) ** 0.5)
        self.small = (round(size[0] * span * scale), round(size[1] * span * scale))
        survey = Survey(line=horizon(scene))
        self.scene, self.move, self.airs = scene, move, airs
        self.skies = Skies(scene, self.small, survey, lambda linear: linear)
        self.cut = Frame(size, self.small, survey.line * self.small[1], scale)
        self.above = self.skies.first
        self.beach = Beach(scene, self.above, *self.small) if "beach" in scene.extras else None
        self.figures = _Figures(scene, View(*self.small, self.cut.horizon), self.above)
        discs = shining(scene, *self.small, survey.line)
        left, top, *sides = cv2.boundingRect((discs.max(axis=2) > 0).astype(np.uint8))
        wide, high = (max(1, side) for side in sides)
        # With a dark row on either side, into which it moves by less than a pixel.
        self.discs = np.pad(discs[top : top + high, left : left + wide], ((1, 1), (0, 0), (0, 0)))
        self.discs_at = (top - 1, slice(left, left + wide))

    def frame(self, seconds: float, share: float) -> Pixels:
        """Returns the sea at a moment."""
        pose = self.move.pose(share)
        part = self._part(pose)
        painted = self._painted(seconds, pose, part)
        matrix = self.cut.matrix(pose, 1.0)
        matrix[:, 2] -= (part.columns.start, part.rows.start)
        large = warps.affine(warps.widened(painted), matrix, self.cut.size)
        frame = np.asarray(warps.narrowed(large), np.uint8)
        for air in self.airs:
            air(frame, seconds)
        return frame

    def _part(self, pose: Pose) -> Part:
        """Returns the part of the canvas that the pose sees: only that is painted.

        It begins and ends at multiples of 8, on which the bloom is worked out.
        """
        step, *corner = self.cut.far(pose)
        seen = []
        for first, count, most in zip(corner, self.cut.size, self.small, strict=True):
            last = first + step * (count - 1)
            seen.append(slice(int(first) // 8 * 8, min(most, -(int(last + 2) // -8) * 8)))
        return Part(seen[1], seen[0], self.small)

    def _painted(self, seconds: float, pose: Pose, part: Part) -> Pixels:
        scene = replace(self.scene, moment=seconds)
        picture = self._sky(seconds)
        above = replace(self.above, linear=picture.copy())
        water = water_of(scene, above)
        # A beach is painted where it is: the camera turns, but does not leave.
        reach = 0.0 if self.beach else _REACH
        at = (pose.right * reach * 0.6, pose.ahead * reach)
        water = replace(
            water,
            at=at,
            eye=max(1.2, water.eye + pose.up * reach * 0.5),
            is_flat=scene.weather != "storm",
        )
        view = View(*self.small, self.cut.horizon)
        paint_water(picture, view, above, water, scene.seed, part)
        if self.beach:
            self.beach.lay(picture, above.linear, seconds, part)
        self.figures.lay(picture, seconds, part)
        add_weather(picture, view, above, scene)
        seen = light.to_display(picture[part.rows, part.columns])
        return np.asarray(cv2.convertScaleAbs(light.grade(seen, scene, part), alpha=255), np.uint8)

    def _sky(self, seconds: float) -> FloatArray:
        """Returns the sky (scene light) with the sun, moon and stars where they stand by now; the
        sun sinks or rises."""
        straight = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
        width, height = self.small
        line = round(self.cut.horizon)
        # Below the horizon there is but haze, the same in all rows.
        sky = self.skies.seen(straight, (width, min(height, line + 4)), seconds)
        whole = np.empty((height, width, 3), np.float32)
        whole[: len(sky)], whole[len(sky) :] = sky, sky[-1]
        way = {"sunset": 1.0, "sunrise": -1.0}.get(self.scene.time, 0.0)
        down = way * min(seconds * 0.0035, 0.035) * height
        shift = np.array([[1, 0, 0], [0, 1, down % 1.0]])
        discs = cv2.warpAffine(self.discs, shift, self.discs.shape[1::-1])
        first = self.discs_at[0] + int(down // 1.0)
        rows = slice(max(0, first), min(line if way else height, first + len(discs)))
        if rows.start < rows.stop:
            whole[rows, self.discs_at[1]] += discs[rows.start - first : rows.stop - first]
        return whole


class _Figures:
    """What stands in the sea; what moves is drawn a few times a second and blended in between: it
    moves slowly."""

    def __init__(self, scene: Scene, view: View, above: Sky) -> None:
        self.scene, self.view, self.above = scene, view, above
        self.is_empty = not scene.extras & (_STANDING | _MOVING)
        self.moves = bool(scene.extras & _MOVING)
        self._keys: dict[int, FloatArray] = {}

    def _key(self, number: int) -> FloatArray:
        """Returns the figures' light (h, w, 4), and how much of what lies behind they leave."""
        if number not in self._keys:
            scene = replace(self.scene, moment=number / _KEYS_A_SECOND)
            drawn = np.zeros((self.view.height, self.view.width, 4), np.float32)
            drawn[..., 3] = 1.0
            add_figures(drawn, self.view, self.above, scene)
            self._keys = {k: v for k, v in self._keys.items() if k >= number - 1}
            self._keys[number] = drawn
        return self._keys[number]

    def lay(self, picture: FloatArray, seconds: float, part: Part) -> None:
        """Lay the figures over a part of a picture (scene light), in place."""
        if self.is_empty:
            return
        here = (part.rows, part.columns)
        number, share = int(seconds * _KEYS_A_SECOND), seconds * _KEYS_A_SECOND % 1.0
        if self.moves:
            now, then = self._key(number)[here], self._key(number + 1)[here]
            drawn = cv2.addWeighted(now, 1 - share, then, share, 0)
        else:
            drawn = self._key(0)[here]
        picture[here] *= cv2.cvtColor(cv2.extractChannel(drawn, 3), cv2.COLOR_GRAY2RGB)
        picture[here] += warps.narrowed(drawn)
