"""Usage: the caller's requests, tasks and credits over the last hours or days."""

from __future__ import annotations

from typing import Any

from darkroom import errors
from darkroom.api import query
from darkroom.api.call import Call, Route
from darkroom.domain import ledger, spellings, usage

_RANGE_DEFAULT = "7d"


async def get_usage(call: Call) -> Any:
    """What was asked, made and charged, by hour or by day (UTC)."""
    asked = query.texts(call)
    span = asked.get("range", _RANGE_DEFAULT)
    if span not in usage.RANGES:
        raise errors.BadParameter(
            f"range is {span[:40]}; send {', '.join(usage.RANGES)}.", field="range"
        )
    async with call.edge.database.transaction() as tx:
        found = await usage.over(
            tx,
            call.principal.account_id,
            span,
            api_key_id=asked.get("api_key_id"),
            model=asked.get("model"),
        )
    return {
        "range": span,
        "moments": [_moment(one) for one in found.moments],
        "latency_ms": _percentiles(found.latency),
        "refusals": [
            {"status": one.status, "code": one.code, "requests": one.total}
            for one in found.refusals
        ],
        "task_failures": [{"code": one.code, "tasks": one.total} for one in found.failures],
        "models": [
            {
                "model": one.model,
                "tasks": one.tasks,
                "tasks_failed": one.failed,
                "credits": ledger.credits_of(one.charged_mill),
                "run_ms": _percentiles(one.runs),
            }
            for one in found.models
        ],
        "keys": [
            {
                "api_key_id": one.api_key_id,
                "name": one.name,
                "requests": one.requests,
                "refused": one.refused,
                "tasks": one.tasks,
                "credits": ledger.credits_of(one.charged_mill),
            }
            for one in found.keys
        ],
    }


def _moment(one: usage.Moment) -> dict[str, Any]:
    return {
        "at": spellings.instant(one.at),
        "requests": one.well + one.refused + one.failed,
        "refused": one.refused,
        "failed": one.failed,
        "latency_ms": _percentiles(one.latency),
        "tasks": one.tasks,
        "tasks_failed": one.tasks_failed,
        "credits": ledger.credits_of(one.charged_mill),
    }


def _percentiles(found: usage.Percentiles | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {"p50": round(found.p50, 1), "p95": round(found.p95, 1), "p99": round(found.p99, 1)}


ROUTES = (
    Route(
        "GET",
        "/v1/usage",
        get_usage,
        "The account's requests, tasks, credits and durations over the last hours or days.",
        (errors.Unauthenticated, errors.RateLimited, errors.BadParameter),
    ),
)
