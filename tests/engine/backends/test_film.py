"""The film maker moves scenes, pictures, clips and sounds, and says what it used."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from contexts import Progress, Watcher
from PIL import Image

from darkroom.engine.backends import clips, sounds
from darkroom.engine.backends.contract import Canceled, Input, Output
from darkroom.engine.backends.film.backend import Film
from darkroom.engine.backends.painter.compose import paint
from darkroom.engine.backends.pictures import Pixels
from darkroom.errors import BadInput

SIZE = (96, 54)


def film(
    context: Progress,
    kind: str = "text-to-video",
    files: Mapping[str, Sequence[Path]] | None = None,
    **fields: Any,
) -> list[Output]:
    asked = {
        "prompt": "", "negative_prompt": "", "duration": 1, "width": SIZE[0], "height": SIZE[1],
        "aspect_ratio": "16:9", "generate_audio": False,
    }  # fmt: skip
    return list(Film().run(Input(kind, "FILM", asked | fields, files or {}), context))


def shown(path: Path) -> list[Pixels]:
    return list(clips.frames(path, fps=clips.FPS))


def apart(a: Pixels, b: Pixels) -> float:
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two pictures, a clip with sound, a short one, and a sound."""
    folder = tmp_path_factory.mktemp("given")
    for name, prompt in (("lake", "mountain lake at day"), ("dusk", "desert at dusk")):
        Image.fromarray(paint(prompt, 120, 80, 5).pixels).save(folder / f"{name}.png")
    time = np.arange(sounds.RATE * 3, dtype=np.float32) / sounds.RATE
    tone = np.repeat(0.3 * np.sin(2 * np.pi * 440 * time)[:, None], 2, axis=1).astype(np.float32)
    sounds.write_mp3(tone, folder / "tone.mp3")
    for name, seconds in (("clip", 3), ("blink", 1)):
        with clips.Writer(folder / f"{name}.mp4", (64, 64), sound=tone) as writer:
            for number in range(seconds * clips.FPS):
                writer.add(np.full((64, 64, 3), (200, 40, 40 + number), np.uint8))
    return folder


def test_makes_an_h264_film_of_just_that_length_and_a_poster(tmp_path: Path) -> None:
    context = Progress(tmp_path)
    clip, poster = film(context, prompt="ocean waves at sunset", generate_audio="true", duration=2)
    with av.open(str(clip.path)) as container:
        names = [stream.codec_context.name for stream in container.streams]
    assert names == ["h264", "aac"]
    assert len(shown(clip.path)) == 2 * clips.FPS
    assert shown(clip.path)[0].shape == (SIZE[1], SIZE[0], 3)
    assert (clip.width, clip.height, clip.media_type) == (*SIZE, "video/mp4")
    assert -27 < sounds.loudness(sounds.read(clip.path)) < -17
    assert clip.notes["duration_seconds"] == 2
    assert clip.notes["has_sound"] is True
    assert clip.notes["words_used"][:2] == ["ocean", "waves"]
    with Image.open(poster.path) as picture:
        assert (picture.format, picture.size) == ("JPEG", SIZE)
    assert context.told == sorted(context.told)
    assert context.told[-1] == 1.0


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    made = [
        film(Progress(tmp_path / str(n), seed=seed), prompt="aurora over mountains")[0].path
        for n, seed in enumerate((4, 4, 5))
    ]
    first, again, other = (path.read_bytes() for path in made)
    assert first == again
    assert first != other


def test_each_frame_is_seen_as_it_is_made(tmp_path: Path) -> None:
    context = Watcher(tmp_path)
    frames = shown(film(context, prompt="city at night")[0].path)
    for told, frame in zip(context.shown, frames, strict=True):
        with Image.open(io.BytesIO(told.picture)) as picture:
            assert apart(np.asarray(picture), frame) < 12


@pytest.mark.parametrize(
    "prompt",
    ["sea", "mountain lake", "city at night", "autumn forest", "poppy meadow", "abstract silk",
     "clouds", "watercolour lake"],
)  # fmt: skip
def test_the_scene_moves_by_itself_and_is_not_blank(prompt: str, tmp_path: Path) -> None:
    frames = shown(film(Progress(tmp_path), prompt=f"{prompt}, static")[0].path)
    assert frames[0].std() > 10
    assert apart(frames[0], frames[-1]) > 0.25


def test_a_silent_film_has_no_sound(tmp_path: Path) -> None:
    clip = film(Progress(tmp_path), prompt="abstract")[0]
    assert clip.notes["has_sound"] is False
    assert not clips.probe(clip.path).has_sound


@pytest.mark.parametrize("at", [0.0, 0.05, 0.5])
def test_a_canceled_film_stops(at: float, tmp_path: Path) -> None:
    context = Progress(tmp_path, cancel_at=at)
    with pytest.raises(Canceled):
        film(context, prompt="sky")
    assert context.told[-1] < at + 0.1


@pytest.mark.parametrize(
    "wrong", [{"width": None}, {"height": 9}, {"duration": 0}, {"duration": 61}, {"width": 5000}]
)
def test_a_size_or_length_that_cannot_be_made_is_refused(
    wrong: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(BadInput):
        film(Progress(tmp_path), **wrong)


def test_a_picture_keeps_its_shape_begins_as_given_and_moves(given: Path, tmp_path: Path) -> None:
    picture = given / "lake.png"
    clip = film(
        Progress(tmp_path), "image-to-video", {"image": [picture]},
        prompt="dolly in", aspect_ratio=None,
    )[0]  # fmt: skip
    assert clip.width is not None
    assert clip.height is not None
    assert abs(clip.width / clip.height - 1.5) < 0.05
    assert abs(clip.width * clip.height / (SIZE[0] * SIZE[1]) - 1) < 0.1
    frames = shown(clip.path)
    with Image.open(picture) as opened:
        whole = np.asarray(opened.convert("RGB"))
    like = np.asarray(cv2.resize(whole[4:-4, 6:-6], frames[0].shape[1::-1]), np.uint8)
    assert apart(frames[0], like) < 14
    assert apart(frames[0], frames[-1]) > 2
    assert clip.notes["camera"] == ["dolly in"]
    assert clip.notes["digital_source_type"] == "algorithmicallyEnhanced"


def test_pictures_follow_each_other_first_to_last(given: Path, tmp_path: Path) -> None:
    pictures = [given / "lake.png", given / "dusk.png"]
    clip = film(Progress(tmp_path), "multi-image-to-video", {"images": pictures}, duration=2)[0]
    frames = shown(clip.path)
    alone = [
        shown(film(Progress(tmp_path / str(n)), "image-to-video", {"image": [one]})[0].path)[0]
        for n, one in enumerate(pictures)
    ]
    assert apart(frames[0], alone[0]) < apart(frames[0], alone[1]) / 3
    assert apart(frames[-1], alone[1]) < apart(frames[-1], alone[0]) / 2
    assert clip.notes["transitions"] == ["dissolve"]
    steps = [apart(a, b) for a, b in itertools.pairwise(frames)]
    assert max(steps) < 0.35 * apart(frames[0], frames[-1])


def test_references_are_all_used_and_sounds_are_the_sound(given: Path, tmp_path: Path) -> None:
    files = {
        "images": [given / "lake.png"],
        "videos": [given / "clip.mp4"],
        "audios": [given / "tone.mp3"],
    }
    kind = "almighty-reference-to-video"
    clip = film(Progress(tmp_path), kind, files, duration=3, generate_audio="false")[0]
    assert [one.split(":")[0] for one in clip.notes["used"]] == ["image 1", "video 1", "audio 1"]
    last = shown(clip.path)[-3].reshape(-1, 3).mean(axis=0)
    assert last[0] > last[1] + 40
    heard = sounds.read(clip.path)[:, 0]
    tone = np.abs(np.fft.rfft(heard))
    assert abs(np.argmax(tone) * sounds.RATE / len(heard) - 440) < 3
    assert np.abs(heard[:100]).max() < 0.02


def test_without_sounds_and_unasked_a_film_of_references_is_silent(
    given: Path, tmp_path: Path
) -> None:
    kind, files = "almighty-reference-to-video", {"videos": [given / "clip.mp4"]}
    assert not film(Progress(tmp_path), kind, files)[0].notes["has_sound"]
    heard = film(Progress(tmp_path), kind, files, generate_audio="true")[0]
    assert "the clips' own" in heard.notes["sound"]


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"videos": ["blink.mp4"]}, "videos: number 1"),
        ({"videos": ["clip.mp4"] * 6}, "videos last"),
        ({"images": ["lake.png"], "audios": ["tone.mp3"] * 6}, "audios last"),
        ({"images": ["tone.mp3"]}, "cannot be read"),
        ({"videos": ["lake.png"]}, "cannot be read"),
        ({}, "missing"),
    ],
)
def test_references_that_cannot_be_used_are_refused(
    files: dict[str, list[str]], named: str, given: Path, tmp_path: Path
) -> None:
    sent = {name: [given / one for one in ones] for name, ones in files.items()}
    with pytest.raises(BadInput, match=named):
        film(Progress(tmp_path), "almighty-reference-to-video", sent)


def test_a_picture_that_is_none_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG no more")
    with pytest.raises(BadInput):
        film(Progress(tmp_path), "image-to-video", {"image": [broken]})
    with pytest.raises(BadInput):
        film(Progress(tmp_path), "image-to-video")
