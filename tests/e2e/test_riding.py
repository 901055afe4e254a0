"""A worker claims in the commit of a submit: once, and only while it has a child for it."""

from __future__ import annotations

from e2e_house import House, ended, submit

from ground import wait_until


def test_a_task_that_comes_to_an_idle_worker_begins_with_the_commit_of_its_submit(
    house: House,
) -> None:
    house.start("serve", "--workers", "1")
    caller = house.client()

    def began_at_once() -> bool:
        [task] = ended(caller, submit(caller, "plain"))
        return bool(task["started_at"] == task["created_at"])

    # The worker asks by itself once a second, and may just be at it.
    wait_until(began_at_once)


def test_of_a_batch_no_more_begin_with_it_than_there_are_children(house: House) -> None:
    house.start("serve", "--workers", "1")
    caller = house.client()
    tasks = ended(caller, submit(caller, "plain", 4))
    assert {task["task_status"] for task in tasks} == {"SUCCESS"}
    assert sum(task["started_at"] == task["created_at"] for task in tasks) <= 1
