"""Submit refused: every reason, its code, its words and its field, and nothing left behind."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

import pytest
from wire_calls import IMAGE_TO_IMAGE, TEXT_TO_IMAGE, TINY, balance, refused, rows, submit

from darkroom import config

JSON = {"Content-Type": "application/json"}
HTTPS = "https://example.com/photo.jpg"


def _refuse(caller, changes, said, field, path=TEXT_TO_IMAGE, code=1002):
    refused(caller.post(path, json=TINY | changes), 400, code, said, field)
    assert balance(caller) == 1000


@pytest.mark.parametrize("name", ["model", "prompt"])
@pytest.mark.parametrize("given", [{}, {"x": None}, {"x": ""}])
def test_missing_and_empty_fields_are_refused_by_name(careful, name, given):
    asked = {key: value for key, value in TINY.items() if key != name}
    if given:
        asked[name] = given["x"]
    refused(careful.post(TEXT_TO_IMAGE, json=asked), 400, 1002, f"{name} cannot be empty", name)


@pytest.mark.parametrize("images", [None, []])
def test_missing_images_are_refused_in_the_words_that_clients_match(careful, images):
    _refuse(careful, {"images": images}, "images cannot be empty", "images", IMAGE_TO_IMAGE)


@pytest.mark.parametrize("prompt", [" ", "\n\t ", "\u3000", "\u2003\u00a0"])
def test_a_blank_prompt_is_refused(careful, prompt):
    _refuse(careful, {"prompt": prompt}, "prompt cannot be empty", "prompt")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("prompt", value) for value in (5, ["a"], {"a": 1}, True)),
        *(("model", value) for value in (5, [], "M" * 101)),
        *(("image_number", value) for value in ("two", 1.5, True, 0, -1, 9, 10**30, -(10**30))),
        *(("seed", value) for value in (-1, 2**31, 2**64, "7", 0.5)),
        *(("caller_id", value) for value in ("x", 2**63, -(2**63) - 1, 1.5)),
        *(("use_web_search", value) for value in ("yes", 1)),
        *(("aspect_ratio", value) for value in (16, "1" * 21)),
        *(("resolution", value) for value in (1080, "1" * 21)),
        ("negative_prompt", "x" * 1001),
        ("negative_prompt", 5),
        ("prompt", "x" * 2001),
    ],
)
def test_wrong_types_and_bounds_are_refused_with_their_field(careful, field, value):
    _refuse(careful, {field: value}, field, field)


@pytest.mark.parametrize("images", ["https://example.com/a.png", [5], [None], [["a"]], [HTTPS] * 9])
def test_wrong_lists_of_images_are_refused_with_their_field(careful, images):
    _refuse(careful, {"images": images}, "images", "images", IMAGE_TO_IMAGE)


@pytest.mark.parametrize(
    "ratio", ["banana", "0:1", "1:0", "9:1", "1:100", "16:9:4", "16x9", "-1:1"]
)
def test_a_ratio_that_is_none_is_refused(careful, ratio):
    said = f"aspect ratio {ratio} is not supported"
    _refuse(careful, {"aspect_ratio": ratio}, said, "aspect_ratio")


@pytest.mark.parametrize(
    "resolution",
    [
        *(
            "huge",
            "1080",
            "p",
            "k",
            "-64x64",
            "64x",
            "63x64",
            "64x63",
            "0x64",
            "64x0",
            "0k",
            "0000p",
        ),
        *("20000x2000", "4096x8192", "64x640", "99k", "9999p", "99999x99999", "64x64x64"),
    ],
)
def test_a_resolution_that_cannot_be_is_refused(careful, resolution):
    _refuse(careful, {"resolution": resolution}, "", "resolution")


def test_a_resolution_that_contradicts_the_ratio_is_refused(careful):
    changes = {"aspect_ratio": "16:9", "resolution": "64x64"}
    _refuse(careful, changes, "does not fit aspect ratio 16:9", "resolution")


@pytest.mark.parametrize(
    "model", ["NOT_THERE", "painter", "PAINTER ", "模型", "a\u202eb", "../etc"]
)
def test_an_unknown_model_is_refused_with_1006(careful, model):
    _refuse(careful, {"model": model}, "GET /v1/models", "model", code=1006)


def test_a_model_that_does_not_do_the_kind_is_refused_with_1006(careful):
    changes = {"model": "FLUX_PRO", "images": [HTTPS]}
    _refuse(careful, changes, "does not do image-to-image", "model", IMAGE_TO_IMAGE, 1006)


def test_a_ratio_that_the_model_does_not_list_is_refused(careful):
    changes = {"model": "WERYAI_IMAGE_2_0", "aspect_ratio": "5:4"}
    _refuse(careful, changes, "aspect ratio 5:4 is not supported", "aspect_ratio")


@pytest.mark.parametrize("given", [{}, {"aspect_ratio": None}, {"aspect_ratio": ""}])
def test_a_missing_ratio_is_refused_where_the_model_lists_ratios(careful, given):
    changes = {"model": "WERYAI_IMAGE_2_0", **given}
    _refuse(careful, changes, "aspect ratio cannot be empty", "aspect_ratio")


@pytest.mark.parametrize(
    "url", ["http://example.com/hook", "https://127.0.0.1/", "https://a.internal/", "ftp://a.b/"]
)
def test_a_webhook_address_that_may_not_be_called_is_refused(careful, url):
    answer = careful.post(TEXT_TO_IMAGE, json=TINY | {"webhook_url": url})
    refused(answer, 422, 1002, "webhook_url error", "webhook_url")


@pytest.mark.parametrize("events", [["finished"], [], "ended", ["ended", 1]])
def test_webhook_events_that_do_not_exist_are_refused(careful, events):
    changes = {"webhook_url": "https://example.com/hook", "webhook_events": events}
    _refuse(careful, changes, "webhook_events", "webhook_events")


def test_webhook_events_without_an_address_are_refused(careful):
    _refuse(careful, {"webhook_events": ["ended"]}, "must say where", "webhook_events")


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"nonsense", b"\xff\xfe\x00", b'{"prompt": NaN}', b'{"a": 1} x', b"{'a': 1}"),
        *(b'{"p": "\xff"}', b'{"p": "\\ud800"}', b'{"p": "a\x00b"}', b'{"a": 1e999}'),
    ],
)
def test_a_body_that_is_no_json_is_refused(careful, body):
    answer = careful.post(TEXT_TO_IMAGE, content=body, headers=JSON)
    refused(answer, 400, 1002, "The body is not valid JSON")


@pytest.mark.parametrize("body", [b"null", b"[]", b'"x"', b"5", b"true", b"[{}]"])
def test_a_body_that_is_no_object_is_refused(careful, body):
    answer = careful.post(TEXT_TO_IMAGE, content=body, headers=JSON)
    refused(answer, 400, 1002, "must be a JSON object")


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_body_of_endless_depth_is_refused(careful, opening):
    body = b'{"prompt": ' + opening * 200_000
    answer = careful.post(TEXT_TO_IMAGE, content=body, headers=JSON)
    refused(answer, 400, 1002)


def test_a_number_of_ten_thousand_digits_is_refused(careful):
    body = b'{"model": "PAINTER", "prompt": "x", "seed": ' + b"9" * 10_000 + b"}"
    answer = careful.post(TEXT_TO_IMAGE, content=body, headers=JSON)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("field", ["prompt", "negative_prompt", "model", "aspect_ratio", "unknown"])
def test_a_nul_character_is_refused(careful, field):
    answer = careful.post(TEXT_TO_IMAGE, json=TINY | {field: "a\x00b"})
    refused(answer, 400, 1002, "NUL")


def test_a_backslash_before_u0000_is_no_nul_character(caller):
    submit(caller, prompt=r"a path C:\u0000")


@pytest.mark.parametrize(
    "media_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"]
)
def test_a_body_that_is_not_said_to_be_json_is_refused(careful, media_type):
    headers = {} if media_type is None else {"Content-Type": media_type}
    answer = careful.post(TEXT_TO_IMAGE, content=json.dumps(TINY), headers=headers)
    refused(answer, 415, 1002, "application/json")


def test_a_body_declared_too_large_is_refused_before_it_is_read(server):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    connection.putrequest("POST", TEXT_TO_IMAGE)
    for name, value in {**JSON, "Authorization": f"Bearer {server.key}"}.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(config.JSON_BYTES_MAX + 1))
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["status"]) == (413, 1014)
    connection.close()


def test_a_body_without_a_length_is_refused_when_it_grows_too_large(careful):
    chunks = (b" " * 2**20 for _ in range(config.JSON_BYTES_MAX // 2**20 + 1))
    answer = careful.post(TEXT_TO_IMAGE, content=chunks, headers=JSON)
    refused(answer, 413, 1014, "larger than")


def test_no_credits_are_refused_and_nothing_is_created(server):
    account = server.ground.account(credits_given=1)
    with server.client(server.ground.key(account.id)) as caller:
        answer = caller.post(TEXT_TO_IMAGE, json=TINY | {"image_number": 3})
        refused(answer, 402, 1011, "this costs 1.5, the account has 1 available")
        assert balance(caller) == 1
    for table in ("batches", "tasks", "holds"):
        assert not rows(server, f"SELECT 1 FROM {table} WHERE account_id = %s", account.id)
    query = "SELECT type FROM ledger_entries WHERE account_id = %s"
    assert rows(server, query, account.id) == [("grant",)]


def test_the_last_credits_can_be_spent_to_the_last_mill(callers):
    caller = callers(credits_given=1)
    submit(caller, image_number=2)
    refused(caller.post(TEXT_TO_IMAGE, json=TINY), 402, 1011, "has 0 available")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_a_wrong_method_is_refused_and_the_right_one_told(careful, method):
    answer = careful.request(method, TEXT_TO_IMAGE)
    refused(answer, 405, 1002, "takes POST")
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "path", ["/v1/generation/text-to-nothing", "/v1", "/v2/x", "/%00", "/v1/generation/"]
)
def test_an_unknown_address_is_refused_as_not_found(careful, path):
    refused(careful.post(path, json=TINY), 404, 1003, "No such address")
