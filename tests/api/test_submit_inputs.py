"""Inputs refused: addresses, data: URLs, file names and words that may not be used."""

from __future__ import annotations

import hashlib

import pytest
from wire_calls import (
    IMAGE_TO_IMAGE,
    TEXT_TO_IMAGE,
    TINY,
    balance,
    data_url,
    picture,
    refused,
    rows,
    submit,
)

import examples
from darkroom.domain.kinds.table import KINDS

# The plainest term of the shipped policy's first rule; nothing is made of it.
FORBIDDEN = "csam"


def _send(caller, *images):
    return caller.post(IMAGE_TO_IMAGE, json=TINY | {"images": list(images)})


@pytest.mark.parametrize(
    "address",
    [
        *("https://127.0.0.1/a.png", "https://localhost/a.png", "https://10.0.0.1/a.png"),
        *("https://[::1]/a.png", "https://169.254.169.254/latest", "https://0x7f000001/a"),
        *("https://[::ffff:127.0.0.1]/", "https://printer.local/a", "https://user@example.com/"),
        *("ftp://example.com/a.png", "file:///etc/passwd", "javascript:alert(1)", "a.png"),
        *(
            "https://",
            "https:///a",
            "https://[",
            "http://[::1",
            "https://a b.com/",
            "//host/files/x",
        ),
        *(
            "https://example.com:0/",
            "https://example.com:99999/",
            "https://example.com/" + "a" * 3000,
        ),
        *(
            "https://\ud7ff.example.com/",
            "https://ex\u2100mple.com/",
            "https://example.com\\@10.0.0.1/",
        ),
    ],
)
def test_an_address_that_may_not_be_fetched_is_refused(careful, address):
    refused(_send(careful, address), 422, 1002, "image url error", "images")
    assert balance(careful) == 1000


@pytest.mark.parametrize("address", ["", "  ", "\n"])
def test_an_empty_address_is_refused_in_the_words_that_clients_match(careful, address):
    refused(_send(careful, address), 400, 1002, "image url cannot be empty", "images")


@pytest.mark.parametrize(
    "address",
    [
        *("data:", "data:,x", "data:image/png,rawbytes", "data:image/png;base64"),
        *("data:image/png;base64,*", "data:image/png;base64,iVBORw0KGgo"),
        "data:image/png;base64,ü",
    ],
)
def test_a_broken_data_url_is_refused(careful, address):
    refused(_send(careful, address), 422, 1002, "image url error", "images")


@pytest.mark.parametrize(
    "body", [b"", b"GIF89a" + b"x" * 20, b"<svg/>", b"%PDF-1.4", b"RIFF1234WAVE"]
)
def test_a_data_url_of_another_type_is_refused(careful, body):
    # What the URL calls itself does not count.
    refused(_send(careful, data_url(body)), 415, 2004, "only support jpg", "images")


def test_a_data_url_too_large_is_refused(careful):
    bytes_max = KINDS["image-to-image"].files["images"].bytes_max
    address = data_url(picture() + bytes(bytes_max))
    refused(_send(careful, address), 413, 1014, str(bytes_max), "images")


@pytest.mark.parametrize(
    "name",
    ["0" * 32 + ".png", "x", "../../etc/passwd", "0" * 32 + ".svg", "..%2f..%2fetc%2fpasswd", ""],
)
def test_a_file_that_is_not_here_is_refused(server, careful, name):
    answer = _send(careful, f"{server.url}/files/{name}")
    refused(answer, 404, 1003, "image url error", "images")


def _is_stored(server, body):
    names = (server.data / "files").rglob("*.png")
    return hashlib.sha256(body).digest() in {
        hashlib.sha256(name.read_bytes()).digest() for name in names
    }


def test_a_refused_submit_leaves_no_file_behind(server, callers):
    good, poor = picture(), callers(credits_given=0)
    refused(_send(poor, data_url(good), "https://10.0.0.1/"), 422, 1002, "", "images")
    assert not _is_stored(server, good)
    refused(_send(poor, data_url(good)), 402, 1011, "insufficient credits")
    assert not _is_stored(server, good)


def test_an_accepted_data_url_is_an_asset_of_the_account(server, caller):
    good = picture()
    submit(caller, IMAGE_TO_IMAGE, images=[data_url(good)])
    digest = hashlib.sha256(good).digest()
    assert len(rows(server, "SELECT 1 FROM assets WHERE sha256 = %s", digest)) == 1
    assert _is_stored(server, good)


# Only a song has words.
_SUNG = {"type": "VOCAL_SONG"}


@pytest.mark.parametrize("kind", examples.SUBMITTED, ids=lambda kind: kind.name)
def test_forbidden_words_are_refused_in_every_text_and_charged_nothing(careful, kind):
    for field in kind.texts:
        answer = careful.post(kind.route, json=examples.small(kind) | _SUNG | {field: FORBIDDEN})
        refused(answer, 422, 2003, "sensitive content", field)
    assert balance(careful) == 1000


def test_a_refusal_by_policy_is_kept_without_the_text(server, caller):
    answer = caller.post(TEXT_TO_IMAGE, json=TINY | {"prompt": f"{FORBIDDEN} at dawn"})
    request_id = answer.json()["request_id"]
    query = "SELECT * FROM moderations WHERE request_id = %s"
    [row] = rows(server, query, request_id)
    assert {"flagged", "enforce", "policy", "prompt", "text-to-image"} <= set(row)
    assert not any("dawn" in str(column) for column in row)


def test_an_innocent_prompt_leaves_no_moderation(server, caller):
    request_id = caller.post(TEXT_TO_IMAGE, json=TINY).json()["request_id"]
    assert not rows(server, "SELECT 1 FROM moderations WHERE request_id = %s", request_id)


def test_what_not_to_show_may_be_named(caller):
    submit(caller, negative_prompt=FORBIDDEN)
