"""Verify: a file that was made here is known by its signature, its bytes or its looks."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import c2pa
import httpx
import pytest
from PIL import Image
from wire_calls import data_url, finished, picture, refused, rows, submit, succeeded

from darkroom import credentials
from darkroom.authority import Authority
from darkroom.domain import accounts
from ground import Server, serve

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PATH = "/v1/verify"
ROOT = "/.well-known/provenance.pem"
SCENE = {"prompt": "a mountain lake at dawn", "resolution": "320x192"}
NOTHING = {
    "is_ours": False,
    "by": None,
    "signature": "absent",
    "made_at": None,
    "model": None,
    "kind": None,
    "digital_source_type": None,
}


def verified(caller: httpx.Client, body: bytes) -> dict[str, Any]:
    data: dict[str, Any] = succeeded(caller.post(PATH, files={"file": ("a", body)}))
    return data


def made(caller: httpx.Client, **changes: Any) -> tuple[dict[str, Any], bytes]:
    """A task that ended well, and the bytes of its file."""
    task = finished(caller, submit(caller, **(SCENE | changes))["task_id"])
    return task, httpx.get(task["images"][0]).content


def stripped(body: bytes) -> bytes:
    """A picture as a stranger's site would keep it: smaller, JPEG, and its words gone."""
    with Image.open(io.BytesIO(body)) as whole:
        small = whole.convert("RGB").resize((whole.width * 6 // 10, whole.height * 6 // 10))
    kept = io.BytesIO()
    small.save(kept, "JPEG", quality=70)
    return kept.getvalue()


def test_what_is_made_is_signed_and_told_by_its_signature(caller: httpx.Client) -> None:
    task, body = made(caller)
    answer = verified(caller, body)
    assert answer == {
        "is_ours": True,
        "by": "signature",
        "signature": "valid",
        "made_at": task["finished_at"],
        "model": "PAINTER",
        "kind": "text-to-image",
        "digital_source_type": "algorithmicMedia",
        "task_id": task["task_id"],
    }
    with Image.open(io.BytesIO(body)) as whole:
        assert "algorithmicMedia" in whole.info["XML:com.adobe.xmp"]
    assert "unsigned" not in task.get("notes", {})


def test_whoever_trusts_the_root_needs_no_server(server: Server, caller: httpx.Client) -> None:
    _, body = made(caller)
    answer = httpx.get(server.url + ROOT)
    assert answer.headers["content-type"] == "application/pem-certificate-chain"
    settings = c2pa.Settings.from_dict({"trust": {"user_anchors": answer.text}})
    with c2pa.Reader("image/png", io.BytesIO(body), context=c2pa.Context(settings)) as reader:
        assert reader.get_validation_state() == "Trusted"


def test_what_was_made_of_a_picture_was_edited(caller: httpx.Client) -> None:
    source = submit(caller, "/v1/generation/image-to-image", images=[data_url(picture())], **SCENE)
    task = finished(caller, source["task_id"])
    body = httpx.get(task["images"][0]).content
    assert verified(caller, body)["kind"] == "image-to-image"
    with c2pa.Reader("image/png", io.BytesIO(body)) as reader:
        manifest = reader.get_active_manifest()
    assert manifest is not None
    actions = [one["action"] for one in manifest["assertions"][0]["data"]["actions"]]
    assert actions == ["c2pa.opened", "c2pa.edited"]


def test_a_flipped_bit_is_told_and_the_picture_known_by_its_looks(caller: httpx.Client) -> None:
    task, body = made(caller)
    # Of the words beside the pixels, with a new checksum: the picture stays as it is.
    at = body.index(b"iTXtSoftware")
    end = at + 4 + int.from_bytes(body[at - 4 : at])
    words = body[at:end].replace(b"Software", b"Softwaqe")
    crc = zlib.crc32(words).to_bytes(4)
    answer = verified(caller, body[:at] + words + crc + body[end + 4 :])
    assert (answer["signature"], answer["by"]) == ("invalid", "likeness")
    assert (answer["task_id"], answer["distance"]) == (task["task_id"], 0)


def test_a_copy_without_its_words_is_known_by_its_looks(caller: httpx.Client) -> None:
    task, body = made(caller)
    answer = verified(caller, stripped(body))
    assert (answer["is_ours"], answer["by"], answer["signature"]) == (True, "likeness", "absent")
    assert (answer["task_id"], answer["model"]) == (task["task_id"], "PAINTER")
    assert answer["distance"] <= 6


def test_anothers_task_is_not_named(callers: Callable[..., httpx.Client]) -> None:
    owner, stranger = callers(), callers()
    _, body = made(owner)
    for sent, by in ((body, "signature"), (stripped(body), "likeness")):
        answer = verified(stranger, sent)
        assert (answer["is_ours"], answer["by"], answer["model"]) == (True, by, "PAINTER")
        assert "task_id" not in answer
        assert "task_id" in verified(owner, sent)


@pytest.mark.parametrize("seed", range(3))
def test_other_pictures_are_not_ours(caller: httpx.Client, seed: int) -> None:
    made(caller)
    other = Image.effect_mandelbrot((320, 192), (-2 + seed / 2, -1, 1, 1 - seed / 3), 40)
    body = io.BytesIO()
    other.save(body, "PNG")
    assert verified(caller, body.getvalue()) == NOTHING


def test_a_strangers_signature_is_told(caller: httpx.Client, tmp_path: Path) -> None:
    plain, signed = tmp_path / "plain", tmp_path / "signed"
    plain.write_bytes(picture())
    origin = credentials.Origin("task_1", "text-to-image", "M", "b", "digitalArt")
    theirs = Authority.make(NOW)
    credentials.sign(plain, "image/png", origin, theirs, signed)
    assert verified(caller, signed.read_bytes()) == NOTHING | {"signature": "foreign"}


def test_what_was_only_brought_is_not_ours(server: Server, caller: httpx.Client) -> None:
    body = picture()
    succeeded(caller.post("/v1/generation/upload-file", files={"file": ("a.png", body)}))
    before = rows(server, "SELECT count(*) FROM assets")
    assert verified(caller, body) == NOTHING
    assert rows(server, "SELECT count(*) FROM assets") == before


def test_an_account_may_be_without(server: Server, tmp_path: Path) -> None:
    account = server.ground.account()

    async def turn_off(database: Any) -> None:
        async with database.transaction() as tx:
            await accounts.set_provenance(tx, account.id, has_provenance=False)

    server.ground.run(turn_off)
    with server.client(server.ground.key(account.id)) as caller:
        _, body = made(caller, prompt="a violet desert under two moons")
        answer = verified(caller, body)
        assert (answer["by"], answer["signature"]) == ("bytes", "absent")
        assert verified(caller, stripped(body))["by"] is None
    query = "SELECT likeness FROM assets WHERE account_id = %s"
    assert rows(server, query, account.id) == [(None,)]
    with Image.open(io.BytesIO(body)) as whole:
        assert "algorithmicMedia" in whole.info["XML:com.adobe.xmp"]


def test_an_operators_certificate_replaces_ours(
    server: Server, caller: httpx.Client, tmp_path: Path
) -> None:
    _, before = made(caller)
    own = Authority.make(NOW)
    (tmp_path / "chain.pem").write_text(own.chain)
    (tmp_path / "key.pem").write_text(own.key)
    settings = {
        "provenance_certificate": str(tmp_path / "chain.pem"),
        "provenance_key": str(tmp_path / "key.pem"),
    }
    other = serve(server.ground.conninfo, tmp_path / "data", workers="0", **settings)
    try:
        (tmp_path / "plain").write_bytes(picture())
        origin = credentials.Origin("task_1", "text-to-image", "M", "b", "digitalArt")
        signed = tmp_path / "signed"
        credentials.sign(tmp_path / "plain", "image/png", origin, own, signed)
        with httpx.Client(base_url=other.url, headers=caller.headers) as there:
            answer = verified(there, signed.read_bytes())
            # No task of that id is known here: the file itself tells the rest.
            assert (answer["signature"], answer["model"]) == ("valid", "M")
            assert (answer["made_at"], answer["digital_source_type"]) == (None, "digitalArt")
            assert "task_id" not in answer
            # What was signed before stays valid.
            assert verified(there, before)["by"] == "signature"
        ours = httpx.get(server.url + ROOT).text
        assert httpx.get(other.url + ROOT).text == own.root + ours
    finally:
        other.stop()
    assert verified(caller, signed.read_bytes())["signature"] == "foreign"


@pytest.mark.parametrize("body", [b"", b"GIF89a....", b"<html>", b"hello"])
def test_a_file_of_another_type_is_refused(careful: httpx.Client, body: bytes) -> None:
    refused(careful.post(PATH, files={"file": ("a", body)}), 415, 2004, "only support", "file")


def test_a_verify_without_a_file_or_a_key_is_refused(server: Server, careful: httpx.Client) -> None:
    sent = {"other": ("a", b"x")}
    refused(careful.post(PATH, files=sent), 400, 1002, "file cannot be empty", "file")
    refused(careful.post(PATH, json={}), 415, 1002, "multipart/form-data")
    refused(httpx.post(server.url + PATH, files={"file": ("a", picture())}), 401, 1002)


@pytest.mark.parametrize("body", [b"\x89PNG\r\n\x1a\n" + b"x" * 99, b"ID3" + bytes(99)])
def test_a_broken_file_is_not_ours(caller: httpx.Client, body: bytes) -> None:
    assert verified(caller, body) == NOTHING
