"""The parts of a film: camera words, parallax, drifting skies, guessed depth, made sound."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from msgspec.structs import replace

from darkroom.engine.backends import sounds
from darkroom.engine.backends.film import ambience, camera, depths, montages, plates
from darkroom.engine.backends.film.camera import Pose
from darkroom.engine.backends.film.skies import carried
from darkroom.engine.backends.film.stage import Frame, Plate, lay, look
from darkroom.engine.backends.film.windows import Windows
from darkroom.engine.backends.painter import sky, words
from darkroom.engine.backends.painter.compose import paint, paint_scene
from darkroom.engine.backends.painter.survey import Survey
from darkroom.engine.backends.painter.view import View
from darkroom.engine.backends.pictures import Pixels


def silent(fraction: float) -> None:
    del fraction


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        ("a city, pan left slowly", ("pan left", "slow")),
        ("panning to the right", ("pan right",)),
        ("slow zoom out of the valley", ("zoom out", "slow")),
        ("zoom in on the boat", ("zoom in",)),
        ("the camera moves slowly into the picture", ("dolly in", "slow")),
        ("the camera pulls back", ("dolly out",)),
        ("the camera glides along the shore", ("truck right",)),
        ("drone flies over dunes, fast", ("aerial", "fast")),
        ("tilt up to the stars", ("tilt up",)),
        ("orbit left around the tower", ("orbit left",)),
        ("a static shot of a lake", ("static",)),
        ("handheld, walking through a forest", ("handheld", "dolly in")),
    ],
)
def test_camera_words_are_obeyed(prompt: str, names: tuple[str, ...]) -> None:
    assert camera.choose(prompt, 1, 5.0).names == names


def test_without_camera_words_the_seed_chooses() -> None:
    chosen = {camera.choose("a panther at a lake", seed, 5.0).names for seed in range(30)}
    assert len(chosen) == 6
    assert all("(chosen)" in name for (name,) in chosen)


def test_a_static_camera_stays_and_others_go_their_way_evenly() -> None:
    still = camera.choose("static", 1, 5.0)
    assert still.pose(0.0) == still.pose(1.0) == Pose()
    pan = camera.choose("pan right", 1, 5.0)
    yaw = [pan.pose(n / 20).yaw for n in range(21)]
    assert yaw == sorted(yaw)
    assert yaw[0] == pytest.approx(-yaw[-1])
    rest = camera.choose("pan right", 1, 5.0, at_rest=True)
    assert rest.pose(0.0).yaw == 0.0


def test_near_things_pass_far_ones_and_nothing_tears() -> None:
    rgb = np.full((90, 160, 3), (40, 90, 160), np.uint8)
    near = np.full((90, 160), 0.1, np.float32)
    rgb[30:60, 20:30] = (220, 200, 40)
    rgb[40:80, 90:110], near[40:80, 90:110] = (200, 30, 30), 1.0
    _backdrop, land = plates.cut(rgb, near, 2, silent)
    cut = Frame((160, 90), (160, 90), 45.0, 1.0)

    def columns(pose: Pose) -> tuple[float, float]:
        frame = np.full((90, 160, 3), (255, 0, 255), np.uint8)
        seen, _ = look(land, cut, pose, 0.0)
        lay(frame, seen)
        assert not ((frame[..., 0] > 230) & (frame[..., 2] > 230)).any()
        red = (frame[..., 0] > 150) & (frame[..., 1] < 80)
        yellow = (frame[..., 0] > 180) & (frame[..., 1] > 160)
        return float(np.nonzero(red)[1].mean()), float(np.nonzero(yellow)[1].mean())

    red, yellow = columns(Pose())
    red_after, yellow_after = columns(Pose(right=0.1))
    assert red - red_after == pytest.approx(16, abs=1.5)
    assert yellow - yellow_after == pytest.approx(1.6, abs=1.0)


def test_clouds_are_carried_as_the_painter_carries_them() -> None:
    scene = words.read("cloudy day sky", 3)
    early, late = (replace(scene, moment=moment) for moment in (0.0, 3.0))
    view = View(200, 112, 100.0)
    first, last = (
        sky.sky(one, 200, 112, view.horizon / 112, discs=False).rgb for one in (early, late)
    )
    gone = np.subtract(sky.drift(late), sky.drift(early))
    away = carried(view, (float(gone[0]), float(gone[1])))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpPerspective(first, away, (200, 112), flags=flags, borderMode=cv2.BORDER_REFLECT)
    inner = np.s_[10:70, 30:170]
    assert np.abs(moved - last)[inner].mean() < 0.75 * np.abs(first - last)[inner].mean()


def test_a_picture_is_the_same_with_and_without_a_survey_and_a_film_moves_it() -> None:
    scene = words.read("a lake in the mountains at day", 5)
    survey = Survey()
    plain = paint("a lake in the mountains at day", 120, 68, 5).pixels
    assert plain.tobytes() == paint_scene(scene, 120, 68, survey=survey).pixels.tobytes()
    later = paint_scene(replace(scene, moment=20.0), 120, 68).pixels
    assert plain.tobytes() != later.tobytes()
    assert survey.near.shape == (68, 120)
    assert survey.near[2].max() == 0.0
    assert survey.near[-1].mean() > 3 * survey.near[40].mean() > 0
    assert survey.water is not None
    assert 0.05 < survey.water.mean() < 0.6


@pytest.mark.parametrize("prompt", ["city by the water", "pine forest", "daisies", "clouds"])
def test_a_survey_tells_near_from_far(prompt: str) -> None:
    survey = Survey()
    paint_scene(replace(words.read(prompt, 2), moment=0.0), 120, 68, survey=survey)
    rows = survey.near.mean(axis=1)
    assert rows[-3:].mean() > rows[:20].mean()


def test_a_sky_and_a_subject_are_found_in_pictures() -> None:
    found = depths.estimate(paint("mountain lake at day", 240, 160, 5).pixels)
    assert found.is_sky
    assert (found.near[:30] == 0).mean() > 0.8
    assert (found.near[-30:] > 0.4).mean() > 0.9
    room = np.full((160, 240, 3), (205, 190, 170), np.uint8)
    room[115:] = (120, 84, 60)
    cv2.ellipse(room, (120, 100), (30, 58), 0, 0, 360, (170, 40, 50), -1)
    seen = depths.estimate(room)
    assert not seen.is_sky
    assert seen.has_subject
    assert seen.near[90, 120] > seen.near[90, 20] + 0.3


def test_takes_cover_the_film_and_overlap() -> None:
    times = montages.scheduled([1.0, 1.4, 1.0], 6.0)
    assert times[0][0] == 0.0
    assert times[-1][1] == 6.0
    for (_, end), (start, _) in itertools.pairwise(times):
        assert 0.2 < end - start <= 1.2


@pytest.mark.parametrize("name", sorted(ambience.SOURCES))
def test_each_sound_is_heard_stereo_at_a_like_loudness_without_clicks(name: str) -> None:
    sound = ambience.ambience({name: 1.0}, 2.5, 7, silent)
    assert sound.shape == (round(2.5 * sounds.RATE), 2)
    assert -26 < sounds.loudness(sound) < -18
    assert np.abs(sound).max() < 0.9
    assert np.abs(sound[[0, -1]]).max() < 1e-3
    assert np.abs(sound[:, 0] - sound[:, 1]).max() > 0.005
    again = ambience.ambience({name: 1.0}, 2.5, 7, silent)
    assert sound.tobytes() == again.tobytes()
    assert sound.tobytes() != ambience.ambience({name: 1.0}, 2.5, 8, silent).tobytes()


def test_the_sound_fits_the_scene() -> None:
    sea = ambience.mix_of(words.read("storm at sea", 1))
    assert {"surf", "rain", "thunder"} <= set(sea)
    night = ambience.mix_of(words.read("forest at night", 1))
    assert "crickets" in night
    assert "birds" not in night


class Still:
    """A shot that always shows one picture."""

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels

    def frame(self, seconds: float, share: float) -> Pixels:
        del seconds, share
        return self.pixels


def test_pictures_of_the_same_thing_are_bent_into_each_other() -> None:
    whole = paint("mountain lake at day", 200, 120, 5).pixels
    first, last = whole[:, :180], whole[:, 12:192]
    takes = [
        montages.Take(Still(np.ascontiguousarray(one)), *time)
        for one, time in zip((first, last), montages.scheduled([1.0, 1.0], 2.0), strict=True)
    ]
    montage = montages.Montage(takes)
    assert montage.frame(0.0, 0.0).tobytes() == first.tobytes()
    between = montage.frame(1.0, 0.5).astype(float)
    assert montage.kinds == ["morph"]
    halfway = whole[:, 6:186].astype(float)
    inner = np.s_[10:-10, 20:-20]
    mixed = (first.astype(float) + last) / 2
    assert np.abs(between - halfway)[inner].mean() < 0.6 * np.abs(mixed - halfway)[inner].mean()


def test_windows_are_switched_and_come_back() -> None:
    rgba = np.full((60, 80, 4), 255, np.uint8)
    rgba[..., :3] = (30, 30, 40)
    for row in range(6, 54, 8):
        for column in range(6, 74, 8):
            rgba[row : row + 3, column : column + 3, :3] = (230, 200, 120)
    plate = Plate(rgba, np.ones((15, 20), np.float32))
    lit = rgba.copy()
    windows = Windows([plate], 60.0, 4)
    shares = []
    for second in range(20):
        windows.switch(float(second))
        shares.append(float((rgba[..., 0] > 200).sum() / (lit[..., 0] > 200).sum()))
    assert 0.4 < np.mean(shares) < 0.95
    assert np.ptp(shares) > 0.02
    windows.switch(0.0)
    first = rgba.copy()
    windows.switch(7.0)
    windows.switch(0.0)
    assert first.tobytes() == rgba.tobytes()
