"""Every kind against the wire: its route, what it takes at its bounds and refuses beyond."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from wire_calls import refused, succeeded

import examples
from darkroom.api.app import ROUTES
from darkroom.domain.kinds.table import KINDS

PHOTO, CLIP, SOUND = (f"https://example.com/{name}" for name in ("a.jpg", "a.mp4", "a.mp3"))
FILM = {"model": "FILM", "prompt": "waves", "duration": 5, "resolution": "64x64"}
CLIPS = ("text-to-video", "image-to-video", "multi-image-to-video", "almighty-reference-to-video")
# What only a neural model could do.
FREE = {
    "image-face-swap",
    "image-translate",
    "video-anime-replace",
    "video-face-change",
    "video-lips-change",
    "video-subtitle-translate",
}
# The paths of the contract under which something is generated, as clients write them.
PATHS = [
    "text-to-image",
    "image-to-image",
    "text-to-video",
    "image-to-video",
    "multi-image-to-video",
    "almighty-reference-to-video",
    "image-to-prompt",
    "image-bg-change",
    "image-bg-remove",
    "image-expand",
    "image-face-swap",
    "image-reframe",
    "image-repair",
    "image-text-erase",
    "image-translate",
    "image-upscale",
    "video-extend",
    "video-merge",
    "video-anime-replace",
    "video-background-remove",
    "video-face-change",
    "video-lips-change",
    "video-magic",
    "video-subtitle-erase",
    "video-subtitle-translate",
    "video-upscaler",
    "video-watermark-remove",
    "music/generate",
    "text-to-audio",
    "speech-recognize",
]


def _given(kind: str) -> dict[str, Any]:
    return dict(KINDS[kind].example)


def _ask(caller: httpx.Client, kind: str, **changes: Any) -> httpx.Response:
    asked = _given(kind) | ({"model": "FILM"} if kind in CLIPS else {}) | changes
    return caller.post(KINDS[kind].route, json=asked)


def test_every_path_of_the_contract_is_a_route() -> None:
    paths = {route.path for route in ROUTES if route.method == "POST"}
    assert {f"/v1/generation/{path}" for path in PATHS} <= paths


@pytest.mark.parametrize(
    "kind",
    [kind.name for kind in examples.SUBMITTED if kind.built_in and not kind.is_synchronous],
)
def test_the_example_of_a_kind_is_taken_priced_and_canceled(caller: httpx.Client, kind) -> None:
    data = succeeded(caller.post(KINDS[kind].route, json=_given(kind)))
    assert data["served_by"] == KINDS[kind].built_in
    assert (data["cost_mill"] == 0) is (kind in FREE)
    caller.post(f"/v1/generation/{data['task_id']}/cancel")
    status = succeeded(caller.get(f"/v1/generation/{data['task_id']}/status"))
    assert isinstance(status[KINDS[kind].outputs], list)


@pytest.mark.parametrize(
    ("kind", "changes", "said", "field"),
    [
        ("text-to-video", {"duration": None}, "duration cannot be empty", "duration"),
        ("text-to-video", {"duration": 0}, "duration", "duration"),
        ("text-to-video", {"duration": 61}, "duration", "duration"),
        ("text-to-video", {"duration": "5"}, "duration", "duration"),
        ("text-to-video", {"prompt": "x" * 2001}, "prompt", "prompt"),
        ("text-to-video", {"prompt": " "}, "prompt cannot be empty", "prompt"),
        ("text-to-video", {"video_number": 9}, "at most 8", "video_number"),
        ("text-to-video", {"generate_audio": "yes"}, "generate_audio", "generate_audio"),
        ("text-to-video", {"aspect_ratio": "9:1"}, "aspect ratio", "aspect_ratio"),
        ("image-to-video", {"image": None}, "image cannot be empty", "image"),
        ("image-to-video", {"image": " "}, "image url cannot be empty", "image"),
        ("multi-image-to-video", {"images": []}, "images cannot be empty", "images"),
        ("multi-image-to-video", {"images": [PHOTO] * 4}, "images", "images"),
        ("almighty-reference-to-video", {"prompt": "x" * 501}, "prompt", "prompt"),
        ("almighty-reference-to-video", {"images": [PHOTO] * 10}, "images", "images"),
        ("almighty-reference-to-video", {"videos": [CLIP] * 4}, "videos", "videos"),
        ("almighty-reference-to-video", {"audios": [SOUND] * 4}, "audios", "audios"),
        (
            "almighty-reference-to-video",
            {"images": [], "videos": [], "audios": [SOUND]},
            "images cannot be empty",
            "images",
        ),
        (
            "almighty-reference-to-video",
            {"images": [PHOTO] * 9, "videos": [CLIP] * 3, "audios": [SOUND]},
            "at most 12",
            "images",
        ),
        ("image-to-prompt", {"image_size": None}, "image_size cannot be empty", "image_size"),
        ("image-bg-change", {"prompt": ""}, "prompt and bg_color cannot both be empty", "prompt"),
        ("image-bg-change", {"bg_color": "red"}, "such as #FFFFFF", "bg_color"),
        ("image-bg-remove", {"img_url": None}, "image url cannot be empty", "img_url"),
        ("image-expand", {"canvas_size": "big"}, "such as 1024x768", "canvas_size"),
        ("image-expand", {"canvas_size": "9000x10"}, "too large", "canvas_size"),
        (
            "image-expand",
            {"original_image_location": "900,0"},
            "does not lie on",
            "original_image_location",
        ),
        ("image-face-swap", {"face_img_url": ""}, "face_img_url cannot be empty", "face_img_url"),
        ("image-reframe", {"aspect_ratio": "5:4"}, "aspect ratio 5:4 is not supported", None),
        ("image-reframe", {"aspect_ratio": None}, "aspect ratio cannot be empty", None),
        ("image-translate", {"target_lang": ""}, "target language cannot be empty", "target_lang"),
        ("image-translate", {"type": "pdf"}, "type pdf is not supported", "type"),
        ("video-extend", {"duration": 6}, "duration 6 is not supported", "duration"),
        ("video-extend", {"resolution": "4k"}, "resolution 4k is not supported", "resolution"),
        ("video-extend", {"prompt": None}, "prompt cannot be empty", "prompt"),
        ("video-merge", {"video_urls": [CLIP]}, "video_urls", "video_urls"),
        ("video-merge", {"video_urls": [CLIP] * 31}, "video_urls", "video_urls"),
        ("video-anime-replace", {"type": "swap"}, "type swap is not supported", "type"),
        ("video-background-remove", {"background_color": "PINK"}, "PINK is not supported", None),
        ("video-magic", {"video_style": "x"}, "video_style x is not supported", "video_style"),
        (
            "video-watermark-remove",
            {"rect_vo_list": [{"lt_x": 0.5, "lt_y": 0, "rb_x": 0.5, "rb_y": 1}]},
            "must be less than",
            "rect_vo_list",
        ),
        (
            "video-subtitle-erase",
            {"rect_vo_list": [{"lt_x": 0, "lt_y": 0, "rb_x": 1.1, "rb_y": 1}]},
            "rb_x",
            "rect_vo_list",
        ),
        ("video-subtitle-translate", {"target_language": " "}, "target language cannot be", None),
        ("video-upscaler", {"resolution": "720p"}, "720p is not supported", "resolution"),
        ("music-generate", {"type": "SONG"}, "type SONG is not supported", "type"),
        ("music-generate", {"description": "", "styles": {}}, "cannot both be empty", None),
        ("music-generate", {"styles": {"TANGO": "tango"}}, "TANGO is none of", "styles"),
        ("music-generate", {"lyrics": "la"}, "lyrics is for a VOCAL_SONG", "lyrics"),
        ("text-to-audio", {"text": "x" * 501}, "text", "text"),
        ("text-to-audio", {"text": ""}, "text cannot be empty", "text"),
        ("text-to-audio", {"voice_id": 65}, "voice_id", "voice_id"),
        ("text-to-audio", {"voice_id": 86}, "voice_id", "voice_id"),
        ("text-to-audio", {"speed": "fast"}, 'from "0.5" to "2.0"', "speed"),
        ("text-to-audio", {"speed": "2.1"}, 'from "0.5" to "2.0"', "speed"),
        ("text-to-audio", {"vol": "nan"}, "vol", "vol"),
        ("speech-recognize", {"audio_url": None}, "audio_url cannot be empty", "audio_url"),
    ],
)
def test_what_is_beyond_a_bound_is_refused_and_costs_nothing(
    careful: httpx.Client, kind, changes, said, field
) -> None:
    answer = _ask(careful, kind, **changes)
    refused(answer, 400, 1002, said, field or answer.json()["field"])


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("text-to-video", {"duration": 1}),
        ("text-to-video", {"duration": 60}),
        ("text-to-video", {"prompt": "x" * 2000, "video_number": 8}),
        ("text-to-video", {"generate_audio": "false"}),
        ("multi-image-to-video", {"images": [PHOTO] * 3}),
        ("almighty-reference-to-video", {"images": [PHOTO] * 9, "videos": [CLIP] * 3}),
        ("almighty-reference-to-video", {"images": [], "audios": [SOUND] * 3, "prompt": ""}),
        ("image-bg-change", {"prompt": "", "bg_color": "00ff7F"}),
        ("image-expand", {"original_image_location": "512,256"}),
        ("video-extend", {"duration": 8, "style": "comic", "resolution": "1080p"}),
        ("video-merge", {"video_urls": [CLIP] * 30}),
        ("video-watermark-remove", {"rect_vo_list": []}),
        ("music-generate", {"type": "VOCAL_SONG", "lyrics": "x" * 5000, "gender": "m"}),
        ("music-generate", {"description": "", "styles": {"POP": "pop"}}),
        ("text-to-audio", {"text": "x" * 500, "voice_id": 66, "speed": "0.5", "vol": "10"}),
    ],
)
def test_what_is_at_a_bound_is_taken(caller: httpx.Client, kind, changes) -> None:
    data = succeeded(_ask(caller, kind, **changes))
    caller.post(f"/v1/generation/batch/{data['batch_id']}/cancel")


@pytest.mark.parametrize(
    ("model", "changes", "said", "field"),
    [
        ("VEO_3_1", {"duration": 5}, "takes 8 seconds", "duration"),
        ("VEO_3_1", {"aspect_ratio": "1:1"}, "aspect ratio 1:1 is not supported", "aspect_ratio"),
        ("VEO_3_1", {"aspect_ratio": None}, "aspect ratio cannot be empty", "aspect_ratio"),
        ("VEO_3_1", {"resolution": "480p"}, "resolution 480p is not supported", "resolution"),
        ("SORA_2", {"duration": 5}, "takes 4, 8, 12 seconds", "duration"),
    ],
)
def test_a_models_own_bounds_hold(careful: httpx.Client, model, changes, said, field) -> None:
    asked = {"model": model, "duration": 8, "aspect_ratio": "16:9", "resolution": None}
    refused(_ask(careful, "text-to-video", **(asked | changes)), 400, 1002, said, field)


@pytest.mark.parametrize(
    ("kind", "changes", "price"),
    [
        ("text-to-video", {"duration": 10, "video_number": 3}, 15),
        ("text-to-audio", {"text": "x" * 250}, 0.5),
        ("video-extend", {"duration": 8}, 8),
        ("image-upscale", {}, 2),
        ("image-face-swap", {}, 0),
    ],
)
def test_a_price_is_for_its_unit(caller: httpx.Client, kind, changes, price) -> None:
    data = succeeded(_ask(caller, kind, **changes))
    assert (data["cost"], data["cost_mill"]) == (price, price * 1000)
    caller.post(f"/v1/generation/batch/{data['batch_id']}/cancel")
