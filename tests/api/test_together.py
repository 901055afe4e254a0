"""What arrives together is done together, with an answer for each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from darkroom import errors
from darkroom.api.together import Together


class Work:
    """Doubles numbers, remembers its groups, and waits to be let go."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.groups.append([*items])
        self.begun.set()
        await self.go.wait()
        if 13 in items:
            raise errors.StatementRefused
        if 99 in items:
            raise errors.DatabaseUnavailable
        return [2 * item for item in items]


def told(items: Sequence[int], items_max: int = 64) -> tuple[list[object], list[list[int]]]:
    """The outcome of each item, the first asked before the others, and the groups they went in."""

    async def story() -> tuple[list[object], list[list[int]]]:
        work = Work()
        together = Together(work, items_max=items_max)
        asking = [asyncio.create_task(together.ask(item)) for item in items[:1]]
        await work.begun.wait()
        asking += [asyncio.create_task(together.ask(item)) for item in items[1:]]
        await asyncio.sleep(0)
        work.go.set()
        return await asyncio.gather(*asking, return_exceptions=True), work.groups

    return asyncio.run(story())


def test_a_lone_item_waits_for_nobody():
    assert told([1]) == ([2], [[1]])


def test_what_comes_during_a_flight_shares_the_next():
    assert told([1, 2, 3, 4]) == ([2, 4, 6, 8], [[1], [2, 3, 4]])


def test_a_group_is_bounded():
    assert told([1, 2, 3, 4], items_max=2)[1] == [[1], [2, 3], [4]]


def test_a_refused_statement_is_its_own_items_only():
    outcomes, groups = told([1, 2, 13, 4])
    assert [type(one) for one in outcomes] == [int, int, errors.StatementRefused, int]
    assert groups == [[1], [2, 13, 4], [2], [13], [4]]


def test_a_database_that_is_away_is_told_to_all_at_once():
    outcomes, groups = told([1, 2, 99])
    assert [type(one) for one in outcomes[1:]] == [errors.DatabaseUnavailable] * 2
    assert groups == [[1], [2, 99]]


class Slow:
    """Lets others follow at once or at its end, and ends when it is let go."""

    def __init__(self, *, lets_follow: bool) -> None:
        self.groups: list[int] = []
        self.lets_follow = lets_follow
        self.together = Together(self, items_max=64, flights_max=2)
        self.go = asyncio.Event()

    async def __call__(self, items: Sequence[int]) -> Sequence[int]:
        self.groups.append(len(items))
        if self.lets_follow:
            self.together.follow()
        await self.go.wait()
        return items


@pytest.mark.parametrize(
    ("lets_follow", "asked", "begun"),
    [
        (True, [1, 1], [1]),  # not worth a flight beside the first
        (True, [1, 20], [1, 20]),
        (True, [1, 20, 20], [1, 20]),  # only two at once
        (False, [1, 20], [1]),  # the first could still be overtaken
    ],
)
def test_a_second_flight_begins_beside_the_first_when_it_may_and_is_worth_it(
    lets_follow, asked, begun
):
    async def story() -> list[int]:
        work = Slow(lets_follow=lets_follow)
        asking = []
        for count in asked:
            asking += [asyncio.create_task(work.together.ask(item)) for item in range(count)]
            for _ in range(5):
                await asyncio.sleep(0)
        groups = [*work.groups]
        work.go.set()
        assert len(await asyncio.gather(*asking)) == sum(work.groups)
        return groups

    assert asyncio.run(story()) == begun


def test_one_who_stops_waiting_stops_nobody_else():
    async def story() -> int:
        work = Work()
        together = Together(work, items_max=64)
        gone = asyncio.create_task(together.ask(1))
        stays = asyncio.create_task(together.ask(2))
        await asyncio.sleep(0)
        gone.cancel()
        work.go.set()
        with pytest.raises(asyncio.CancelledError):
            await gone
        return await stays

    assert asyncio.run(story()) == 4
