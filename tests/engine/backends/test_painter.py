"""The painter paints what was asked, the same for the same seed, at any size."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from contexts import Progress
from PIL import Image

from darkroom.engine.backends import pictures
from darkroom.engine.backends.contract import Canceled, Input
from darkroom.engine.backends.painter import clouds
from darkroom.engine.backends.painter.backend import Painter
from darkroom.engine.backends.painter.compose import paint
from darkroom.errors import BadInput

SUNSET = "A beautiful sunset over the ocean, vibrant colors"
SUBJECTS = [
    SUNSET,
    "mountains with a lake at dawn",
    "snowy alps",
    "desert dunes at golden hour",
    "night sky with milky way over mountains",
    "aurora over a frozen lake",
    "misty valley",
    "wheat field under clouds",
    "thunderstorm with lightning over the sea",
    "snowfall in the mountains, a cabin",
    "tropical beach with palms, birds, a boat, a lighthouse and a rainbow",
    "dramatic clouds",
]


def _grey(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    return pixels.astype(float).mean(axis=2)


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    first, again = (paint(SUNSET, 160, 96, 7).pixels for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != paint(SUNSET, 160, 96, 8).pixels.tobytes()


@pytest.mark.parametrize("prompt", SUBJECTS)
def test_paints_something_of_light_shade_and_detail(prompt: str) -> None:
    pixels = paint(prompt, 256, 144, 3).pixels
    assert pixels.shape == (144, 256, 3)
    assert pixels.dtype == np.uint8
    grey = _grey(pixels)
    assert grey.std() > 12
    assert 12 < grey.mean() < 235
    blurred = cv2.GaussianBlur(grey, (0, 0), 2)
    assert np.abs(grey - blurred).mean() > 0.5


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_a_sunset_is_warm_bright_at_the_sun_and_its_sea_has_waves(seed: int) -> None:
    pixels = paint(SUNSET, 480, 270, seed).pixels.astype(float)
    sky = pixels[70:145]
    assert sky[..., 0].mean() > sky[..., 2].mean() + 30
    grey = pixels.mean(axis=2)
    soft = cv2.GaussianBlur(grey, (0, 0), 4)
    _, column = np.unravel_index(soft[60:].argmax(), soft[60:].shape)
    assert 60 < column < 420
    assert soft[60:].max() > grey[:, [0, -1]].mean() + 60
    sea = grey[190:]
    assert (sea - cv2.GaussianBlur(sea, (0, 0), 3)).std() > 4


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (640, 80), (80, 640), (65, 333)])
@pytest.mark.parametrize("prompt", [SUNSET, "lake", "beach with palms and a lighthouse"])
def test_paints_every_size(prompt: str, size: tuple[int, int]) -> None:
    pixels = paint(prompt, *size, 2).pixels
    assert pixels.shape == (size[1], size[0], 3)


def test_paints_a_large_picture_by_enlarging() -> None:
    pixels = paint("clear sky at night with stars", 2600, 1500, 2).pixels
    assert pixels.shape == (1500, 2600, 3)
    assert _grey(pixels).std() > 5


def test_the_sun_lights_every_cloud_that_is_seen_and_throws_shadows() -> None:
    lit, shade = np.ones(3, np.float32), np.zeros(3, np.float32)
    layer = clouds.Layer(0.5, 0.4, 0.052, (0.3, 0.1, 0.9), lit, shade)
    right = np.linspace(-0.6, 0.6, 160, dtype=np.float32)[None]
    up = np.linspace(0.6, 0.05, 96, dtype=np.float32)[:, None]
    light, through = clouds.cumulus(layer, right, up, 3)
    seen = through < 0.7
    shares = light[seen][:, 0] / (1.0 - through[seen])
    assert seen.mean() > 0.3
    assert shares.min() > 0.05
    assert shares.std() > 0.1


def test_gradients_show_no_steps() -> None:
    pixels = paint("clear sky at dusk", 400, 300, 1).pixels
    row = pixels[20, :, 2].astype(int)
    longest = max(len(run) for run in "".join("x" if d == 0 else " " for d in np.diff(row)).split())
    assert longest < 24


def test_negative_words_change_the_picture() -> None:
    given = paint("lake with birds", 320, 192, 3).pixels
    without = paint("lake with birds", 320, 192, 3, negative_prompt="birds").pixels
    assert (given != without).any()


def test_progress_rises_from_0_to_1_in_ten_steps() -> None:
    told: list[float] = []
    paint("mountains with a lake at dawn", 96, 64, 1, progress=told.append)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)
    assert len(told) >= 10


def test_cancels_where_progress_raises(tmp_path: Path) -> None:
    context = Progress(tmp_path, cancel_at=0.3)
    given = Input("text-to-image", "painter", {"prompt": SUNSET, "width": 96, "height": 64})
    with pytest.raises(Canceled):
        list(Painter().run(given, context))
    assert max(context.told) < 0.9
    assert list(tmp_path.iterdir()) == []


def test_the_backend_writes_a_png_that_says_what_it_is(tmp_path: Path) -> None:
    fields = {"prompt": "quantum sunset over the sea", "width": 96, "height": 64}
    painter = Painter()
    painter.setup("PAINTER", {})
    (output,) = painter.run(Input("text-to-image", "PAINTER", fields), Progress(tmp_path, 42))
    assert (output.media_type, output.width, output.height) == ("image/png", 96, 64)
    assert output.notes["words_used"] == ["sunset", "sea"]
    assert output.notes["words_ignored"] == ["quantum"]
    assert (output.notes["subject"], output.notes["style"]) == ("sea", "photo")
    with Image.open(output.path) as picture:
        assert picture.size == (96, 64)
        assert picture.info["Software"] == "Darkroom painter"
        assert picture.info["Seed"] == "42"
        assert "digitalsourcetype/algorithmicMedia" in picture.info["XML:com.adobe.xmp"]


def _repaint(folder: Path, source: Path) -> list[object]:
    fields = {"prompt": "watercolor", "width": 96, "height": 64}
    given = Input("image-to-image", "PAINTER", fields, {"images": [source]})
    return list(Painter().run(given, Progress(folder)))


def test_repaints_a_picture(tmp_path: Path) -> None:
    source = tmp_path / "in.jpg"
    Image.fromarray(paint(SUNSET, 120, 80, 1).pixels).save(source)
    assert len(_repaint(tmp_path, source)) == 1


@pytest.mark.parametrize("data", [b"", b"not a picture", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"GIF89a"])
def test_refuses_a_broken_input_picture(tmp_path: Path, data: bytes) -> None:
    source = tmp_path / "in.png"
    source.write_bytes(data)
    with pytest.raises(BadInput):
        _repaint(tmp_path, source)


def test_refuses_a_truncated_and_an_oversized_picture(tmp_path: Path) -> None:
    whole = tmp_path / "whole.png"
    Image.fromarray(paint(SUNSET, 120, 80, 1).pixels).save(whole)
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole.read_bytes()[:2000])
    bomb = tmp_path / "bomb.png"
    Image.new("1", (9000, pictures.INPUT_PIXELS_MAX // 9000 + 1)).save(bomb)
    for source in (cut, bomb):
        with pytest.raises(BadInput):
            pictures.read(source)


def test_reads_an_input_picture_upright(tmp_path: Path) -> None:
    source = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), "red").save(source, exif=exif)
    assert pictures.read(source).shape == (40, 20, 3)


@pytest.mark.parametrize("size", [(0, 64), (64, 99999), ("64", 64), (None, None)])
def test_refuses_a_size_it_cannot_paint(tmp_path: Path, size: tuple[object, object]) -> None:
    fields = {"prompt": SUNSET, "width": size[0], "height": size[1]}
    with pytest.raises(BadInput):
        list(Painter().run(Input("text-to-image", "PAINTER", fields), Progress(tmp_path)))
