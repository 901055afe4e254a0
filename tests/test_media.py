"""A file is what its first bytes say."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from darkroom import media


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_pictures_are_told_by_their_signature(form: str) -> None:
    body = io.BytesIO()
    Image.new("RGB", (8, 8)).save(body, form)
    assert media.sniff(body.getvalue()[: media.SNIFF_BYTES]) == f"image/{form.lower()}"


@pytest.mark.parametrize(
    ("form", "codec", "media_type"),
    [
        ("mp4", "libx264", "video/mp4"),
        ("mov", "libx264", "video/quicktime"),
        ("webm", "libvpx-vp9", "video/webm"),
        ("matroska", "libx264", None),
        ("avi", "mpeg4", None),
    ],
)
def test_clips_are_told_by_their_signature(form, codec, media_type, tmp_path: Path) -> None:
    path = tmp_path / "clip"
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=24)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    assert media.sniff(path.read_bytes()[: media.SNIFF_BYTES]) == media_type


@pytest.mark.parametrize(
    ("form", "codec", "media_type"),
    [
        ("mp3", "libmp3lame", "audio/mpeg"),
        ("ipod", "aac", "audio/mp4"),
        ("wav", "pcm_s16le", "audio/wav"),
        ("ogg", "libopus", "audio/ogg"),
        ("flac", "flac", "audio/flac"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"id3v2_version": "0", "write_xing": "0"}])
def test_sounds_are_told_by_their_signature(form, codec, media_type, options, tmp_path) -> None:
    path = tmp_path / "sound"
    with av.open(str(path), "w", format=form, options=options if form == "mp3" else {}) as made:
        stream = made.add_stream(codec, rate=48_000, layout="mono")
        resampler = av.AudioResampler(stream.format, "mono", 48_000, stream.frame_size or 1024)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 9600), np.float32), "flt", "mono")
        silence.sample_rate = 48_000
        for frame in [*resampler.resample(silence), *resampler.resample(None)]:
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    assert media.sniff(path.read_bytes()[: media.SNIFF_BYTES]) == media_type


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GIF89a",
        b"<svg/>",
        b"RIFF....AVI ",
        b"\x89PN",
        b"%PDF",
        b"%!PS-Adobe-3.0 EPSF-3.0",
        b"#EXTM3U\nfile:///etc/passwd",
        b"\0\0\0\x20ftypavif",
        b"\0\0\0\x20ftypheic",
        b"\xff\xf1\x50\x80",
    ],
)
def test_anything_else_is_unknown(head: bytes) -> None:
    assert media.sniff(head) is None
