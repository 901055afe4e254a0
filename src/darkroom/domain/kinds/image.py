"""The kinds that make pictures."""

from __future__ import annotations

from typing import Annotated

import msgspec

from darkroom import config
from darkroom.domain.kinds.kind import (
    NEGATIVE_PROMPT_CHARS_MAX,
    PROMPT_CHARS_MAX,
    SEED_MAX,
    Files,
    Kind,
    Submit,
)

MEDIA_TYPES = frozenset({"image/jpeg", "image/png", "image/webp"})


class TextToImage(Submit, kw_only=True):
    """A picture from words."""

    model: Annotated[
        str, msgspec.Meta(min_length=1, max_length=100, description="A key of GET /v1/models.")
    ]
    prompt: Annotated[
        str,
        msgspec.Meta(min_length=1, max_length=PROMPT_CHARS_MAX, description="What to show."),
    ]
    aspect_ratio: Annotated[
        Annotated[str, msgspec.Meta(max_length=20)] | None,
        msgspec.Meta(description="Width to height, such as 16:9; one that the model lists."),
    ] = None
    resolution: Annotated[
        Annotated[str, msgspec.Meta(max_length=20)] | None,
        msgspec.Meta(
            description="1080p (the shorter side), 2k (as many pixels as 2048x2048) or 1280x720."
        ),
    ] = None
    image_number: Annotated[
        int, msgspec.Meta(ge=1, description="How many pictures; each is a task of its own.")
    ] = 1
    negative_prompt: Annotated[
        str, msgspec.Meta(max_length=NEGATIVE_PROMPT_CHARS_MAX, description="What not to show.")
    ] = ""
    seed: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=SEED_MAX)] | None,
        msgspec.Meta(description="Same seed, same picture; picture n takes seed + n."),
    ] = None
    use_web_search: Annotated[
        bool, msgspec.Meta(description="Accepted for compatibility; no backend here searches.")
    ] = False


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
    unit="image",
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
    unit="image",
    texts=("prompt",),
    example={
        "model": "WERYAI_IMAGE_2_0",
        "prompt": "The same place at night, as an oil painting",
        "images": ["https://example.com/photo.jpg"],
        "aspect_ratio": "16:9",
    },
    files={
        "images": Files(count_max=8, bytes_max=config.UPLOAD_BYTES_MAX, media_types=MEDIA_TYPES)
    },
)
