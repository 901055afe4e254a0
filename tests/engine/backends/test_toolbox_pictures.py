"""The toolbox cuts out, paints on, doubles, restores and clears pictures, and owns to stand-ins."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from toolbox_pictures import Progress, lettered, pixels_of, run, scene, subject

from darkroom.engine.backends import pictures
from darkroom.engine.backends.contract import Canceled
from darkroom.engine.backends.toolbox.backend import Toolbox
from darkroom.engine.backends.toolbox.marks import mark
from darkroom.errors import BadInput

FIELDS = {
    "image-bg-change": {"prompt": "a beach at sunset", "bg_color": ""},
    "image-bg-remove": {},
    "image-expand": {
        "original_image_size": "60x40",
        "canvas_size": "96x64",
        "original_image_location": "18,12",
    },
    "image-reframe": {"aspect_ratio": "9:16"},
    "image-repair": {},
    "image-text-erase": {},
    "image-translate": {"target_lang": "fr", "type": "image"},
    "image-upscale": {},
}


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


@pytest.mark.parametrize("kind", sorted(FIELDS))
def test_the_same_input_and_seed_give_the_same_bytes_and_progress_rises_to_one(
    kind: str, tmp_path: Path
) -> None:
    picture, _ = subject(96, 64)
    results = []
    for name in ("first", "again"):
        folder = tmp_path / name
        folder.mkdir()
        context = Progress(folder)
        output = run(kind, context, picture, **FIELDS[kind])
        assert output.media_type == "image/png"
        assert output.notes["digital_source_type"] == pictures.EDITED
        assert context.told == sorted(context.told)
        assert context.told[-1] == 1.0
        results.append(output.path.read_bytes())
    assert results[0] == results[1]


@pytest.mark.parametrize("kind", sorted(FIELDS))
def test_a_canceled_tool_stops(kind: str, tmp_path: Path) -> None:
    with pytest.raises(Canceled):
        run(kind, Progress(tmp_path, cancel_at=0.3), scene(64, 48), **FIELDS[kind])


@pytest.mark.parametrize("kind", sorted(Toolbox.kinds & FIELDS.keys()))
def test_what_is_no_picture_is_refused(kind: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no picture")
    with pytest.raises(BadInput, match="send a JPEG"):
        run(kind, Progress(tmp_path), broken, **FIELDS[kind])


def test_the_subject_is_cut_out_with_clean_edges(tmp_path: Path) -> None:
    picture, inside = subject()
    cut = pixels_of(run("image-bg-remove", Progress(tmp_path), picture))
    assert cut.shape == (*picture.shape[:2], 4)
    kept = cut[..., 3] > 127
    assert (kept & inside).sum() / (kept | inside).sum() > 0.95
    half = (cut[..., 3] > 60) & (cut[..., 3] < 230)
    assert half.any()
    # Half-opaque pixels have the thing's own red again, not mixed with the ground.
    half[70:90] = False
    apart = [np.abs(one[half, :3].astype(int) - (190, 50, 40)).mean() for one in (cut, picture)]
    assert apart[0] < 0.5 * apart[1]


def test_a_picture_that_is_cut_out_already_keeps_its_opacity(tmp_path: Path) -> None:
    picture, inside = subject(96, 64)
    given = np.dstack([picture, np.where(inside, 255, 0).astype(np.uint8)])
    cut = pixels_of(run("image-bg-remove", Progress(tmp_path), given))
    assert np.array_equal(cut[..., 3], given[..., 3])


def test_a_background_is_the_colour_or_the_scene_asked_for(tmp_path: Path) -> None:
    picture, inside = subject(120, 80)
    plain = pixels_of(
        run("image-bg-change", Progress(tmp_path), picture, prompt="", bg_color="10C8FF")
    )
    assert tuple(plain[2, 2]) == (0x10, 0xC8, 0xFF)
    assert np.abs(plain[inside].astype(int) - picture[inside]).mean() < 6
    output = run(
        "image-bg-change", Progress(tmp_path), picture, prompt="a green forest", bg_color=""
    )
    assert output.notes["words_used"] == ["green", "forest"]
    wood = pixels_of(output)
    other = run("image-bg-change", Progress(tmp_path), picture, prompt="a sunset sea", bg_color="")
    assert np.abs(wood.astype(int) - pixels_of(other))[~inside].mean() > 20


def test_a_larger_canvas_keeps_the_picture_and_shows_no_seam(tmp_path: Path) -> None:
    picture = scene(160, 112)
    output = run(
        "image-expand",
        Progress(tmp_path),
        picture,
        original_image_size="160x112",
        canvas_size="240 × 180",
        original_image_location="40, 30",
    )
    wide = pixels_of(output)
    assert wide.shape == (180, 240, 3)
    assert np.array_equal(wide[30:142, 40:200], picture)
    grey = wide.astype(float).mean(axis=2)
    for seam, along in ((40, grey[30:142]), (200, grey[30:142])):
        across = np.abs(np.diff(along, axis=1)).mean(axis=0)
        assert across[seam - 1] < 1.6 * np.median(across[45:195]) + 1
    sky, ground = wide[5:20], wide[150:]
    assert sky[..., 2].mean() > sky[..., 0].mean() + 20
    assert ground.mean(axis=2).std() > 0.5 * picture[90:].mean(axis=2).std()


@pytest.mark.parametrize("shape", [(1, 1, 3), (700, 20, 3), (60, 80, 4)])
@pytest.mark.parametrize("kind", sorted(FIELDS.keys() - {"image-reframe"}))
def test_plain_and_odd_pictures_pass(
    kind: str, shape: tuple[int, int, int], tmp_path: Path
) -> None:
    output = run(kind, Progress(tmp_path), np.zeros(shape, np.uint8), **FIELDS[kind])
    assert output.path.stat().st_size > 0


@pytest.mark.parametrize("kind", ["image-reframe", "image-face-swap"])
def test_a_tiny_picture_is_refused(kind: str, tmp_path: Path) -> None:
    tiny = np.zeros((8, 40, 3), np.uint8)
    with pytest.raises(BadInput, match="16 pixels at least"):
        run(kind, Progress(tmp_path), tiny, aspect_ratio="1:1", face_img_url=tiny)


def test_a_canvas_that_is_too_small_is_refused(tmp_path: Path) -> None:
    small = {"original_image_size": "8x8", "canvas_size": "9x9", "original_image_location": "0,0"}
    with pytest.raises(BadInput, match="sides of 16 pixels"):
        run("image-expand", Progress(tmp_path), scene(64, 48), **small)


def test_another_shape_holds_the_whole_subject(tmp_path: Path) -> None:
    picture, _ = subject(240, 160)
    moved = np.roll(picture, 60, axis=1)
    cropped = run("image-reframe", Progress(tmp_path), moved, aspect_ratio="1:1")
    assert (cropped.width, cropped.height) == (160, 160)
    assert not cropped.notes["widened"]
    red = pixels_of(cropped).astype(int)
    shown = (red[..., 0] - red[..., 1] > 60).sum()
    whole = picture.astype(int)
    assert shown > 0.98 * (whole[..., 0] - whole[..., 1] > 60).sum()
    widened = run("image-reframe", Progress(tmp_path), picture, aspect_ratio="21:9")
    assert widened.notes["widened"]
    assert abs(widened.width / widened.height - 21 / 9) < 0.03


def test_an_old_photo_is_restored_and_a_good_one_left_alone(tmp_path: Path) -> None:
    good = scene(320, 240)
    rng = np.random.default_rng(5)
    old = np.clip(good * 0.5 + (95, 85, 66) + rng.normal(0, 6, (240, 320, 1)), 0, 255)
    old = old.astype(np.uint8)
    cv2.line(old, (60, 10), (90, 150), (238, 236, 230), 2, cv2.LINE_AA)
    output = run("image-repair", Progress(tmp_path), old)
    assert output.notes["fading_undone"]
    assert output.notes["damaged_share"] > 0.001
    made = pixels_of(output)
    on_scratch = np.zeros((240, 320), np.uint8)
    cv2.line(on_scratch, (60, 10), (88, 140), 1, 1)
    lost = np.abs(made.astype(int) - good).mean(axis=2)[on_scratch > 0]
    assert lost.mean() < 40
    sky = (slice(10, 120), slice(120, 300))
    assert made[sky].std(axis=1).mean() < 0.6 * old[sky].std(axis=1).mean() + 1
    same = pixels_of(run("image-repair", Progress(tmp_path), subject(320, 240)[0]))
    assert np.abs(same.astype(int) - subject(320, 240)[0]).mean() < 0.5


def test_text_goes_and_the_rest_stays(tmp_path: Path) -> None:
    clean = scene(320, 200)
    given, ink = lettered(clean, "Summer holidays")
    output = run("image-text-erase", Progress(tmp_path), given)
    assert output.notes["lines_found"] == 1
    made = pixels_of(output)
    before, after = (np.abs(one.astype(int) - clean)[ink].mean() for one in (given, made))
    assert after < 0.3 * before
    away = cv2.dilate(ink.astype(np.uint8), np.ones((15, 15))) == 0
    assert np.array_equal(made[away], clean[away])
    untouched = run("image-text-erase", Progress(tmp_path), clean)
    assert untouched.notes["lines_found"] == 0
    assert np.array_equal(pixels_of(untouched), clean)


@pytest.mark.parametrize("sort", ["text", "image"])
def test_translation_is_a_marked_stand_in(sort: str, tmp_path: Path) -> None:
    given, ink = lettered(scene(320, 200), "Summer holidays")
    output = run("image-translate", Progress(tmp_path), given, target_lang="fr", type=sort)
    assert output.notes["stand_in"] is True
    assert output.notes["language_ignored"] == "fr"
    made = pixels_of(output)
    assert (made[ink] == given[ink]).all(axis=1).mean() > 0.97
    assert not np.array_equal(made[-8:], given[-8:])


def test_doubling_is_sharper_than_bicubic_and_has_no_halo(tmp_path: Path) -> None:
    large, _ = subject(192, 128)
    large, _ = lettered(large, "Sharp", 40)
    small = cv2.resize(large, (96, 64), interpolation=cv2.INTER_AREA)
    made = pixels_of(run("image-upscale", Progress(tmp_path), small))
    assert made.shape == large.shape
    bicubic = cv2.resize(small, (192, 128), interpolation=cv2.INTER_CUBIC)
    assert psnr(made, large) > psnr(bicubic, large) + 0.5
    box = np.ones((3, 3), np.uint8)
    highest = cv2.resize(cv2.dilate(small, box), (192, 128), interpolation=cv2.INTER_LINEAR)
    assert (made.astype(int) - highest).max() < 10


def test_doubling_keeps_opacity_and_refuses_what_is_too_large(tmp_path: Path) -> None:
    given = np.dstack([scene(40, 30), np.zeros((30, 40), np.uint8)])
    given[:, 20:, 3] = 255
    made = pixels_of(run("image-upscale", Progress(tmp_path), given))
    assert made.shape == (60, 80, 4)
    assert made[:, :30, 3].max() < 10
    assert made[:, 50:, 3].min() > 245
    Image.new("RGB", (2049, 2048)).save(tmp_path / "large.png")
    with pytest.raises(BadInput, match=r"4\.19 megapixels"):
        run("image-upscale", Progress(tmp_path), tmp_path / "large.png")


def test_a_face_swap_is_a_marked_stand_in(tmp_path: Path) -> None:
    picture, other = scene(160, 120), subject(120, 160)[0]
    output = run("image-face-swap", Progress(tmp_path), picture, face_img_url=other)
    assert output.notes["stand_in"] is True
    made = pixels_of(output)
    changed = np.abs(made.astype(int) - picture).mean(axis=2)
    assert changed[40:60, 70:90].mean() > 3
    assert changed[:20, :20].max() == 0
    assert changed[-6:].mean() > 5


def test_a_picture_is_put_into_words(tmp_path: Path) -> None:
    output = run(
        "image-to-prompt", Progress(tmp_path), scene(320, 200), image_size=9, language="fr"
    )
    assert output.media_type == "text/plain"
    words = output.path.read_text("utf-8")
    assert words == output.notes["prompt"]
    assert "blue" in words
    assert "Wide composition" in words
    assert output.notes["language_ignored"] == "fr"
    other = run("image-to-prompt", Progress(tmp_path), subject()[0], image_size=9, language="en")
    assert "red thing" in other.notes["prompt"]
    assert "language_ignored" not in other.notes


@pytest.mark.parametrize("size", [(640, 400), (200, 300), (90, 60)])
def test_a_mark_is_a_readable_strip_at_the_foot(size: tuple[int, int]) -> None:
    picture = np.full((size[1], size[0], 3), 180, np.uint8)
    marked = mark(picture, "SANDBOX · face swap needs a model")
    assert picture.min() == 180
    assert np.array_equal(marked[: size[1] // 3], picture[: size[1] // 3])
    assert marked[-1].max() < 120
    # Letters are lighter than the picture was.
    assert marked[size[1] // 3 :].max() > 185
