"""Deletion over the wire: the files are gone for everybody, the task goes on being told."""

from __future__ import annotations

import httpx
from wire_calls import balance, finished, picture, refused, rows, status, submit, succeeded

from darkroom.domain.kinds.table import KINDS
from ground import Server


def test_a_deleted_tasks_files_are_gone(caller: httpx.Client) -> None:
    task_id = submit(caller)["task_id"]
    before = finished(caller, task_id)
    [address] = before["images"]
    assert httpx.get(address).status_code == 200
    left = balance(caller)
    deleted = succeeded(caller.post(f"/v1/generation/{task_id}/delete"))
    assert (deleted["task_status"], deleted["images"]) == ("SUCCESS", [])
    assert deleted["deleted_at"] is not None
    gone = httpx.get(address)
    assert (gone.status_code, gone.json()["status"]) == (410, 1003)
    told = status(caller, task_id)
    notes = {"digital_source_type": "algorithmicMedia"}
    left_of_it = {"images": [], "deleted_at": deleted["deleted_at"], "notes": notes}
    assert told == before | left_of_it
    again = succeeded(caller.post(f"/v1/generation/{task_id}/delete"))
    assert again["deleted_at"] == deleted["deleted_at"]
    assert balance(caller) == left


def test_another_accounts_task_is_not_found(server: Server, caller: httpx.Client) -> None:
    task_id = submit(caller)["task_id"]
    [address] = finished(caller, task_id)["images"]
    with server.caller() as other:
        refused(other.post(f"/v1/generation/{task_id}/delete"), 404, 1003)
    refused(caller.post("/v1/generation/task_none/delete"), 404, 1003)
    assert httpx.get(address).status_code == 200


def test_a_file_that_never_was_is_not_found(server: Server) -> None:
    assert httpx.get(f"{server.url}/files/{'0' * 32}.png").status_code == 404


def test_one_file_is_deleted_and_the_rest_stay(caller: httpx.Client) -> None:
    task_id = submit(caller)["task_id"]
    [address] = finished(caller, task_id)["images"]
    name = address.rpartition("/")[2]
    assert succeeded(caller.delete(f"/v1/files/{name}")) == {"file": name, "deleted": True}
    assert httpx.get(address).status_code == 410
    assert (status(caller, task_id)["images"], status(caller, task_id)["task_status"]) == (
        [],
        "SUCCESS",
    )
    refused(caller.delete(f"/v1/files/{name}"), 410, 1003)


def test_an_upload_is_deleted(caller: httpx.Client) -> None:
    sent = {"file": ("a.png", picture())}
    answer = succeeded(caller.post("/v1/generation/upload-file", files=sent))
    [address] = answer["object_url_list"]
    succeeded(caller.delete(f"/v1/files/{address.rpartition('/')[2]}"))
    assert httpx.get(address).status_code == 410


def test_another_accounts_file_is_not_found(server: Server, caller: httpx.Client) -> None:
    [address] = finished(caller, submit(caller)["task_id"])["images"]
    with server.caller() as other:
        refused(other.delete(f"/v1/files/{address.rpartition('/')[2]}"), 404, 1003)
        refused(other.delete("/v1/files/x.png"), 404, 1003)
    assert httpx.get(address).status_code == 200


def test_no_word_of_a_deleted_request_stays(server: Server) -> None:
    account = server.ground.account()
    with server.client(server.ground.key(account.id)) as caller:
        task_id = submit(caller, prompt="a zeppelin over foggy mountains")["task_id"]
        finished(caller, task_id)
        succeeded(caller.post(f"/v1/generation/{task_id}/delete"))
    kept = rows(
        server,
        "SELECT to_jsonb(b)::text || to_jsonb(t)::text FROM tasks t JOIN batches b"
        " ON b.id = t.batch_id WHERE t.account_id = %s",
        account.id,
    )
    [(text,)] = kept
    assert "zeppelin" not in text
    assert "mountains" not in text
    assert "algorithmicMedia" in text


def test_a_podcast_goes_whole(caller: httpx.Client) -> None:
    written = KINDS["podcast-text"]
    task_id = succeeded(caller.post(written.route, json=dict(written.example)))["task_id"]
    assert finished(caller, task_id)["scripts"]
    succeeded(caller.post(f"/v1/generation/{task_id}/delete"))
    told = status(caller, task_id)
    assert not told.get("scripts")
    refused(caller.post(f"/v1/generation/podcast/generate/{task_id}/audio", json={}), 404, 1003)
