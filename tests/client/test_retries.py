"""What is sent again and what never is, counted where it arrives."""

from __future__ import annotations

import socket

import httpx
import pytest
from scripted import KEY, Answer, said, task

from darkroom import client

CUT = Answer(cut=0)
GONE = Answer(503)


@pytest.mark.parametrize("fault", [Answer(502), GONE, Answer(504), Answer(429), CUT])
def test_a_read_is_repeated_twice(scripted, ask, fault: Answer) -> None:
    scripted.answers(fault, fault, said(task()))
    assert ask(lambda c: c.status("task_1")).status == "SUCCESS"
    assert len(scripted.asked) == 3


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(GONE, client.ServerError), (CUT, client.ConnectionFailed)],
)
def test_a_read_gives_up_after_two_repeats(scripted, ask, fault: Answer, kind: type) -> None:
    scripted.answers(fault)
    with pytest.raises(kind):
        ask(lambda c: c.balance())
    assert len(scripted.asked) == 3


@pytest.mark.parametrize("http", [400, 404, 500])
def test_a_refused_read_is_not_repeated(scripted, ask, http: int) -> None:
    scripted.answers(said(None, http=http, status=1002))
    with pytest.raises(client.ApiError):
        ask(lambda c: c.balance())
    assert len(scripted.asked) == 1


FAULTS = [
    (GONE, client.ServerError),
    (Answer(429), client.RateLimited),
    (CUT, client.ConnectionFailed),
    (Answer(body=b"{}", cut=1), client.ConnectionFailed),
]


def keys(scripted) -> list[str]:
    return [asked.headers["idempotency-key"] for asked in scripted.asked]


@pytest.mark.parametrize("fault", [Answer(502), GONE, Answer(504), Answer(429), CUT])
def test_a_submit_is_repeated_twice_under_one_key(scripted, ask, fault: Answer) -> None:
    scripted.answers(fault, fault, said({"task_id": "task_1"}))
    assert ask(lambda c: c.submit("text-to-image", prompt="a")).task_ids == ("task_1",)
    assert len(scripted.asked) == 3
    assert len({*keys(scripted)}) == 1
    assert {asked.body for asked in scripted.asked} == {b'{"prompt":"a"}'}


@pytest.mark.parametrize(("fault", "kind"), FAULTS)
def test_a_submit_gives_up_and_tells_its_key(scripted, ask, fault: Answer, kind: type) -> None:
    scripted.answers(fault)
    with pytest.raises(kind) as caught:
        ask(lambda c: c.submit("text-to-image"))
    assert len(scripted.asked) == 3
    assert {*keys(scripted)} == {caught.value.idempotency_key}
    said_so = f'idempotency_key="{caught.value.idempotency_key}"' in str(caught.value)
    assert said_so == (kind is client.ConnectionFailed)


def test_a_refused_submit_is_not_repeated(scripted, ask) -> None:
    scripted.answers(said(None, http=422, status=1012))
    with pytest.raises(client.BadRequest) as caught:
        ask(lambda c: c.submit("text-to-image"))
    assert keys(scripted) == [caught.value.idempotency_key]


def test_each_submit_has_a_key_of_its_own(scripted, ask) -> None:
    scripted.answers(said({"task_id": "task_1"}))
    for _ in range(3):
        ask(lambda c: c.submit("text-to-image"))
    assert len({*keys(scripted)}) == 3


def test_a_given_key_is_sent(scripted, ask) -> None:
    done = said([task()])
    scripted.answers(said({"task_id": "task_1"}), said({"task_id": "task_1"}), done)
    ask(lambda c: c.submit("text-to-image", idempotency_key="mine"))
    ask(lambda c: c.text_to_image("a", "PAINTER", idempotency_key="mine"))
    first, second, status = scripted.asked
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == "mine"
    assert "idempotency-key" not in status.headers
    assert "idempotency_key" not in second.json


@pytest.mark.parametrize("key", ["", "a b", "a\n", "é", "k" * 256])
def test_a_key_that_is_none_is_refused_before_anything_is_sent(scripted, ask, key: str) -> None:
    with pytest.raises(client.DarkroomError, match="255 visible ASCII"):
        ask(lambda c: c.submit("image-to-image", images=[b"x"], idempotency_key=key))
    assert scripted.asked == []


@pytest.mark.parametrize(("fault", "kind"), FAULTS)
def test_an_upload_is_never_repeated(scripted, ask, fault: Answer, kind: type) -> None:
    scripted.answers(fault)
    with pytest.raises(kind) as caught:
        ask(lambda c: c.upload(b"picture"))
    assert len(scripted.asked) == 1
    assert ("history" in str(caught.value)) == (kind is client.ConnectionFailed)


class Refusing(httpx.HTTPTransport):
    """A transport whose first connections are refused."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals = refusals

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.refusals:
            self.refusals -= 1
            raise httpx.ConnectError("Connection refused")
        return super().handle_request(request)


def test_a_submit_is_repeated_when_the_connection_was_refused(scripted) -> None:
    scripted.answers(said({"task_id": "task_1"}))
    with client.Client(scripted.url, KEY, transport=Refusing(2)) as one:
        assert one.submit("text-to-image").task_ids == ("task_1",)
    assert len(scripted.asked) == 1


def test_no_server_is_said_so(colour) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(client.ConnectionFailed, match="No server answers at"):
            colour(url, lambda c: c.balance())


def test_retry_after_is_obeyed(scripted, ask) -> None:
    scripted.answers(Answer(429, headers={"Retry-After": "1"}), said(5))
    assert ask(lambda c: c.balance()) == 5
    first, second = scripted.asked
    assert second.at - first.at >= 1


@pytest.mark.parametrize("late", ["31", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_retry_after_that_is_too_late_is_told(scripted, ask, late: str) -> None:
    scripted.answers(Answer(429, headers={"Retry-After": late}))
    with pytest.raises(client.RateLimited):
        ask(lambda c: c.balance())
    assert len(scripted.asked) == 1


def test_retry_after_that_is_nonsense_is_passed_over(scripted, ask) -> None:
    scripted.answers(Answer(503, headers={"Retry-After": "soon"}), said(5))
    assert ask(lambda c: c.balance()) == 5


def test_a_silent_server_is_given_up(scripted, ask) -> None:
    scripted.answers(Answer(is_silent=True))
    with pytest.raises(client.ConnectionFailed, match="it is done once"):
        ask(lambda c: c.submit("text-to-image"), timeout_seconds=0.2)
    assert len(scripted.asked) == 3
    assert len({*keys(scripted)}) == 1


def test_an_upload_to_a_silent_server_is_not_sent_again(scripted, ask) -> None:
    scripted.answers(Answer(is_silent=True))
    with pytest.raises(client.ConnectionFailed, match="look into the history"):
        ask(lambda c: c.upload(b"picture"), timeout_seconds=0.2)
    assert len(scripted.asked) == 1
