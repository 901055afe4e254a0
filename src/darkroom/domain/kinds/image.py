"""The kinds that make pictures."""

from __future__ import annotations

from typing import Annotated

import msgspec

from darkroom.domain.kinds.kind import (
    AspectRatio,
    Files,
    Kind,
    ModelKey,
    NegativePrompt,
    Prompt,
    Submit,
    required,
)

_SIZE = ("1:1", "1k")


class TextToImage(Submit, kw_only=True):
    """A picture from words."""

    model: ModelKey
    prompt: Prompt
    aspect_ratio: AspectRatio = None
    resolution: Annotated[
        Annotated[str, msgspec.Meta(max_length=20)] | None,
        msgspec.Meta(
            description="1080p (the shorter side), 2k (as many pixels as 2048x2048) or 1280x720."
        ),
    ] = None
    image_number: Annotated[
        int, msgspec.Meta(ge=1, description="How many pictures; each is a task of its own.")
    ] = 1
    negative_prompt: NegativePrompt = ""
    use_web_search: Annotated[
        bool, msgspec.Meta(description="Accepted for compatibility; no backend here searches.")
    ] = False

    def check(self) -> None:
        required(self, "prompt")


class ImageToImage(TextToImage, kw_only=True):
    """A picture from pictures and words."""

    images: Annotated[
        list[str],
        msgspec.Meta(
            min_length=1,
            description="Addresses, data: URLs or uploaded files; jpg, jpeg, png or webp.",
        ),
    ]


TEXT_TO_IMAGE = Kind(
    name="text-to-image",
    summary="Make pictures from words.",
    input=TextToImage,
    outputs="images",
    count_field="image_number",
    units=("image", "megapixel"),
    built_in="painter",
    size=_SIZE,
    texts=("prompt",),
    example={
        "model": "FLUX_PRO",
        "prompt": "A beautiful sunset over the ocean, vibrant colors",
        "aspect_ratio": "16:9",
        "resolution": "1080p",
        "image_number": 1,
    },
)

IMAGE_TO_IMAGE = Kind(
    name="image-to-image",
    summary="Make pictures from pictures and words.",
    input=ImageToImage,
    outputs="images",
    count_field="image_number",
    units=("image", "megapixel"),
    built_in="painter",
    size=_SIZE,
    texts=("prompt",),
    example={
        "model": "WERYAI_IMAGE_2_0",
        "prompt": "The same place at night, as an oil painting",
        "images": ["https://example.com/photo.jpg"],
        "aspect_ratio": "16:9",
    },
    files={"images": Files(8, "picture")},
)

KINDS = (TEXT_TO_IMAGE, IMAGE_TO_IMAGE)
