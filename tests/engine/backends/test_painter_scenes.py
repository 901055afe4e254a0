"""City, forest, flowers, abstract: same scene same bytes, any size, each hour its light."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from darkroom.engine.backends.painter.abstract import COMPOSITIONS, abstract
from darkroom.engine.backends.painter.city import city
from darkroom.engine.backends.painter.flowers import flowers
from darkroom.engine.backends.painter.forest import forest
from darkroom.engine.backends.painter.mottle import FloatArray, mottle
from darkroom.engine.backends.painter.scene import Scene

SUBJECTS = {"abstract": abstract, "city": city, "flowers": flowers, "forest": forest}


@functools.cache
def painted(subject: str, width: int = 192, height: int = 128, **choices: object) -> FloatArray:
    """A scene, kept: what the tests compare is mostly the same day."""
    scene = Scene(subject, **{"seed": 7, **choices})  # type: ignore[arg-type]  # by name
    return SUBJECTS[subject](scene, width, height, lambda done: None)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_repeats_the_same_bytes_for_the_same_scene(subject: str) -> None:
    first, again = painted(subject), painted.__wrapped__(subject)
    assert first.tobytes() == again.tobytes()
    assert np.abs(first - painted(subject, seed=8)).mean() > 0.01


@pytest.mark.parametrize("size", [(64, 64), (512, 64), (64, 512), (200, 131), (97, 640)])
@pytest.mark.parametrize("subject", SUBJECTS)
def test_fills_every_size_with_a_picture(subject: str, size: tuple[int, int]) -> None:
    rgb = painted(subject, *size)
    assert rgb.shape == (size[1], size[0], 3)
    assert rgb.dtype == np.float32
    assert rgb.min() >= 0
    assert rgb.max() <= 1
    assert np.isfinite(rgb).all()
    assert rgb.std() > 0.04


@pytest.mark.parametrize("subject", ["city", "flowers", "forest"])
@pytest.mark.parametrize("time", ["dawn", "sunrise", "golden", "sunset", "dusk", "night"])
def test_lights_every_hour_otherwise_than_day(subject: str, time: str) -> None:
    assert np.abs(painted(subject, time=time) - painted(subject)).mean() > 0.02


@pytest.mark.parametrize("subject", ["city", "flowers", "forest"])
@pytest.mark.parametrize("weather", ["rain", "storm", "snow", "fog", "overcast"])
def test_shows_the_weather(subject: str, weather: str) -> None:
    assert np.abs(painted(subject, weather=weather) - painted(subject)).mean() > 0.01


def test_darkens_the_night_of_every_landscape() -> None:
    for subject in ("city", "flowers", "forest"):
        assert painted(subject, time="night").mean() < 0.7 * painted(subject).mean()


def test_turns_the_forest_with_the_season() -> None:
    summer, autumn = painted("forest", season="summer"), painted("forest", season="autumn")
    warmth = [(rgb[..., 0] - rgb[..., 1]).mean() for rgb in (summer, autumn)]
    assert warmth[1] > warmth[0] + 0.05


def test_lights_neon_in_the_city() -> None:
    def colourful(rgb: FloatArray) -> float:
        return float((rgb.max(2) - rgb.min(2) > 0.45).mean())

    plain = painted("city", 480, 270, time="night")
    neon = painted("city", 480, 270, time="night", extras=frozenset({"neon"}))
    assert colourful(neon) > colourful(plain)


def test_grows_the_flower_that_is_named() -> None:
    red = painted("flowers", 480, 270, extras=frozenset({"poppy"}))
    yellow = painted("flowers", 480, 270, extras=frozenset({"sunflower"}))
    assert (red[..., 0] - red[..., 1] > 0.4).mean() > 0.01
    assert ((yellow[..., 1] - yellow[..., 2] > 0.3) & (yellow[..., 0] > 0.6)).mean() > 0.01


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_composes_each_abstract_in_the_named_colours(name: str) -> None:
    teal = painted("abstract", extras=frozenset({name}), palette=((0.05, 0.5, 0.55),))
    crimson = painted("abstract", extras=frozenset({name}), palette=((0.7, 0.05, 0.12),))
    redness = [(rgb[..., 0] - rgb[..., 2]).mean() for rgb in (teal, crimson)]
    assert redness[1] > redness[0] + 0.04


def test_tells_progress_that_never_falls_and_stops_when_told() -> None:
    for subject, paint in SUBJECTS.items():
        told: list[float] = []
        paint(Scene(subject, 1), 96, 64, told.append)
        assert told == sorted(told)
        assert told[-1] == pytest.approx(1.0)

        def stop(done: float) -> None:
            raise InterruptedError

        with pytest.raises(InterruptedError):
            paint(Scene(subject, 1), 96, 64, stop)


def test_keeps_the_noise_alike_at_every_size() -> None:
    small, large = mottle((60, 100), 3, 5.0), mottle((240, 400), 3, 5.0)
    assert np.corrcoef(small.ravel(), large[2::4, 2::4].ravel())[0, 1] > 0.95
    assert abs(float(large.mean()) - 0.5) < 0.1
