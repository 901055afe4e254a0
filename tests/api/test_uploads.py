"""Uploads: what is taken, what it becomes, and every body that is refused."""

from __future__ import annotations

import hashlib
import http.client
import json
from urllib.parse import urlsplit

import httpx
import pytest
from wire_calls import data_url, picture, refused, rows, succeeded

import recordings
from darkroom import config

PATH = "/v1/generation/upload-file"
FORM = {"Content-Type": "multipart/form-data; boundary=x"}


def _part(name, body, more=b""):
    return b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (name, more, body)


@pytest.mark.parametrize(
    ("form", "media_type", "extension"),
    [
        ("PNG", "image/png", "png"),
        ("JPEG", "image/jpeg", "jpg"),
        ("WEBP", "image/webp", "webp"),
    ],
)
def test_an_upload_opens_without_a_key_as_it_was_sent(caller, form, media_type, extension):
    body = picture(form)
    [url] = succeeded(caller.post(PATH, files={"file": ("x", body)}))["object_url_list"]
    answer = httpx.get(url)
    assert (answer.content, answer.headers["Content-Type"]) == (body, media_type)
    assert url.endswith(f".{extension}")


@pytest.mark.parametrize("ending", ["mp4", "webm", "mp3"])
def test_a_clip_or_sound_that_plays_is_taken_as_it_was_sent(caller, ending):
    body = recordings.sound(ending) if ending == "mp3" else recordings.clip(ending)
    [url] = succeeded(caller.post(PATH, files={"file": ("x", body)}))["object_url_list"]
    assert url.endswith(f".{ending}")
    assert httpx.get(url).content == body


def test_a_clip_that_cannot_be_decoded_is_refused_and_leaves_nothing(server):
    account = server.ground.account()
    body = recordings.clip()
    with server.client(server.ground.key(account.id)) as careful:
        for broken in (body[:200], body[: len(body) // 2], body[:40] + bytes(5000)):
            answer = careful.post(PATH, files={"file": ("a.mp4", broken)})
            refused(answer, 422, 1002, "The clip is broken or cut off", "file")
        refused(
            careful.post(
                "/v1/generation/speech-recognize",
                json={"audio_url": data_url(recordings.sound("wav")[:60], "audio/wav")},
            ),
            *(422, 1002, "The sound is broken", "audio_url"),
        )
        assert succeeded(careful.get("/v1/generation/balance")) == 1000
    assert rows(server, "SELECT count(*) FROM assets WHERE account_id = %s", account.id) == [(0,)]


def test_an_upload_is_told_by_its_bytes_and_not_by_its_name(caller):
    sent = {"file": ("evil.html", picture(), "text/html")}
    [url] = succeeded(caller.post(PATH, files=sent))["object_url_list"]
    assert url.endswith(".png")
    assert httpx.get(url).headers["Content-Type"] == "image/png"


def test_an_upload_takes_the_other_fields_of_the_contract_in_any_order(caller):
    body = (
        _part(b"batch_no", b"video-gen-1712000000")
        + _part(b"fixed", b"false")
        + _part(b"file", picture(), b'; filename="../../a b.png"')
        + b"--x--\r\n"
    )
    assert len(succeeded(caller.post(PATH, content=body, headers=FORM))["object_url_list"]) == 1


def test_an_upload_works_under_the_mirror(caller):
    sent = {"file": ("a.png", picture())}
    assert succeeded(caller.post("/growthai" + PATH, files=sent))["object_url_list"]


def test_an_upload_without_a_length_is_taken(caller):
    body = _part(b"file", picture(), b'; filename="a.png"') + b"--x--\r\n"
    answer = caller.post(PATH, content=iter([body[:50], body[50:]]), headers=FORM)
    assert succeeded(answer)["object_url_list"]


def test_an_upload_is_an_asset_of_its_account_and_costs_nothing(server):
    account, body = server.ground.account(), picture()
    with server.client(server.ground.key(account.id)) as caller:
        succeeded(caller.post(PATH, files={"file": ("a.png", body)}))
        assert succeeded(caller.get("/v1/generation/balance")) == 1000
    query = "SELECT bytes, sha256, media_type, task_id FROM assets WHERE account_id = %s"
    digest = hashlib.sha256(body).digest()
    assert rows(server, query, account.id) == [(len(body), digest, "image/png", None)]


def test_the_same_upload_twice_gets_two_addresses(caller):
    sent = {"file": ("a.png", picture())}
    first, second = (succeeded(caller.post(PATH, files=sent)) for _ in range(2))
    assert first != second


@pytest.mark.parametrize("body", [b"", b"GIF89a....", b"<html>", b"\x89PN", b"RIFF1234AVI LIST"])
def test_a_file_of_another_type_is_refused(careful, body):
    answer = careful.post(PATH, files={"file": ("a.png", body, "image/png")})
    refused(answer, 415, 2004, "only support jpg", "file")


@pytest.mark.parametrize("sent", [{"other": ("a.png", b"x")}, {"file": (None, b"only text")}])
def test_an_upload_without_a_file_is_refused(careful, sent):
    refused(careful.post(PATH, files=sent), 400, 1002, "file cannot be empty", "file")


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"garbage", b"--x", b"--x\r\n", b"--x--\r\n", b"--x\r\nnonsense\r\n\r\n--x--\r\n"),
        _part(b"file", b"x", b'; filename="a.png"'),
        _part(b"file", b"x", b'; filename="a.png"')[:30],
        _part(b"a", b"x" * 5000) + b"--x--\r\n",
        _part(b"a", b"x") * 11 + b"--x--\r\n",
        _part(b"file", b"x", b'; filename="a"') * 2 + b"--x--\r\n",
        b"--x\r\nContent-Disposition: form-data\r\n\r\nx\r\n--x--\r\n",
        b"--x\r\n" + b"A: b\r\n" * 10_000,
    ],
)
def test_a_broken_multipart_body_is_refused(careful, body):
    answer = careful.post(PATH, content=body, headers=FORM)
    assert (answer.status_code, answer.json()["status"]) == (400, 1002), answer.text


def test_a_multipart_body_without_a_boundary_is_refused(careful):
    headers = {"Content-Type": "multipart/form-data"}
    refused(careful.post(PATH, content=b"x", headers=headers), 400, 1002, "multipart")


def test_multipart_is_multipart_in_any_case(caller):
    body = _part(b"file", picture(), b'; filename="a.png"') + b"--x--\r\n"
    headers = {"Content-Type": "Multipart/Form-Data; boundary=x"}
    assert succeeded(caller.post(PATH, content=body, headers=headers))["object_url_list"]


@pytest.mark.parametrize("media_type", ["application/json", "image/png", "text/plain"])
def test_a_body_that_is_no_multipart_is_refused(careful, media_type):
    answer = careful.post(PATH, content=picture(), headers={"Content-Type": media_type})
    refused(answer, 415, 1002, "multipart/form-data")


def test_an_upload_declared_too_large_is_refused_before_it_is_read(server):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    connection.putrequest("POST", PATH)
    for name, value in {**FORM, "Authorization": f"Bearer {server.key}"}.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(max(config.UPLOAD_BYTES_MAX.values()) * 2))
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["status"]) == (413, 1014)
    connection.close()


def test_an_upload_without_a_length_is_refused_when_it_grows_too_large(careful):
    head = _part(b"file", b"", b'; filename="a.png"')[:-2]
    blocks = max(config.UPLOAD_BYTES_MAX.values()) // 2**20 + 1
    chunks = (head if number == 0 else bytes(2**20) for number in range(blocks + 1))
    refused(careful.post(PATH, content=chunks, headers=FORM), 413, 1014, "over")


def test_an_upload_needs_a_key(server):
    answer = httpx.post(server.url + PATH, files={"file": ("a.png", picture())})
    refused(answer, 401, 1002, "Authentication failed")
