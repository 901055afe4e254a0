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


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (GONE, client.ServerError),
        (Answer(429), client.RateLimited),
        (CUT, client.ConnectionFailed),
        (Answer(body=b"{}", cut=1), client.ConnectionFailed),
    ],
)
def test_a_submit_is_never_repeated(scripted, ask, fault: Answer, kind: type) -> None:
    scripted.answers(fault)
    with pytest.raises(kind) as caught:
        ask(lambda c: c.submit("text-to-image"))
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
    with pytest.raises(client.ConnectionFailed, match="look into the history"):
        ask(lambda c: c.submit("text-to-image"), timeout_seconds=0.2)
    assert len(scripted.asked) == 1
