"""The kinds that make podcasts: a script from a question, then the script in voices."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from darkroom import errors
from darkroom.domain.kinds.audio import LANGUAGES, SYNTH
from darkroom.domain.kinds.kind import (
    PROMPT_CHARS_MAX,
    Kind,
    ModelKey,
    Submit,
    named,
    required,
)

TURNS_MAX = 60
TURN_CHARS_MAX = 2000


class Speaker(msgspec.Struct, frozen=True):
    """Who speaks in podcasts: a name, a gender, a language, and the voice of text-to-audio."""

    name: str
    gender: Literal["female", "male"]
    language: str
    voice_id: int


SPEAKERS = {
    "travel-girl-english": Speaker("Mia", "female", "en", 82),
    "leo-9328b6d2": Speaker("Leo", "male", "en", 71),
    "chloe-english": Speaker("Chloe", "female", "en", 85),
    "grace-english": Speaker("Grace", "female", "en", 81),
    "dean-english": Speaker("Dean", "male", "en", 75),
    "oscar-english": Speaker("Oscar", "male", "en", 72),
    "lin-chinese": Speaker("Lin", "female", "zh", 77),
    "mei-chinese": Speaker("Mei", "female", "zh", 76),
    "jun-chinese": Speaker("Jun", "male", "zh", 69),
    "hao-chinese": Speaker("Hao", "male", "zh", 67),
}


SpeakerId = Annotated[
    str,
    named(
        {
            speaker_id: (one.name, f"{LANGUAGES[one.language]}, {one.gender}")
            for speaker_id, one in SPEAKERS.items()
        }
    ),
]


class PodcastText(Submit, kw_only=True):
    """A script."""

    query: Annotated[
        str,
        msgspec.Meta(min_length=1, max_length=PROMPT_CHARS_MAX, description="What to talk about."),
    ]
    speakers: Annotated[
        list[SpeakerId],
        msgspec.Meta(
            min_length=1,
            max_length=2,
            description="Ids of GET /v1/generation/podcast/speakers/list; a debate takes two.",
        ),
    ]
    language: Annotated[
        str, msgspec.Meta(min_length=1, max_length=20, description="Such as en or zh.")
    ]
    mode: Annotated[Literal["quick", "debate", "deep"], msgspec.Meta(description="How to talk.")]
    model: ModelKey = SYNTH

    def check(self) -> None:
        required(self, "query")
        check_speakers(self.speakers)
        if self.mode == "debate" and len(set(self.speakers)) != 2:
            raise errors.BadParameter("speakers: a debate has exactly two.", field="speakers")


class Turn(msgspec.Struct):
    """What one speaker says before the other goes on."""

    speaker_id: Annotated[SpeakerId, msgspec.Meta(max_length=100)]
    content: Annotated[str, msgspec.Meta(min_length=1, max_length=TURN_CHARS_MAX)]
    speaker_name: Annotated[str, msgspec.Meta(max_length=100)] = ""


class PodcastAudio(Submit, kw_only=True):
    """A script in voices."""

    scripts: Annotated[
        list[Turn],
        msgspec.Meta(max_length=TURNS_MAX, description="What is said; none: the written script."),
    ] = msgspec.field(default_factory=list)
    model: ModelKey = SYNTH

    def check(self) -> None:
        check_speakers([one.speaker_id for one in self.scripts])


def check_speakers(speakers: list[str]) -> None:
    """Raise `BadParameter` for a speaker that nobody knows."""
    for one in speakers:
        if one not in SPEAKERS:
            raise errors.BadParameter(
                f"speakers: {one} is not known: GET /v1/generation/podcast/speakers/list lists "
                "them.",
                field="speakers",
            )


PODCAST_TEXT = Kind(
    name="podcast-text",
    path="podcast/generate/text",
    summary="Write the script of a podcast.",
    input=PodcastText,
    outputs="texts",
    units=("call",),
    built_in="synth",
    texts=("query",),
    told=("scripts",),
    stage="text",
    example={
        "query": "Why do we like sunsets?",
        "speakers": ["travel-girl-english", "leo-9328b6d2"],
        "language": "en",
        "mode": "quick",
    },
)

PODCAST_AUDIO = Kind(
    name="podcast-audio",
    path="podcast/generate/{task_id}/audio",
    summary="Have the script of a podcast spoken.",
    input=PodcastAudio,
    outputs="audios",
    units=("call",),
    built_in="synth",
    texts=("scripts",),
    stage="audio",
    continues="podcast-text",
    example={},
)

KINDS = (PODCAST_TEXT, PODCAST_AUDIO)
