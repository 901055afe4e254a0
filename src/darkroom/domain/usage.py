"""Usage: an account's requests, tasks and credits over time, from counts by hour and by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

import msgspec

from darkroom import config
from darkroom.domain import api_keys
from darkroom.storage.database import Transaction

Named = TypeVar("Named")

# How far back usage can be asked for: hours or days, and how many.
RANGES = {"24h": (1, 24), "7d": (24, 7), "30d": (24, 30), "90d": (24, 90)}
# Steps of durations are half octaves: step n begins at 2 ** (n / 2) milliseconds.
_STEP = 2**0.5


class Percentiles(msgspec.Struct, frozen=True):
    """Durations in milliseconds that half, 95 and 99 of a hundred kept to, within a tenth or so."""

    p50: float
    p95: float
    p99: float


class Moment(msgspec.Struct, frozen=True):
    """One hour or day: requests by outcome and their durations, ended tasks, credits charged.

    `refused`: the caller's doing; `failed`: the server's. `models` has (tasks, mill) of
    what succeeded by model.
    """

    at: datetime
    well: int
    refused: int
    failed: int
    latency: Percentiles | None
    tasks: int
    tasks_failed: int
    charged_mill: int
    models: Mapping[str, tuple[int, int]]


class Code(msgspec.Struct, frozen=True):
    """How many requests were refused with this status and code, or tasks failed with this code."""

    status: int | None
    code: int
    total: int


class Model(msgspec.Struct, frozen=True):
    """What was made with one model; `runs` are the times from start to end of what succeeded."""

    model: str
    tasks: int
    failed: int
    charged_mill: int
    runs: Percentiles | None


class Key(msgspec.Struct, frozen=True):
    """What was asked with one API key; without a name: from the console, or a key of long ago."""

    api_key_id: str | None
    name: str | None
    mask: str | None
    requests: int
    refused: int
    tasks: int
    charged_mill: int


class Usage(msgspec.Struct, frozen=True):
    """An account's usage over a range; a list is sorted by what there is most of."""

    moments: Sequence[Moment]
    latency: Percentiles | None
    refusals: Sequence[Code]
    failures: Sequence[Code]
    models: Sequence[Model]
    keys: Sequence[Key]

    def total(self, of: Callable[[Moment], int]) -> int:
        """The sum of one figure over all moments."""
        return sum(map(of, self.moments))


class _Start(msgspec.Struct, frozen=True):
    at: datetime


class _Calls(msgspec.Struct, frozen=True):
    summed_by: str
    starts_at: datetime
    outcome: str
    refused_status: int | None
    refused_code: int
    api_key_id: str
    requests: int
    refused: int | None


class _Latencies(msgspec.Struct, frozen=True):
    starts_at: datetime
    steps: list[int]
    requests: list[int]

    def counted(self) -> Iterable[tuple[int, int]]:
        """How many fell into each step."""
        return zip(self.steps, self.requests, strict=True)


class _Tasks(NamedTuple):
    has_succeeded: bool
    model: str
    step: int | None
    failed_code: int | None
    api_key_id: str
    tasks: int
    charged_mill: int


class _Sums(msgspec.Struct, frozen=True):
    summed_by: str
    starts_at: datetime | None
    has_succeeded: list[bool]
    models: list[str]
    steps: list[int | None]
    failed_codes: list[int | None]
    api_key_ids: list[str]
    tasks: list[int]
    charged_mill: list[int]

    def apart(self) -> list[_Tasks]:
        """The sums, each for itself."""
        columns = (self.has_succeeded, self.models, self.steps, self.failed_codes)
        return [*map(_Tasks, *columns, self.api_key_ids, self.tasks, self.charged_mill)]


class _Done(msgspec.Struct, frozen=True):
    total: int


# The sums of ended tasks by what they are summed by and, where that is the time, by the time.
_Ended = Mapping[tuple[str, datetime | None], list[_Tasks]]


async def note_end(tx: Transaction, task_id: str) -> None:
    """Have a task counted that this transaction has ended."""
    await tx.run("usage.add_task", task_id=task_id)


async def count(tx: Transaction, *, rows_max: int) -> int:
    """Count what is new, `rows_max` rows of requests and of tasks; answers the larger number."""
    calls = await tx.one(_Done, "usage.count_calls", rows_max=rows_max)
    tasks = await tx.one(_Done, "usage.count_tasks", rows_max=rows_max)
    return max(calls.total, tasks.total)


async def over(
    tx: Transaction,
    account_id: str,
    span: str,
    *,
    api_key_id: str | None = None,
    model: str | None = None,
) -> Usage:
    """The usage of the last hours or days of RANGES, of one key or of one model if asked so."""
    hours, count = RANGES[span]
    asked = {"hours": hours, "count": count, "account_id": account_id, "api_key_id": api_key_id}
    starting = tx.ask(_Start, "usage.starts", hours=hours, count=count)
    calling = tx.ask(_Calls, "usage.calls", **asked)
    timing = tx.ask(_Latencies, "usage.latencies", **asked)
    making = tx.ask(_Sums, "usage.tasks", **asked, model=model)
    known = await api_keys.list_for(tx, account_id)
    starts = [one.at for one in await starting.all()]
    calls, timed = _grouped(await calling.all()), await timing.all()
    ended = {(one.summed_by, one.starts_at): one.apart() for one in await making.all()}
    return Usage(
        moments=_moments(starts, calls, timed, ended),
        latency=percentiles(counted for one in timed for counted in one.counted()),
        refusals=_most(
            [
                Code(one.refused_status, one.refused_code, one.requests)
                for one in calls["code"]
                if one.refused_status is not None
            ],
            lambda one: one.total,
        ),
        failures=_most(
            [
                Code(None, one.failed_code, one.tasks)
                for one in ended.get(("code", None), ())
                if one.failed_code is not None
            ],
            lambda one: one.total,
        ),
        models=_models(ended),
        keys=_keys(known, calls["key"], ended.get(("key", None), ())),
    )


def _grouped(rows: Iterable[_Calls]) -> Mapping[str, list[_Calls]]:
    found: defaultdict[str, list[_Calls]] = defaultdict(list)
    for row in rows:
        found[row.summed_by].append(row)
    return found


def _most(rows: list[Named], of: Callable[[Named], int]) -> list[Named]:
    return sorted(rows, key=of, reverse=True)


def percentiles(steps: Iterable[tuple[int, int]]) -> Percentiles | None:
    """From how many durations fell into each step; None for none."""
    counted: defaultdict[int, int] = defaultdict(int)
    for step, total in steps:
        counted[step] += total
    if not counted:
        return None
    return Percentiles(*(_percentile(counted, share) for share in (0.5, 0.95, 0.99)))


def _percentile(counted: Mapping[int, int], share: float) -> float:
    """Within its step a duration is placed as if the logarithms lay evenly."""
    left = share * sum(counted.values())
    for step in sorted(counted):
        if left <= counted[step]:
            break
        left -= counted[step]
    return float(_STEP ** (step + left / counted[step]))


def _moments(
    starts: Sequence[datetime],
    calls: Mapping[str, list[_Calls]],
    timed: Sequence[_Latencies],
    ended: _Ended,
) -> list[Moment]:
    outcomes = {(one.starts_at, one.outcome): one.requests for one in calls["outcome"]}
    latency = {one.starts_at: percentiles(one.counted()) for one in timed}
    made = {at: ended.get(("outcome", at), []) for at in starts}
    return [
        Moment(
            at,
            outcomes.get((at, "well"), 0),
            outcomes.get((at, "refused"), 0),
            outcomes.get((at, "failed"), 0),
            latency.get(at),
            sum(one.tasks for one in made[at]),
            sum(one.tasks for one in made[at] if not one.has_succeeded),
            sum(one.charged_mill for one in made[at]),
            {one.model: (one.tasks, one.charged_mill) for one in made[at] if one.has_succeeded},
        )
        for at in starts
    ]


def _models(ended: _Ended) -> list[Model]:
    steps: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for one in ended.get(("step", None), ()):
        if one.step is not None:
            steps[one.model].append((one.step, one.tasks))
    by_model: defaultdict[str, list[_Tasks]] = defaultdict(list)
    for (summed_by, _), sums in ended.items():
        if summed_by == "outcome":
            for one in sums:
                by_model[one.model].append(one)
    made = [
        Model(
            model,
            sum(one.tasks for one in rows),
            sum(one.tasks for one in rows if not one.has_succeeded),
            sum(one.charged_mill for one in rows),
            percentiles(steps[model]),
        )
        for model, rows in by_model.items()
    ]
    return _most(made, lambda one: one.tasks)


def _keys(
    known: Iterable[api_keys.ApiKey], calls: Iterable[_Calls], tasks: Iterable[_Tasks]
) -> list[Key]:
    called = {one.api_key_id: one for one in calls}
    made = {one.api_key_id: one for one in tasks}
    named = {one.id: one for one in known}
    rows = []
    for key_id in {**called, **made}:
        call, task, key = called.get(key_id), made.get(key_id), named.get(key_id)
        rows.append(
            Key(
                key_id or None,
                key.name if key else None,
                key.mask if key else None,
                call.requests if call else 0,
                (call.refused or 0) if call else 0,
                task.tasks if task else 0,
                task.charged_mill if task else 0,
            )
        )
    return _most(rows, lambda one: one.requests)


async def forget(tx: Transaction, *, rows_max: int) -> int:
    """Remove up to `rows_max` old counts of requests and of tasks; answers the largest number."""
    kept = {
        "hours_kept_days": config.USAGE_HOURS_KEPT_DAYS,
        "days_kept_days": config.USAGE_DAYS_KEPT_DAYS,
    }
    calls = await tx.one(_Done, "usage.forget_calls", **kept, rows_max=rows_max)
    latencies = await tx.one(_Done, "usage.forget_latencies", **kept, rows_max=rows_max)
    tasks = await tx.one(_Done, "usage.forget_tasks", **kept, rows_max=rows_max)
    return max(calls.total, latencies.total, tasks.total)
