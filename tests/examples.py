"""Every kind's example, made small and independent of the network: its files go along as data."""

from __future__ import annotations

import base64
import functools
import io
from typing import Any

import av
import numpy as np
from PIL import Image

from darkroom.domain.kinds.kind import Kind
from darkroom.domain.kinds.table import KINDS

WIDTH, HEIGHT, FPS, SECONDS = 128, 72, 6, 2
RATE = 48_000


def picture() -> bytes:
    """A PNG of a bright disc before a shaded ground."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    pixels = np.stack([rows * 2, 90 + rows, 200 - columns], 2).clip(0, 255).astype(np.uint8)
    pixels[(rows - 36) ** 2 + (columns - 64) ** 2 < 400] = (230, 120, 40)
    made = io.BytesIO()
    Image.fromarray(pixels).save(made, "PNG")
    return made.getvalue()


@functools.cache
def clip() -> bytes:
    """An MP4 of two seconds: a disc that wanders before a shaded ground, with a tone."""
    made = io.BytesIO()
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    ground = np.stack([rows * 2, 90 + rows, 200 - columns], 2).clip(0, 255).astype(np.uint8)
    with av.open(made, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = container.add_stream("aac", rate=RATE, layout="stereo")
        for number in range(FPS * SECONDS):
            pixels = ground.copy()
            pixels[(rows - 36) ** 2 + (columns - 20 - 6 * number) ** 2 < 300] = (230, 120, 40)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for part in _tone():
            container.mux(sound.encode(part))
        container.mux(sound.encode(None))
    return made.getvalue()


@functools.cache
def sound() -> bytes:
    """An MP3 of two seconds of a tone."""
    made = io.BytesIO()
    with av.open(made, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout="stereo")
        for part in _tone():
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return made.getvalue()


def _tone() -> list[av.AudioFrame]:
    at = np.arange(RATE * SECONDS) / RATE
    wave = (0.3 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)
    frames = []
    for start in range(0, len(wave), 1152):
        planes = np.stack([wave[start : start + 1152]] * 2)
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = RATE, start
        frames.append(frame)
    return frames


# The kinds of the sandbox that are asked for at a path of their own.
SUBMITTED = [kind for kind in KINDS.values() if kind.built_in and not kind.continues]

# What is less work than the kind's example, where it has no size of its own.
_LESS: dict[str, dict[str, Any]] = {
    "effect-template": {"aspect_ratio": "1:1"},
    "image-expand": {
        "original_image_size": "64x64",
        "canvas_size": "128x96",
        "original_image_location": "32,16",
    },
    "video-anime-replace": {"resolution": "480p"},
    "video-extend": {"resolution": "360p"},
    "video-upscaler": {"resolution": "1080p"},
}

_MADE = {
    "picture": ("image/png", picture),
    "clip": ("video/mp4", clip),
    "sound": ("audio/mpeg", sound),
}


def small(kind: Kind) -> dict[str, Any]:
    """The fields of a request that takes a moment."""
    asked = kind.example | _LESS.get(kind.name, {})
    for name, rule in kind.files.items():
        if name in asked:
            media_type, make = _MADE[rule.sort]
            address = f"data:{media_type};base64,{base64.b64encode(make()).decode()}"
            several = isinstance(asked[name], list)
            asked[name] = [address] * len(asked[name]) if several else address
    if kind.size is not None:
        asked["resolution"] = f"{WIDTH}x{HEIGHT}"
    if kind.outputs == "videos" and kind.size is not None:
        asked |= {"model": "FILM", "duration": 1}
    return asked
