"""Content credentials: what is signed reads back; strangers and flipped bits are told."""

from __future__ import annotations

import http.server
import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import av
import c2pa
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from darkroom import credentials
from darkroom.authority import Authority
from darkroom.credentials import Origin

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OURS, THEIRS = Authority.make(NOW), Authority.make(NOW)
ORIGIN = Origin("task_1", "text-to-image", "PAINTER", "painter", "algorithmicMedia")
EDITED = Origin("task_2", "video-face-change", "M", "b", "algorithmicallyEnhanced", ("a", "b", "b"))


def _picture(path: Path, form: str) -> None:
    told = {}
    if form == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
        told = {"pnginfo": info}
    Image.linear_gradient("L").convert("RGB").save(path, form, **told)


def _clip(path: Path, form: str) -> None:
    with av.open(str(path), "w", format=form, options={"movflags": "faststart"}) as target:
        stream = target.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for at in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), at * 20, np.uint8), "rgb24")
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def _sound(path: Path, form: str, codec: str) -> None:
    wave = (np.sin(np.arange(44100) / 20) * 9000).astype(np.int16)[None]
    with av.open(str(path), "w", format=form) as target:
        stream = target.add_stream(codec, rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(wave, "s16", "mono")
        frame.rate = 44100
        resampler = av.AudioResampler(stream.codec_context.format, "mono", 44100, 1152)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            target.mux(stream.encode(part))
        target.mux(stream.encode(None))


MAKERS = {
    "image/png": lambda path: _picture(path, "PNG"),
    "image/jpeg": lambda path: _picture(path, "JPEG"),
    "image/webp": lambda path: _picture(path, "WEBP"),
    "video/mp4": lambda path: _clip(path, "mp4"),
    "video/quicktime": lambda path: _clip(path, "mov"),
    "audio/wav": lambda path: _sound(path, "wav", "pcm_s16le"),
    "audio/mpeg": lambda path: _sound(path, "mp3", "libmp3lame"),
    "audio/mp4": lambda path: _sound(path, "ipod", "aac"),
    "audio/flac": lambda path: _sound(path, "flac", "flac"),
}


def _signed(folder: Path, media_type: str = "image/png", origin: Origin = ORIGIN) -> Path:
    MAKERS[media_type](folder / "plain")
    credentials.sign(folder / "plain", media_type, origin, OURS, folder / "signed")
    return folder / "signed"


def test_every_type_that_is_signed_is_made_here():
    assert MAKERS.keys() == credentials.MEDIA_TYPES


@pytest.mark.parametrize("media_type", sorted(credentials.MEDIA_TYPES))
def test_what_is_signed_reads_back(tmp_path, media_type):
    path = _signed(tmp_path, media_type)
    reading = credentials.read(path, media_type, [OURS])
    assert (reading.signature, reading.origin) == ("valid", ORIGIN)
    assert credentials.read(path, media_type, [THEIRS, OURS]).signature == "valid"
    assert credentials.read(path, media_type, [THEIRS]).signature == "foreign"
    assert credentials.read(path, media_type, []).signature == "foreign"
    assert credentials.read(tmp_path / "plain", media_type, [OURS]).signature == "absent"


@pytest.mark.parametrize("media_type", sorted(credentials.MEDIA_TYPES))
def test_a_flipped_bit_is_told(tmp_path, media_type):
    path = _signed(tmp_path, media_type)
    body = bytearray(path.read_bytes())
    # Somewhere in what the plain file has as well.
    at = body.rfind((tmp_path / "plain").read_bytes()[-40:-20]) + 5
    body[at] ^= 1
    path.write_bytes(body)
    assert credentials.read(path, media_type, [OURS]).signature == "invalid"


@pytest.mark.parametrize("media_type", ["video/mp4", "audio/mpeg", "audio/wav", "audio/mp4"])
def test_what_is_signed_plays(tmp_path, media_type):
    path = _signed(tmp_path, media_type)
    with av.open(str(path)) as signed, av.open(str(tmp_path / "plain")) as plain:
        frames = [frame.to_ndarray() for frame in signed.decode(signed.streams[0])]
        expected = [frame.to_ndarray() for frame in plain.decode(plain.streams[0])]
    assert len(frames) == len(expected) > 5
    assert all(np.array_equal(*pair) for pair in zip(frames, expected, strict=True))


def test_a_clip_still_begins_with_what_a_player_needs(tmp_path):
    body = _signed(tmp_path, "video/mp4").read_bytes()
    assert body.find(b"moov") < body.find(b"mdat")


def test_a_picture_keeps_its_pixels_and_its_words(tmp_path):
    with Image.open(_signed(tmp_path)) as signed, Image.open(tmp_path / "plain") as plain:
        assert signed.tobytes() == plain.tobytes()
        assert signed.info["XML:com.adobe.xmp"] == plain.info["XML:com.adobe.xmp"]


def test_a_stranger_who_trusts_the_root_finds_all_in_order(tmp_path):
    path = _signed(tmp_path)
    settings = {"trust": {"user_anchors": OURS.root}}
    context = c2pa.Context(c2pa.Settings.from_dict(settings))
    with path.open("rb") as stream, c2pa.Reader("image/png", stream, context=context) as reader:
        assert reader.get_validation_state() == "Trusted"
        [manifest] = json.loads(reader.json())["manifests"].values()
    assert "thumbnail" not in manifest
    [action] = manifest["assertions"][0]["data"]["actions"]
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"].endswith("/algorithmicMedia")
    assert action["softwareAgent"]["name"] == "Darkroom"
    assert action["softwareAgent"]["served_by"] == "painter"
    assert action["parameters"]["model"] == "PAINTER"
    assert path.stat().st_size < (tmp_path / "plain").stat().st_size + 6000


def test_what_was_made_of_inputs_was_edited(tmp_path):
    path = _signed(tmp_path, origin=EDITED)
    assert credentials.read(path, "image/png", [OURS]).origin == EDITED
    with path.open("rb") as stream, c2pa.Reader("image/png", stream) as reader:
        manifest = reader.get_active_manifest()
    actions = [one["action"] for one in manifest["assertions"][0]["data"]["actions"]]
    assert actions == ["c2pa.opened", "c2pa.placed", "c2pa.placed", "c2pa.edited"]


def test_another_certificate_of_the_same_root_is_foreign(tmp_path):
    end = "-----END CERTIFICATE-----\n"
    [leaf, root, _], [other, *_] = OURS.chain.split(end), THEIRS.chain.split(end)
    path = _signed(tmp_path)
    for first, signature in ((leaf, "valid"), (other, "foreign")):
        asked = Authority(first + end + root + end, "")
        assert credentials.read(path, "image/png", [asked]).signature == signature


def test_what_cannot_be_signed_leaves_nothing(tmp_path):
    (tmp_path / "plain").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 100)
    with pytest.raises(credentials.NotSigned):
        credentials.sign(tmp_path / "plain", "image/png", ORIGIN, OURS, tmp_path / "signed")
    assert not (tmp_path / "signed").exists()
    wrong = Authority(OURS.chain, THEIRS.key)
    MAKERS["image/png"](tmp_path / "plain")
    with pytest.raises(credentials.NotSigned):
        credentials.sign(tmp_path / "plain", "image/png", ORIGIN, wrong, tmp_path / "signed")


@pytest.mark.parametrize(
    ("body", "media_type", "signature"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"x" * 100, "image/png", "absent"),
        (b"\x89PNG\r\n\x1a\n" + b"c2pa" * 9, "image/png", "invalid"),
        (b"\x1a\x45\xdf\xa3 webm", "video/webm", "absent"),
    ],
)
def test_what_is_broken_is_told_from_what_has_no_manifest(tmp_path, body, media_type, signature):
    (tmp_path / "file").write_bytes(body)
    assert credentials.read(tmp_path / "file", media_type, [OURS]).signature == signature


def test_a_manifest_that_lies_elsewhere_is_not_fetched(tmp_path):
    asked: list[str] = []

    class Far(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    Image.new("L", (8, 8)).save(tmp_path / "plain.png")
    with http.server.HTTPServer(("127.0.0.1", 0), Far) as server:
        threading.Thread(target=server.serve_forever).start()
        created = {"action": "c2pa.created", "digitalSourceType": "http://a/b"}
        actions = {"label": "c2pa.actions.v2", "data": {"actions": [created]}}
        info = c2pa.C2paSignerInfo(b"es256", THEIRS.chain.encode(), THEIRS.key.encode(), None)
        with c2pa.Signer.from_info(info) as signer, c2pa.Builder({"assertions": [actions]}) as one:
            one.set_no_embed()
            one.set_remote_url(f"http://127.0.0.1:{server.server_port}/manifest")
            one.sign_file(tmp_path / "plain.png", tmp_path / "far.png", signer)
        reading = credentials.read(tmp_path / "far.png", "image/png", [OURS])
        server.shutdown()
    assert (reading.signature, asked) == ("foreign", [])
