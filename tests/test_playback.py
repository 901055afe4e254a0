"""Playback: clips and sounds that can be decoded pass; what is broken or hostile is refused."""

from __future__ import annotations

import asyncio
import socket
import struct
from pathlib import Path

import pytest

import recordings
from darkroom import errors, media, playback, player

PLAYLISTS = (
    "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n",
    "ffconcat version 1.0\nfile '{}'\n",
    "<?xml version='1.0'?><MPD><BaseURL>{}</BaseURL></MPD>",
    "# mpv EDL v0\n{}\n",
    "[playlist]\nFile1={}\n",
)
SIGNATURES = {
    "mov": b"\0\0\0\x18ftypisom\0\0\0\0isommp41",
    "matroska": b"\x1a\x45\xdf\xa3\x84\x42\x82\x84webm",
    "mp3": b"ID3",
    "ogg": b"OggS",
    "flac": b"fLaC",
    "wav": b"RIFF\xff\xff\0\0WAVE",
}


def _check(folder: Path, body: bytes) -> None:
    """Check a body as an upload would be."""
    path = folder / "upload"
    path.write_bytes(body)
    media_type = media.sniff(body[: media.SNIFF_BYTES])
    assert media_type
    asyncio.run(playback.check(path, media_type, "file"))


def _refused(folder: Path, body: bytes, said: str = "cannot be decoded") -> None:
    with pytest.raises(errors.InputRefused, match=said) as refused:
        _check(folder, body)
    assert refused.value.field == "file"


@pytest.mark.parametrize("form", recordings.CLIPS)
def test_a_clip_that_plays_passes(tmp_path: Path, form: str) -> None:
    _check(tmp_path, recordings.clip(form))
    _check(tmp_path, recordings.clip(form, sounds=0))


@pytest.mark.parametrize("form", recordings.SOUNDS)
def test_a_sound_that_plays_passes(tmp_path: Path, form: str) -> None:
    _check(tmp_path, recordings.sound(form))


@pytest.mark.parametrize("flags", ["faststart", "frag_keyframe+empty_moov"])
def test_a_clip_that_begins_with_its_headers_passes_whole_and_not_cut(
    tmp_path: Path, flags: str
) -> None:
    whole = recordings.clip(movflags=flags)
    _check(tmp_path, whole)
    _refused(tmp_path, whole[: len(whole) * 2 // 3])


@pytest.mark.parametrize("form", [*recordings.CLIPS, *recordings.SOUNDS])
def test_a_head_alone_is_refused(tmp_path: Path, form: str) -> None:
    made = recordings.clip(form) if form in recordings.CLIPS else recordings.sound(form)
    _refused(tmp_path, made[: media.SNIFF_BYTES])


@pytest.mark.parametrize("form", recordings.CLIPS)
def test_a_clip_of_rubbish_between_its_headers_is_refused(tmp_path: Path, form: str) -> None:
    made = recordings.clip(form, sounds=0)
    _refused(tmp_path, made[:64] + bytes(len(made) - 64))


def test_what_lacks_its_own_is_refused(tmp_path: Path) -> None:
    _refused(tmp_path, recordings.clip(is_seen=False), "has no video")
    silent = recordings.clip("mov", sounds=0)
    assert silent[8:12] == b"qt  "
    _refused(tmp_path, silent[:8] + b"M4A " + silent[12:], "has no sound")


@pytest.mark.parametrize("form", SIGNATURES)
def test_what_points_elsewhere_is_not_followed(tmp_path: Path, form: str) -> None:
    (tmp_path / "other.mp4").write_bytes(recordings.clip())
    path, sort = tmp_path / "upload", "clip" if form in ("mov", "matroska") else "sound"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/other.mp4"
        for playlist in PLAYLISTS:
            for there in (address, f"{tmp_path}/other.mp4"):
                text = playlist.format(there).encode()
                assert media.sniff(text) is None
                for body in (text, SIGNATURES[form] + text, SIGNATURES[form] + b"\n" + text * 100):
                    path.write_bytes(body)
                    assert "decoded" in player.problem(path, form, sort)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_what_is_beyond_every_bound_is_refused(tmp_path: Path) -> None:
    _refused(tmp_path, recordings.clip(sounds=16), "17 streams; 16 are the most")
    _refused(tmp_path, recordings.clip(sounds=0, seconds_apart=20_000), "longer than 4 hours")
    wave = recordings.sound("wav")
    assert struct.unpack_from("<I", wave, 24) == (48_000,)
    hasty = wave[:24] + struct.pack("<I", 500_000) + wave[28:]
    _refused(tmp_path, hasty, "500000 samples a second")


def test_a_clip_of_too_many_pixels_is_refused(tmp_path: Path) -> None:
    _refused(tmp_path, recordings.wide(8192, 4352), "8192 x 4352 pixels")


def test_many_are_checked_at_once(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(recordings.clip())
    bad.write_bytes(recordings.clip()[:200])

    async def check_all() -> list[object]:
        return await asyncio.gather(
            *(playback.check(path, "video/mp4", "file") for path in (good, bad) * 3),
            return_exceptions=True,
        )

    found = asyncio.run(check_all())
    assert found[::2] == [None] * 3
    assert all(isinstance(one, errors.InputRefused) for one in found[1::2])
