"""`darkroom quickstart`: what `./run` does, as a person meets it."""

from __future__ import annotations

import json
import re
import signal
import socket
import stat
from pathlib import Path

import httpx
import pytest

from ground import wait_until
from starter import Started

CURL = """curl -X POST {url}/v1/generation/text-to-image \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{{
    "model": "FLUX_PRO",
    "prompt": "A beautiful sunset over the ocean, vibrant colors",
    "aspect_ratio": "16:9",
    "resolution": "1080p",
    "image_number": 1
  }}'
"""


@pytest.fixture
def darkroom(darkroom):
    """A shell whose servers have one child, which is enough for one picture at a time."""
    darkroom.environment["DARKROOM_WORKERS"] = "1"
    return darkroom


def value(out: str, name: str) -> str:
    """The value behind a name in what the quickstart printed."""
    found = re.search(rf"(?m)^{name} +(.*)$", out)
    assert found, out
    return found[1]


def pictures(folder: Path) -> set[str]:
    return {path.name for path in (folder / "pictures").iterdir()}


def until_serving(process: Started) -> str:
    """The address, once a quickstart that goes on serving has shown its picture."""
    assert process.stdout
    assert process.stderr
    out = ""
    for line in iter(process.stdout.readline, ""):
        out += line
        if "lists every route" in line:
            break
    assert any("Ctrl-C stops" in line for line in iter(process.stderr.readline, "")), out
    return value(out, "Server")


def test_quickstart_makes_a_picture_and_shows_how(darkroom, tmp_path: Path) -> None:
    first = darkroom("quickstart", "--exit", "--port", "0")
    assert first.code == 0, first.err
    kept = tmp_path / "data" / "quickstart.json"
    key = json.loads(kept.read_text())["key"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert value(first.out, "API key") == key
    assert (tmp_path / value(first.out, "Picture")).read_bytes().startswith(b"\x89PNG")
    assert CURL.format(url=value(first.out, "Server"), key=key) in first.out
    assert value(first.out, "Balance").startswith("996 credits")
    assert value(first.out, "Sandbox").startswith("on")
    link = value(first.out, "Console")
    assert link.startswith(f"{value(first.out, 'Server')}/link/")
    second = darkroom("quickstart", "--exit", "--port", "0")
    assert value(second.out, "Console").rpartition("/")[2] != link.rpartition("/")[2]
    assert value(second.out, "API key") == key
    assert value(second.out, "Balance").startswith("992 credits")
    assert len(pictures(tmp_path)) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_quickstart_serves_until_a_signal(darkroom, number: signal.Signals) -> None:
    with darkroom.running("quickstart", "--port", "0") as process:
        url = until_serving(process)
        assert httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200
        process.send_signal(number)
        assert process.wait(60) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)


def test_quickstart_uses_the_server_that_runs_and_renews_a_revoked_key(
    darkroom, tmp_path: Path
) -> None:
    with darkroom.running("quickstart", "--port", "0") as process:
        port = str(httpx.URL(until_serving(process)).port)
        # The same database, and so the same Darkroom, though its key is kept elsewhere.
        again = darkroom("quickstart", "--port", port, "--data", "other")
        assert "goes on" in again.err
        kept = tmp_path / "data" / "quickstart.json"
        before = kept.read_text()
        for key in darkroom("key", "list", "me@localhost", "--json").json:
            darkroom("key", "revoke", key["key_id"])
        # Within a second the server knows.
        headers = {"Authorization": f"Bearer {json.loads(before)['key']}"}
        balance = f"http://127.0.0.1:{port}/v1/generation/balance"
        wait_until(lambda: httpx.get(balance, headers=headers, trust_env=False).status_code == 401)
        renewed = darkroom("quickstart", "--port", port)
        assert value(renewed.out, "API key") in kept.read_text()
        assert kept.read_text() != before
        assert len(pictures(tmp_path)) == 3
    assert process.returncode == 0


def test_quickstart_refuses_a_server_of_other_data(darkroom, server) -> None:
    done = darkroom("quickstart", "--port", str(httpx.URL(server.url).port))
    assert "Choose another port with --port" in done.sentence


def test_quickstart_refuses_a_port_of_another_program(darkroom) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(60)
        port = other.getsockname()[1]
        with darkroom.running("quickstart", "--port", str(port)) as process:
            connection, _ = other.accept()
            connection.close()
            _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"Port {port} is taken by another program" in err


def test_quickstart_shows_why_the_server_did_not_start(bare) -> None:
    bare.environment["DARKROOM_DATABASE_URL"] = "postgresql://127.0.0.1:1/none"
    done = bare("quickstart", "--port", "0")
    assert "Darkroom did not start" in done.sentence
    assert "cannot be reached" in done.sentence
