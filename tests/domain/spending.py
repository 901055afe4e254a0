"""What the tests of spend limits share: accounts with limited keys, submits and ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from darkroom import ids
from darkroom.domain import api_keys, endings, leases, rates, tasks
from darkroom.domain.assets import Asset
from darkroom.storage.database import Database
from ground import Ground

KIND, MODEL = "text-to-image", "M"


@dataclass(frozen=True)
class Till:
    """One account's keys, and what is bought with them."""

    database: Database
    account_id: str
    rate_id: int

    async def key(self, mill: int | None = None, period: str = "total") -> api_keys.ApiKey:
        """A key with this spend limit."""
        rules = api_keys.Rules(spend_mill_max=mill, spend_period=period if mill else None)
        async with self.database.transaction() as tx:
            return (await api_keys.create(tx, self.account_id, rules=rules))[1]

    def asked(self, key: api_keys.ApiKey, mill: int, count: int = 1, **more: Any) -> Any:
        """A submission with the key of so many tasks, each at this price."""
        return tasks.Submission(
            account_id=self.account_id,
            api_key_id=key.id,
            request_id=ids.new("req"),
            kind=KIND,
            model=MODEL,
            input={"fields": {}, "files": {}},
            rate_id=self.rate_id,
            price_mill=mill,
            count=count,
            seed=7,
            is_spend_limited=key.spend_mill_max is not None,
            **more,
        )

    async def submit(self, *asked: tasks.Submission) -> Sequence[Any]:
        """The outcomes of submissions that arrive together."""
        async with self.database.transaction() as tx:
            return await tasks.submit(tx, asked)

    async def cancel(self, task_id: str) -> bool:
        """Cancel a task; whether that ended it."""
        async with self.database.transaction() as tx:
            done = await endings.cancel(tx, self.account_id, task_id)
        return done.effect == endings.ENDED

    async def succeed(self) -> str | None:
        """Claim the next task and end it well; its id."""
        async with self.database.transaction() as tx:
            claimed = await leases.claim(
                tx, ids.new("wrk"), leases.Wanted([MODEL]), tasks_max=1, lease_seconds=60
            )
        if not claimed:
            return None
        made = Asset(ids.file_name("png"), "image/png", 5, b"x" * 32, 64, 64)
        async with self.database.transaction() as tx:
            assert await leases.succeed(tx, claimed[0], [made], served_by="b", notes={})
        return claimed[0].id

    async def spent(self, key: api_keys.ApiKey) -> int:
        """What is used of the key's limit in its period, as its owner sees it."""
        async with self.database.statement() as tx:
            return (await api_keys.owned(tx, self.account_id, key.id)).spent_mill

    async def limit(self, key: api_keys.ApiKey, mill: int | None, period: str = "total") -> Any:
        """Another limit for a key; the key as it is then."""
        rules = api_keys.Rules(spend_mill_max=mill, spend_period=period if mill else None)
        async with self.database.transaction() as tx:
            return await api_keys.change(tx, key, name=key.name, rules=rules)

    async def rotate(self, key: api_keys.ApiKey) -> Any:
        """The key that takes another's place."""
        async with self.database.transaction() as tx:
            return (await api_keys.rotate(tx, key, overlap_hours=1))[1]

    async def pass_month(self) -> None:
        """Let a month pass, by the clock of the rows: all that was is a month older."""
        connected = psycopg.AsyncConnection.connect(self.database.conninfo, autocommit=True)
        async with await connected as connection:
            await connection.execute("UPDATE holds SET created_at = created_at - interval '1 mon'")
            # The oldest first: two months never meet in one row.
            rows = await connection.execute("SELECT DISTINCT month FROM key_spending ORDER BY 1")
            for (month,) in await rows.fetchall():
                await connection.execute(
                    "UPDATE key_spending SET month = month - interval '1 mon' WHERE month = %s",
                    [month],
                )


def run(ground: Ground, story: Callable[[Till], Awaitable[Any]], credits_given: int = 1000) -> Any:
    """Run a coroutine function over the till of a fresh account."""
    account = ground.account(credits_given)

    async def told(database: Database) -> Any:
        async with database.transaction() as tx:
            found = await rates.publish(tx, [rates.Asked(MODEL, KIND, "image", 100)])
        return await story(Till(database, account.id, found[MODEL, KIND].id))

    return ground.run(told)
