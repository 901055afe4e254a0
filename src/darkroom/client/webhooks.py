"""Webhooks as they arrive: verified, then read into an event."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from darkroom import signing
from darkroom.client import errors, shapes

NotVerified = errors.WebhookNotVerified
KeyUnusable = errors.WebhookKeyUnusable


@dataclass(frozen=True, slots=True)
class Event:
    """What a webhook tells; `id` is the same however often it is delivered.

    `type` is task.started, task.progress, task.output or task.ended. `version` only grows for one
    task: of two events the one with the lower version is the older, in whichever order they came.
    `timestamp` is when this delivery was sent, `task` the task as it then was, None in what is told
    of no task (endpoint.disabled, webhook.test), and `raw` the whole body.
    """

    id: str
    timestamp: datetime
    type: str
    version: int
    task: shapes.Task | None
    raw: Mapping[str, Any] = field(repr=False)

    @property
    def data(self) -> Mapping[str, Any]:
        """What is told, as the server wrote it."""
        data: Mapping[str, Any] = self.raw["data"]
        return data


def verify(
    headers: Mapping[str, str],
    body: bytes | str,
    secret: str | Sequence[str],
    *,
    tolerance_seconds: int = signing.TOLERANCE_SECONDS,
) -> Event:
    """The event in a webhook, once its signature and its time are found right.

    `body` must be the bytes as they came; `secret` is the `whsec_…` of the webhook, the server's
    public key `whpk_…`, or several of either. Raises WebhookNotVerified for what no Darkroom with
    this secret sent within the tolerance, WebhookKeyUnusable for a secret that is none.
    """
    try:
        signing.verify(headers, body, secret, tolerance_seconds=tolerance_seconds)
    except signing.NotVerified as exc:
        raise errors.WebhookNotVerified(str(exc)) from exc
    except signing.KeyUnusable as exc:
        raise errors.WebhookKeyUnusable(str(exc)) from exc
    given = {name.lower(): text for name, text in headers.items()}
    try:
        raw = json.loads(body)
        return Event(
            id=given["webhook-id"],
            timestamp=datetime.fromtimestamp(int(given["webhook-timestamp"]), UTC),
            type=str(raw["type"]),
            version=int(raw["version"]),
            task=shapes.task(raw["data"]) if str(raw["type"]).startswith("task.") else None,
            raw=raw,
        )
    except (ValueError, KeyError, TypeError) as exc:
        raise errors.WebhookNotVerified(
            f"The signature is right, but the body is no event of Darkroom's: it lacks {exc}"
        ) from exc
