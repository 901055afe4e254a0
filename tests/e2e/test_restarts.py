"""Servers are restarted one after another, or the only one is: nothing refused, nothing lost."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from balancer import Balancer, free_port
from e2e_house import House, ended, submit

from ground import wait_until

BODY = {"model": "PROBE", "prompt": "plain", "resolution": "64x64"}
SUBMIT = "/v1/generation/text-to-image"


def _key(house: House) -> dict[str, str]:
    key = house.ground.key(house.ground.account().id)
    return {"Authorization": f"Bearer {key}"}


def test_a_server_asked_to_end_says_so_and_answers_until_its_notice_is_over(house: House) -> None:
    house.environment["DARKROOM_NOTICE_SECONDS"] = "2"
    server = house.start("serve", "--workers", "0")
    client = house.client()
    assert client.get("/health/ready").status_code == 200
    at = time.monotonic()
    server.terminate()
    wait_until(lambda: client.get("/health/ready").status_code == 503, seconds_max=1)
    # A new connection each: every answer is the last of its own.
    for _ in range(3):
        assert client.get("/health/live").status_code == 200
        answer = client.post(SUBMIT, json=BODY)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    assert server.wait(10) == 0
    assert time.monotonic() - at > 2
    with pytest.raises(httpx.ConnectError):
        client.get("/health/live")


def test_a_task_that_runs_is_finished_during_the_notice_and_beyond(house: House) -> None:
    house.environment["DARKROOM_NOTICE_SECONDS"] = "0.5"
    server = house.start("serve")
    client = house.client()
    [task_id] = submit(client, "slow")
    wait_until(lambda: house.marks()[task_id] == 1)
    server.terminate()
    assert server.wait(20) == 0
    house.start("serve")
    client.base_url = httpx.URL(house.url)
    [done] = ended(client, [task_id])
    assert (done["task_status"], done["attempt"]) == ("SUCCESS", 1)


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]])
def test_ctrl_c_and_a_second_signal_need_no_notice(house: House, signals: list[int]) -> None:
    house.environment["DARKROOM_NOTICE_SECONDS"] = "60"
    server = house.start("serve", "--workers", "0")
    client = house.client()
    for number in signals:
        server.send_signal(number)
        wait_until(lambda: _is_leaving(client), seconds_max=5)
    assert server.wait(8) == 0


def _is_leaving(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 503
    except httpx.TransportError:
        return True


def _submit_until(stop: threading.Event, balancer: Balancer, key: dict[str, str]) -> list[str]:
    """Submit and follow one task after another; every single answer must be a 200."""
    ids: list[str] = []

    def over() -> bool:
        answer = balancer.request("GET", f"/v1/generation/{ids[-1]}/status", key)
        assert answer.status_code == 200, answer.text
        task = answer.json()["data"]
        assert task["task_status"] != "FAILED", task
        return bool(task["task_status"] == "SUCCESS")

    try:
        while not stop.is_set():
            answer = balancer.request("POST", SUBMIT, key, BODY)
            assert answer.status_code == 200, answer.text
            ids += answer.json()["data"]["task_ids"]
            wait_until(over)
    finally:
        balancer.close_mine()
    return ids


def test_a_rolling_restart_refuses_no_request_and_loses_no_task(house: House) -> None:
    # Thirty checks of the balancer's, which a busy machine may hold up.
    house.environment["DARKROOM_NOTICE_SECONDS"] = "3"
    ports = [free_port(), free_port()]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    servers = [house.start("serve", "--workers", "1", "--port", str(port)) for port in ports]
    key = _key(house)
    balancer, stop = Balancer(urls), threading.Event()
    with ThreadPoolExecutor(3) as pool, balancer.checking():
        wait_until(lambda: all(balancer.ready(url) for url in urls))
        work: list[Future[list[str]]] = []
        try:
            work += [pool.submit(_submit_until, stop, balancer, key) for _ in range(3)]
            for number, url in [*enumerate(urls)] * 2:
                servers[number].terminate()
                assert servers[number].wait(30) == 0
                assert not balancer.ready(url)
                servers[number] = house.start(
                    "serve", "--workers", "1", "--port", str(ports[number])
                )
                wait_until(lambda url=url: balancer.ready(url))
        finally:
            stop.set()
        ids = [task_id for one in work for task_id in one.result(30)]
    # Each was followed to its end. One was asked for by every thread, and by each after a restart.
    assert len(set(ids)) == len(ids) > 3 + 4
    assert set(house.marks().values()) == {1}


def _send_until_taken(client: httpx.Client, key: str) -> dict[str, Any]:
    """Send a submit under its key until a server answers."""

    def taken() -> dict[str, Any] | None:
        try:
            answer = client.post(SUBMIT, json=BODY, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            return None
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    found: dict[str, Any] = wait_until(taken, what=f"the answer to {key}")
    return found


def test_the_only_server_restarted_on_its_port_loses_no_task(house: House) -> None:
    flags = ("serve", "--workers", "1", "--port", str(free_port()))
    server = house.start(*flags)
    client = house.client()
    stop = threading.Event()

    def send() -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []
        while not stop.is_set():
            sent.append(_send_until_taken(client, f"k{len(sent)}"))
            wait_until(lambda: stop.is_set() or len(house.marks()) > len(sent) - 5)
        return sent

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send)
        try:
            for _ in range(3):
                marks = len(house.marks())
                wait_until(lambda marks=marks: len(house.marks()) > marks)
                server.terminate()
                assert server.wait(30) == 0
                server = house.start(*flags)
        finally:
            stop.set()
        sent = sending.result(30)
    tasks = ended(client, [one["task_id"] for one in sent], seconds_max=100)
    assert {task["task_status"] for task in tasks} == {"SUCCESS"}
    assert len({one["batch_id"] for one in sent}) == len(sent)
    paid = sum(task["cost"] for task in tasks)
    assert client.get("/v1/generation/balance").json()["data"] == 1000 - paid
