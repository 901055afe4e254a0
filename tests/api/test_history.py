"""History: every request found by its id, filtered, paged, and shown to its owner alone."""

from __future__ import annotations

import pytest
from wire_calls import TEXT_TO_IMAGE, TINY, refused, rows, succeeded

from ground import wait_until


def _history(caller, **asked):
    return succeeded(caller.get("/v1/history", params=asked))


def _found(caller, request_id):
    """The record of a request, which must be there after a moment."""
    [record] = wait_until(
        lambda: _history(caller, request_id=request_id)["records"],
        seconds_max=5,
        what=f"the record of {request_id}",
    )
    return record


def _requested(caller, path, method="GET", **sent):
    return caller.request(method, path, **sent).headers["X-Request-Id"]


@pytest.fixture(scope="module")
def busy(server):
    """A caller with a history: 23 requests of five sorts."""
    account = server.ground.account()
    with server.client(server.ground.key(account.id)) as caller:
        for number in range(8):
            caller.get("/v1/generation/balance")
            caller.get(f"/v1/generation/task_{number}/status")
        for path in ("/v1/generation/a%25b/status", "/v1/generation/a_b/status"):
            caller.get(path)
        caller.get("/v1/generation/aXb/status")
        caller.get("/v1/models")  # needs no key, so it is nobody's
        caller.post(TEXT_TO_IMAGE, json={})
        caller.post(TEXT_TO_IMAGE, json=TINY)
        caller.delete("/v1/history")
        last = _requested(caller, "/v1/generation/balance")
        _found(caller, last)
        yield caller


def _until(caller):
    """The instant before which a history no longer changes: asking makes records too."""
    return _history(caller, limit=1)["records"][0]["at"]


def test_every_request_is_found_by_its_id_after_a_moment(caller):
    answer = caller.post(TEXT_TO_IMAGE, json=TINY)
    data = succeeded(answer)
    record = _found(caller, answer.headers["X-Request-Id"])
    assert (record["method"], record["path"]) == ("POST", TEXT_TO_IMAGE)
    assert (record["status"], record["code"]) == (200, 0)
    assert (record["batch_id"], record["task_id"]) == (data["batch_id"], data["task_id"])
    assert record["credits"] == 0.5
    assert record["duration_ms"] > 0
    assert record["ip"] == "127.0.0.1"
    assert record["api_key_id"].startswith("key_")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/generation/task_0/status", 404, 1003),
        ("POST", "/v1/generation/text-to-image", 415, 1002),
        ("GET", "/growthai/v1/generation/balance", 200, 0),
        ("HEAD", "/v1/generation/balance", 200, 0),
    ],
)
def test_every_refusal_and_every_spelling_of_a_path_is_found(caller, method, path, status, code):
    record = _found(caller, _requested(caller, path, method))
    assert (record["method"], record["path"]) == (method, path)
    assert (record["status"], record["code"]) == (status, code)
    assert bool(record["error"]) is (code != 0)


def test_a_refusal_is_kept_with_what_it_said(caller):
    answer = caller.post(TEXT_TO_IMAGE, json=TINY | {"image_number": 99, "prompt": "a secret"})
    record = _found(caller, answer.headers["X-Request-Id"])
    assert record["error"] == answer.json()["message"]
    assert "secret" not in record["error"]


def test_a_request_refused_for_credits_is_found(callers):
    poor = callers(credits_given=0)
    record = _found(poor, _requested(poor, TEXT_TO_IMAGE, "POST", json=TINY))
    assert (record["status"], record["code"], record["credits"]) == (402, 1011, None)


def test_another_account_s_requests_are_never_shown(caller, callers):
    request_id = _requested(caller, "/v1/generation/balance")
    _found(caller, request_id)
    other = callers()
    assert _history(other, request_id=request_id)["records"] == []
    shown = _history(other, limit=200)["records"]
    assert request_id not in {record["request_id"] for record in shown}


def test_history_is_newest_first(busy):
    shown = [record["at"] for record in _history(busy, limit=200)["records"]]
    assert len(shown) >= 22
    assert shown == sorted(shown, reverse=True)


@pytest.mark.parametrize("limit", [1, 3, 7, 200])
def test_pages_have_no_gaps_and_no_repeats(busy, limit):
    until = _until(busy)
    whole = [one["request_id"] for one in _history(busy, limit=200, until=until)["records"]]
    paged: list[str] = []
    asked = {"limit": limit, "until": until}
    for _ in range(len(whole) + 2):
        page = _history(busy, **asked)
        paged += [one["request_id"] for one in page["records"]]
        if page["next"] is None:
            break
        asked["before"] = page["next"]
    assert paged == whole
    assert len(set(paged)) == len(paged) >= 20


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"method": "POST"}, lambda one: one["method"] == "POST"),
        ({"method": "post", "status": "400"}, lambda one: one["status"] == 400),
        ({"status": "404"}, lambda one: one["status"] == 404),
        ({"path": "/v1/generation/task_"}, lambda one: "/task_" in one["path"]),
        ({"path": "/v1/generation/a%b"}, lambda one: one["path"].endswith("/a%b/status")),
        ({"path": "/v1/generation/a_b"}, lambda one: one["path"].endswith("/a_b/status")),
        ({"path": "%"}, lambda one: False),
        ({"path": "\\"}, lambda one: False),
        ({"status": "404", "method": "GET"}, lambda one: one["status"] == 404),
        ({"status": "4xx"}, lambda one: 400 <= one["status"] < 500),
        ({"status": "2xx"}, lambda one: one["status"] == 200),
        ({"status": "failed"}, lambda one: one["code"] != 0),
        ({"code": "1003"}, lambda one: one["code"] == 1003),
        ({"api_key_id": "key_none"}, lambda one: False),
    ],
)
def test_a_filter_shows_exactly_what_fits(busy, asked, wanted):
    until = _until(busy)
    whole = _history(busy, limit=200, until=until)["records"]
    assert _history(busy, limit=200, until=until, **asked)["records"] == [
        one for one in whole if wanted(one)
    ]


def test_a_page_leads_back_to_the_newer_ones(busy):
    until = _until(busy)
    first = _history(busy, limit=5, until=until)
    second = _history(busy, limit=5, until=until, before=first["next"])
    back = _history(busy, limit=5, until=until, after=second["newer"])
    assert (first["newer"], back["records"]) == (None, first["records"])


def test_since_and_until_bound_the_time(busy):
    whole = _history(busy, limit=200, until=_until(busy))["records"]
    middle = whole[10]["at"]
    newer = _history(busy, limit=200, since=middle, until=whole[0]["at"])["records"]
    older = _history(busy, limit=200, until=middle)["records"]
    assert all(one["at"] >= middle for one in newer)
    assert all(one["at"] < middle for one in older)
    # What happened within the last millisecond shown is not cut by it.
    assert {one["request_id"] for one in (*newer, *older)} >= {
        one["request_id"] for one in whole if one["at"] != whole[0]["at"]
    }


@pytest.mark.parametrize(
    ("since", "some"),
    [
        ("2020-01-01", True),
        ("2020-01-01T00:00:00Z", True),
        ("2020-01-01T00:00:00+02:00", True),
        ("2020-01-01 12:00", True),
        ("2999-01-01T00:00:00Z", False),
        ("0001-01-01T00:00:00+14:00", True),
        ("9999-12-31T23:59:59-14:00", False),
    ],
)
def test_any_iso_instant_is_understood(busy, since, some):
    assert bool(_history(busy, since=since)["records"]) is some


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("limit", value) for value in ("0", "-1", "201", "x", "", "1.5", "99999", "١")),
        *(("status", value) for value in ("x", "-1", "99999", "6xx", "44x", "")),
        *(("since", value) for value in ("yesterday", "", "2020-13-01", "1712000000")),
        *(("until", value) for value in ("now", "\x00")),
        *(("before", value) for value in ("x", "~", "2020-01-01T00:00:00Z~\x00", "\x00")),
        *(("path", value) for value in ("/v1\x00",)),
        ("request_id", "\x00"),
    ],
)
def test_a_filter_that_is_none_is_refused_with_its_name(busy, name, value):
    answer = busy.get("/v1/history", params={name: value})
    refused(answer, 400, 1002, "", name)


@pytest.mark.parametrize("request_id", ["req_0", "x" * 5000, "日本", "' OR 1=1 --", "%"])
def test_an_unknown_request_id_finds_nothing(busy, request_id):
    found = _history(busy, request_id=request_id)
    assert (found["records"], found["next"]) == ([], None)


@pytest.mark.parametrize("method", ["日本", "x" * 5000, "%"])
def test_a_method_that_nobody_sent_finds_nothing(busy, method):
    assert _history(busy, method=method)["records"] == []


def test_the_next_page_is_found_whatever_time_zone_sign_is_escaped(busy):
    place = _history(busy, limit=2)["next"]
    escaped = _history(busy, limit=2, before=place)["records"]
    bare = succeeded(busy.get(f"/v1/history?limit=2&before={place}"))["records"]
    assert [one["request_id"] for one in bare] == [one["request_id"] for one in escaped]


def test_a_prompt_is_in_no_record(caller):
    answer = caller.post(TEXT_TO_IMAGE, json=TINY | {"prompt": "a very private wish"})
    record = _found(caller, answer.headers["X-Request-Id"])
    assert "private" not in str(record)


def test_keys_show_when_they_were_last_used(server):
    account = server.ground.account()
    with server.client(server.ground.key(account.id)) as caller:
        _found(caller, _requested(caller, "/v1/generation/balance"))
    query = "SELECT 1 FROM api_keys WHERE account_id = %s AND last_used_at IS NOT NULL"
    assert rows(server, query, account.id)
