"""What the painter reads in a prompt."""

from __future__ import annotations

import pytest

from darkroom.engine.backends.painter import palette, words

READINGS = [
    ("A beautiful sunset over the ocean, vibrant colors", "sea", "sunset", set()),
    ("mountains with a lake at dawn", "lake", "dawn", set()),
    ("snowy alps", "mountains", None, {"snow_caps"}),
    ("desert dunes at golden hour", "desert", "golden", set()),
    ("night sky with milky way over mountains", "mountains", "night", {"milky_way"}),
    ("aurora over a frozen lake", "lake", "night", {"aurora", "ice"}),
    ("wheat field under clouds", "field", None, {"wheat"}),
    ("city skyline at night, neon", "city", "night", {"neon"}),
    ("cherry blossom in spring", "flowers", None, {"sakura"}),
    ("pine forest with a path", "forest", None, {"path", "trees"}),
    ("lighthouse on the coast at dusk", "sea", "dusk", {"lighthouse"}),
    ("two seagulls above stormy waves", "sea", None, {"birds"}),
]


@pytest.mark.parametrize(("prompt", "subject", "time", "extras"), READINGS)
def test_reads_subject_time_and_extras(
    prompt: str, subject: str, time: str | None, extras: set[str]
) -> None:
    scene = words.read(prompt, 3)
    assert scene.subject == subject
    assert time is None or scene.time == time
    assert extras <= scene.extras


def test_reads_weather_season_mood_and_style() -> None:
    scene = words.read("dramatic stormy sea, autumn, watercolor", 0)
    assert (scene.weather, scene.season) == ("storm", "autumn")
    assert (scene.mood, scene.style) == ("dramatic", "watercolour")


def test_reads_colours_strongest_first() -> None:
    scene = words.read("purple and gold sunset", 0)
    expected = tuple(palette.rgb(palette.NAMES[name]) for name in ("purple", "gold"))
    assert scene.palette == expected


def test_reads_vividness_up_and_down() -> None:
    levels = [words.read(f"{word} sea", 0).vividness for word in ("muted", "wide", "vibrant")]
    assert levels == sorted(levels)
    assert len(set(levels)) == 3


def test_reads_plurals_and_endings() -> None:
    assert words.read("valleys", 0).subject == "mountains"
    assert words.read("cities", 0).subject == "city"
    assert "birds" in words.read("birds over beaches", 0).extras


def test_negative_words_take_extras_and_weather_away() -> None:
    scene = words.read("lake with birds, boats and fog", 0, "birds, fog")
    assert "birds" not in scene.extras
    assert "boat" in scene.extras
    assert scene.weather != "fog"


def test_unknown_words_become_an_abstract_of_their_own() -> None:
    scene = words.read("quantum cat on a bicycle", 5)
    assert scene.subject == "abstract"
    assert scene.words_ignored == ("quantum", "cat", "bicycle")
    assert scene.words_used == ()
    assert scene.seed != words.read("quantum dog on a bicycle", 5).seed


@pytest.mark.parametrize("prompt", ["", "   ", "日落 海洋", "🌊" * 50, "a " * 5000, "'\"<>\x00;"])
def test_reads_anything_without_an_error(prompt: str) -> None:
    assert words.read(prompt, 0).subject


def test_every_word_is_used_ignored_or_plain() -> None:
    scene = words.read("the red sunset over a wobbly ocean", 0)
    assert set(scene.words_used) == {"red", "sunset", "ocean"}
    assert scene.words_ignored == ("wobbly",)


def test_words_that_the_subject_cannot_show_are_ignored() -> None:
    scene = words.read("a boat and a lighthouse in the desert by a skyscraper", 0, "skyscraper")
    assert scene.subject == "desert"
    assert scene.words_ignored == ("boat",)
    assert scene.extras == {"lighthouse"}


def test_a_second_subject_counts_only_where_it_is_in_the_picture() -> None:
    assert words.read("a lake in the mountains", 0).words_ignored == ()
    assert words.read("a desert beside a city", 0).words_ignored == ("desert",)
