"""The receivers that the page shows, run as they stand there: what is genuine arrives, once."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from darkroom import signing
from darkroom.outbound import Outbound
from ground import wait_until

PAGE = Path(__file__).resolve().parents[2] / "docs/howto/webhooks.md"
# Where `npm install express standardwebhooks` was done; where it is set, the test must run.
MODULES = os.environ.get("DARKROOM_TEST_NODE_MODULES")
RUN = {
    "Flask": (
        "receiver.py",
        [sys.executable, "-m", "flask", "--app", "receiver", "run", "-p", "0"],
    ),
    "FastAPI": ("receiver.py", [sys.executable, "-m", "uvicorn", "receiver:app", "--port", "0"]),
    "Express": ("receiver.mjs", ["node", "receiver.mjs"]),
}
NEW, OLD = signing.new_secret(), signing.new_secret()
# Parsed and written again, by Python or by JavaScript, these are other bytes.
BODY = (
    '{"status":0,"message":"success","data":{"task_id":"task_1","task_status":"SUCCESS",'
    '"images":["https://a.example/a.png"],"cost":2.0,"prompt":"Bär"},'
    '"type":"task.ended","version":3}'
).encode()
SEEN = "task.ended task_1 SUCCESS https://a.example/a.png"


class Shown:
    """A running receiver: where it listens, and what it printed."""

    def __init__(self, folder: Path, name: str) -> None:
        file, command = RUN[name]
        [section] = re.findall(rf"(?ms)^## {name}$(.*?)(?=^## )", PAGE.read_text(encoding="utf-8"))
        [code] = re.findall(r"(?ms)^```\w+\n(.*?)^```$", section)
        (folder / file).write_text(code, encoding="utf-8")
        if file.endswith(".mjs") and MODULES:
            (folder / "node_modules").symlink_to(MODULES)
        self.log = folder / "log"
        environment = {**os.environ, "DARKROOM_WEBHOOK_SECRET": NEW, "PORT": "0"}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=log, stderr=log
            )

    def url(self) -> str:
        """Where it listens, once it does."""

        def listening() -> str | None:
            assert self.process.poll() is None, self.log.read_text()
            found = re.search(r"http://127\.0\.0\.1:\d+", self.log.read_text())
            return found and f"{found[0]}/darkroom"

        return str(wait_until(listening, what="the receiver"))

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait(30)


@pytest.fixture(scope="module", params=RUN)
def shown(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shown]:
    """Each receiver of the page in its turn."""
    if request.param == "Express" and not MODULES:
        has_node = "is not set" if shutil.which("node") else "is not set, and there is no node"
        pytest.skip(
            f"the receiver for Express is not tested: DARKROOM_TEST_NODE_MODULES {has_node}"
        )
    one = Shown(tmp_path_factory.mktemp("receiver"), request.param)
    try:
        yield one
    finally:
        one.stop()


def deliver(shown: Shown, headers: dict[str, str], body: bytes = BODY) -> int:
    """Posts as the server does; the HTTP status of the answer."""

    async def sent() -> int:
        async with Outbound(["127.0.0.1"]) as outbound:
            typed = {"Content-Type": "application/json", **headers}
            return (await outbound.post(shown.url(), body, typed, seconds_max=30)).status

    return asyncio.run(sent())


def signed(message_id: str, *secrets: str, late_seconds: int = 0) -> dict[str, str]:
    at_seconds = int(time.time()) - late_seconds
    return signing.headers(message_id, at_seconds, BODY, secrets, signing.SigningKey.make())


def test_takes_a_genuine_delivery_once(shown: Shown) -> None:
    before = shown.log.read_text().count(SEEN)
    for secrets in ([NEW], [NEW], [OLD, NEW]):  # the last as while a secret is replaced
        assert deliver(shown, signed("msg_1", *secrets)) == 204
    wait_until(lambda: shown.log.read_text().count(SEEN) > before, what="the event")
    assert deliver(shown, signed("msg_2", OLD, NEW)) == 204
    wait_until(lambda: shown.log.read_text().count(SEEN) > before + 1, what="the second event")
    assert shown.log.read_text().count(SEEN) == before + 2


def test_refuses_what_is_forged_replayed_or_tampered(shown: Shown) -> None:
    before = shown.log.read_text().count("task.ended")
    genuine = signed("msg_3", NEW)
    assert deliver(shown, signed("msg_3", OLD)) == 400
    assert deliver(shown, signed("msg_3", NEW, late_seconds=600)) == 400
    assert deliver(shown, genuine, BODY.replace(b"SUCCESS", b"FAILED!")) == 400
    assert deliver(shown, {**genuine, "webhook-id": "msg_4"}) == 400
    assert deliver(shown, {**genuine, "webhook-timestamp": str(int(time.time()) + 9)}) == 400
    assert deliver(shown, {}) == 400
    assert deliver(shown, genuine, b"") == 400
    assert shown.log.read_text().count("task.ended") == before
