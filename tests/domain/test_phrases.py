"""Phrases that are found by an index: it may bring too many, and never misses one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.domain.phrases import Phrases
from darkroom.domain.readings import DIGITS, views

SOME = [
    *("kill", "zap the cat", "loli", "ass", "b8 9b", "1488", "cp zoo", "see", "kid ill", "glass"),
    *("ll", "sis is", "bye bye", "ниша", "don’t go", "色情", "cp色情", "ポルノ 児童", "déjà vu"),
]
PHRASES = Phrases(SOME)


def found_in(text: str) -> set[str]:
    """The phrases that are found in a text by way of the index."""
    return {
        phrase
        for view in views(text)
        for phrase in PHRASES.near(view)
        if any(PHRASES.found([phrase], view))
    }


@pytest.mark.parametrize("phrase", SOME)
def test_finds_a_phrase_in_all_that_may_stand_for_its_letters(phrase: str) -> None:
    for text in (
        phrase,
        phrase.upper(),
        phrase.replace(" ", ""),
        phrase.replace(" ", "... "),
        f"so, {phrase}!",
        f"({phrase})",
        *([phrase.translate(DIGITS)] if not re.search("[0-9]", phrase) else ()),
        *([f"2{phrase}", f"{phrase}99"] if not re.search("^[0-9]|[0-9]$", phrase) else ()),
        re.sub("[aeiou]", "*", phrase),
        phrase.replace("’", "'"),
    ):
        assert phrase in found_in(text), text


@given(st.lists(st.sampled_from([*SOME, *"kil1zap the4c*8b9seog5.-  色情"]), max_size=12))
def test_finds_all_that_is_found_without_the_index(pieces: list[str]) -> None:
    text = "".join(pieces)
    without = {
        phrase for view in views(text) for phrase in SOME if any(PHRASES.found([phrase], view))
    }
    assert found_in(text) == without


def test_comes_near_to_few_phrases_in_ordinary_text() -> None:
    assert not PHRASES.near("a red fox asleep in deep snow, killing time near the glasshouse")
