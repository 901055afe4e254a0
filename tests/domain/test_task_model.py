"""Random histories of tasks and workers against a model that a page holds, money included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from darkroom import config, errors, ids
from darkroom.domain import accounts, endings, failures, leases, rates, tasks
from darkroom.domain.assets import Asset
from darkroom.domain.tasks import FAILED, PENDING, PROCESSING, SUCCESS
from darkroom.engine import sweep
from darkroom.storage.database import Database
from ground import Ground

GIVEN, PRICE = 1_000_000, 100
WORKERS = ("w0", "w1", "w2")
ERRORS = (errors.BadInput, errors.BackendCrashed, errors.OutOfMemory, errors.Hindered)
# Attempts may be named that ended long ago, by workers that have lost them: then nothing happens.
ATTEMPTS = st.integers(0, 7)
TASKS = st.sampled_from(("M0", "M1"))
STEPS = st.one_of(
    st.tuples(st.just("claim"), TASKS, st.sampled_from(WORKERS)),
    st.tuples(st.just("claim"), TASKS, st.sampled_from(WORKERS)),
    st.tuples(st.just("join"), TASKS, st.sampled_from(WORKERS)),
    st.tuples(st.just("fail"), TASKS, ATTEMPTS, st.sampled_from(ERRORS)),
    st.tuples(st.sampled_from(("beat", "succeed", "give_back")), TASKS, ATTEMPTS),
    st.tuples(st.just("vanish"), TASKS),
    st.tuples(st.sampled_from(("lose", "pass_pause", "pass_deadline", "cancel")), TASKS),
    st.tuples(st.sampled_from(("recover", "expire")), st.just("")),
)


@dataclass
class Model:
    """One task as it should be."""

    status: str = PENDING
    attempt: int = 0
    strikes: int = 0
    crashes: int = 0
    code: int | None = None
    charged: int | None = None
    worker: str | None = None
    avoided: str | None = None
    is_paused: bool = False
    is_canceled: bool = False
    is_lost: bool = False
    is_late: bool = False

    def step(self, verb: str, *what: Any) -> bool:
        """Take a step if it is allowed; whether it is."""
        return bool(getattr(self, verb)(*what))

    def _is_held(self, attempt: int) -> bool:
        return self.status == PROCESSING and attempt == self.attempt

    def _end(self, status: str, code: int | None = None, charged: int = 0) -> bool:
        self.status, self.code, self.charged = status, code, charged
        return True

    def _wait_again(self, *, pauses: bool) -> bool:
        if self.is_canceled:
            return self._end(FAILED, errors.Canceled.code)
        self.status, self.is_paused, self.is_lost = PENDING, pauses, False
        self.avoided, self.worker = self.worker, None
        return True

    def claim(self, worker: str) -> bool:
        is_too_late = self.is_late and not self.attempt
        if self.status != PENDING or self.is_paused or is_too_late or worker == self.avoided:
            return False
        self.status, self.worker, self.avoided = PROCESSING, worker, None
        self.attempt += 1
        return True

    def join(self, worker: str) -> bool:
        """Be claimed beside another task: by the first attempt or not at all."""
        return not self.attempt and self.claim(worker)

    def beat(self, attempt: int) -> bool:
        if self._is_held(attempt):
            self.is_lost = False
        return self._is_held(attempt)

    def succeed(self, attempt: int) -> bool:
        return self._is_held(attempt) and self._end(SUCCESS, None, PRICE)

    def give_back(self, attempt: int) -> bool:
        return self._is_held(attempt) and self._wait_again(pauses=False)

    def fail(self, attempt: int, error: type[errors.TaskError]) -> bool:
        if not self._is_held(attempt):
            return False
        crashes = self.crashes + (error in (errors.BackendCrashed, errors.OutOfMemory))
        strikes = self.strikes + (error is errors.Hindered)
        if error is errors.BadInput or crashes == 2 or strikes == 3:
            return self._end(FAILED, error.code)
        if not self.is_canceled:
            self.crashes, self.strikes = crashes, strikes
        return self._wait_again(pauses=True)

    def recover(self) -> bool:
        if self.status != PROCESSING or not self.is_lost:
            return False
        if not self.is_canceled and self.strikes == 2:
            return self._end(FAILED, errors.AttemptsExhausted.code)
        self.strikes += not self.is_canceled
        return self._wait_again(pauses=False)

    def cancel(self) -> bool:
        if self.status in (SUCCESS, FAILED):
            return False
        self.is_canceled = True
        return self.status == PROCESSING or self._end(FAILED, errors.Canceled.code)

    def expire(self) -> bool:
        if self.status != PENDING or not self.is_late or self.attempt:
            return False
        return self._end(FAILED, errors.DeadlinePassed.code)

    def lose(self) -> bool:
        self.is_lost = self.status == PROCESSING
        return True

    def pass_pause(self) -> bool:
        self.is_paused, self.avoided = False, None
        return True

    def pass_deadline(self) -> bool:
        self.is_late = True
        return True


@dataclass
class Real:
    """The same two tasks in the database, and every claim that a worker ever had of them."""

    database: Database
    connection: psycopg.AsyncConnection[Any]
    account_id: str
    # Whose tasks lead: one of each model, claimed by a worker that never ends it.
    leading_id: str
    leads: dict[str, leases.Claim] = field(default_factory=dict)
    task_ids: dict[str, str] = field(default_factory=dict)
    claims: dict[tuple[str, int], leases.Claim] = field(default_factory=dict)

    async def step(self, verb: str, model: str, *what: Any) -> bool:
        """Take a step; whether it was allowed."""
        return bool(await getattr(self, verb)(model, *what))

    def _key(self, model: str) -> str:
        """A model that no history before this one has tasks of."""
        return f"{model} {self.account_id}"

    async def submit(self, model: str) -> None:
        """Submit the task, behind one that leads it."""
        await self._submit(model, self.leading_id)
        async with self.database.transaction() as tx:
            wanted = leases.Wanted([self._key(model)])
            [self.leads[model]] = await leases.claim(
                tx, "leading", wanted, tasks_max=1, lease_seconds=3600
            )
        [self.task_ids[model]] = await self._submit(model, self.account_id)

    async def _submit(self, model: str, account_id: str) -> tuple[str, ...]:
        key = self._key(model)
        async with self.database.transaction() as tx:
            found = await rates.publish(tx, [rates.Asked(key, "text-to-image", "image", PRICE)])
            asked = tasks.Submission(
                account_id=account_id,
                api_key_id=None,
                request_id=ids.new("req"),
                kind="text-to-image",
                model=key,
                input={"fields": {}, "files": {}},
                rate_id=found[key, "text-to-image"].id,
                price_mill=PRICE,
                count=1,
                seed=7,
                deadline_seconds=3600,
            )
            [batch] = await tasks.submit(tx, [asked])
        assert isinstance(batch, tasks.Batch)
        return batch.task_ids

    async def claim(self, model: str, worker: str) -> bool:
        # However slow the machine: a moment ago is now.
        await self._change(
            "not_before = now()", model, "not_before BETWEEN now() - interval '1 min' AND now()"
        )
        async with self.database.transaction() as tx:
            claimed = await leases.claim(
                tx, worker, leases.Wanted([self._key(model)]), tasks_max=2, lease_seconds=3600
            )
        self.claims |= {(model, one.attempt): one for one in claimed}
        return bool(claimed)

    async def join(self, model: str, worker: str) -> bool:
        async with self.database.transaction() as tx:
            claimed = await leases.claim_alike(
                tx, worker, self.leads[model], tasks_max=2, lease_seconds=3600
            )
        self.claims |= {(model, one.attempt): one for one in claimed}
        return bool(claimed)

    async def beat(self, model: str, attempt: int) -> bool:
        told = {(self.task_ids[model], attempt): 0.5}
        async with self.database.transaction() as tx:
            return bool(await leases.beat(tx, told, lease_seconds=3600))

    async def succeed(self, model: str, attempt: int) -> bool:
        made = Asset(ids.file_name("png"), "image/png", 5, b"x" * 32, 64, 64)
        async with self.database.transaction() as tx:
            claimed = self.claims.get((model, attempt))
            return claimed is not None and await leases.succeed(
                tx, claimed, [made], served_by="b", notes={}
            )

    async def give_back(self, model: str, attempt: int) -> bool:
        async with self.database.transaction() as tx:
            claimed = self.claims.get((model, attempt))
            return claimed is not None and await leases.requeue(
                tx, claimed, delay_seconds=0, strikes=0
            )

    async def fail(self, model: str, attempt: int, error: type[errors.TaskError]) -> bool:
        async with self.database.transaction() as tx:
            claimed = self.claims.get((model, attempt))
            ended = claimed is not None and await failures.end(tx, claimed, error(), served_by="b")
        # Only `pass_pause` ends a pause.
        await self._change("not_before = 'infinity'", model, "not_before > now()")
        return ended

    async def recover(self, _: str) -> int:
        return await sweep.recover_tasks(self.database)

    async def expire(self, _: str) -> int:
        return await sweep.expire_tasks(self.database)

    async def cancel(self, model: str) -> bool:
        async with self.database.transaction() as tx:
            done = await endings.cancel(tx, self.account_id, self.task_ids[model])
        return done.effect != endings.FINISHED

    async def lose(self, model: str) -> bool:
        return await self._change(
            "lease_until = now() - interval '1 s'", model, "status = 'PROCESSING'"
        )

    async def pass_pause(self, model: str) -> bool:
        return await self._change("not_before = now() - interval '1 h'", model, "true")

    async def pass_deadline(self, model: str) -> bool:
        return await self._change("deadline_at = now() - interval '1 s'", model, "true")

    async def _change(self, time: str, model: str, only: str) -> bool:
        """Let time pass for a task, by the clock that decides: the database's."""
        query = f"UPDATE tasks SET {time} WHERE id = %s AND {only}"
        await self.connection.execute(query, [self.task_ids[model]])
        return True


def _single(steps: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The steps, a worker's vanishing as the two that it is."""
    for step in steps:
        yield from [("lose", step[1]), ("recover", "")] if step[0] == "vanish" else [step]


async def compare(real: Real, steps: list[tuple[Any, ...]]) -> None:
    """Take the steps on both sides; they agree on each, on every row and on the money."""
    models = {"M0": Model(), "M1": Model()}
    for model in models:
        await real.submit(model)
    for verb, name, *what in _single(steps):
        allowed = [models[one].step(verb, *what) for one in ([name] if name else models)]
        did = await real.step(verb, name, *what)
        # A sweep looks at every task, and what it finds of other histories is theirs.
        assert did is any(allowed) or not name, (verb, name, what)
        await agree(real, models)


async def agree(real: Real, models: dict[str, Model]) -> None:
    """The rows are what the models say, and so is what the account has and has held."""
    query = (
        "SELECT status, attempt, strikes, crashes, error_code, charged_mill, worker_id,"
        " cancel_asked_at IS NOT NULL FROM tasks WHERE id = %s"
    )
    for name, one in models.items():
        row = await (await real.connection.execute(query, [real.task_ids[name]])).fetchone()
        assert row is not None
        held = row[6] if one.status in (PENDING, PROCESSING) else one.worker
        said = (one.status, one.attempt, one.strikes, one.crashes, one.code, one.charged)
        assert (*row[:6], held, row[7]) == (*said, one.worker, one.is_canceled), name
    async with real.database.statement() as tx:
        account = await accounts.get(tx, real.account_id)
    open_now = sum(one.status in (PENDING, PROCESSING) for one in models.values())
    charged = sum(one.charged or 0 for one in models.values())
    assert account.held_mill == PRICE * open_now
    assert account.available_mill == GIVEN - charged - account.held_mill


@settings(max_examples=50, suppress_health_check=[*HealthCheck])
@given(steps=st.lists(STEPS, min_size=8, max_size=40))
def test_any_history_of_tasks_is_what_the_model_says(ground: Ground, steps) -> None:
    assert (config.CRASHES_MAX, config.STRIKES_MAX) == (2, 3)
    account, leading = ground.account(), ground.account()

    async def story(database: Database) -> None:
        connected = psycopg.AsyncConnection.connect(database.conninfo, autocommit=True)
        async with await connected as connection:
            await compare(Real(database, connection, account.id, leading.id), steps)

    ground.run(story)
    assert ground.audit() == []
