"""`darkroom cancel` against the real server."""

from __future__ import annotations

SMALL = ("--model", "PAINTER", "--resolution", "160x96", "--deadline", "3600")


def test_cancel_of_a_task_says_what_it_did(served) -> None:
    made = served()("generate", "text-to-image", "--prompt", "a lake", *SMALL, "--json").json
    [task_id] = made["task_ids"]
    told = served()("cancel", task_id, "--json").json
    assert told["tasks"] == [
        {"task_id": task_id, "status": "SUCCESS", "effect": "already finished"}
    ]
    assert task_id in served()("cancel", task_id).out


def test_cancel_of_an_unknown_task_or_batch_is_one_sentence(served) -> None:
    assert "task not exist" in served()("cancel", "task_0").sentence
    assert "batch not exist" in served()("cancel", "1").sentence
