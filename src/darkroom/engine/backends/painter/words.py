"""The painter's vocabulary: a prompt read into a scene, word by word, from closed lists."""

from __future__ import annotations

import hashlib
import re

from darkroom.engine.backends.painter import palette
from darkroom.engine.backends.painter.lexicon import (
    AROUND,
    EXTRAS,
    MOODS,
    PHRASES,
    PLAIN_WORDS,
    SEASONS,
    SHOWN,
    STYLES,
    SUBJECTS,
    TIMES,
    VIVID,
    WEATHERS,
)
from darkroom.engine.backends.painter.scene import Scene

_WORDS_MAX = 400
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?", re.UNICODE)
_ENDINGS = (("ies", "y"), ("ves", "f"), ("es", ""), ("s", ""), ("ing", ""), ("y", ""))
# The first of two subjects wins unless the second says more about the place.
_WEIGHT = {
    "city": 6,
    "flowers": 5,
    "desert": 5,
    "sea": 5,
    "lake": 5,
    "forest": 4,
    "field": 3,
    "mountains": 3,
    "sky": 1,
}


def read(prompt: str, seed: int, negative_prompt: str = "") -> Scene:
    """Returns the scene a prompt describes; what it leaves open, the seed decides; it never fails.

    Words of `negative_prompt` take their extras, weather and colours away. A prompt without a
    known subject becomes "abstract". At most 400 words are read.
    """
    words = _terms(prompt)
    refused = set(_terms(negative_prompt))
    meanings = _meanings([word for word in words if word not in refused])
    found = {
        name: [meaning[name] for meaning in meanings.values() if name in meaning]
        for name in _tables()
    }
    extras = set(found["extras"])
    for word in refused:
        extras.discard(_known(word, EXTRAS) or "")
    time, weather = _first(found["times"]), _first(found["weathers"])
    subject = _subject(found, extras)
    seed_of_choice = _mixed(seed, prompt) if subject == "abstract" else seed
    used = [word for word, meaning in meanings.items() if _shown(meaning, subject)]
    ignored = [word for word in meanings if word not in used and word not in PLAIN_WORDS]
    if weather in {_known(word, WEATHERS) for word in refused}:
        weather = "clear"
    return Scene(
        subject=subject,
        seed=seed_of_choice,
        time=time or _time(extras, seed, subject, weather),
        weather=weather or _weather(seed, subject),
        season=_season(found, extras),
        mood=_first(found["moods"]) or "neutral",
        style=_first(found["styles"]) or "photo",
        extras=frozenset(extras & SHOWN[subject]),
        palette=tuple(palette.rgb(palette.NAMES[name]) for name in dict.fromkeys(found["colours"])),
        vividness=_vividness(found["vivid"]),
        words_used=tuple(used),
        words_ignored=tuple(ignored),
    )


def _terms(text: str) -> list[str]:
    """Returns lower-case words, known phrases joined into one term with a space."""
    words = [word.lower() for word in _WORD.findall(text)][:_WORDS_MAX]
    terms: list[str] = []
    at = 0
    while at < len(words):
        for length in (3, 2, 1):
            term = " ".join(words[at : at + length])
            if length == 1 or term in PHRASES:
                terms.append(term)
                at += length
                break
    return terms


def _known(word: str, table: dict[str, str]) -> str | None:
    if word in table:
        return table[word]
    for ending, instead in _ENDINGS:
        stem = word[: -len(ending)] + instead
        if word.endswith(ending) and len(stem) > (3 if ending in ("ing", "y") else 2):
            for form in (stem, stem + "e"):
                if form in table:
                    return table[form]
            if len(stem) > 3 and stem[-1] == stem[-2] and stem[:-1] in table:
                return table[stem[:-1]]
    return None


def _tables() -> dict[str, dict[str, str]]:
    colours = {name: name for name in palette.NAMES} | {"gray": "grey", "blood": "crimson"}
    return {
        "subjects": SUBJECTS, "times": TIMES, "weathers": WEATHERS, "seasons": SEASONS,
        "moods": MOODS, "styles": STYLES, "extras": EXTRAS, "vivid": VIVID, "colours": colours,
    }  # fmt: skip


def _meanings(words: list[str]) -> dict[str, dict[str, str]]:
    """Returns what each word means, by table; unknown words mean nothing."""
    tables = _tables()
    return {
        word: {
            name: value
            for name, table in tables.items()
            if (value := _known(word, table)) is not None
        }
        for word in dict.fromkeys(words)
    }


def _shown(meaning: dict[str, str], subject: str) -> bool:
    """Returns whether anything a word means is in the picture of this subject."""
    around = AROUND.get(subject, frozenset())
    return any(
        value in SHOWN[subject]
        if name == "extras"
        else value == subject or value in around
        if name == "subjects"
        else True
        for name, value in meaning.items()
    )


def _first(values: list[str]) -> str:
    return values[0] if values else ""


def _subject(found: dict[str, list[str]], extras: set[str]) -> str:
    subjects = found["subjects"]
    if "abstract" in subjects:
        return "abstract"
    if "mountains" in subjects and "lake" in subjects:
        return "lake"
    if "mountains" in subjects and {"sea", "desert", "city", "flowers"} & set(subjects):
        extras.add("hills")
    if subjects:
        return max(dict.fromkeys(subjects), key=lambda name: _WEIGHT.get(name, 2))
    if {"aurora", "milky_way"} & extras:
        return "mountains"
    if {"boat", "lighthouse", "palm"} & extras:
        return "sea"
    if "cabin" in extras or "winter" in found["seasons"] or "snow" in found["weathers"]:
        return "mountains"
    if extras & {"path", "trees"} or "autumn" in found["seasons"]:
        return "forest"
    return "sea" if found["times"] else "sky" if found["weathers"] or extras else "abstract"


def _time(extras: set[str], seed: int, subject: str, weather: str) -> str:
    if {"aurora", "milky_way", "stars", "moon"} & extras:
        return "night"
    if subject == "city" and "neon" in extras:
        return "night"
    if weather == "fog" and subject in ("mountains", "lake", "field"):
        return ("dawn", "sunrise")[seed % 2]
    if weather and weather != "cloudy":
        return "day"
    if subject in ("forest", "flowers", "field", "abstract"):
        return "day"
    if subject in ("mountains", "lake"):
        return ("golden", "sunrise", "day", "dawn")[seed % 4]
    return ("day", "golden", "sunrise", "day")[seed % 4]


def _weather(seed: int, subject: str) -> str:
    return ("clear", "clear", "cloudy")[seed // 4 % 3] if subject != "abstract" else "clear"


def _season(found: dict[str, list[str]], extras: set[str]) -> str:
    if found["seasons"]:
        return found["seasons"][0]
    return "winter" if "snow" in found["weathers"] or "ice" in extras else "summer"


def _vividness(words: list[str]) -> float:
    return min(1.0, max(0.0, 0.5 + sum(0.3 if word == "more" else -0.3 for word in words)))


def _mixed(seed: int, prompt: str) -> int:
    digest = hashlib.sha256(prompt.strip().lower().encode()).digest()
    return (seed + int.from_bytes(digest[:4], "big")) % 2**32
