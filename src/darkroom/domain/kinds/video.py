"""The kinds that make clips of video from words, pictures, clips and sounds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from darkroom import errors
from darkroom.domain.kinds.kind import (
    AspectRatio,
    Files,
    Kind,
    ModelKey,
    NegativePrompt,
    Picture,
    Prompt,
    Submit,
    required,
)

DURATION_SECONDS_MAX = 60
REFERENCE_PROMPT_CHARS_MAX = 500
REFERENCES_MAX = 12
_SIZE = ("16:9", "720p")
# Some clients send the words.
Switch = bool | Literal["true", "false"]


class _Film(Submit, kw_only=True):
    """What every kind of video takes."""

    model: ModelKey
    duration: Annotated[
        int,
        msgspec.Meta(
            ge=1, le=DURATION_SECONDS_MAX, description="Seconds; as many as the model makes."
        ),
    ]
    aspect_ratio: AspectRatio = None
    resolution: Annotated[
        Annotated[str, msgspec.Meta(max_length=20)] | None,
        msgspec.Meta(description="720p is the shorter side; one that the model lists."),
    ] = None
    video_number: Annotated[
        int, msgspec.Meta(ge=1, description="How many clips; each is a task of its own.")
    ] = 1
    generate_audio: Annotated[
        Switch, msgspec.Meta(description="Whether the clip gets sound; true, false or the words.")
    ] = False


class TextToVideo(_Film, kw_only=True):
    """A clip from words."""

    prompt: Prompt
    negative_prompt: NegativePrompt = ""

    def check(self) -> None:
        required(self, "prompt")


class ImageToVideo(TextToVideo, kw_only=True):
    """A clip from a picture and words."""

    image: Picture


class MultiImageToVideo(TextToVideo, kw_only=True):
    """A clip from several pictures and words."""

    images: Annotated[
        list[str],
        msgspec.Meta(
            min_length=1,
            max_length=3,
            description="Addresses, data: URLs or uploaded files, in their order in the clip.",
        ),
    ]


class AlmightyReferenceToVideo(_Film, kw_only=True):
    """A clip after pictures, clips and sounds that it refers to."""

    prompt: Annotated[
        str,
        msgspec.Meta(max_length=REFERENCE_PROMPT_CHARS_MAX, description="What to show."),
    ] = ""
    images: Annotated[
        list[str], msgspec.Meta(max_length=9, description="Pictures to refer to, up to 9.")
    ] = msgspec.field(default_factory=list)
    videos: Annotated[
        list[str],
        msgspec.Meta(max_length=3, description="Clips of 2 to 15 seconds, 15 together, up to 3."),
    ] = msgspec.field(default_factory=list)
    audios: Annotated[
        list[str],
        msgspec.Meta(max_length=3, description="Sounds of 2 to 15 seconds, 15 together, up to 3."),
    ] = msgspec.field(default_factory=list)

    def check(self) -> None:
        if not self.images and not self.videos:
            raise errors.BadParameter(
                "images cannot be empty: send an image or a video to refer to.", field="images"
            )
        if len(self.images) + len(self.videos) + len(self.audios) > REFERENCES_MAX:
            raise errors.BadParameter(
                f"images, videos and audios are at most {REFERENCES_MAX} together.", field="images"
            )


_PHOTO = "https://example.com/photo.jpg"


def _film(name: str, summary: str, given: type[Submit], **more: Any) -> Kind:
    usual = {"aspect_ratio": "16:9", "duration": 5, "resolution": "720p"}
    more["example"] = {"model": "SEEDANCE_2_0"} | more["example"] | usual
    return Kind(
        name=name,
        summary=summary,
        input=given,
        outputs="videos",
        count_field="video_number",
        units=("second", "call"),
        built_in="film",
        size=_SIZE,
        texts=("prompt",),
        **more,
    )


KINDS = (
    _film(
        "text-to-video",
        "Make clips from words.",
        TextToVideo,
        example={
            "prompt": "Waves roll onto a beach at sunset, the camera glides along the shore",
            "generate_audio": True,
        },
    ),
    _film(
        "image-to-video",
        "Make clips from a picture and words.",
        ImageToVideo,
        example={"prompt": "The camera moves slowly into the picture", "image": _PHOTO},
        files={"image": Files(1, "picture")},
    ),
    _film(
        "multi-image-to-video",
        "Make clips that go from picture to picture.",
        MultiImageToVideo,
        example={
            "model": "WERYDANCE_2_0",
            "prompt": "From morning to evening",
            "images": [_PHOTO, "https://example.com/evening.jpg"],
        },
        files={"images": Files(3, "picture")},
    ),
    _film(
        "almighty-reference-to-video",
        "Make clips after pictures, clips and sounds.",
        AlmightyReferenceToVideo,
        is_ratio_open=True,
        example={
            "prompt": "The place in the picture, moving as in the clip",
            "images": [_PHOTO],
            "videos": ["https://example.com/clip.mp4"],
            "generate_audio": "true",
        },
        files={
            "images": Files(9, "picture"),
            "videos": Files(3, "clip"),
            "audios": Files(3, "sound"),
        },
    ),
)
