"""Ids sort by time and never meet."""

from __future__ import annotations

import re

from darkroom import ids
from ground import wait_until


def test_ids_are_prefixed_and_of_one_length():
    assert all(re.fullmatch(r"task_[0-9a-hjkmnp-tv-z]{26}", ids.new("task")) for _ in range(100))


def test_ids_sort_by_the_time_they_were_made():
    first = ids.new("x")
    later = wait_until(lambda: (one := ids.new("x"))[:11] != first[:11] and one)
    assert first < later


def test_ids_never_meet():
    assert len({ids.new("x") for _ in range(10_000)}) == 10_000


def test_file_names_keep_their_extension():
    assert re.fullmatch(r"[0-9a-z]{32}\.png", ids.file_name("png"))
