"""Sizes: the table of what words mean in pixels, and what holds for every size there is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom import errors
from darkroom.domain.sizes import PIXELS_MAX, RATIO_MAX, SIDE_MIN, Size, resolve

quickly = settings(database=None, max_examples=300)


@pytest.mark.parametrize(
    ("ratio", "resolution", "width", "height"),
    [
        (None, None, 1024, 1024),
        ("", "", 1024, 1024),
        ("16:9", "1080p", 1920, 1080),
        ("9:16", "1080p", 1080, 1920),
        ("1:1", "1080p", 1080, 1080),
        (None, "720p", 720, 720),
        ("16:9", "720p", 1280, 720),
        ("4:3", "720P", 960, 720),
        ("1:1", "2k", 2048, 2048),
        ("1:1", "4K", 4096, 4096),
        ("16:9", "1k", 1368, 768),
        ("16:9(2k)", None, 2728, 1536),
        ("16:9(2k)", "1k", 1368, 768),
        ("2k", None, 2048, 2048),
        ("21:9", "4k", 6256, 2680),
        ("8:1", "1k", 2896, 360),
        (None, "1280x720", 1280, 720),
        ("16:9", "1280X720", 1280, 720),
        (None, "1280×720", 1280, 720),
        (None, "1280*720", 1280, 720),
        (None, "1280 x 720", 1280, 720),
        (None, "64x64", 64, 64),
        (None, "65x67", 65, 67),
        (None, "8192x2048", 8192, 2048),
    ],
)
def test_words_mean_these_pixels(ratio, resolution, width, height):
    assert resolve(ratio, resolution) == Size(width, height)


@pytest.mark.parametrize(
    ("ratio", "resolution", "field"),
    [
        *((ratio, None, "aspect_ratio") for ratio in ("a", "1", "1:", ":1", "0:1", "9:1", "1:9")),
        *(
            (ratio, None, "aspect_ratio")
            for ratio in ("1:1(2p)", "1:1()", "16:9 ", "1000:999", "-")
        ),
        *((None, text, "resolution") for text in ("a", "1080", "2", "p", "k", "10p", "100k", "x")),
        *((None, text, "resolution") for text in ("63x64", "64x63", "64x600", "5000x5000", "0k")),
        *((None, text, "resolution") for text in ("99999x64", "063p", "9999p", "64x64px", " 2k")),
        ("16:9", "720x720", "resolution"),
    ],
)
def test_what_is_no_size_is_refused_with_its_field(ratio, resolution, field):
    with pytest.raises(errors.BadParameter) as refused:
        resolve(ratio, resolution)
    assert refused.value.field == field


def test_a_refused_ratio_says_the_words_that_clients_match():
    with pytest.raises(errors.AspectRatioRefused, match="aspect ratio 5:0 is not supported"):
        resolve("5:0", None)


ratios = st.tuples(st.integers(1, 999), st.integers(1, 999))
resolutions = st.one_of(
    st.none(),
    st.integers(100, 9999).map(lambda lines: f"{lines}p"),
    st.integers(0, 99).map(lambda kilo: f"{kilo}k"),
)
pixels = st.tuples(st.integers(0, 99_999), st.integers(0, 99_999))


def _or_refused(ratio, resolution):
    try:
        return resolve(ratio, resolution)
    except errors.BadParameter:
        return None


@quickly
@given(ratios, resolutions)
def test_a_size_keeps_its_ratio_to_the_pixel_s_rounding(ratio, resolution):
    size = _or_refused(f"{ratio[0]}:{ratio[1]}", resolution)
    if size is not None:
        wanted = ratio[0] / ratio[1]
        # Either side is at most half of a multiple of 8 from where the ratio puts it.
        assert abs(size.width - size.height * wanted) <= 4 + 4 * wanted + 1e-6


@quickly
@given(ratios, st.integers(100, 9999))
def test_lines_are_the_exact_length_of_the_shorter_side(ratio, lines):
    size = _or_refused(f"{ratio[0]}:{ratio[1]}", f"{lines}p")
    if size is not None:
        sides = (size.height, size.width) if ratio[0] >= ratio[1] else (size.width, size.height)
        assert sides[0] == lines
        assert sides[1] % 8 == 0


@quickly
@given(st.one_of(ratios.map(lambda r: f"{r[0]}:{r[1]}"), st.none()), resolutions)
def test_every_size_is_within_bounds(ratio, resolution):
    size = _or_refused(ratio, resolution)
    if size is not None:
        sides = (size.width, size.height)
        assert min(sides) >= SIDE_MIN
        assert size.width * size.height <= PIXELS_MAX * 1.01
        assert max(sides) <= min(sides) * RATIO_MAX * 1.04


@quickly
@given(pixels)
def test_pixels_are_taken_as_they_are_or_not_at_all(asked):
    size = _or_refused(None, f"{asked[0]}x{asked[1]}")
    assert size in {None, Size(*asked)}
    if min(asked) >= SIDE_MIN and max(asked) <= min(4096, 8 * min(asked)):
        assert size is not None


@quickly
@given(ratios, st.sampled_from(["1k", "2k"]))
def test_a_kilo_is_as_many_pixels_whatever_the_ratio(ratio, resolution):
    size = _or_refused(f"{ratio[0]}:{ratio[1]}", resolution)
    if size is not None:
        wanted = (int(resolution[0]) * 1024) ** 2
        assert abs(size.width * size.height / wanted - 1) < 0.02


@quickly
@given(ratios, resolutions)
def test_turning_the_ratio_turns_the_size(ratio, resolution):
    size = _or_refused(f"{ratio[0]}:{ratio[1]}", resolution)
    turned = _or_refused(f"{ratio[1]}:{ratio[0]}", resolution)
    assert (size is None) == (turned is None)
    if size is not None and turned is not None:
        assert abs(size.width - turned.height) <= 8
        assert abs(size.height - turned.width) <= 8


@quickly
@given(st.none() | st.text(max_size=12), st.none() | st.text(max_size=12))
def test_any_text_is_a_size_or_a_refusal(ratio, resolution):
    _or_refused(ratio, resolution)


def test_pixels_are_width_times_height():
    assert Size(1000, 1500).pixels == 1_500_000
