"""Files lose the workflow that ComfyUI writes into them, and nothing else."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from darkroom import errors, media
from darkroom.engine.backends.comfyui import outputs

WORDS = '{"6": {"class_type": "CLIPTextEncode"}}'
RED = (200, 30, 30)


def _picture(path: Path, form: str) -> None:
    exif = Image.Exif()
    exif[0x0110] = f"prompt:{WORDS}"
    Image.new("RGB", (32, 16), RED).save(path, form, exif=exif)


def _sound(path: Path, form: str, codec: str) -> None:
    with av.open(str(path), "w", format=form) as container:
        container.metadata["prompt"] = WORDS
        stream = container.add_stream(codec, rate=48_000, layout="mono")
        resampler = av.AudioResampler(stream.format, "mono", 48_000, stream.frame_size or 960)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.int16), "s16", "mono")
        frame.rate = 48_000
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))


def _clip(path: Path, form: str, codec: str) -> None:
    with av.open(str(path), "w", format=form) as container:
        container.metadata["prompt"] = WORDS
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", (32, 16), RED))))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG"])
def test_a_picture_keeps_its_pixels_alone(tmp_path: Path, form: str) -> None:
    path = tmp_path / "made"
    _picture(path, form)
    assert b"class_type" in path.read_bytes()
    outputs.strip(path, f"image/{form.lower()}")
    assert b"class_type" not in path.read_bytes()
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == (form, (32, 16))


@pytest.mark.parametrize(
    ("form", "codec", "media_type"),
    [
        ("mp3", "libmp3lame", "audio/mpeg"),
        ("ogg", "libopus", "audio/ogg"),
        ("flac", "flac", "audio/flac"),
        ("wav", "pcm_s16le", "audio/wav"),
        ("webm", "libvpx-vp9", "video/webm"),
        ("mp4", "libx264", "video/mp4"),
    ],
)
def test_a_sound_or_clip_keeps_its_packets_alone(
    tmp_path: Path, form: str, codec: str, media_type: str
) -> None:
    path = tmp_path / f"made.{form}"
    (_clip if media_type.startswith("video") else _sound)(path, form, codec)
    before = _decoded(path)
    outputs.strip(path, media_type)
    data = path.read_bytes()
    assert media.sniff(data[: media.SNIFF_BYTES]) == media_type
    assert b"class_type" not in data
    assert _decoded(path) == before


def _decoded(path: Path) -> int:
    with av.open(io.BytesIO(path.read_bytes())) as container:
        frames = [*container.decode(container.streams[0])]
        return sum(getattr(frame, "samples", 1) for frame in frames)


def test_what_is_broken_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "made.mp4"
    path.write_bytes(b"\0\0\0\x18ftypisom" + bytes(100))
    with pytest.raises(errors.BackendFailed, match="cannot be read"):
        outputs.strip(path, "video/mp4")
