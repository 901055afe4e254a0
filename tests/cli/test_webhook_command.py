"""`darkroom webhook` against the real server, as a script and as a person uses it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from darkroom import signing
from ground import wait_until
from starter import Started

RECEIVER = Path(__file__).parent.parent / "e2e" / "receiver.py"
TINY = ("--prompt", "a lake", "--model", "PAINTER", "--resolution", "160x96")

# Nobody has a name below .example, so every attempt fails at once.
URL = "https://receiver.example/hook"


def _tried(served: Any, webhook_id: str) -> dict[str, Any]:
    def told() -> dict[str, Any] | None:
        one = served()("webhook", "show", webhook_id, "--json").json
        return one if one["log"] else None

    found: dict[str, Any] = wait_until(told, what="an attempt")
    return found


def test_endpoints_deliveries_and_secret_from_the_command_line(served) -> None:
    [made] = served()("webhook", "endpoint", "add", URL, "--event", "ended", "--json").json
    endpoint_id = made["endpoint_id"]
    assert (made["url"], made["events"]) == (URL, ["ended"])
    assert URL in served()("webhook", "endpoint", "list").out
    sent = served()("webhook", "endpoint", "test", endpoint_id, "--json").json["webhook_id"]
    one = _tried(served, sent)
    assert one["log"][0]["error"].startswith("connect: ")
    shown = served()("webhook", "show", sent).out
    assert "webhook-signature: v1," in shown
    assert "connect: " in shown
    listed = served()("webhook", "list", "--endpoint", endpoint_id, "--json").json
    assert [two["webhook_id"] for two in listed] == [sent]
    assert sent in served()("webhook", "list", "--status", "pending").out
    assert served()("webhook", "resend", sent, "--json").json == {"resent": 1}
    assert served()("webhook", "resend", "--endpoint", endpoint_id, "--json").json == {"resent": 0}
    first = served()("webhook", "secret").out.strip()
    rotated = served()("webhook", "rotate", "--overlap", "1", "--json").json
    assert [one["secret"] for one in rotated["secrets"]] == [rotated["secret"], first]
    enabled = served()("webhook", "endpoint", "enable", endpoint_id, "--json").json
    assert [one["enabled"] for one in enabled] == [True]
    assert endpoint_id in served()("webhook", "endpoint", "remove", endpoint_id).out
    assert served()("webhook", "endpoint", "list", "--json").json == []


def test_an_unknown_delivery_is_one_sentence(served) -> None:
    assert "No webhook delivery" in served()("webhook", "show", "msg_0").sentence


def test_listen_prints_verified_webhooks_and_passes_them_on(served, tmp_path) -> None:
    """A webhook that came over the stream, and came to a local port as it was signed."""
    with passing(tmp_path) as (port, received):
        secret = served()("webhook", "secret").out.strip()
        listening = ("listen", "--count", "1", "--json", "--forward", f"http://127.0.0.1:{port}/x")
        with served().running(*listening) as process:
            wait_until(lambda: _makes_one(served, process), what="a webhook that is heard")
            assert process.stdout is not None
            told = json.loads(process.stdout.read())
        assert (told["type"], told["forwarded"]) == ("task.ended", "HTTP 200")
        assert told["data"]["task_status"] == "SUCCESS"
        [line] = received.read_text().splitlines()
        came = json.loads(line)
        assert came["headers"]["webhook-id"] == told["webhook_id"]
        signing.verify(came["headers"], came["body"], secret)
    [one] = served()("webhook", "list", "--task", told["data"]["task_id"], "--json").json
    assert (one["status"], one["webhook_id"]) == ("DELIVERED", told["webhook_id"])


def _makes_one(served: Any, process: Started) -> bool:
    """Make a picture, until the listener has heard one; it hears what ends after it came."""
    if process.poll() is None:
        served()("generate", "text-to-image", *TINY, "--json")
    return process.poll() is not None


@contextlib.contextmanager
def passing(folder: Path) -> Iterator[tuple[int, Path]]:
    """A receiver on a local port, and the file of what it received."""
    command = [sys.executable, str(RECEIVER), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline()), folder / "received.jsonl"
        process.kill()
