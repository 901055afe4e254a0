"""The queue is fair over accounts, as callers of real processes see it."""

from __future__ import annotations

from e2e_house import House, ended, status, submit

from darkroom.domain import accounts
from ground import wait_until


def test_a_single_task_does_not_wait_for_another_account_s_sixty(house: House) -> None:
    house.start("serve", "--workers", "2")
    crowd, single = house.client(), house.client()
    ids = submit(crowd, "plain", 60)
    wait_until(lambda: len(house.marks()) >= 2)
    ended(single, submit(single, "plain"))
    waiting = [one for one in ids if status(crowd, one)["task_status"] == "PENDING"]
    # Those that ran when it came, and as many again until it was asked: nearly all still wait.
    assert len(waiting) > 40
    assert {one["task_status"] for one in ended(crowd, ids)} == {"SUCCESS"}


def test_over_its_cap_an_account_leaves_the_workers_to_others(house: House) -> None:
    house.start("serve", "--workers", "2")
    account = house.ground.account()
    capped, other = house.client_of(account.id), house.client()

    async def limit(database):
        async with database.statement() as tx:
            limits = accounts.Limits(running_max=1, waiting_max=2)
            await accounts.limit(tx, account.id, limits)

    house.ground.run(limit)
    [held] = submit(capped, "wait")
    ids = submit(capped, "plain", 2)
    refused = capped.post("/v1/generation/text-to-image", json={"model": "PROBE", "prompt": "x"})
    assert (refused.status_code, refused.json()["status"]) == (503, 1007)
    assert int(refused.headers["Retry-After"]) > 0
    wait_until(lambda: len(house.marks()) == 1)
    ended(other, submit(other, "plain", 3))
    assert {status(capped, one)["task_status"] for one in ids} == {"PENDING"}
    assert capped.post(f"/v1/generation/{held}/cancel").status_code == 200
    assert {one["task_status"] for one in ended(capped, ids)} == {"SUCCESS"}
