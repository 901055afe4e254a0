"""The kinds that work on one picture."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec

from darkroom import errors
from darkroom.domain.kinds.kind import (
    PROMPT_CHARS_MAX,
    Files,
    Kind,
    ModelKey,
    Picture,
    Submit,
    required,
)

TOOLBOX = "TOOLBOX"
CANVAS_SIDE_MAX = 8192
CANVAS_PIXELS_MAX = 4096 * 4096
_COLOR = r"^#?[0-9A-Fa-f]{6}$"
_SIZE = r"^[1-9]\d{0,4}\s?[xX×*]\s?[1-9]\d{0,4}$"
_PLACE = r"^-?\d{1,5}\s?,\s?-?\d{1,5}$"
_NUMBERS = re.compile(r"-?\d+")
_PHOTO = "https://example.com/photo.jpg"


class _Tool(Submit, kw_only=True):
    """What every tool for one picture takes."""

    img_url: Picture
    model: ModelKey = TOOLBOX

    def check(self) -> None:
        required(self, "img_url")


class ImageToPrompt(_Tool, kw_only=True):
    """Words for a picture."""

    image_size: Annotated[
        int, msgspec.Meta(ge=0, le=2**40, description="The picture's size in KB.")
    ]
    language: Annotated[
        str, msgspec.Meta(max_length=20, description="The language of the words; English is.")
    ] = "en"


class ImageBgChange(_Tool, kw_only=True):
    """Another background."""

    prompt: Annotated[
        str, msgspec.Meta(max_length=PROMPT_CHARS_MAX, description="What the background shows.")
    ] = ""
    bg_color: Annotated[
        Annotated[str, msgspec.Meta(pattern=_COLOR)] | Literal[""],
        msgspec.Meta(description="A plain background instead, such as #FFFFFF."),
    ] = ""

    def check(self) -> None:
        super().check()
        if not self.prompt.strip() and not self.bg_color:
            raise errors.BadParameter("prompt and bg_color cannot both be empty", field="prompt")


class ImageBgRemove(_Tool, kw_only=True):
    """No background: what stands in front, and transparency."""


class ImageExpand(_Tool, kw_only=True):
    """A larger canvas, painted on around the picture."""

    original_image_size: Annotated[
        str, msgspec.Meta(pattern=_SIZE, description="The picture on the canvas, such as 512x512.")
    ]
    canvas_size: Annotated[
        str, msgspec.Meta(pattern=_SIZE, description="The whole canvas, such as 1024x768.")
    ]
    original_image_location: Annotated[
        str, msgspec.Meta(pattern=_PLACE, description="The picture's left top corner, such as 0,0.")
    ]

    def check(self) -> None:
        super().check()
        width, height = numbers(self.original_image_size)
        canvas = numbers(self.canvas_size)
        left, top = numbers(self.original_image_location)
        if max(canvas) > CANVAS_SIDE_MAX or canvas[0] * canvas[1] > CANVAS_PIXELS_MAX:
            raise errors.BadParameter(
                f"canvas_size {self.canvas_size} is too large: sides of {CANVAS_SIDE_MAX} pixels "
                "and 16.7 megapixels at most.",
                field="canvas_size",
            )
        if min(left, top) < 0 or left + width > canvas[0] or top + height > canvas[1]:
            raise errors.BadParameter(
                f"original_image_location {self.original_image_location}: a picture of "
                f"{self.original_image_size} does not lie on a canvas of {self.canvas_size} there.",
                field="original_image_location",
            )


class ImageFaceSwap(_Tool, kw_only=True):
    """Another face."""

    face_img_url: Picture

    def check(self) -> None:
        super().check()
        required(self, "face_img_url")


class ImageReframe(_Tool, kw_only=True):
    """Another shape, around what the picture is about."""

    aspect_ratio: Annotated[
        Literal["16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "9:21"],
        msgspec.Meta(description="Width to height."),
    ]


class ImageRepair(_Tool, kw_only=True):
    """An old photo without its scratches, faded colours and grain."""


class ImageTextErase(_Tool, kw_only=True):
    """No text."""


class ImageTranslate(_Tool, kw_only=True):
    """The text in a picture in another language."""

    target_lang: Annotated[
        str, msgspec.Meta(min_length=1, max_length=20, description="A language, such as en.")
    ]
    type: Annotated[
        Literal["text", "image"], msgspec.Meta(description="Answer words, or the picture.")
    ] = "image"

    def check(self) -> None:
        super().check()
        required(self, "target_lang")


class ImageUpscale(_Tool, kw_only=True):
    """Twice as wide and high."""


def numbers(text: str) -> tuple[int, int]:
    """The two numbers of a size or place: (width, height) or (left, top), pixels."""
    first, second = (int(one) for one in _NUMBERS.findall(text))
    return first, second


def _tool(name: str, summary: str, given: type[Submit], **more: Any) -> Kind:
    fields = {"outputs": "images", "units": ("call",), "built_in": "toolbox"} | more
    fields["files"] = {"img_url": Files(1, "picture")} | more.get("files", {})
    fields["example"] = {"img_url": _PHOTO} | more.get("example", {})
    return Kind(name=name, summary=summary, input=given, **fields)


KINDS = (
    _tool(
        "image-to-prompt",
        "Put a picture into words, at once.",
        ImageToPrompt,
        outputs="texts",
        told=("prompt",),
        is_synchronous=True,
        example={"image_size": 240},
    ),
    _tool(
        "image-bg-change",
        "Put another background behind what a picture shows.",
        ImageBgChange,
        texts=("prompt",),
        example={"prompt": "a beach at sunset"},
    ),
    _tool("image-bg-remove", "Cut out what a picture shows.", ImageBgRemove),
    _tool(
        "image-expand",
        "Paint on around a picture, onto a larger canvas.",
        ImageExpand,
        example={
            "original_image_size": "512x512",
            "canvas_size": "1024x768",
            "original_image_location": "256,128",
        },
    ),
    _tool(
        "image-face-swap",
        "Put another face into a picture.",
        ImageFaceSwap,
        files={"face_img_url": Files(1, "picture")},
        example={"face_img_url": "https://example.com/face.jpg"},
    ),
    _tool(
        "image-reframe",
        "Give a picture another shape around what it is about.",
        ImageReframe,
        example={"aspect_ratio": "9:16"},
    ),
    _tool("image-repair", "Restore an old photo.", ImageRepair),
    _tool("image-text-erase", "Take text out of a picture.", ImageTextErase),
    _tool(
        "image-translate",
        "Translate the text in a picture.",
        ImageTranslate,
        example={"target_lang": "en"},
    ),
    _tool("image-upscale", "Make a picture twice as wide and high.", ImageUpscale),
)
