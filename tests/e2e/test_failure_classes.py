"""Each class of failure has its own end: at once, after another attempt, or no task's fault."""

from __future__ import annotations

import os
import resource
import signal
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from e2e_house import House, ended, status, submit

from ground import wait_until

BAD_INPUT, FAILED, CRASHED, MEMORY = 1002, 6004, 6001, 6007
MODELS = """
[UNLOADABLE]
name = "Its weights are absent"
backends = ["probe"]
[UNLOADABLE.kinds.text-to-image]
credits = 2
[HASTY]
name = "Hasty"
backends = ["probe"]
seconds_max = 0.5
[HASTY.kinds.text-to-image]
credits = 2
"""


def _balance(client: httpx.Client) -> float:
    return client.get("/v1/generation/balance").json()["data"]


def _asked(client: httpx.Client, prompt: str, **more: Any) -> str:
    """The id of one task."""
    body = {"model": "PROBE", "prompt": prompt, "resolution": "64x64"} | more
    kind = "image-to-image" if "images" in more else "text-to-image"
    answer = client.post(f"/v1/generation/{kind}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["task_ids"][0]


def _marks(house: House, task_id: str) -> list[Path]:
    """What the task's attempts left, the first attempt's first."""
    return sorted(Path(house.environment["PROBE_MARKS"]).glob(f"{task_id}-*"))


def _children(pid: int) -> list[int]:
    """The processes that a worker started and that still run."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


class _Answers(BaseHTTPRequestHandler):
    """Addresses of inputs that are no pictures."""

    def do_GET(self) -> None:
        status, body, length = {
            "/gone": (404, b"", 0),
            "/broken": (503, b"", 0),
            "/page": (200, b"<html>", 6),
            "/empty": (200, b"", 0),
            "/cut": (200, b"\x89PNG\r\n\x1a\n", 100),
            "/huge": (200, b"", 2**40),
        }[self.path]
        self.send_response(status)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _answering() -> Iterator[str]:
    class _Server(socketserver.ThreadingMixIn, HTTPServer):
        daemon_threads = True

    with _Server(("127.0.0.1", 0), _Answers) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def test_an_input_that_cannot_be_used_ends_its_task_at_once(house: House) -> None:
    house.environment["DARKROOM_OUTBOUND_ALLOW"] = "127.0.0.1"
    house.start("serve")
    client = house.client()
    picture = ended(client, submit(client, "plain"))[0]["images"][0]
    with _answering() as url:
        said = {
            f"{url}/gone": "answered HTTP 404",
            f"{url}/broken": "answered HTTP 503",
            f"{url}/page": "only support jpg",
            f"{url}/empty": "is empty",
            f"{url}/cut": "could not be fetched",
            f"{url}/huge": "is larger than",
            "http://127.0.0.1:1/refused.png": "could not be fetched",
        }
        ids = [_asked(client, "plain", images=[one]) for one in said]
        # A file of this server that vanishes between the submit and the attempt.
        for _ in range(2):
            ids.append(_asked(client, "slow"))
        wait_until(lambda: len(house.marks()) >= 3)
        ids.append(_asked(client, "plain", images=[picture]))
        (next(Path(house.environment["DARKROOM_DATA"]).rglob(Path(picture).name))).unlink()
        tasks = ended(client, ids)
    slow = [task for task in tasks if task["task_status"] == "SUCCESS"]
    failed = [task for task in tasks if task not in slow]
    for task, text in zip(failed, [*said.values(), "no longer here"], strict=True):
        assert (task["error_code"], task["attempt"], task["cost"]) == (BAD_INPUT, 1, 0), task
        assert text in task["msg"]
    assert (len(slow), _balance(client)) == (2, 994)


def test_a_failure_that_would_come_again_is_not_tried_again(house: House) -> None:
    with (house.folder / "catalogue.toml").open("a") as catalogue:
        catalogue.write(MODELS)
    house.start("serve")
    client = house.client()
    said = {
        _asked(client, "plain", model="UNLOADABLE"): "could not be loaded: FileNotFoundError",
        _asked(client, "slow", model="HASTY"): "than the 0.5 seconds that HASTY may take",
        _asked(client, "astray"): "no file of its task's folder",
        _asked(client, "svg"): "strange type",
        _asked(client, "odd notes"): "notes cannot be stored",
        _asked(client, "break oddly"): "odd  text",
    }
    for task in ended(client, [*said]):
        assert (task["error_code"], task["attempt"], task["cost"]) == (FAILED, 1, 0), task
        assert said[task["task_id"]] in task["msg"]
    assert _balance(client) == 1000
    assert ended(client, submit(client, "slow"))[0]["task_status"] == "SUCCESS"


def test_what_cannot_be_signed_is_stored_all_the_same(house: House) -> None:
    house.start("serve")
    client = house.client()
    broken, whole = ended(client, [*submit(client, "broken file"), *submit(client, "whole")])
    assert (broken["task_status"], broken["cost"]) == ("SUCCESS", 2)
    assert broken["notes"]["unsigned"] == "The file could not be signed."
    assert httpx.get(broken["images"][0]).content == b"\x89PNG\r\n\x1a\n"
    assert "unsigned" not in whole["notes"]


@pytest.mark.parametrize("prompt", ["crash once", "hog once"])
def test_what_failed_on_one_worker_is_tried_on_another(house: House, prompt: str) -> None:
    house.start("serve", "--workers", "0")
    workers = [house.start("work", "--workers", "1").pid for _ in range(2)]
    client = house.client()
    tasks = ended(client, submit(client, prompt, 3))
    assert {(one["task_status"], one["attempt"]) for one in tasks} == {("SUCCESS", 2)}
    for task in tasks:
        tried = [int(mark.read_text()) for mark in _marks(house, task["task_id"])]
        assert sorted(tried) == sorted(workers)
    assert _balance(client) == 994


def test_out_of_memory_is_tried_twice_and_then_refunded(house: House) -> None:
    house.environment["DARKROOM_CHILD_MEMORY_MB"] = "512"
    house.start("serve")
    client = house.client()
    ids = [_asked(client, prompt) for prompt in ("hog", "fill gpu", "allocate")]
    if sys.platform != "linux":
        ids.pop()
    for task in ended(client, ids):
        assert (task["task_status"], task["error_code"], task["attempt"]) == ("FAILED", MEMORY, 2)
        assert "given up after 2 attempts" in task["msg"]
    assert _balance(client) == 1000
    body = {"model": "PAINTER", "prompt": "a lake", "resolution": "512x512"}
    painted = client.post("/v1/generation/text-to-image", json=body).json()["data"]["task_ids"]
    assert ended(client, painted)[0]["task_status"] == "SUCCESS"


def test_a_crash_costs_no_other_task_an_attempt(house: House) -> None:
    house.start("serve")
    client = house.client()
    bystander = _asked(client, "slow")
    poison = [_asked(client, "crash always") for _ in range(3)]
    others = [_asked(client, "plain") for _ in range(4)]
    for task in ended(client, [bystander, *others]):
        assert (task["task_status"], task["attempt"]) == ("SUCCESS", 1)
    for task in ended(client, poison):
        assert (task["task_status"], task["error_code"], task["attempt"]) == ("FAILED", CRASHED, 2)
        assert "given up after 2 attempts" in task["msg"]
    assert _balance(client) == 990


@needs_proc
def test_a_child_that_dies_idle_is_replaced_and_costs_no_task_an_attempt(house: House) -> None:
    house.start("serve", "--workers", "0")
    worker = house.start("work", "--workers", "1")
    client = house.client()
    first = ended(client, submit(client, "plain"))[0]["notes"]["pid"]
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: _children(worker.pid) and first not in _children(worker.pid))
    [done] = ended(client, submit(client, "plain"))
    assert (done["task_status"], done["attempt"]) == ("SUCCESS", 1)


@needs_proc
def test_a_worker_that_cannot_start_children_takes_no_task_and_goes_on(house: House) -> None:
    house.start("serve", "--workers", "0")
    worker = house.start("work", "--workers", "1")
    client = house.client()
    child = ended(client, submit(client, "plain"))[0]["notes"]["pid"]
    soft, hard = resource.prlimit(worker.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (3, hard))
    os.kill(child, signal.SIGKILL)
    log = house.folder / "work-1.log"
    wait_until(lambda: "no child can be started" in log.read_text())
    [task_id] = submit(client, "plain")
    said = log.read_text().count("no child")
    wait_until(lambda: log.read_text().count("no child") > said + 1)
    seen = status(client, task_id)
    resource.prlimit(worker.pid, resource.RLIMIT_NOFILE, (soft, hard))
    [done] = ended(client, [task_id])
    assert (seen["task_status"], seen["attempt"]) == ("PENDING", 0)
    assert (done["task_status"], done["attempt"]) == ("SUCCESS", 1)


@needs_proc
def test_nothing_of_a_model_outlives_its_killed_worker(house: House) -> None:
    house.start("serve", "--workers", "0")
    worker = house.start("work", "--workers", "1")
    client = house.client()
    task_id = _asked(client, "hang, spawn")
    [mark] = wait_until(lambda: _marks(house, task_id))
    started = int(wait_until(lambda: (text := mark.read_text()) != str(worker.pid) and text))
    house.kill(worker)
    wait_until(lambda: not _runs(int(mark.suffix.removeprefix("."))), seconds_max=10)
    wait_until(lambda: not _runs(started), seconds_max=10)


@needs_proc
def test_a_model_that_heeds_no_cancel_is_killed_with_what_it_started(house: House) -> None:
    house.environment["DARKROOM_WORKERS"] = "1"
    server = house.start("serve")
    client = house.client()
    task_id = _asked(client, "deaf, spawn")
    [mark] = wait_until(lambda: _marks(house, task_id))
    started = int(wait_until(lambda: (text := mark.read_text()) != str(server.pid) and text))
    client.post(f"/v1/generation/{task_id}/cancel")
    [failed] = ended(client, [task_id], seconds_max=20)
    assert (failed["error_code"], failed["attempt"], _balance(client)) == (6005, 1, 1000)
    assert not _runs(int(mark.suffix.removeprefix(".")))
    wait_until(lambda: not _runs(started), seconds_max=10)
    assert ended(client, submit(client, "plain"))[0]["task_status"] == "SUCCESS"
