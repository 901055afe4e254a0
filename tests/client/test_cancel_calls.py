"""Cancel and deadline through the SDK, in both colours, against the real server."""

from __future__ import annotations

import pytest
from scripted import COLOURS

from darkroom import client

TINY = {"prompt": "a lake", "model": "PAINTER", "resolution": "64x64"}


@pytest.mark.parametrize("colour", COLOURS, ids=lambda colour: colour.__name__)
def test_cancel_answers_tasks_with_what_it_did(server, colour) -> None:
    key = server.ground.key(server.ground.account().id)

    def tell(story):
        return colour(server.url, story, key)

    made = tell(lambda c: c.submit("text-to-image", deadline_seconds=600, image_number=2, **TINY))
    batch = tell(lambda c: c.cancel_batch(made.batch_id))
    assert tuple(task.id for task in batch) == made.task_ids
    assert {task.data["cancel"]["effect"] for task in batch} <= {
        "ended",
        "asked",
        "already finished",
    }
    again = tell(lambda c: c.cancel(made.task_ids[0]))
    assert again.id == made.task_ids[0]
    assert again.data["deadline_at"] > again.data["created_at"]
    with pytest.raises(client.NotFound, match="task not exist"):
        tell(lambda c: c.cancel("task_0"))


@pytest.mark.parametrize("colour", COLOURS, ids=lambda colour: colour.__name__)
def test_delete_answers_the_task_without_its_files(server, colour) -> None:
    key = server.ground.key(server.ground.account().id)

    def tell(story):
        return colour(server.url, story, key)

    [made] = tell(lambda c: c.generate("text-to-image", **TINY))
    gone = tell(lambda c: c.delete(made.id))
    assert (gone.id, gone.status, gone.files) == (made.id, "SUCCESS", ())
    assert gone.data["deleted_at"]
    with pytest.raises(client.NotFound, match="task not exist"):
        tell(lambda c: c.delete("task_0"))
