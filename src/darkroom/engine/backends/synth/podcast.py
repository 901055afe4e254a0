"""A podcast: a script written from templates about a query, and its turns spoken one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from darkroom.engine.backends import pictures, sounds
from darkroom.engine.backends.contract import Context, Output
from darkroom.engine.backends.synth import engines, mixing, speech, voices
from darkroom.engine.backends.synth.talk import TALKS, Pairs, Talk
from darkroom.engine.backends.synth.tones import Random
from darkroom.engine.backends.synth.words import listed
from darkroom.errors import BadInput

# How many rounds of two turns a mode has between its opening and its closing.
_ROUNDS = {"quick": (1, 2), "debate": (3, 5), "deep": (5, 8)}
_RMS_DB = -18.0
_ASKING = listed(
    "what why how who when where which is are was were do does did can could should would will may"
)
_PLAIN = _ASKING | listed(
    "a an the of in on at by to with and or for from into over under about be been it its this "
    "that these those we you they i me my our your their there here not no so than then as if "
    "but tell explain describe discuss us have has had more most very really good better best bad"
)
_TOPIC_WORDS_MAX = 8


class Speaker(msgspec.Struct, frozen=True):
    """Who takes part: an id of the caller's, and a name to be called by."""

    speaker_id: str
    speaker_name: str


class Turn(msgspec.Struct, frozen=True):
    """What one speaker says before the other goes on."""

    speaker_id: str
    speaker_name: str
    content: str


def write_script(
    query: str, mode: str, speakers: Sequence[Speaker], seed: int, *, language: str = "en"
) -> list[Turn]:
    """Returns a script about a query: 6 to 8 turns "quick", 10 to 14 "debate", 14 to 20 "deep".

    It opens, makes its points (in a debate each has its counterpoint) and closes, two speakers in
    turn, or one alone. The same arguments give the same script. Raises `BadInput` for no query, an
    unknown mode or language, or speakers that do not fit.
    """
    talk = TALKS.get(language.split("-")[0].lower())
    if not query.strip():
        raise BadInput("query cannot be empty.")
    if mode not in _ROUNDS:
        raise BadInput(f"mode is one of {', '.join(_ROUNDS)}.")
    if talk is None:
        raise BadInput("Scripts are written in en or zh on this server.")
    if not 1 <= len(speakers) <= 2 or (mode == "debate" and len(speakers) != 2):
        raise BadInput("A podcast has one or two speakers; a debate has exactly two.")
    rng = np.random.default_rng(seed)
    rounds = int(rng.integers(_ROUNDS[mode][0], _ROUNDS[mode][1] + 1))
    first, second = speakers[0], speakers[-1]
    words = _Words(query, talk, rng, (first.speaker_name, second.speaker_name))
    turns: list[Turn] = []
    for pair in _plan(talk, mode, rounds, rng, is_alone=len(speakers) == 1):
        keyword = words.next_keyword()
        for who, sentence in zip((first, second), pair, strict=True):
            content = words.fill(sentence, keyword)
            turns.append(Turn(who.speaker_id, who.speaker_name, content))
    return turns


def _plan(
    talk: Talk, mode: str, rounds: int, rng: Random, *, is_alone: bool
) -> list[tuple[str, str]]:
    """The pairs of sentences that a script is made of, in order."""

    def one(pairs: Pairs) -> tuple[str, str]:
        return pairs[int(rng.integers(len(pairs)))]

    if mode == "debate":
        # Arguments build on each other, so they keep their order.
        return [one(talk.debate), *talk.arguments[:rounds], one(talk.verdict)]
    chosen = sorted(rng.permutation(len(talk.points))[:rounds])
    opening = talk.alone if is_alone else talk.opening
    return [one(opening), *(talk.points[place] for place in chosen), one(talk.closing)]


class _Words:
    """A query's own words, put into the sentences."""

    def __init__(self, query: str, talk: Talk, rng: Random, names: tuple[str, str]) -> None:
        text = " ".join(query.split())
        self._question = (
            text if text[-1] in ".?!。？！" else text + ("." if text.isascii() else "。")
        )
        self._topic = _topic(text) or talk.this
        found = [
            word
            for word in re.findall(r"[A-Za-z][A-Za-z'-]+", text)
            if word.lower() not in _PLAIN and len(word) > 2
        ]
        self._keywords = list(dict.fromkeys(found)) or [self._topic]
        self._names = names
        self._used = int(rng.integers(len(self._keywords)))

    def next_keyword(self) -> str:
        """The query's words in turn."""
        self._used += 1
        return self._keywords[self._used % len(self._keywords)]

    def fill(self, sentence: str, keyword: str) -> str:
        """A sentence with the query's words and the speakers' names in it."""
        places = {
            "{q}": self._question, "{t}": self._topic, "{k}": keyword,
            "{a}": self._names[0], "{b}": self._names[1],
        }  # fmt: skip
        # In one pass: what the caller wrote is never taken for a place to fill.
        return re.sub(r"\{[qtkab]\}", lambda found: places[found[0]], sentence)


def _topic(text: str) -> str:
    """A query that is a thing and not a question, as it stands in a sentence; else nothing."""
    bare = text.rstrip(".?!。？！ ")
    words = bare.split()
    is_question = text[-1] in "?？" or words[0].lower() in _ASKING if words else True
    if is_question or len(words) > _TOPIC_WORDS_MAX or len(bare) > 60:
        return ""
    return bare if len(bare) > 1 and bare[1].isupper() else bare[:1].lower() + bare[1:]


def _again(context: Context, at: float) -> Callable[[], None]:
    return lambda: context.progress(at)


def voice_script(script: Sequence[Turn], voices_of: Mapping[str, int], context: Context) -> Output:
    """Returns a script as an MP3 in the context's folder: each turn in its speaker's voice.

    `voices_of` are numbers of the kind's voices by speaker id. Pauses are short, the room is small,
    the loudness -18 dB. Raises `BadInput` for a speaker without a voice or a script without words,
    `BackendFailed` where no engine speaks.
    """
    engine = engines.find()
    parts: list[sounds.Samples] = []
    for number, turn in enumerate(script):
        at = 0.8 * number / len(script)
        context.progress(at)
        try:
            who = voices.speaker(voices_of[turn.speaker_id])
        except KeyError as error:
            raise BadInput(f"Speaker {turn.speaker_id} has no voice.") from error
        plain = engines.say(engine, turn.content, who, 1.0, context.folder, _again(context, at))
        spoken = speech.shaped(plain, who.manner)
        if len(spoken):
            parts.append(speech.loud(spoken, 1.0))
    if not parts:
        raise BadInput("The script has nothing in it that can be said.")
    rng = np.random.default_rng(context.seed)
    pauses = [float(pause) for pause in rng.uniform(0.32, 0.55, len(parts))]
    sound = speech.padded(speech.in_turn(parts, pauses), 0.2, 0.4)
    context.progress(0.85)
    sound = sound + mixing.room(sound * np.float32(0.07), rng, 0.35)
    sound = speech.loud(sound, 1.0, _RMS_DB)
    path = context.folder / "podcast.mp3"
    sounds.write_mp3(sound, path, lambda at: context.progress(0.9 + 0.1 * at))
    context.progress(1.0)
    notes = {
        "duration_seconds": round(len(sound) / sounds.RATE, 2),
        "digital_source_type": pictures.MADE,
        "engine": engine.name,
        "scripts": [msgspec.structs.asdict(turn) for turn in script],
    }
    return Output(path, "audio/mpeg", notes=notes)
