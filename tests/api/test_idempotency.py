"""Idempotency-Key: the same submit is answered again, whoever asks at the same time."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from wire_calls import (
    IMAGE_TO_IMAGE,
    TEXT_TO_IMAGE,
    TINY,
    balance,
    data_url,
    envelope,
    finished,
    picture,
    refused,
    rows,
    submit,
    succeeded,
)

from ground import Ground, Server, serve, wait_until

CALLERS_COUNT = 30
HELD = "SELECT count(*), sum(mill) FROM holds WHERE account_id = %s"


def send(
    caller: httpx.Client, key: str, path: str = TEXT_TO_IMAGE, **changes: Any
) -> httpx.Response:
    return caller.post(path, json=TINY | changes, headers={"Idempotency-Key": key})


def is_replay(answer: httpx.Response) -> bool:
    said = answer.headers.get("Idempotent-Replayed")
    assert said in (None, "true")
    return said is not None


def fresh() -> str:
    return uuid.uuid4().hex


def conflicts(answer: httpx.Response) -> None:
    refused(answer, 422, 1012, "Send the same body again, or a new key.", "Idempotency-Key")


@pytest.mark.parametrize("wire", ["quickstart", "reference"])
def test_a_submit_sent_again_is_answered_again_and_free(callers, wire: str) -> None:
    caller, key = callers(wire=wire), fresh()
    first, again = send(caller, key, image_number=2), send(caller, key, image_number=2)
    assert (is_replay(first), is_replay(again)) == (False, True)
    assert succeeded(again) == succeeded(first)
    assert balance(caller) == 999


def test_a_finished_task_is_answered_as_at_first(caller) -> None:
    key = fresh()
    first = succeeded(send(caller, key))
    finished(caller, first["task_id"])
    assert succeeded(send(caller, key)) == first


def test_order_whitespace_and_nulls_make_no_other_body(caller) -> None:
    key = fresh()
    first = succeeded(send(caller, key))
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    body = '{ "seed": null,  "resolution":"64x64",\n"prompt":"abstract shapes","model": "PAINTER" }'
    answer = caller.post(f"/growthai{TEXT_TO_IMAGE}", content=body, headers=headers)
    assert is_replay(answer)
    assert succeeded(answer) == first


def test_another_body_under_the_key_conflicts(caller) -> None:
    key = fresh()
    submit_id = succeeded(send(caller, key))["batch_id"]
    conflicts(send(caller, key, prompt="abstract lines"))
    conflicts(send(caller, key, seed=1))
    assert succeeded(send(caller, key))["batch_id"] == submit_id
    assert balance(caller) == 999.5


def test_another_kind_under_the_key_conflicts(caller) -> None:
    key, images = fresh(), [data_url(picture())]
    # Text to image passes a field that it does not know, so that the bodies are the same.
    succeeded(send(caller, key, images=images))
    conflicts(send(caller, key, IMAGE_TO_IMAGE, images=images))


def test_a_conflict_in_the_reference_spelling_is_200_with_its_code(callers) -> None:
    caller, key = callers(wire="reference"), fresh()
    send(caller, key)
    answer = send(caller, key, seed=1)
    assert (answer.status_code, answer.json()["status"]) == (200, 1012)
    envelope(answer, "belongs to another request", "Idempotency-Key")


def test_a_key_is_its_account_s_own(callers) -> None:
    key = fresh()
    answers = [send(callers(), key) for _ in range(2)]
    assert not any(map(is_replay, answers))
    assert len({succeeded(one)["batch_id"] for one in answers}) == 2


def test_without_a_key_every_submit_is_a_new_one(caller) -> None:
    assert len({submit(caller)["batch_id"] for _ in range(3)}) == 3


@pytest.mark.parametrize("key", ["k", "!" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "~,;"])
def test_255_visible_characters_are_a_key(caller, key: str) -> None:
    assert not is_replay(send(caller, key))
    assert is_replay(send(caller, key))


@pytest.mark.parametrize("key", ["", "k" * 256, "a b", "a\tb", "é".encode(), "ключ".encode()])
def test_anything_else_is_none(careful, key: str | bytes) -> None:
    headers = [(b"Idempotency-Key", key if isinstance(key, bytes) else key.encode())]
    answer = careful.post(TEXT_TO_IMAGE, json=TINY, headers=headers)
    refused(answer, 400, 1002, "1 to 255 visible ASCII characters", "Idempotency-Key")


def test_two_keys_are_none(careful) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    answer = careful.post(TEXT_TO_IMAGE, json=TINY, headers=headers)
    refused(answer, 400, 1002, "one header", "Idempotency-Key")


@pytest.mark.parametrize(
    ("status", "wrong"),
    [(400, {"seed": -1}), (400, {"model": "NONE"}), (402, {"image_number": 4})],
)
def test_a_refusal_leaves_the_key_for_the_repaired_submit(callers, status, wrong) -> None:
    caller, key = callers(credits_given=1), fresh()
    assert send(caller, key, **wrong).status_code == status
    assert not is_replay(send(caller, key))
    assert is_replay(send(caller, key))


def test_a_replay_needs_no_credits(callers) -> None:
    caller, key = callers(credits_given=1), fresh()
    first = succeeded(send(caller, key, image_number=2))
    refused(send(caller, fresh()), 402, 1011)
    assert succeeded(send(caller, key, image_number=2)) == first


def test_a_replay_and_a_conflict_store_no_input(server: Server, caller) -> None:
    key, one, other = fresh(), picture(), picture()
    succeeded(send(caller, key, IMAGE_TO_IMAGE, images=[data_url(one)]))
    assert is_replay(send(caller, key, IMAGE_TO_IMAGE, images=[data_url(one)]))
    conflicts(send(caller, key, IMAGE_TO_IMAGE, images=[data_url(other)]))
    stored = [file.read_bytes() for file in server.data.joinpath("files").rglob("*.png")]
    assert (stored.count(one), stored.count(other)) == (1, 0)
    wanted = "SELECT count(*) FROM assets WHERE task_id IS NULL AND account_id = (SELECT"
    assert rows(server, f"{wanted} account_id FROM idempotency_keys WHERE key = %s)", key) == [(1,)]


def test_a_caller_who_hung_up_gets_its_answer_under_the_key(server: Server, caller) -> None:
    key = fresh()
    host, port = caller.base_url.host, caller.base_url.port
    request = caller.build_request("POST", TEXT_TO_IMAGE, json=TINY)
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    start = f"POST {TEXT_TO_IMAGE} HTTP/1.1\r\n{head}Idempotency-Key: {key}\r\n\r\n"
    with socket.create_connection((host, port), timeout=10) as connection:
        connection.sendall(start.encode() + request.read())
        # Gone before the answer is read, but not before the server has read the request.
        query = "SELECT batch_id FROM idempotency_keys WHERE key = %s"
        [(batch_id,)] = wait_until(lambda: rows(server, query, key))
    answer = send(caller, key)
    assert is_replay(answer)
    assert succeeded(answer)["batch_id"] == batch_id


def test_the_history_tells_a_replay_as_free(caller) -> None:
    key = fresh()
    answers = [send(caller, key) for _ in range(2)]

    def told() -> list[Any]:
        found = []
        for answer in answers:
            wanted = {"request_id": answer.json()["request_id"]}
            page = succeeded(caller.get("/v1/history", params=wanted))
            found += [(one["batch_id"], one["credits"]) for one in page["records"]]
        return found if len(found) == 2 else []

    first, again = wait_until(told)
    assert first[0] == again[0]
    assert (first[1], again[1]) == (0.5, 0)


def at_once(callers: list[httpx.Client], key: str) -> list[httpx.Response]:
    """The answers to one submit sent by `CALLERS_COUNT` threads, over the callers in turn."""
    with ThreadPoolExecutor(CALLERS_COUNT) as pool:
        sent = [
            pool.submit(send, callers[number % len(callers)], key)
            for number in range(CALLERS_COUNT)
        ]
        return [one.result() for one in sent]


def made_once(answers: list[httpx.Response]) -> str:
    """Assert that one batch was made; answers its task's id."""
    assert sum(not is_replay(one) for one in answers) == 1
    [made] = {(data["batch_id"], data["task_id"], data["cost"]) for data in map(succeeded, answers)}
    return str(made[1])


def test_thirty_at_once_make_one_batch(server: Server, caller) -> None:
    task_id = made_once(at_once([caller], fresh()))
    query = "SELECT account_id FROM tasks WHERE id = %s"
    [(account_id,)] = rows(server, query, task_id)
    assert rows(server, HELD, account_id) == [(1, 500)]
    assert balance(caller) == 999.5


@pytest.fixture
def pair(ground: Ground, tmp_path: Path) -> Iterator[Callable[[str], list[httpx.Client]]]:
    """Makes callers with one key, of two servers on one database."""
    servers = [serve(ground.conninfo, tmp_path / name, workers="0") for name in ("a", "b")]
    opened: list[httpx.Client] = []

    def made(key: str) -> list[httpx.Client]:
        headers = {"Authorization": f"Bearer {key}"}
        opened.extend(
            httpx.Client(base_url=one.url, headers=headers, timeout=30) for one in servers
        )
        return opened

    yield made
    for client in opened:
        client.close()
    for one in servers:
        one.stop()


def test_two_servers_make_one_batch_for_a_key(ground: Ground, pair) -> None:
    callers = pair(ground.key(ground.account().id))
    for _ in range(3):
        made_once(at_once(callers, fresh()))
    assert balance(callers[0]) == 998.5
