"""The torture of webhooks: tasks end by the thousand, receivers misbehave, daemons are killed.

First in calm, to receivers that are well: how long a webhook takes. Then in chaos: receivers that
fail, hang, redirect inward, reset and ask for patience beside those that are well, and daemons that
are killed at random. At the end every task whose receiver is well, or becomes so, was delivered at
least once, and under one webhook-id only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from darkroom import errors, ids, signing
from darkroom.domain import accounts, endings, leases, ledger, rates, tasks, workers
from darkroom.storage import migrate
from darkroom.storage.database import Database
from darkroom.storage.embedded import Embedded
from ground import wait_until

RECEIVER = Path(__file__).parent.parent / "e2e" / "receiver.py"
KIND, MODEL, WORKER = "text-to-image", "M", "wrk_torture"
DAEMONS, ACCOUNTS = 2, 4
# Where a task's webhook goes, how often, and whether it arrives in the end.
PLACES = (
    ("/ok", 60, True),
    ("/slow/0.2", 10, True),
    ("/flaky/1", 8, True),
    ("/later/1", 6, True),
    ("/500", 5, False),
    ("/hang", 3, False),
    ("/inward", 4, False),
    ("/reset", 4, False),
)
ARRIVES = {path for path, _, arrives in PLACES if arrives}
SECONDS_MAX = 300.0
# Between two ends while it is calm.
_CALM_SECONDS = 0.02


@dataclass
class Stage:
    """A database, its daemons and a receiver."""

    conninfo: str
    folder: Path
    environment: dict[str, str]
    port: int
    dice: random.Random
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)
    kills: int = 0

    def start(self) -> None:
        """One more daemon."""
        with (self.folder / "daemons.log").open("ab") as log:
            command = [sys.executable, "-m", "darkroom", "daemon"]
            one = subprocess.Popen(
                command, env=self.environment, stdout=subprocess.PIPE, stderr=log
            )
        self.daemons.append(one)

    def wait_ready(self) -> None:
        """Wait until every daemon says that it runs."""
        for one in self.daemons:
            assert one.stdout is not None
            assert one.stdout.readline().startswith(b"Darkroom")

    def kill_one(self) -> None:
        """End a daemon as a power cut would, and start another."""
        victim = self.daemons.pop(self.dice.randrange(len(self.daemons)))
        victim.kill()
        victim.wait()
        self.kills += 1
        self.start()

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a query answers."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            return connection.execute(query, values).fetchall()

    def received(self) -> list[dict[str, Any]]:
        """Every request that the receiver got."""
        lines = (self.folder / "received.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def memory_mb(self) -> list[int]:
        """What each daemon holds."""
        found = []
        for one in self.daemons:
            status = Path(f"/proc/{one.pid}/status").read_text()
            found.append(int(status.partition("VmRSS:")[2].split()[0]) // 1024)
        return found


def webhook_url(stage: Stage, number: int, path: str) -> str:
    """An address of the receiver, which has four of them."""
    return f"http://127.0.0.{number % 4 + 1}:{stage.port}{path}"


async def end_tasks(
    stage: Stage, database: Database, count: int, paths: list[str], pause_seconds: float
) -> None:
    """End so many tasks, by success, failure and cancel, each told to one of the paths."""
    async with database.transaction() as tx:
        rate = (await rates.publish(tx, [rates.Asked(MODEL, KIND, "image", 1)]))[MODEL, KIND]
        await workers.see(tx, WORKER, host="here", models=[MODEL], slots=1)
        owners = [await accounts.create(tx, f"{ids.new('a')}@a.example") for _ in range(ACCOUNTS)]
        for owner in owners:
            await ledger.grant(tx, owner.id, 1_000_000, "torture")
    for begun in range(0, count, 40):
        submissions = [
            tasks.Submission(
                account_id=stage.dice.choice(owners).id,
                api_key_id=None,
                request_id=ids.new("req"),
                kind=KIND,
                model=MODEL,
                input={"fields": {}, "files": {}},
                rate_id=rate.id,
                price_mill=1,
                count=1,
                seed=7,
                webhook_url=webhook_url(stage, number, stage.dice.choice(paths)),
                webhook_events=["ended"],
                base_url="http://here.example",
            )
            for number in range(min(40, count - begun))
        ]
        async with database.transaction() as tx:
            outcomes = await tasks.submit(tx, submissions)
        for one, asked in zip(outcomes, submissions, strict=True):
            assert isinstance(one, tasks.Batch), one
            if stage.dice.random() < 0.2:
                async with database.transaction() as tx:
                    await endings.cancel(tx, asked.account_id, one.task_ids[0])
        while True:
            async with database.statement() as tx:
                wanted = leases.Wanted([MODEL])
                claimed = await leases.claim(tx, WORKER, wanted, tasks_max=20, lease_seconds=60)
            if not claimed:
                break
            for mine in claimed:
                async with database.transaction() as tx:
                    if stage.dice.random() < 0.2:
                        await leases.fail(tx, mine, errors.BackendFailed(), served_by="b")
                    else:
                        await leases.succeed(tx, mine, [], served_by="painter", notes={})
                await asyncio.sleep(pause_seconds)


def submit_and_end(stage: Stage, count: int, paths: list[str], pause_seconds: float = 0.0) -> None:
    """The same, with a database of its own."""

    async def story() -> None:
        database = Database(stage.conninfo)
        await database.open()
        try:
            await end_tasks(stage, database, count, paths, pause_seconds)
        finally:
            await database.close()

    asyncio.run(story())


def settle(stage: Stage) -> None:
    """Wait until all that can arrive has, without waiting for the longer pauses."""
    arriving = "substring(url FROM '[0-9](/.*)$') = ANY(%s) AND status <> 'DELIVERED'"

    def is_over() -> bool:
        stage.rows(
            "UPDATE webhook_deliveries SET next_at = now() WHERE lease_until IS NULL AND "
            f"next_at > now() + interval '7 s' AND status = 'PENDING' AND {arriving} RETURNING 1",
            [*ARRIVES],
        )
        left = stage.rows(f"SELECT count(*) FROM webhook_deliveries WHERE {arriving}", [*ARRIVES])
        return left == [(0,)]

    wait_until(is_over, seconds_max=SECONDS_MAX, what="the arrival of all that can arrive")


def latencies_ms(stage: Stage) -> list[float]:
    """From the end of each task to its first receipt."""
    ended = dict(
        stage.rows(
            "SELECT id, extract(epoch FROM finished_at)::float8 FROM tasks "
            "WHERE finished_at IS NOT NULL"
        )
    )
    first: dict[str, float] = {}
    for one in stage.received():
        first.setdefault(json.loads(one["body"])["data"]["task_id"], one["at"])
    return sorted((at - ended[task_id]) * 1000 for task_id, at in first.items())


def prove(stage: Stage, count: int) -> Counter[str]:
    """Compare what was received with what ended; raises on the first broken promise."""
    deliveries = stage.rows(
        "SELECT id, task_id, account_id, substring(url FROM '[0-9](/.*)$'), status, attempts "
        "FROM webhook_deliveries"
    )
    assert len(deliveries) == count, f"{count} tasks ended, {len(deliveries)} deliveries"
    assert len({task_id for _, task_id, *_ in deliveries}) == count
    secrets = dict(stage.rows("SELECT account_id, secret FROM webhook_secrets"))
    account_of = {delivery_id: account_id for delivery_id, _, account_id, *_ in deliveries}
    names: dict[str, set[str]] = defaultdict(set)
    repeats: Counter[str] = Counter()
    for one in stage.received():
        body = json.loads(one["body"])
        webhook_id = one["headers"]["webhook-id"]
        names[body["data"]["task_id"]].add(webhook_id)
        repeats[webhook_id] += 1
        signing.verify(
            one["headers"], one["body"], secrets[account_of[webhook_id]], tolerance_seconds=3600
        )
    for delivery_id, task_id, _, path, status, attempts in deliveries:
        assert attempts >= 1, f"{delivery_id} to {path} was never tried"
        if path in ARRIVES:
            assert status == "DELIVERED", f"{delivery_id} to {path} is {status}"
            assert names[task_id] == {delivery_id}, f"{task_id} came as {names[task_id]}"
        else:
            assert status == "PENDING", f"{delivery_id} to {path} is {status}"
    return Counter(times for webhook_id, times in repeats.items())


@contextlib.contextmanager
def raised(folder: Path, seed: int) -> Iterator[Stage]:
    """A database, a receiver and its daemons, ended with the block."""
    with (
        Embedded.start(folder / "postgres") as embedded,
        subprocess.Popen(
            [sys.executable, str(RECEIVER), str(folder)], stdout=subprocess.PIPE, text=True
        ) as receiver,
    ):
        asyncio.run(migrate.migrate(embedded.conninfo))
        assert receiver.stdout is not None
        port = int(receiver.stdout.readline())
        environment = {
            **os.environ,
            "DARKROOM_DATABASE_URL": embedded.conninfo,
            "DARKROOM_DATA": str(folder / "data"),
            "DARKROOM_OUTBOUND_ALLOW": "127.0.0.0/8",
            "DARKROOM_LEASE_SECONDS": "2",
        }
        stage = Stage(embedded.conninfo, folder, environment, port, random.Random(seed))
        try:
            for _ in range(DAEMONS):
                stage.start()
            stage.wait_ready()
            yield stage
        finally:
            for one in stage.daemons:
                one.terminate()
            for one in stage.daemons:
                one.wait(30)
            receiver.kill()


def torture(count: int, seed: int) -> None:
    """Calm, chaos, and the proof; prints the figures."""
    with tempfile.TemporaryDirectory() as name, raised(Path(name), seed) as stage:
        calm = max(count // 10, 20)
        submit_and_end(stage, calm, ["/ok"], _CALM_SECONDS)
        settle(stage)
        times = latencies_ms(stage)
        print(
            f"calm: {calm} tasks, end to receipt p50 {statistics.median(times):.0f} ms, "
            f"p95 {times[int(len(times) * 0.95)]:.0f} ms; memory {stage.memory_mb()} MB"
        )
        chaos(stage, count)
        began_at = time.monotonic()
        settle(stage)
        repeats = prove(stage, calm + count)
        print(
            f"chaos: {count} tasks, {stage.kills} daemons killed, all arrived "
            f"{time.monotonic() - began_at:.0f} s after the last ended; "
            f"webhook-ids by how often they came: {dict(sorted(repeats.items()))}; "
            f"memory {stage.memory_mb()} MB"
        )


def chaos(stage: Stage, count: int) -> None:
    """End tasks in a process of its own while daemons are killed."""
    paths = [path for path, weight, _ in PLACES for _ in range(weight)]
    pid = os.fork()
    if pid == 0:
        stage.dice.seed(stage.dice.random())
        status = 1
        try:
            submit_and_end(stage, count, paths)
            status = 0
        finally:
            os._exit(status)
    over = 0
    while not over:
        until = time.monotonic() + stage.dice.uniform(0.3, 1.5)
        while not over and time.monotonic() < until:
            over, status = os.waitpid(pid, os.WNOHANG)
            with contextlib.suppress(AssertionError):
                wait_until(lambda: False, seconds_max=0.05)
        stage.kill_one()
    assert status == 0, "the tasks could not be ended"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    torture(given.tasks, given.seed)
