"""Usage: an account's requests, tasks, credits and durations over time, as charts and tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from starlette.responses import Response

from darkroom.console import charts, meanings, rendering
from darkroom.console.charts import Chart, Series
from darkroom.console.visit import Page, Visit
from darkroom.domain import api_keys, ledger, usage

_RANGES = {"24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"}
_RANGE_DEFAULT = "7d"
# So many models have a colour of their own; the others share one.
_MODELS_MAX = 5


async def show(visit: Visit) -> Response:
    """The usage over a range, of one key or model if asked so."""
    asked = visit.request.query_params
    span = asked.get("range", _RANGE_DEFAULT)
    if span not in usage.RANGES:
        span = _RANGE_DEFAULT
    chosen = {
        name: text.replace("\x00", "")
        for name in ("api_key_id", "model")
        if (text := asked.get(name))
    }
    async with visit.edge.database.transaction() as tx:
        keys = await api_keys.list_for(tx, visit.account_id)
        found = await usage.over(tx, visit.account_id, span, **chosen)
    names = [_name(one.at, span) for one in found.moments]
    return visit.page(
        "usage.html",
        found=found,
        ranges=_RANGES,
        span=span,
        chosen=chosen,
        keys=keys,
        models=sorted({one.model for one in found.models} | {*chosen.get("model", "").split()}),
        totals=_totals(found),
        requests=_requests(names, found),
        latency=_latency(names, found),
        tasks=_tasks(names, found),
        credits=charts.stacked(names, _series(found, _credits), rendering.number),
        meaning_of_refusal=meanings.of_refusal,
        meaning_of_failure=meanings.of_failure,
    )


def _name(at: datetime, span: str) -> str:
    return f"{at:%H:%M}" if span == "24h" else f"{at:%b} {at.day}"


def _totals(found: usage.Usage) -> dict[str, int]:
    well, refused, failed = (
        found.total(lambda one: one.well),
        found.total(lambda one: one.refused),
        found.total(lambda one: one.failed),
    )
    return {
        "requests": well + refused + failed,
        "refused": refused,
        "failed": failed,
        "tasks": found.total(lambda one: one.tasks),
        "tasks_failed": found.total(lambda one: one.tasks_failed),
        "charged_mill": found.total(lambda one: one.charged_mill),
    }


def _requests(names: Sequence[str], found: usage.Usage) -> Chart:
    moments = found.moments
    return charts.stacked(
        names,
        [
            Series("Answered", "ok", [one.well for one in moments]),
            Series("Refused", "warn", [one.refused for one in moments]),
            Series("Failed", "bad", [one.failed for one in moments]),
        ],
        rendering.number,
    )


def _latency(names: Sequence[str], found: usage.Usage) -> Chart:
    known = [one.latency for one in found.moments]
    return charts.lines(
        names,
        [
            Series("p50", "c1", [one.p50 if one else None for one in known]),
            Series("p95", "c3", [one.p95 if one else None for one in known]),
            Series("p99", "c0", [one.p99 if one else None for one in known]),
        ],
        rendering.milliseconds,
    )


def _tasks(names: Sequence[str], found: usage.Usage) -> Chart:
    made = _series(found, lambda figures: figures[0])
    failed = Series("Failed", "bad", [one.tasks_failed for one in found.moments])
    return charts.stacked(names, [*made, failed], rendering.number)


def _credits(figures: tuple[int, int]) -> float:
    return float(ledger.credits_of(figures[1]))


def _series(found: usage.Usage, of: Callable[[tuple[int, int]], float]) -> list[Series]:
    """A series for each of the models that there is most of, and one for all others."""
    totals: defaultdict[str, float] = defaultdict(float)
    for moment in found.moments:
        for model, figures in moment.models.items():
            totals[model] += of(figures)
    first = sorted(totals, key=totals.__getitem__, reverse=True)[:_MODELS_MAX]
    made = [
        Series(
            model,
            f"c{n}",
            [of(one.models[model]) if model in one.models else 0 for one in found.moments],
        )
        for n, model in enumerate(first)
    ]
    if len(totals) > len(first):
        rest = [
            sum(of(figures) for model, figures in one.models.items() if model not in first)
            for one in found.moments
        ]
        made.append(Series("Other models", "rest", rest))
    return made


PAGES = (Page("GET", "/usage", show),)
