"""The kinds that work on clips of video."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from darkroom import errors
from darkroom.domain.kinds.image_tools import TOOLBOX
from darkroom.domain.kinds.kind import (
    Clip,
    Files,
    Kind,
    ModelKey,
    Picture,
    Prompt,
    Sound,
    Submit,
    required,
)

MERGED_MIN = 2
MERGED_MAX = 30
RECTANGLES_MAX = 20
_CLIP = "https://example.com/clip.mp4"
_PHOTO = "https://example.com/photo.jpg"


class _Tool(Submit, kw_only=True):
    """What every tool for one clip takes."""

    video_url: Clip
    model: ModelKey = TOOLBOX

    def check(self) -> None:
        required(self, "video_url")


class VideoExtend(_Tool, kw_only=True):
    """A clip that goes on."""

    prompt: Prompt
    style: Annotated[
        Literal["anime", "3d_animation", "cyberpunk", "comic"] | None,
        msgspec.Meta(description="A look for what is added; none: the clip's own."),
    ] = None
    resolution: Annotated[
        Literal["360p", "540p", "720p", "1080p"], msgspec.Meta(description="The shorter side.")
    ] = "720p"
    duration: Annotated[Literal[5, 8], msgspec.Meta(description="Seconds to add.")] = 5

    def check(self) -> None:
        super().check()
        required(self, "prompt")


class VideoMerge(Submit, kw_only=True):
    """Clips one after the other."""

    video_urls: Annotated[
        list[str],
        msgspec.Meta(
            min_length=MERGED_MIN,
            max_length=MERGED_MAX,
            description="Addresses or uploaded files in their order, each under 3 minutes.",
        ),
    ]
    model: ModelKey = TOOLBOX


class VideoAnimeReplace(_Tool, kw_only=True):
    """A character put into a clip."""

    image_url: Picture
    type: Annotated[
        Literal["move", "replace"],
        msgspec.Meta(description="Move the picture as the clip moves, or replace who is in it."),
    ] = "replace"
    resolution: Annotated[
        Literal["480p", "580p", "720p"], msgspec.Meta(description="The shorter side.")
    ] = "720p"

    def check(self) -> None:
        super().check()
        required(self, "image_url")


class VideoBackgroundRemove(_Tool, kw_only=True):
    """A clip without its background."""

    background_color: Annotated[
        Literal[
            "TRANSPARENT",
            "BLACK",
            "WHITE",
            "GRAY",
            "RED",
            "GREEN",
            "BLUE",
            "YELLOW",
            "CYAN",
            "MAGENTA",
            "ORANGE",
        ],
        msgspec.Meta(description="What stands behind instead; TRANSPARENT makes a webm."),
    ] = "BLACK"


class VideoFaceChange(_Tool, kw_only=True):
    """Another face in a clip."""

    image_url: Picture

    def check(self) -> None:
        super().check()
        required(self, "image_url")


class VideoLipsChange(_Tool, kw_only=True):
    """Lips that speak another sound."""

    audio_url: Sound

    def check(self) -> None:
        super().check()
        required(self, "audio_url")


class VideoMagic(_Tool, kw_only=True):
    """A clip in another look."""

    video_style: Annotated[
        Literal["realistic_2", "anime_style_3", "anime_style_4"],
        msgspec.Meta(description="The look."),
    ] = "anime_style_3"


class Rectangle(msgspec.Struct):
    """A part of the frame: its left top and right bottom corner, as parts of width and height."""

    lt_x: Annotated[float, msgspec.Meta(ge=0, le=1, title="Left")]
    lt_y: Annotated[float, msgspec.Meta(ge=0, le=1, title="Top")]
    rb_x: Annotated[float, msgspec.Meta(ge=0, le=1, title="Right")]
    rb_y: Annotated[float, msgspec.Meta(ge=0, le=1, title="Bottom")]


class _Erase(_Tool, kw_only=True):
    """Parts of every frame painted over."""

    rect_vo_list: Annotated[
        list[Rectangle],
        msgspec.Meta(
            max_length=RECTANGLES_MAX,
            title="Areas",
            description="Where: corners as parts of width and height, 0 to 1; none: found.",
        ),
    ] = msgspec.field(default_factory=list)

    def check(self) -> None:
        super().check()
        for one in self.rect_vo_list:
            if one.lt_x >= one.rb_x or one.lt_y >= one.rb_y:
                raise errors.BadParameter(
                    "rect_vo_list: lt_x and lt_y must be less than rb_x and rb_y.",
                    field="rect_vo_list",
                )


class VideoSubtitleErase(_Erase, kw_only=True):
    """No subtitles."""


class VideoWatermarkRemove(_Erase, kw_only=True):
    """No watermark."""


class VideoSubtitleTranslate(_Tool, kw_only=True):
    """Subtitles in another language."""

    target_language: Annotated[
        str, msgspec.Meta(min_length=1, max_length=20, description="A language, such as en.")
    ]

    def check(self) -> None:
        super().check()
        required(self, "target_language")


class VideoUpscaler(_Tool, kw_only=True):
    """A larger clip."""

    resolution: Annotated[Literal["1080p", "2k", "4k"], msgspec.Meta(description="How large.")] = (
        "1080p"
    )


def _tool(name: str, summary: str, given: type[Submit], **more: Any) -> Kind:
    fields = {"outputs": "videos", "units": ("call",), "built_in": "toolbox"} | more
    fields["files"] = {"video_url": Files(1, "clip")} | more.get("files", {})
    fields["example"] = {"video_url": _CLIP} | more.get("example", {})
    return Kind(name=name, summary=summary, input=given, **fields)


KINDS = (
    _tool(
        "video-extend",
        "Let a clip go on.",
        VideoExtend,
        units=("second", "call"),
        texts=("prompt",),
        example={"prompt": "The camera glides on along the shore", "duration": 5},
    ),
    Kind(
        name="video-merge",
        summary="Join clips into one.",
        input=VideoMerge,
        outputs="videos",
        units=("call",),
        built_in="toolbox",
        files={"video_urls": Files(MERGED_MAX, "clip")},
        example={"video_urls": [_CLIP, "https://example.com/more.mp4"]},
    ),
    _tool(
        "video-anime-replace",
        "Put a character into a clip.",
        VideoAnimeReplace,
        files={"image_url": Files(1, "picture")},
        example={"image_url": _PHOTO},
    ),
    _tool(
        "video-background-remove",
        "Cut out what a clip shows.",
        VideoBackgroundRemove,
        example={"background_color": "GREEN"},
    ),
    _tool(
        "video-face-change",
        "Put another face into a clip.",
        VideoFaceChange,
        files={"image_url": Files(1, "picture")},
        example={"image_url": _PHOTO},
    ),
    _tool(
        "video-lips-change",
        "Let lips speak another sound.",
        VideoLipsChange,
        files={"audio_url": Files(1, "sound")},
        example={"audio_url": "https://example.com/speech.mp3"},
    ),
    _tool(
        "video-magic",
        "Give a clip another look.",
        VideoMagic,
        example={"video_style": "anime_style_3"},
    ),
    _tool("video-subtitle-erase", "Take subtitles out of a clip.", VideoSubtitleErase),
    _tool(
        "video-watermark-remove",
        "Take a watermark out of a clip.",
        VideoWatermarkRemove,
        example={"rect_vo_list": [{"lt_x": 0.8, "lt_y": 0.9, "rb_x": 1, "rb_y": 1}]},
    ),
    _tool(
        "video-subtitle-translate",
        "Translate the subtitles of a clip.",
        VideoSubtitleTranslate,
        example={"target_language": "en"},
    ),
    _tool(
        "video-upscaler",
        "Make a clip larger.",
        VideoUpscaler,
        example={"resolution": "2k"},
    ),
)
