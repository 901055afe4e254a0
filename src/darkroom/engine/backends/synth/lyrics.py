"""Lyrics: the caller's lines divided among the sections, or lines written from templates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from darkroom.engine.backends.synth.phonemes import syllables
from darkroom.engine.backends.synth.tones import Random
from darkroom.engine.backends.synth.words import listed

SYLLABLES_MAX = 14
SUNG = ("A", "B", "A'", "B'")
_HEADINGS = {"A": "[Verse]", "B": "[Chorus]", "A'": "[Verse]", "B'": "[Chorus]"}
_TAG = re.compile(r"^\s*[\[(]([^\])]*)[\])]\s*:?\s*$")
_JOINERS = listed(
    "by in of at on under with and for to from over beside near about through like after before "
    "into across behind between without"
)
_NOT_THINGS = listed(
    "a an the my your his her our their some this that song music track tune piece ballad melody "
    "very really soft slow fast happy sad calm gentle warm cold dark bright pop rock rap jazz folk "
    "it is are be me you we they lyrics voice singer style mood beat"
)

_BRIGHT = (
    ("I woke up with the {a} in my mind", "And left the heavy hours behind"),
    ("The morning opens like a door", "I never saw this light before"),
    ("You took my hand along the way", "And turned the {a} into day"),
    ("We count the colours of the sky", "And let the quiet hours go by"),
    ("There is a road beyond the bend", "I hear it calling like a friend"),
    ("Your laugh is ringing down the street", "It keeps the time beneath my feet"),
    ("The {a} is singing in the air", "And I can hear it everywhere"),
    ("So let the evening find us here", "With nothing left for us to fear"),
    ("I kept the {a} inside a song", "It knew the answer all along"),
    ("The windows shine, the kettle hums", "I know the moment when it comes"),
)
_DARK = (
    ("The {a} is all I have tonight", "A window and a fading light"),
    ("I keep your letter in the drawer", "I do not read it any more"),
    ("The rain is walking down the lane", "And no one calls it by its name"),
    ("I set a place for no one there", "And tell my day to an empty chair"),
    ("The {a} remembers what we said", "It turns the pages in my head"),
    ("Your shadow waits along the wall", "I almost hear your footsteps fall"),
    ("The clocks go on, the rivers too", "And every river sounds like you"),
    ("I left a candle by the sea", "To burn a little way for me"),
    ("The {a} goes quiet after ten", "I learn to be alone again"),
    ("The station clock has lost its hands", "And no one living understands"),
)
_BRIGHT_CHORUS = (
    (
        "Oh {a}, carry me home", "I was never made to be alone",
        "Oh {a}, carry me on", "Till the long, long night is gone",
    ),
    (
        "Sing it for the {a}, sing it for the day", "Every little sorrow will sail away",
        "Sing it for the {a}, sing it one more time", "All the bells are ringing, and so is mine",
    ),
    (
        "Hold on, hold on, the {a} is near", "The road is long but the sky is clear",
        "Hold on, hold on, we are almost there",
        "With the sun in our eyes and the wind in our hair",
    ),
)  # fmt: skip
_DARK_CHORUS = (
    (
        "Oh {a}, where did you go", "I am calling and the night is slow",
        "Oh {a}, show me the way", "I would follow it any day",
    ),
    (
        "Let the {a} fall over me", "Let it cover the memory",
        "Let the {a} fall, let it rain", "Wash the words from the windowpane",
    ),
    (
        "Stay with me, {a}, a little while", "I am walking my final mile",
        "Stay with me, {a}, until the dawn", "Tell me who I am when you are gone",
    ),
)  # fmt: skip
_SPARE = {True: ("sun", "river", "summer", "city"), False: ("night", "winter", "river", "moon")}


class Lyrics(msgspec.Struct, frozen=True):
    """What a song sings: each section's lines, all of it as text, and what found no room."""

    lines: Mapping[str, tuple[str, ...]]
    text: str
    lines_left_out: int = 0


def things(description: str) -> list[str]:
    """What a description speaks of: the words that end its phrases, such as evening and sea."""
    words = re.findall(r"[A-Za-z']+|[^\sA-Za-z']", description.lower())
    found = []
    for place, word in enumerate(words):
        after = words[place + 1] if place + 1 < len(words) else "."
        is_end = not after[0].isalpha() or after in _JOINERS
        if is_end and word.isalpha() and len(word) > 2 and word not in _NOT_THINGS | _JOINERS:
            found.append(word)
    return list(dict.fromkeys(found))


def write(description: str, rooms: Mapping[str, int], rng: Random, *, is_bright: bool) -> Lyrics:
    """Returns lyrics in rhymed couplets; `rooms` says how many lines each section sings."""
    themes = things(description) or [str(rng.choice(_SPARE[is_bright]))]
    couplets = _BRIGHT if is_bright else _DARK
    about = [pair for pair in couplets if "{a}" in pair[0] + pair[1]]
    plain = [pair for pair in couplets if pair not in about]
    order = (
        [about[i] for i in rng.permutation(len(about))],
        [plain[i] for i in rng.permutation(len(plain))],
    )
    verses = [pair for both in zip(*order, strict=False) for pair in both]
    choruses = _BRIGHT_CHORUS if is_bright else _DARK_CHORUS
    chorus = choruses[int(rng.integers(len(choruses)))]
    found: dict[str, tuple[str, ...]] = {}
    used = 0
    for name in SUNG:
        lines: list[str] = []
        while len(lines) < rooms.get(name, 0):
            if name in ("B", "B'"):
                lines += chorus
            else:
                # Every second couplet speaks of something; each of the themes in turn.
                theme = themes[used // 2 % len(themes)]
                lines += [line.replace("{a}", theme) for line in verses[used % len(verses)]]
                used += 1
        found[name] = tuple(line.replace("{a}", themes[0]) for line in lines[: rooms.get(name, 0)])
    return Lyrics(found, _text(found))


def _text(lines: Mapping[str, Sequence[str]]) -> str:
    return "\n\n".join(
        "\n".join([_HEADINGS[name], *lines[name]]) for name in SUNG if lines.get(name)
    )


def divide(given: str, rooms: Mapping[str, int]) -> Lyrics:
    """The caller's lyrics among the sections: choruses where they are marked, else in order.

    Lines too long for one breath are cut in two; what finds no room is counted.
    """
    verses: list[str] = []
    chorus: list[str] = []
    into = verses
    for line in given.splitlines():
        if tag := _TAG.match(line):
            is_chorus = any(one in tag[1].lower() for one in ("chorus", "hook", "refrain"))
            into = chorus if is_chorus else verses
        elif syllables(line):
            into += _breaths(line.strip())
    chorus = list(dict.fromkeys(chorus))
    total = len(verses) + len(chorus)
    found: dict[str, tuple[str, ...]] = {}
    sung = 0
    for name in SUNG:
        room = rooms.get(name, 0)
        source = chorus if chorus and name in ("B", "B'") else verses
        found[name] = tuple(source[:room])
        if source is verses:
            sung += len(found[name])
            del verses[:room]
    sung += min(len(chorus), max(rooms.get("B", 0), rooms.get("B'", 0)))
    if not any(found.values()):
        found["A"] = ("La la la la",)
    return Lyrics(found, given.strip(), max(total - sung, 0))


def _breaths(line: str) -> list[str]:
    if len(syllables(line)) <= SYLLABLES_MAX:
        return [line]
    words = line.split()
    if len(words) < 2:
        half = len(line) // 2
        return [*_breaths(line[:half]), *_breaths(line[half:])] if half > 6 else [line]
    half = len(words) // 2
    return [*_breaths(" ".join(words[:half])), *_breaths(" ".join(words[half:]))]
