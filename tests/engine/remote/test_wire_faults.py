"""What may go wrong on the way to a service, over all of them: nothing is paid for twice."""

from __future__ import annotations

from typing import Any

import pytest
from bfl_wire import BflWire
from fal_wire import FalWire
from replicate_wire import ReplicateWire
from stability_wire import StabilityWire
from wires import ASKED, LOST, TWICE, Said

from darkroom import errors

WIRES = (BflWire, FalWire, ReplicateWire, StabilityWire)
over_all = pytest.mark.parametrize("wire", WIRES, indirect=True)


def over(names: str, table: list[tuple[Any, ...]]) -> pytest.MarkDecorator:
    """A row is a service, and what the named arguments are."""
    ids = [f"{row[0].__name__}-{at}" for at, row in enumerate(table)]
    return pytest.mark.parametrize(f"wire, {names}", table, indirect=["wire"], ids=ids)


@over_all
def test_a_lost_answer_is_not_asked_for_twice(wire, story) -> None:
    wire.fault("POST *", LOST)
    told = story.run("text-to-image", wire.options(), **ASKED)
    assert isinstance(told.error, errors.OutcomeUnknown)
    assert told.call == ("unknown", None, None)
    assert (len(wire.seen("POST *")), wire.billed) == (1, 1)


@over(
    "body",
    [
        *((FalWire, body) for body in (b"<html>fine</html>", {"request_id": "r"}, ["IN_QUEUE"])),
        *(
            (BflWire, {"id": "t0", "polling_url": address})
            for address in (None, 5, "", "http://[::", "https://elsewhere.example/t0")
        ),
        *((StabilityWire, body) for body in (b"\x00what", {"finish_reason": "SUCCESS"}, [])),
    ],
)
def test_an_answer_that_says_nothing_is_a_lost_one(wire, story, body) -> None:
    wire.fault("POST *", Said(body))
    told = story.run("text-to-image", wire.options(), **ASKED)
    assert told.call == ("unknown", None, None)


@over_all
def test_an_answer_that_comes_twice_counts_once(wire, story) -> None:
    wire.fault("POST *", TWICE)
    told = story.run("text-to-image", wire.options(), **ASKED)
    assert (told.call, wire.billed) == (("delivered", True, wire.cost_micro), 1)


@over_all
def test_what_was_sent_is_asked_for_after_a_crash_and_its_price_known(wire, story) -> None:
    wire.waits = 3
    kind, options, pictures, fields = wire.looked_for()

    async def crashed(database):
        await story.submit(database, kind, pictures, fields)
        await story.interrupted(database, options, lambda: wire.seen(wire.look))
        await story.attempt(database, options)
        return await story.told(database)

    told = story.ground.run(crashed)
    assert told.call == ("delivered", True, wire.cost_micro)
    assert (len(wire.seen("POST *")), wire.billed) == (1, 1)


@over(
    "pattern, faults",
    [
        (BflWire, "GET /v1/*", [Said({"status": "Task not found"}), Said({}, 404)]),
        (FalWire, "GET /files/*", [Said({}, 404)]),
        (ReplicateWire, "GET /v1/predictions/*", [Said({}, 503), LOST, Said(b"what?")]),
    ],
)
def test_what_is_not_there_yet_is_looked_for_again(wire, story, pattern, faults) -> None:
    wire.fault(pattern, *faults)
    told = story.run("text-to-image", wire.options(), **ASKED)
    assert told.call == ("delivered", True, wire.cost_micro)


@over(
    "said",
    [
        (BflWire, "refuses this server's key: Not authenticated"),
        (FalWire, "refuses this server's key"),
        (ReplicateWire, "refuses this server's key"),
        (StabilityWire, "refuses this server's key: no such key"),
    ],
)
def test_a_wrong_key_is_the_servers_fault(wire, story, said, monkeypatch) -> None:
    monkeypatch.setenv(wire.variable, "wrong")
    told = story.run("text-to-image", wire.options(), **ASKED)
    assert said in told.error.message


def _later(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds)}


def _named(name: str, status: int, headers: dict[str, str] | None = None) -> Said:
    """A refusal of Stability."""
    return Said({"id": "e", "name": name, "errors": ["some reason"]}, status, headers or {})


_LOCKED = "User is locked. Reason: Exhausted balance."


@over(
    "refusal, error, rest, said",
    [
        (FalWire, Said({"detail": "Many"}, 429, _later(7)), errors.Hindered, 7, "Many"),
        (FalWire, Said({"detail": "Oh no"}, 500), errors.Hindered, 0, "Oh no"),
        (FalWire, Said({"detail": _LOCKED}, 403), errors.Hindered, 0, _LOCKED),
        (ReplicateWire, Said({"detail": "Many"}, 429, _later(9)), errors.Hindered, 9, "Many"),
        (ReplicateWire, Said({"detail": "No credit"}, 402), errors.Hindered, 0, "No credit"),
        (ReplicateWire, Said({"detail": "Oh no"}, 500), errors.Hindered, 0, "Oh no"),
        (ReplicateWire, Said({"detail": "no prompt"}, 422), errors.BadInput, 0, "no prompt"),
        (BflWire, Said({"detail": "Too many"}, 429, _later(3)), errors.Hindered, 3, ""),
        (BflWire, Said({"detail": "Insufficient credits"}, 402), errors.Hindered, 0, ""),
        (BflWire, Said({"detail": "Oh no"}, 500), errors.Hindered, 0, ""),
        (BflWire, Said({"detail": [{"msg": "too small"}]}, 422), errors.BadInput, 0, ""),
        (BflWire, Said({"status": "Request Moderated"}, 422), errors.ContentBlocked, 0, ""),
        (StabilityWire, _named("content_moderation", 403), errors.ContentBlocked, 0, "some reason"),
        (StabilityWire, _named("payment_required", 402), errors.Hindered, 0, "some reason"),
        (
            StabilityWire,
            _named("rate_limit_exceeded", 429, _later(60)),
            errors.Hindered,
            60,
            "some reason",
        ),
        (StabilityWire, _named("internal_error", 500), errors.Hindered, 0, "some reason"),
        (StabilityWire, _named("bad_request", 400), errors.BadInput, 0, "some reason"),
        (StabilityWire, _named("invalid_dimensions", 422), errors.BadInput, 0, "some reason"),
    ],
)
def test_who_refuses_has_taken_nothing(wire, story, refusal, error, rest, said) -> None:
    wire.fault("POST *", refusal)
    told = story.run("text-to-image", wire.options(), **ASKED)
    assert type(told.error) is error
    assert getattr(told.error, "retry_after_seconds", 0) == rest
    assert said in told.error.message
    assert (told.call, wire.billed) == (("refused", False, None), 0)


def _fault(kind: str) -> dict[str, Any]:
    """What fal says of an input."""
    return {"detail": [{"loc": ["body", "prompt"], "msg": "No.", "type": kind}]}


_NSFW = {"images": [{"url": "https://x.example/1"}], "has_nsfw_concepts": [True]}
_FLAGGED = {"status": "failed", "error": "The input or output was flagged as sensitive. (E005)"}


@over(
    "end, error, is_billed",
    [
        (FalWire, Said(_fault("content_policy_violation"), 422), errors.ContentBlocked, None),
        (FalWire, Said(_fault("image_too_small"), 422), errors.BadInput, None),
        (FalWire, Said(_fault("downstream_service_error"), 500), errors.BackendFailed, False),
        (FalWire, Said({"images": [], "prompt": ""}), errors.BackendFailed, None),
        (FalWire, Said(_NSFW), errors.ContentBlocked, True),
        (ReplicateWire, _FLAGGED, errors.ContentBlocked, None),
        (
            ReplicateWire,
            {"status": "failed", "error": "NSFW content detected."},
            errors.ContentBlocked,
            None,
        ),
        (
            ReplicateWire,
            {"status": "failed", "error": "CUDA out of memory"},
            errors.BackendFailed,
            None,
        ),
        (ReplicateWire, {"status": "succeeded", "output": None}, errors.BackendFailed, None),
        (
            ReplicateWire,
            {"status": "succeeded", "output": {"text": "hello"}},
            errors.BackendFailed,
            None,
        ),
        (ReplicateWire, {"status": "canceled"}, errors.TimedOut, True),
        (ReplicateWire, {"status": "aborted"}, errors.Hindered, False),
        (BflWire, {"status": "Request Moderated", "result": None}, errors.ContentBlocked, False),
        (BflWire, {"status": "Content Moderated", "result": None}, errors.ContentBlocked, False),
        (BflWire, {"status": "Error", "result": None}, errors.BackendFailed, False),
        (BflWire, {"status": "Ready", "result": {}}, errors.BackendFailed, None),
        (BflWire, {"status": "Ready", "result": "soon"}, errors.BackendFailed, None),
    ],
)
def test_how_a_task_ends_badly(wire, story, end, error, is_billed) -> None:
    wire.end = end
    told = story.run("text-to-image", wire.options(), **ASKED)
    assert type(told.error) is error
    assert told.call == ("failed", is_billed, None)
