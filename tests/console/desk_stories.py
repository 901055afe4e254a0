"""Stories of the desk: what its tests do and read over and over."""

from __future__ import annotations

import re
from typing import Any

import httpx
from console_visitors import Visitor

from darkroom.domain import accounts, acts
from darkroom.storage.database import Database
from ground import Server, wait_until

TINY = {"model": "PAINTER", "prompt": "a lake", "resolution": "64x64"}


def admin_id(server: Server) -> str:
    """The id of a fresh admin's account."""
    account = server.ground.account(0)

    async def made(database: Database) -> None:
        async with database.transaction() as tx:
            await accounts.set_admin(tx, account.id, is_admin=True)

    server.ground.run(made)
    return account.id


def deeds(server: Server, **wanted: str) -> list[acts.Act]:
    """The acts that fit, the newest first."""

    async def listed(database: Database) -> list[acts.Act]:
        async with database.statement() as tx:
            return await acts.list_all(tx, acts.Filter(**wanted))

    found: list[acts.Act] = server.ground.run(listed)
    return found


def submit(server: Server, key: str, *, kind: str = "text-to-image", **more: Any) -> str:
    """The id of a task that the key's account submits."""
    answer = httpx.post(
        f"{server.url}/v1/generation/{kind}",
        headers={"Authorization": f"Bearer {key}"},
        json=TINY | more,
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    task_id: str = answer.json()["data"]["task_id"]
    return task_id


def status_of(admin: Visitor, task_id: str) -> str:
    """A task's status, as its page shows it."""
    page = story(admin, task_id)
    found = re.search(r'<span class="badge \w*">(\w+)</span>', page)
    assert found, page
    return found[1]


def succeeded(admin: Visitor, task_id: str) -> None:
    """Wait until a task has succeeded, behind whatever else waits for the one server."""
    wait_until(
        lambda: status_of(admin, task_id) == "SUCCESS", seconds_max=120, what=f"{task_id}'s success"
    )


def story(admin: Visitor, task_id: str) -> str:
    """A task's page."""
    return admin.get(f"/admin/tasks/{task_id}").text
