"""Previews on their way: drawn when one is due, told of their own task, made small and clean."""

from __future__ import annotations

import asyncio
import io
import os
import time
from pathlib import Path

import pytest
from PIL import Image

import probes
from darkroom import thumbnails
from darkroom.engine import protocol
from darkroom.engine.previews import shrink
from darkroom.engine.process import Process

KEPT_BYTES_MAX = 64 * 2**10


@pytest.fixture
def marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Installs the probe for children; the folder of what they leave."""
    for name, value in probes.install(tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def _asked(folder: Path, prompt: str, seed: int, backend: str = "probe") -> protocol.Run:
    folder.mkdir()
    fields = {"prompt": prompt, "width": 64, "height": 64}
    return protocol.Run(backend, "PROBE", "text-to-image", fields, {}, str(folder), seed)


def _red(picture: bytes) -> int:
    with Image.open(io.BytesIO(picture)) as opened:
        pixel = opened.convert("RGB").getpixel((5, 5))
    assert isinstance(pixel, tuple)
    return int(pixel[0])


def test_a_model_draws_a_preview_when_one_is_due(marks: Path) -> None:
    """Forty steps, a twentieth of a second each at the least."""

    async def story() -> list[bytes]:
        process = await Process.start()
        try:
            running = process.run(_asked(marks / "one", "slow, show", 90))
            return [told.picture async for told in running if isinstance(told, protocol.Preview)]
        finally:
            await process.kill()

    began = time.monotonic()
    shown = asyncio.run(story())
    drawn = (marks / "drawn").read_text().split()
    assert {_red(one) for one in shown} == {90}
    assert 2 <= len(shown) == len(drawn) <= time.monotonic() - began + 1


def test_of_several_in_one_call_each_shows_its_own(marks: Path) -> None:
    async def story() -> set[tuple[int, int]]:
        process = await Process.start()
        try:
            asked = [_asked(marks / f"{n}", "slow, show", n, "choir") for n in (50, 100)]
            return {
                (told.number, _red(told.told.picture))
                async for told in process.run_together(asked)
                if isinstance(told, protocol.Of) and isinstance(told.told, protocol.Preview)
            }
        finally:
            await process.kill()

    assert asyncio.run(story()) == {(0, 50), (1, 100)}


def _picture(form: str, size: tuple[int, int] = (900, 300), mode: str = "RGB") -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "SECRET"
    exif[0x0112] = 6
    held = io.BytesIO()
    more = {"comment": b"SECRET"} if form == "JPEG" else {"xmp": b"SECRET"}
    Image.new(mode, size, "red").save(held, form, exif=exif, icc_profile=b"SECRET", **more)
    return held.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_preview_is_its_pixels_alone(form: str) -> None:
    told = _picture(form)
    assert b"SECRET" in told
    small = shrink(told)
    assert small is not None
    assert b"SECRET" not in small
    with Image.open(io.BytesIO(small)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (171, 512))
        assert not picture.getexif()
    with Image.open(io.BytesIO(told)) as before:
        assert not getattr(thumbnails.make(io.BytesIO(told), pixels_max=10**6), "info", None)
        assert before.info


def test_noise_is_made_small_enough() -> None:
    held = io.BytesIO()
    Image.frombytes("RGB", (640, 640), os.urandom(640 * 640 * 3)).save(held, "JPEG", quality=95)
    small = shrink(held.getvalue())
    assert small is not None
    assert len(small) <= KEPT_BYTES_MAX


def test_what_can_be_seen_through_and_what_is_grey_are_shown() -> None:
    for mode in ("RGBA", "L", "P", "1"):
        assert shrink(_picture("PNG", (40, 40), mode)) is not None


def test_what_is_no_picture_or_is_too_large_is_none() -> None:
    whole = _picture("PNG")
    gif = io.BytesIO()
    Image.new("L", (4, 4)).save(gif, "GIF")
    large = _picture("PNG", (4096, 2048))
    for told in (b"", b"no picture", whole[:200], gif.getvalue(), large, whole + bytes(2**21)):
        assert shrink(told) is None
