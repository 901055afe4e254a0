"""What a film works out in a short way is what the long way gives, to a bound nobody sees."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest
from msgspec.structs import replace

from darkroom.engine.backends.clips import planes
from darkroom.engine.backends.film import plates
from darkroom.engine.backends.film.camera import Pose
from darkroom.engine.backends.film.stage import Frame, lay, look
from darkroom.engine.backends.painter import light, noise, ocean, sea, sky, words
from darkroom.engine.backends.painter.beach import Beach
from darkroom.engine.backends.painter.compose import paint
from darkroom.engine.backends.painter.figures import add_figures
from darkroom.engine.backends.painter.view import Part, View

_SIZE = (240, 136)
_PART = Part(slice(16, 120), slice(32, 200), _SIZE)


def test_what_nearer_plates_hide_is_left_out_and_nothing_else() -> None:
    still = paint("mountains at day", *_SIZE, 3).pixels
    near = np.repeat(np.linspace(0, 1, _SIZE[1], dtype=np.float32)[:, None] ** 2, _SIZE[0], axis=1)
    near[:40] = 0.0
    _backdrop, land = plates.cut(still, near, 3, lambda part: None)
    cut, pose = Frame((208, 116), _SIZE, 40.0, 1.0), Pose(right=0.05, up=0.02, ahead=0.1)
    quick, slow = (np.full((116, 208, 3), 128, np.uint8) for _ in range(2))
    seen, end = look(land, cut, pose, 1.0)
    lay(quick, seen)
    for plate in land:
        lay(slow, look([plate], cut, pose, 1.0)[0])
    assert np.array_equal(quick, slow)
    # Behind them something shows in the row before `end`, and in none from there on.
    behind = np.zeros_like(quick)
    lay(behind, seen)
    assert np.flatnonzero((behind != slow).any(axis=(1, 2))).max() == end - 1
    assert sum(len(one.pixels) for one in seen) < 0.8 * 116 * len(land)


@pytest.mark.parametrize("prompt", ["a beach at sunset", "a storm over the sea"])
def test_a_part_of_a_sea_is_that_part_of_the_whole(prompt: str) -> None:
    scene = replace(words.read(prompt, 2), moment=1.5)
    line = sea.horizon(scene)
    above = sky.sky(scene, *_SIZE, line)
    view = View(*_SIZE, line * _SIZE[1])
    water = replace(sea.water_of(scene, above), is_flat="beach" in scene.extras)
    beach = Beach(scene, above, *_SIZE)
    shown = []
    for part in (Part.whole(*_SIZE), _PART):
        picture = above.linear.copy()
        sea.paint_water(picture, view, above, water, scene.seed, part)
        if water.is_flat:
            beach.lay(picture, above.linear, scene.moment, part)
        shown.append(light.to_display(picture)[_PART.rows, _PART.columns])
    apart = np.abs(shown[0] - shown[1])
    # How soft a storm's rows are is told by their mean distance, which is the part's own.
    assert (apart.max() if water.is_flat else apart.mean()) < 1 / 255
    graded = [light.grade(shown[1], scene, part) for part in (None, _PART)]
    assert graded[0].mean() < graded[1].mean()  # no vignette of its own


def test_rows_of_all_levels_of_the_ocean_are_looked_up_at_once() -> None:
    levels = ocean.levels(4)
    rng = np.random.default_rng(1)
    u, v = (rng.uniform(-3, 3, (6, 50)).astype(np.float32) for _ in range(2))
    wanted = np.array([0.0, 0.0, 0.5, 2.25, 5.0, 6.0])
    waves, lost = levels.sampled(u.copy(), v.copy(), wanted)
    tile = ocean.tile(4)
    assert lost[0] == 0.0
    assert lost[5] == pytest.approx(float((tile[..., 1:] ** 2).mean()), rel=1e-3)
    for channel in range(3):
        whole = noise.sample(np.ascontiguousarray(tile[..., channel]), u, v)
        assert np.abs(waves[channel][:2] - whole[:2]).max() < 0.01 * np.abs(tile).max()
        assert np.abs(waves[channel][5]).max() == 0.0
        assert 0 < waves[channel][3].std() < whole[3].std()


def test_figures_drawn_by_themselves_cover_what_they_would_be_drawn_over() -> None:
    scene = replace(words.read("a boat and a lighthouse by the sea at dusk", 3), moment=0.5)
    line = sea.horizon(scene)
    above = sky.sky(scene, *_SIZE, line)
    view = View(*_SIZE, line * _SIZE[1])
    straight = above.linear.copy()
    add_figures(straight, view, above, scene)
    alone = np.zeros((*_SIZE[::-1], 4), np.float32)
    alone[..., 3] = 1.0
    add_figures(alone, view, above, scene)
    assert np.abs(straight - above.linear).max() > 0.05
    assert np.abs(above.linear * alone[..., 3:] + alone[..., :3] - straight).max() < 1e-4


def test_frames_become_the_planes_that_ffmpeg_makes() -> None:
    rgb = cv2.GaussianBlur(paint("flowers", *_SIZE, 1).pixels, (0, 0), 1.0)
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
        format="yuv420p", src_colorspace="ITU709", dst_colorspace="ITU709", dst_color_range="MPEG"
    )
    apart = np.abs(planes(np.asarray(rgb, np.uint8)).astype(int) - frame.to_ndarray())
    assert apart[: _SIZE[1]].max() <= 1
    assert apart[_SIZE[1] :].mean() < 1
