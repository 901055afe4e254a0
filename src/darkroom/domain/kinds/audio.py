"""The kinds that make or hear sounds: music, speech, podcasts."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from darkroom import errors
from darkroom.domain.kinds.kind import (
    PROMPT_CHARS_MAX,
    Files,
    Kind,
    ModelKey,
    Sound,
    Submit,
    named,
    required,
)

SYNTH = "SYNTH"
SPEECH_CHARS_MAX = 500
LYRICS_CHARS_MAX = 5000
STYLES = {
    "genre": ("POP", "ROCK", "RAP", "ELECTRONIC", "RNB", "JAZZ", "FOLK", "CLASSIC", "WORLD"),
    "emotion": (
        "HAPPY",
        "RELAXED",
        "WARM",
        "ROMANTIC",
        "TOUCHING",
        "SAD",
        "LONELY",
        "DEPRESSED",
        "TENSE",
        "EXCITED",
        "EPIC",
        "MYSTERIOUS",
    ),
    "instrument": (
        "PIANO",
        "GUITAR",
        "BASS",
        "DRUMS",
        "STRINGS",
        "WIND",
        "SYNTHESIZER",
        "ELECTRONIC_SOUND",
        "FOLK_INSTRUMENT",
        "MIXED_ORCHESTRATION",
    ),
}
_STYLES = frozenset(key for keys in STYLES.values() for key in keys)
# The voices that text-to-audio knows, by number: name, language and gender.
VOICES = {
    85: ("Captivating Female", "en", "f"),
    84: ("Playful Girl", "en", "f"),
    83: ("Lovely Girl", "en", "f"),
    82: ("Cheerful Chloe", "en", "f"),
    81: ("Wise Lady", "en", "f"),
    80: ("Arrogant Miss", "zh", "f"),
    79: ("Kind-hearted Antie", "zh", "f"),
    78: ("Gentle Senior", "zh", "f"),
    77: ("Intellectual Girl", "zh", "f"),
    76: ("News Anchor", "zh", "f"),
    75: ("Southern Dude", "en", "m"),
    74: ("Lucky Robot", "en", "m"),
    73: ("Angry Pirate", "en", "m"),
    72: ("Friendly Giant", "en", "m"),
    71: ("Man With Deep Voice", "en", "m"),
    70: ("Stubborn Friend", "zh", "m"),
    69: ("Reliable Executive", "zh", "m"),
    68: ("Lyrical Voice", "zh", "m"),
    67: ("Refreshing Young Man", "zh", "m"),
    66: ("Pure-hearted Boy", "zh", "m"),
}
LANGUAGES = {"en": "English", "zh": "Chinese"}
_GENDERS = {"f": "female", "m": "male"}
_SPOKEN = {
    number: (name, f"{LANGUAGES[language]}, {_GENDERS[gender]}")
    for number, (name, language, gender) in VOICES.items()
}
SPEED_MIN, SPEED_MAX = 0.5, 2.0
VOLUME_MAX = 10.0


def _within(low: float, high: float) -> msgspec.Meta:
    """Bounds of a text that is a number, as ajv spells them; forms make a slider of it."""
    return msgspec.Meta(extra_json_schema={"formatMinimum": low, "formatMaximum": high})


class MusicGenerate(Submit, kw_only=True):
    """A song or a piece of music."""

    type: Annotated[
        Literal["VOCAL_SONG", "ONLY_MUSIC"], msgspec.Meta(description="With a voice, or without.")
    ]
    model: ModelKey = SYNTH
    description: Annotated[
        str, msgspec.Meta(max_length=PROMPT_CHARS_MAX, description="What it sounds like.")
    ] = ""
    styles: Annotated[
        dict[str, Annotated[str, msgspec.Meta(max_length=200)]],
        msgspec.Meta(
            max_length=31,
            description='Genres, emotions, instruments, such as {"JAZZ": "jazz"}.',
            extra_json_schema={
                "propertyNames": {
                    "anyOf": [{"title": group, "enum": [*keys]} for group, keys in STYLES.items()]
                }
            },
        ),
    ] = msgspec.field(default_factory=dict)
    lyrics: Annotated[
        str,
        msgspec.Meta(max_length=LYRICS_CHARS_MAX, description="What a song sings; none: written."),
    ] = ""
    gender: Annotated[
        Literal["m", "f"] | None, msgspec.Meta(description="Whose voice sings a song.")
    ] = None
    reference_audio: Annotated[
        Sound | None, msgspec.Meta(description="A sound whose tempo and key the music takes.")
    ] = None
    audio_name: Annotated[str, msgspec.Meta(max_length=200, description="A title.")] = ""

    def check(self) -> None:
        if not self.description.strip() and not self.styles:
            raise errors.BadParameter(
                "description and styles cannot both be empty", field="description"
            )
        for name in self.styles:
            if name not in _STYLES:
                raise errors.BadParameter(
                    f"styles: {name} is none of {', '.join(sorted(_STYLES))}.",
                    field="styles",
                )
        if self.type == "ONLY_MUSIC" and (self.lyrics or self.gender):
            name = "lyrics" if self.lyrics else "gender"
            raise errors.BadParameter(f"{name} is for a VOCAL_SONG.", field=name)


class TextToAudio(Submit, kw_only=True):
    """Words as speech."""

    text: Annotated[
        str, msgspec.Meta(min_length=1, max_length=SPEECH_CHARS_MAX, description="What to say.")
    ]
    voice_id: Annotated[
        int,
        msgspec.Meta(
            ge=min(VOICES), le=max(VOICES), title="Voice", description="A voice, 66 to 85."
        ),
        named(_SPOKEN),
    ]
    model: ModelKey = SYNTH
    speed: Annotated[
        str,
        msgspec.Meta(max_length=10, description='How fast, "0.5" to "2.0".'),
        _within(SPEED_MIN, SPEED_MAX),
    ] = "1.0"
    vol: Annotated[
        str,
        msgspec.Meta(max_length=10, description='How loud, "0" to "10".'),
        _within(0.0, VOLUME_MAX),
    ] = "1.0"

    def check(self) -> None:
        required(self, "text")
        _number(self, "speed", SPEED_MIN, SPEED_MAX)
        _number(self, "vol", 0.0, VOLUME_MAX)


class SpeechRecognize(Submit, kw_only=True):
    """Speech as words."""

    audio_url: Sound
    model: ModelKey = SYNTH
    language: Annotated[
        str, msgspec.Meta(max_length=20, description="The language spoken, such as en.")
    ] = "en"

    def check(self) -> None:
        required(self, "audio_url")


def _number(given: Submit, name: str, low: float, high: float) -> None:
    """Raise `BadParameter` unless the text of a field is a number within bounds."""
    try:
        is_within = low <= float(getattr(given, name)) <= high
    except ValueError:
        is_within = False
    if not is_within:
        raise errors.BadParameter(f'{name} is a number from "{low}" to "{high}".', field=name)


MUSIC_GENERATE = Kind(
    name="music-generate",
    path="music/generate",
    summary="Compose a song or a piece of music.",
    input=MusicGenerate,
    outputs="audios",
    units=("call",),
    built_in="synth",
    texts=("description", "lyrics"),
    told=("lyrics",),
    files={"reference_audio": Files(1, "sound")},
    example={
        "type": "ONLY_MUSIC",
        "description": "A calm evening by the sea",
        "styles": {"JAZZ": "jazz", "RELAXED": "relaxed", "PIANO": "piano"},
    },
)

TEXT_TO_AUDIO = Kind(
    name="text-to-audio",
    summary="Say words aloud.",
    input=TextToAudio,
    outputs="audios",
    units=("1000 characters", "call"),
    built_in="synth",
    texts=("text",),
    example={"text": "The picture is ready.", "voice_id": 85, "speed": "1.0", "vol": "1.0"},
)

SPEECH_RECOGNIZE = Kind(
    name="speech-recognize",
    summary="Write down what is said.",
    input=SpeechRecognize,
    outputs="texts",
    units=("call",),
    built_in="synth",
    told=("speech_text",),
    files={"audio_url": Files(1, "sound")},
    example={"audio_url": "https://example.com/speech.mp3", "language": "en"},
)

KINDS = (MUSIC_GENERATE, TEXT_TO_AUDIO, SPEECH_RECOGNIZE)
