"""The tools for clips keep what is shown and heard, tell progress, stop when asked, and refuse."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import clip_samples as samples
import cv2
import numpy as np
import pytest
from clip_samples import Made, Progress, run
from PIL import Image

from darkroom.domain.kinds import video_tools
from darkroom.engine.backends import sounds
from darkroom.engine.backends.contract import Canceled, Input
from darkroom.engine.backends.toolbox import character, face_change, lips_change
from darkroom.engine.backends.toolbox.clip_tools import CLIP_TOOLS
from darkroom.engine.backends.toolbox.marks import mark
from darkroom.errors import BadInput

MARKS = {
    "video-anime-replace": character.MARK,
    "video-face-change": face_change.MARK,
    "video-lips-change": lips_change.MARK,
    "video-subtitle-translate": "SANDBOX · translation to de needs a model",
}
STAND_INS = sorted(MARKS)
Make = Callable[[str], Made]
ONE_CLIP = sorted(kind for kind in CLIP_TOOLS if kind != "video-merge")


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A panned clip with sound, a picture, and a sound that lasts longer than the clip."""
    folder = tmp_path_factory.mktemp("given")
    picture = samples.disc(samples.scene(96, 96, 8), 48, 48, 30)
    Image.fromarray(picture).save(folder / "picture.png")
    sounds.write_mp3(samples.hum(0.8, pitch=330), folder / "sound.mp3")
    return {
        "video_url": samples.clip(folder / "clip.mp4", samples.panned(6), samples.hum(0.5)),
        "image_url": folder / "picture.png",
        "audio_url": folder / "sound.mp3",
    }


@pytest.fixture(scope="module")
def made(given: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Make:
    """What each kind makes of what is given, made once."""
    kept: dict[str, Made] = {}

    def make(kind: str) -> Made:
        if kind not in kept:
            kept[kind] = run(tmp_path_factory.mktemp(kind), kind, given, **_fields(kind))
        return kept[kind]

    return make


def _fields(kind: str) -> dict[str, object]:
    return {
        "video-extend": {"prompt": "on", "duration": 5, "resolution": "360p", "style": None},
        "video-anime-replace": {"type": "replace", "resolution": "480p"},
        "video-subtitle-translate": {"target_language": "de"},
    }.get(kind, {})


def test_every_kind_of_clip_has_its_tool() -> None:
    assert set(CLIP_TOOLS) == {kind.name for kind in video_tools.KINDS}


@pytest.mark.parametrize("kind", [k for k in ONE_CLIP if k not in ("video-extend",)])
def test_a_tool_gives_a_clip_with_its_sound_and_a_cover(kind: str, made: Make) -> None:
    one = made(kind)
    seconds = 0.8 if kind == "video-lips-change" else 0.5
    assert one.clip.media_type == "video/mp4"
    assert one.probed.seconds == pytest.approx(seconds, abs=0.1)
    assert one.probed.fps == pytest.approx(samples.FPS)
    assert (one.probed.width, one.probed.height) == (one.clip.width, one.clip.height)
    assert sounds.loudness(sounds.read(one.clip.path)) > -25
    assert one.notes["has_sound"]
    assert one.notes["digital_source_type"] == "algorithmicallyEnhanced"
    assert one.cover.media_type == "image/jpeg"
    assert np.asarray(Image.open(one.cover.path)).std() > 5
    told = one.context.told
    assert told == sorted(told)
    assert told[-1] == 1
    assert one.notes.get("stand_in", False) == (kind in STAND_INS)


@pytest.mark.parametrize("kind", STAND_INS)
def test_a_stand_in_carries_its_mark_in_every_frame(kind: str, made: Make) -> None:
    frames = made(kind).frames()
    white = mark(np.full(frames.shape[1:], 255, np.uint8), MARKS[kind])
    strip = white[:, 0].max(axis=1) < 200
    ink = white[strip].min(axis=2) > 190
    assert strip.sum() >= 8
    assert ink.sum() > 100
    for pixels in frames[:, strip].astype(float).mean(axis=3):
        assert pixels[ink].mean() > pixels[~ink].mean() + 30


@pytest.mark.parametrize("kind", ["video-magic", "video-watermark-remove", "video-face-change"])
def test_the_same_seed_gives_the_same_bytes(
    kind: str, given: dict[str, Path], tmp_path: Path
) -> None:
    first, again = (run(tmp_path / one, kind, given) for one in "ab")
    assert first.clip.path.read_bytes() == again.clip.path.read_bytes()


def test_another_seed_gives_another_grain(given: dict[str, Path], tmp_path: Path) -> None:
    parts = [
        run(tmp_path / str(seed), "video-magic", given, seed, video_style="realistic_2")
        for seed in (1, 2)
    ]
    assert parts[0].clip.path.read_bytes() != parts[1].clip.path.read_bytes()


@pytest.mark.parametrize("kind", ["video-magic", "video-background-remove", "video-extend"])
def test_a_tool_stops_when_it_is_asked_to(
    kind: str, given: dict[str, Path], tmp_path: Path
) -> None:
    context = Progress(tmp_path, cancel_at=0.3)
    files = {name: [path] for name, path in given.items()}
    with pytest.raises(Canceled):
        list(CLIP_TOOLS[kind](Input(kind, "TOOLBOX", _fields(kind), files), context))
    assert context.told[-1] < 0.6


@pytest.mark.parametrize("kind", ONE_CLIP)
def test_a_broken_clip_is_refused(kind: str, given: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(given["video_url"].read_bytes()[:900])
    with pytest.raises(BadInput):
        run(tmp_path, kind, {**given, "video_url": broken}, **_fields(kind))


@pytest.mark.parametrize("kind", ["video-anime-replace", "video-face-change", "video-lips-change"])
def test_a_missing_second_input_is_refused(
    kind: str, given: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"image_url|audio_url"):
        run(tmp_path, kind, {"video_url": given["video_url"]}, **_fields(kind))


def test_odd_sizes_lose_their_last_row(tmp_path: Path) -> None:
    frames = [one[:67, :99] for one in samples.panned(6)]
    path = tmp_path / "odd.mkv"
    _write_odd(path, frames)
    made = run(tmp_path, "video-magic", {"video_url": path})
    assert (made.probed.width, made.probed.height) == (98, 66)


def _write_odd(path: Path, frames: list[np.ndarray]) -> None:
    import av

    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 99, 67, "yuv444p"
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels))))
        container.mux(stream.encode(None))


def test_the_looks_differ_and_do_not_flicker(tmp_path: Path) -> None:
    still = samples.clip(tmp_path / "still.mp4", [samples.scene(128, 72)] * 8)
    seen = {}
    for style in ("realistic_2", "anime_style_3", "anime_style_4"):
        made = run(tmp_path / style, "video-magic", {"video_url": still}, video_style=style)
        frames = made.frames().astype(float)
        assert np.abs(np.diff(frames[2:], axis=0)).mean() < 3
        seen[style] = frames[-1]
    looks = list(seen.values())
    assert all(np.abs(a - b).mean() > 6 for a, b in itertools.pairwise(looks))


def test_an_upscaled_clip_is_sharper_than_a_stretched_one(tmp_path: Path) -> None:
    truth = samples.panned(3, size=(1280, 720))
    small = [cv2.resize(one, (640, 360), interpolation=cv2.INTER_AREA) for one in truth]
    path = samples.clip(tmp_path / "small.mp4", small)
    made = run(tmp_path, "video-upscaler", {"video_url": path}, resolution="1080p")
    assert (made.probed.width, made.probed.height) == (1920, 1080)
    got = made.frames()[1]
    plain = cv2.resize(small[1], (1920, 1080), interpolation=cv2.INTER_LINEAR)
    assert cv2.Laplacian(got, cv2.CV_32F).var() > 1.1 * cv2.Laplacian(plain, cv2.CV_32F).var()
    back = cv2.resize(got, (640, 360), interpolation=cv2.INTER_AREA)
    assert np.abs(back.astype(float) - small[1]).mean() < 4.5


def test_upscaling_never_shrinks_and_4k_is_bounded(tmp_path: Path) -> None:
    large = samples.clip(tmp_path / "large.mp4", samples.panned(2, size=(64, 1100)), fps=1.0)
    made = run(tmp_path / "a", "video-upscaler", {"video_url": large}, resolution="1080p")
    assert made.notes["scale"] >= 1
    still = [samples.scene(32, 18)] * 62
    long = samples.clip(tmp_path / "long.mp4", still, fps=1.0)
    with pytest.raises(BadInput, match="60 seconds"):
        run(tmp_path / "b", "video-upscaler", {"video_url": long}, resolution="4k")


def test_lips_are_given_the_sound_and_its_length(made: Make) -> None:
    one = made("video-lips-change")
    heard = sounds.read(one.clip.path)[4800:28800, 0]
    peak = np.abs(np.fft.rfft(heard)).argmax() * sounds.RATE / len(heard)
    assert peak == pytest.approx(330, abs=3)
    # The end is played back and forth: no frame is far from the one before.
    frames = one.frames().astype(float)
    assert np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3)).max() < 25
