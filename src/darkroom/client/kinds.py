"""Kinds as the client knows them: where each is asked for, and which fields name files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Sort = Literal["image", "video", "audio"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What follows `/v1/generation/`, and the fields whose local files are uploaded, in order.

    Those of `lists` take several.
    """

    path: str
    files: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()


def sort(field: str) -> Sort:
    """What a field of files takes; its name says it."""
    if "video" in field:
        return "video"
    return "audio" if "audio" in field else "image"


# The kinds of this version; `submit` and `generate` take every kind that the server has.
KINDS = {
    "text-to-image": Kind("text-to-image"),
    "image-to-image": Kind("image-to-image", ("images",), ("images",)),
    "text-to-video": Kind("text-to-video"),
    "image-to-video": Kind("image-to-video", ("image",)),
    "multi-image-to-video": Kind("multi-image-to-video", ("images",), ("images",)),
    "almighty-reference-to-video": Kind(
        "almighty-reference-to-video",
        ("images", "videos", "audios"),
        ("images", "videos", "audios"),
    ),
    "effect-template": Kind("effect-template", ("image_url",), ("image_url",)),
    "image-to-prompt": Kind("image-to-prompt", ("img_url",)),
    "image-bg-change": Kind("image-bg-change", ("img_url",)),
    "image-bg-remove": Kind("image-bg-remove", ("img_url",)),
    "image-expand": Kind("image-expand", ("img_url",)),
    "image-face-swap": Kind("image-face-swap", ("img_url", "face_img_url")),
    "image-reframe": Kind("image-reframe", ("img_url",)),
    "image-repair": Kind("image-repair", ("img_url",)),
    "image-text-erase": Kind("image-text-erase", ("img_url",)),
    "image-translate": Kind("image-translate", ("img_url",)),
    "image-upscale": Kind("image-upscale", ("img_url",)),
    "video-extend": Kind("video-extend", ("video_url",)),
    "video-merge": Kind("video-merge", ("video_urls",), ("video_urls",)),
    "video-anime-replace": Kind("video-anime-replace", ("video_url", "image_url")),
    "video-background-remove": Kind("video-background-remove", ("video_url",)),
    "video-face-change": Kind("video-face-change", ("video_url", "image_url")),
    "video-lips-change": Kind("video-lips-change", ("video_url", "audio_url")),
    "video-magic": Kind("video-magic", ("video_url",)),
    "video-subtitle-erase": Kind("video-subtitle-erase", ("video_url",)),
    "video-watermark-remove": Kind("video-watermark-remove", ("video_url",)),
    "video-subtitle-translate": Kind("video-subtitle-translate", ("video_url",)),
    "video-upscaler": Kind("video-upscaler", ("video_url",)),
    "music-generate": Kind("music/generate", ("reference_audio",)),
    "text-to-audio": Kind("text-to-audio"),
    "speech-recognize": Kind("speech-recognize", ("audio_url",)),
    "podcast-text": Kind("podcast/generate/text"),
    "chat": Kind("chat"),
}
