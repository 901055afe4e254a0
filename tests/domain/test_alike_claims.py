"""Claims of tasks that can run in one call with one just claimed: which they are, and which not."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from queueing import Queue, opened

from darkroom.domain import leases

FIELDS = {"width": 64, "height": 64}


def _story(ground, told):
    async def story(database):
        return await told(await opened(database))

    return ground.run(story)


def _input(**fields: Any) -> dict[str, Any]:
    return {"fields": FIELDS | fields, "files": {}}


def test_they_are_the_next_of_the_queue_whosever_they_are(ground):
    one, other = ground.account(), ground.account()

    async def told(queue: Queue):
        mine = await queue.submit(one.id, 3, input=_input(prompt="a", image_number=3))
        [theirs] = await queue.submit(other.id, input=_input(prompt="b", negative_prompt="c"))
        [lead] = await queue.claim()
        alike = await queue.claim_alike(lead, 2)
        assert {one.attempt for one in alike} == {1}
        assert [one.input["fields"]["prompt"] for one in alike] == ["b", "a"]
        left = await queue.claim(5)
        return [lead.id, *(one.id for one in alike)], [one.id for one in left], mine, theirs

    claimed, left, mine, theirs = _story(ground, told)
    assert claimed == [mine[0], theirs, mine[1]]
    assert left == [mine[2]]


@pytest.mark.parametrize(
    "unlike",
    [
        {"model": "N", "input": _input()},
        {"kind": "image-to-image", "input": _input()},
        {"input": _input(width=128)},
        {"input": _input(use_web_search=True)},
        {"input": {"fields": FIELDS, "files": {"images": ["file:x"]}}},
    ],
)
def test_what_differs_in_more_than_its_words_is_left(ground, unlike: dict[str, Any]):
    account = ground.account()

    async def told(queue: Queue):
        await queue.submit(account.id, input=_input(prompt="a"))
        await queue.submit(account.id, **unlike)
        [lead] = await queue.claim()
        return await queue.claim_alike(lead)

    assert _story(ground, told) == []


def test_their_files_may_differ_and_not_how_many_they_are(ground):
    account = ground.account()

    def held(**files: Any) -> dict[str, Any]:
        return {"fields": FIELDS | {"prompt": str(files)}, "files": files}

    async def told(queue: Queue):
        await queue.submit(account.id, input=held(images=["file:a"]))
        for files in (
            *({"images": ["file:b"]}, {"images": ["file:a", "file:b"]}, {"image": ["file:a"]}),
            *({}, {"images": ["https://example.com/a.png"]}),
        ):
            await queue.submit(account.id, input=held(**files))
        [lead] = await queue.claim()
        return [one.input["files"]["images"] for one in await queue.claim_alike(lead)]

    assert _story(ground, told) == [["file:b"], ["https://example.com/a.png"]]


def test_what_was_tried_before_runs_alone(ground):
    account = ground.account()

    async def told(queue: Queue):
        ids = await queue.submit(account.id, 3, input=_input())
        lead, tried = await queue.claim(2)
        async with queue.database.transaction() as tx:
            assert await leases.requeue(tx, tried, delay_seconds=0, strikes=0)
        return ids[2], [one.id for one in await queue.claim_alike(lead)]

    fresh, alike = _story(ground, told)
    assert alike == [fresh]


def test_of_an_account_that_may_run_one_task_there_are_never_two(ground):
    account = ground.account()

    async def told(queue: Queue):
        await queue.limit(account.id, running_max=1)
        await queue.submit(account.id, 4, input=_input())
        found = []
        for _ in range(4):
            [lead] = await queue.claim()
            found.append(len(await queue.claim_alike(lead)))
            await queue.end(lead)
        return found

    assert _story(ground, told) == [0] * 4


def test_the_canceled_and_the_late_are_left(ground):
    account = ground.account()

    async def told(queue: Queue):
        ids = await queue.submit(account.id, 3, input=_input(), deadline_seconds=3600)
        await queue.cancel(account.id, ids[1])
        [lead] = await queue.claim()
        query = "UPDATE tasks SET deadline_at = now() - interval '1 s' WHERE id = %s"
        with psycopg.connect(ground.conninfo) as connection:
            connection.execute(query, [ids[2]])
        return await queue.claim_alike(lead)

    assert _story(ground, told) == []


def test_of_many_workers_at_once_each_task_is_one_s(ground):
    account = ground.account()

    async def told(queue: Queue):
        ids = await queue.submit(account.id, 60, input=_input())
        leads = await queue.claim(8)
        rounds = await asyncio.gather(*(queue.claim_alike(lead, 5) for lead in leads))
        found = [one.id for alike in (leads, *rounds) for one in alike]
        assert len(found) == len(set(found))
        while more := await queue.claim(8):
            found += [one.id for one in more]
        return sorted(found) == sorted(ids)

    assert _story(ground, told)


def test_who_comes_now_is_not_put_behind_what_went_ahead(ground):
    """The present stays where the first of a call took it, however many run beside it."""
    one, other = ground.account(), ground.account()

    async def told(queue: Queue):
        await queue.submit(one.id, 5, input=_input())
        [lead] = await queue.claim()
        assert len(await queue.claim_alike(lead, 3)) == 3
        [late] = await queue.submit(other.id, input=_input(width=128))
        return [claimed.id for claimed in await queue.claim(2)].index(late)

    assert _story(ground, told) == 0
