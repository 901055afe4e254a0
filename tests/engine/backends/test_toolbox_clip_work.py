"""What the tools for clips are there for: longer, joined, cut out, and with nothing laid over."""

from __future__ import annotations

from pathlib import Path

import av
import clip_samples as samples
import cv2
import numpy as np
import pytest
from clip_samples import FPS, SIZE, run

from darkroom.engine.backends import clips, sounds
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox import echoes, loudness, overlays
from darkroom.engine.backends.toolbox.extend import steered
from darkroom.engine.backends.toolbox.motion import camera, grey
from darkroom.errors import BadInput

WIDE = (320, 180)


def _step(before: Pixels, after: Pixels) -> float:
    return float(camera(grey(before), grey(after))[0, 2])


def test_an_extended_clip_is_the_whole_clip_and_then_goes_on(tmp_path: Path) -> None:
    frames = samples.panned(12, 1.5, (160, 90))
    path = samples.clip(tmp_path / "in.mp4", frames, samples.hum(2.0), 6.0)
    made = run(tmp_path, "video-extend", {"video_url": path}, prompt="on", resolution="360p")
    assert made.notes["seconds_added"] == 5
    assert made.probed.seconds == pytest.approx(7.0, abs=0.2)
    assert (made.probed.width, made.probed.height) == (640, 360)
    shown = made.frames()
    first = cv2.resize(shown[5], (160, 90), interpolation=cv2.INTER_AREA)
    assert np.abs(first.astype(float) - frames[5]).mean() < 6
    # The scene moves on at the joint as before it, and then ever slower.
    steps = [_step(shown[k - 1], shown[k]) for k in (10, 11, 12, 13, 40)]
    assert steps[2] == pytest.approx(steps[1], abs=1.0)
    assert steps[3] == pytest.approx(steps[1], abs=1.2)
    assert abs(steps[4]) < 0.5 * abs(steps[1])
    jumps = np.abs(np.diff(shown[8:20].astype(float), axis=0)).mean(axis=(1, 2, 3))
    assert jumps.max() < 2 * np.median(jumps[:3])
    sound = sounds.read(made.clip.path)
    assert sounds.loudness(sound[120000:168000]) > sounds.loudness(sound[:48000]) - 4
    assert sounds.loudness(sound[-4800:]) < -35


def test_the_style_comes_in_only_after_the_clip(tmp_path: Path) -> None:
    path = samples.clip(tmp_path / "in.mp4", samples.panned(6, 0.5), fps=4.0)
    shown = {}
    for style in (None, "cyberpunk"):
        folder = tmp_path / str(style)
        files = {"video_url": path}
        made = run(folder, "video-extend", files, prompt="x", style=style, resolution="360p")
        shown[style] = made.frames().astype(float)
    apart = np.abs(shown[None] - shown["cyberpunk"]).mean(axis=(1, 2, 3))
    assert apart[:6].max() < 2
    assert apart[6] < 0.6 * apart[-1]
    assert apart[-1] > 8


def test_words_steer_the_camera(tmp_path: Path) -> None:
    assert steered("The camera pans slowly to the left", 5)[0].right == -1
    assert steered("zoom out over the valley", 5)[0].closer == -1
    assert steered("A cat sleeps", 5) == steered("", 5)
    path = samples.clip(tmp_path / "in.mp4", [samples.scene(160, 90)] * 4, fps=4.0)
    ends = []
    for prompt in ("pan right", "pan left"):
        files = {"video_url": path}
        made = run(tmp_path / prompt[-4:], "video-extend", files, prompt=prompt, resolution="360p")
        ends.append(made.frames()[-1])
    assert _step(ends[0], ends[1]) > 3


def test_sound_goes_on_without_a_gap() -> None:
    sound = samples.hum(2.0)
    longer = echoes.continued(sound, 5.0, 1)
    assert len(longer) == 7 * sounds.RATE
    assert np.array_equal(longer[: len(sound) - 12000], sound[: len(sound) - 12000])
    levels = [sounds.loudness(longer[k : k + 2400]) for k in range(0, 5 * sounds.RATE, 2400)]
    assert max(levels) - min(levels) < 2.5


def test_merged_clips_follow_each_other_equally_loud(tmp_path: Path) -> None:
    loud = samples.clip(tmp_path / "a.mp4", samples.panned(12), samples.hum(1.0, 0.5))
    tall = [np.full((128, 72, 3), 200, np.uint8)] * 12
    mute = samples.clip(tmp_path / "b.mp4", tall)
    soft = samples.clip(tmp_path / "c.mp4", samples.panned(24), samples.hum(1.0, 0.05), 24.0)
    made = run(tmp_path, "video-merge", {"video_urls": [loud, mute, soft]})
    assert (made.probed.width, made.probed.height) == SIZE
    assert made.probed.fps == 24
    assert made.probed.seconds == pytest.approx(3.0, abs=0.1)
    assert made.notes["clips_without_sound"] == 1
    assert made.notes["starts"] == [0, 1, 2]
    sound = sounds.read(made.clip.path)
    parts = [sounds.loudness(sound[k + 6000 : k + 42000]) for k in (0, 48000, 96000)]
    assert parts[0] == pytest.approx(parts[2], abs=1.0)
    assert parts[1] < -60
    # What does not fill the frame stands before itself, not before black.
    middle = made.frames()[36].astype(float)
    assert 60 < middle[:, :20].mean() < 180
    assert middle[:, 50:78].mean() == pytest.approx(200, abs=8)


def test_too_few_or_too_long_clips_are_not_merged(tmp_path: Path) -> None:
    one = samples.clip(tmp_path / "one.mp4", [samples.scene(32, 18)] * 151, fps=1.0)
    with pytest.raises(BadInput, match="two"):
        run(tmp_path, "video-merge", {"video_urls": [one]})
    with pytest.raises(BadInput, match="600"):
        run(tmp_path, "video-merge", {"video_urls": [one] * 4})


def test_loudness_is_that_of_the_standard() -> None:
    # A tone of 997 Hz at full scale on both channels has 0 LUFS (BS.1770, two channels).
    full = samples.hum(2.0, 1.0, 997.0)
    assert loudness.lufs(full) == pytest.approx(0.0, abs=0.1)
    assert loudness.lufs(full * np.float32(0.1)) == pytest.approx(-20.0, abs=0.1)
    assert loudness.lufs(np.zeros((48000, 2), np.float32)) is None
    gains, _ = loudness.gains([samples.hum(1, 0.5), samples.hum(1, 0.05), None], lambda _: None)
    assert gains[1] - gains[0] == pytest.approx(20, abs=0.2)
    assert gains[2] == 0


def _ball(count: int) -> list[Pixels]:
    scene = samples.scene(*SIZE)
    return [samples.disc(scene, 30 + 4 * k, 36, 14) for k in range(count)]


def test_the_background_goes_and_the_subject_stays(tmp_path: Path) -> None:
    path = samples.clip(tmp_path / "in.mp4", _ball(16))
    files = {"video_url": path}
    made = run(tmp_path, "video-background-remove", files, background_color="GREEN")
    for k, pixels in enumerate(made.frames().astype(int)):
        green = (pixels[..., 1] > 180) & (pixels[..., 0] < 90)
        ball = np.zeros(green.shape, np.uint8)
        cv2.circle(ball, (30 + 4 * k, 36), 14, 1, -1)
        assert (green == (ball > 0)).mean() < 0.03


def test_a_transparent_background_is_a_webm_with_alpha(tmp_path: Path) -> None:
    path = samples.clip(tmp_path / "in.mp4", _ball(8), samples.hum(0.6))
    files = {"video_url": path}
    made = run(tmp_path, "video-background-remove", files, background_color="TRANSPARENT")
    assert made.clip.media_type == "video/webm"
    with av.open(str(made.clip.path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "vp9"
        assert stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) == "1"
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        decoder.extradata = stream.codec_context.extradata
        packet = next(one for one in container.demux(stream) if one.size)
        alpha = decoder.decode(packet)[0].to_ndarray(format="rgba")[..., 3]
    assert alpha[36, 30] > 200
    assert alpha[:, 100:].max() < 60
    assert 0.02 < (alpha > 128).mean() < 0.2


def _lettered(frames: list[Pixels], text: str, at: tuple[int, int]) -> list[Pixels]:
    out = []
    for pixels in frames:
        shown = pixels.copy()
        for colour, width in (((0, 0, 0), 5), ((255, 255, 255), 2)):
            cv2.putText(shown, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.55, colour, width, cv2.LINE_AA)
        out.append(shown)
    return out


def test_subtitles_are_found_and_what_stood_behind_comes_back(tmp_path: Path) -> None:
    truth = samples.panned(18, 2.0, WIDE)
    lettered = _lettered(truth[:12], "Where to now?", (95, 162)) + truth[12:]
    path = samples.clip(tmp_path / "in.mp4", lettered)
    made = run(tmp_path, "video-subtitle-erase", {"video_url": path})
    assert made.notes["rectangles"] == "found"
    band = np.s_[145:170, 90:230]
    for k, pixels in enumerate(made.frames()):
        apart = np.abs(pixels.astype(float) - truth[k])
        assert apart[band].mean() < 9
        assert np.abs(apart[:130]).mean() < 6
    assert np.abs(lettered[5].astype(float) - truth[5])[band].mean() > 15


def test_subtitles_are_erased_in_a_given_rectangle_alone(tmp_path: Path) -> None:
    frames = samples.panned(8, 1.0, WIDE)
    frames = _lettered(_lettered(frames, "below the line", (95, 162)), "above the line", (95, 30))
    path = samples.clip(tmp_path / "in.mp4", frames)
    part = {"lt_x": 0.2, "lt_y": 0.05, "rb_x": 0.9, "rb_y": 0.22}
    made = run(tmp_path, "video-subtitle-erase", {"video_url": path}, rect_vo_list=[part])
    pixels = made.frames()[4]
    assert overlays.strokes(pixels, 180)[:40].any() < overlays.strokes(frames[4], 180)[:40].any()
    assert overlays.lines(pixels, overlays.strokes(pixels, 180), 180)
    assert made.notes["rect_vo_list"] == [part]


def test_a_mark_that_never_moves_is_found_and_removed(tmp_path: Path) -> None:
    truth = samples.panned(36, 3.0, WIDE)
    marked = _lettered(truth, "ACME", (250, 25))
    path = samples.clip(tmp_path / "in.mp4", marked)
    made = run(tmp_path, "video-watermark-remove", {"video_url": path})
    assert made.notes["rectangles"] == "found"
    corner = np.s_[8:30, 245:305]
    apart = [
        np.abs(one.astype(float) - was)[corner].mean()
        for one, was in zip(made.frames(), truth, strict=True)
    ]
    before = [
        np.abs(one.astype(float) - was)[corner].mean()
        for one, was in zip(marked, truth, strict=True)
    ]
    assert np.mean(apart) < 0.18 * np.mean(before)


def test_a_clip_without_a_mark_stays_as_it_is(tmp_path: Path) -> None:
    frames = samples.panned(24, 3.0, WIDE)
    path = samples.clip(tmp_path / "in.mp4", frames)
    for kind in ("video-watermark-remove", "video-subtitle-erase"):
        made = run(tmp_path / kind, kind, {"video_url": path})
        assert made.notes["rectangles"] == "none found"
        given = np.stack(list(clips.frames(path, fps=FPS)))
        assert np.abs(made.frames().astype(float) - given).mean() < 2


def test_outlined_subtitles_are_named_in_the_notes(tmp_path: Path) -> None:
    frames = _lettered(samples.panned(8, 1.0, WIDE), "Where to now?", (95, 140))
    path = samples.clip(tmp_path / "in.mp4", frames)
    files = {"video_url": path}
    made = run(tmp_path, "video-subtitle-translate", files, target_language="ja")
    assert made.notes["subtitles"] == "found and outlined"
    yellow = made.frames()[4].astype(int)
    assert ((yellow[..., 0] > 180) & (yellow[..., 2] < 130)).sum() > 100
