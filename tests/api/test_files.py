"""Files: whole, in ranges, not again when unchanged, and nothing outside their folder."""

from __future__ import annotations

import http.client
import re
from urllib.parse import urlsplit

import httpx
import pytest
from wire_calls import picture, refused, succeeded


@pytest.fixture(scope="module")
def stored(server):
    """The address of a stored file, and its bytes."""
    body = picture()
    with server.client() as caller:
        sent = caller.post("/v1/generation/upload-file", files={"file": ("a.png", body)})
    [url] = succeeded(sent)["object_url_list"]
    return url, body


def _get(url, **headers):
    return httpx.get(
        url, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def test_a_file_answers_its_bytes_and_may_be_kept_for_ever(stored):
    url, body = stored
    answer = _get(url)
    assert (answer.status_code, answer.content) == (200, body)
    assert answer.headers["Content-Length"] == str(len(body))
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert "immutable" in answer.headers["Cache-Control"]


def test_a_file_can_be_no_page_of_this_site(stored):
    headers = _get(stored[0]).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert headers["Access-Control-Allow-Origin"] == "*"


def test_an_upload_is_saved_and_never_shown_by_itself(stored):
    url, _ = stored
    assert "/uploads/" in url
    assert _get(url).headers["Content-Disposition"] == "attachment"


def test_head_answers_the_headers_alone(stored):
    url, body = stored
    answer = httpx.head(url)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(body))
    assert answer.headers["ETag"] == _get(url).headers["ETag"]


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("0-0", 0, 0), ("5-9", 5, 9), ("10-", 10, None), ("-7", -7, None), ("0-999999", 0, None)],
)
def test_a_single_range_answers_these_bytes(stored, asked, first, last):
    url, body = stored
    answer = _get(url, range=f"bytes={asked}")
    wanted = body[first:] if last is None else body[first : last + 1]
    assert (answer.status_code, answer.content) == (206, wanted)
    start = first % len(body)
    said = f"bytes {start}-{start + len(wanted) - 1}/{len(body)}"
    assert answer.headers["Content-Range"] == said


def test_a_suffix_longer_than_the_file_answers_all_of_it(stored):
    url, body = stored
    assert _get(url, range="bytes=-999999").content == body


def test_many_ranges_answer_their_parts(stored):
    url, body = stored
    answer = _get(url, range="bytes=0-1,10-12")
    assert answer.status_code == 206
    media_type, boundary = answer.headers["Content-Type"].split("; boundary=")
    assert media_type == "multipart/byteranges"
    parts = answer.content.split(f"--{boundary}".encode())[1:-1]
    assert [part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for part in parts] == [
        body[0:2],
        body[10:13],
    ]


def test_ranges_that_meet_are_answered_as_one_and_those_beyond_are_left_out(stored):
    url, body = stored
    answer = _get(url, range="bytes=3-5, 0-3,999999-")
    assert (answer.status_code, answer.content) == (206, body[:6])


@pytest.mark.parametrize("asked", ["999999-", "999999-9999999", "-0"])
def test_a_range_beyond_the_file_is_not_satisfiable(stored, asked):
    url, body = stored
    answer = _get(url, range=f"bytes={asked}")
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(body)}"


@pytest.mark.parametrize(
    "asked",
    [
        *("nonsense", "bytes=", "bytes=-", "bytes=x-y", "bytes=9-5", "lines=0-1"),
        *("bytes=0-" + "9" * 5000, "bytes=" + ",".join(["0-0"] * 101)),
    ],
)
def test_a_range_that_is_none_is_ignored(stored, asked):
    # RFC 9110, 14.2: a Range that is malformed or of an unknown unit is ignored.
    url, body = stored
    answer = _get(url, range=asked)
    assert (answer.status_code, answer.content) == (200, body)


def test_a_range_of_another_version_answers_the_whole_file(stored):
    url, body = stored
    assert _get(url, range="bytes=0-0", if_range='"another"').content == body
    tag = _get(url).headers["ETag"]
    assert _get(url, range="bytes=0-0", if_range=tag).content == body[:1]


@pytest.mark.parametrize("asked", ["{tag}", "W/{tag}", '"x", {tag}', "*"])
def test_a_file_that_is_known_is_not_sent_again(stored, asked):
    url, _ = stored
    tag = _get(url).headers["ETag"]
    answer = _get(url, if_none_match=asked.format(tag=tag))
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["ETag"] == tag


def test_a_file_that_is_not_known_is_sent(stored):
    url, body = stored
    assert _get(url, if_none_match='"x"').content == body


def _raw(url, path):
    """Status and body of a path sent as it stands: clients tidy dots away before they send."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.putrequest("GET", path, skip_host=False)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


@pytest.mark.parametrize(
    "path",
    [
        *("/files/", "/files/x", "/files/../darkroom.toml", "/files/..%2f..%2fetc%2fpasswd"),
        *("/files/%2e%2e/x", "/files//etc/passwd", "/files/%00", "/files/..", "/files/%5c..%5cx"),
        *("/files/" + "0" * 32, "/files/" + "0" * 32 + ".txt", "/files/" + "0" * 32 + ".png%0a"),
        *("/files/" + "0" * 32 + ".png%00", "/files/" + "0" * 32 + ".PNG", "/files/%ff.png"),
        *("/files/" + "0" * 32 + ".png/..", "/files/" + "x" * 8000 + ".png"),
    ],
)
def test_a_name_that_can_be_no_file_is_not_found(server, path):
    code, body = _raw(server.url, path)
    assert code == 404
    assert b'"status":1003' in body


def test_an_unknown_file_is_refused_in_the_envelope(server):
    answer = httpx.get(f"{server.url}/files/{'0' * 32}.png")
    refused(answer, 404, 1003, "No file has that name")


def test_a_name_of_the_first_letters_alone_is_no_listing(stored):
    url, _ = stored
    folder = re.sub(r"/uploads/(..).*", r"/uploads/\1", url)
    assert httpx.get(folder).status_code == 404


def test_a_file_takes_no_other_method(stored):
    for method in ("POST", "PUT", "DELETE"):
        refused(httpx.request(method, stored[0]), 405, 1002)
