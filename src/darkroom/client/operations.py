"""Every operation once: method, path, body, and how its answer is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, Generic, TypeVar
from urllib.parse import quote

from darkroom.client import errors, shapes
from darkroom.client.kinds import KINDS

Answer = TypeVar("Answer")
Filters = Mapping[str, str | int | datetime | None]


@dataclass(frozen=True, slots=True)
class Operation(Generic[Answer]):
    """One request and the way from its answer's `data` and request id to a value."""

    method: str
    path: str
    read: Callable[[Any, str | None], Answer]
    json: Mapping[str, Any] | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str | None = None
    files: Mapping[str, tuple[str, BinaryIO]] | None = None
    # What the server is asked to take its time for, before it answers at all.
    wait_seconds: int | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether sending it twice does what sending it once does."""
        return self.method == "GET" or self.idempotency_key is not None

    def answer(self, status: int, body: Any, request_id: str | None) -> Answer:
        """The value in an answer; raises an `ApiError` when it is a refusal or makes no sense."""
        if not 200 <= status < 300 or not isinstance(body, dict):
            raise errors.refused(status, body, request_id)
        if body.get("status") not in (0, 200):
            raise errors.refused(status, body, request_id)
        request_id = body.get("request_id") or request_id
        try:
            return self.read(body.get("data"), request_id)
        except (KeyError, IndexError, TypeError, AttributeError) as exc:
            raise errors.ServerError(
                status, None, f"The answer lacks {exc}", None, request_id
            ) from exc


def submit(
    kind: str,
    given: Mapping[str, Any],
    wait_seconds: int | None = None,
    *,
    idempotency_key: str,
) -> Operation[shapes.Submitted]:
    """Submit one request of a kind; fields that are None are left out."""
    fields = {name: value for name, value in given.items() if value is not None}
    path = KINDS[kind].path if kind in KINDS else quote(kind, safe="")
    return Operation(
        "POST",
        f"/v1/generation/{path}",
        shapes.submitted,
        json=fields,
        wait_seconds=wait_seconds,
        idempotency_key=idempotency_key,
    )


def status(task_id: str) -> Operation[shapes.Task]:
    """One task."""
    path = f"/v1/generation/{quote(task_id, safe='')}/status"
    return Operation("GET", path, lambda data, _: shapes.tasks(data)[0])


def batch(batch_id: int) -> Operation[list[shapes.Task]]:
    """Every task of a batch, in order."""
    return Operation(
        "GET", f"/v1/generation/batch/{batch_id}/status", lambda data, _: shapes.tasks(data)
    )


def cancel(task_id: str) -> Operation[shapes.Task]:
    """Cancel one task."""
    path = f"/v1/generation/{quote(task_id, safe='')}/cancel"
    return Operation("POST", path, lambda data, _: shapes.tasks(data)[0])


def cancel_batch(batch_id: int) -> Operation[list[shapes.Task]]:
    """Cancel every task of a batch."""
    return Operation(
        "POST", f"/v1/generation/batch/{batch_id}/cancel", lambda data, _: shapes.tasks(data)
    )


def delete(task_id: str) -> Operation[shapes.Task]:
    """Delete the files of one task."""
    path = f"/v1/generation/{quote(task_id, safe='')}/delete"
    return Operation("POST", path, lambda data, _: shapes.tasks(data)[0])


def upload(name: str, content: BinaryIO) -> Operation[str]:
    """Store a file; its address can be named as an input."""
    return Operation(
        "POST",
        "/v1/generation/upload-file",
        lambda data, _: str(data["object_url_list"][0]),
        files={"file": (name, content)},
    )


def balance() -> Operation[float]:
    """The credits to spend."""
    return Operation(
        "GET",
        "/v1/generation/balance",
        lambda data, _: data["balance"] if isinstance(data, dict) else data + 0,
    )


def models() -> Operation[list[dict[str, Any]]]:
    """The models that the server serves."""
    return Operation("GET", "/v1/models", lambda data, _: list(data))


def history(filters: Filters) -> Operation[shapes.History]:
    """One page of the account's requests, newest first."""
    return Operation(
        "GET",
        "/v1/history",
        lambda data, _: shapes.History(list(data["records"]), data["next"]),
        params=_texts(filters),
    )


def _texts(filters: Filters) -> dict[str, str]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in filters.items()
        if value is not None
    }


def _webhooks(
    method: str, path: str, json: Mapping[str, Any] | None = None, **more: Any
) -> Operation[dict[str, Any]]:
    """What is answered as the object that the server gave."""
    path = f"/v1/webhooks/{path}"
    return Operation(method, path, lambda data, _: dict(data), json=json, **more)


def _endpoint(endpoint_id: str) -> str:
    return f"endpoints/{quote(endpoint_id, safe='')}"


def webhook_endpoints() -> Operation[list[dict[str, Any]]]:
    """The account's endpoints."""
    return Operation("GET", "/v1/webhooks/endpoints", lambda data, _: list(data))


def add_webhook_endpoint(url: str, events: Sequence[str] | None) -> Operation[dict[str, Any]]:
    """Add an endpoint."""
    more = {} if events is None else {"events": list(events)}
    return _webhooks("POST", "endpoints", {"url": url, **more})


def remove_webhook_endpoint(endpoint_id: str) -> Operation[dict[str, Any]]:
    """Remove an endpoint."""
    return _webhooks("DELETE", _endpoint(endpoint_id))


def enable_webhook_endpoint(endpoint_id: str) -> Operation[dict[str, Any]]:
    """Have an endpoint told again."""
    return _webhooks("POST", f"{_endpoint(endpoint_id)}/enable")


def test_webhook_endpoint(endpoint_id: str) -> Operation[dict[str, Any]]:
    """Send an endpoint a delivery that tells nothing."""
    return _webhooks("POST", f"{_endpoint(endpoint_id)}/test")


def webhook_secret() -> Operation[dict[str, Any]]:
    """The account's secrets."""
    return _webhooks("GET", "secret")


def rotate_webhook_secret(overlap_hours: int) -> Operation[dict[str, Any]]:
    """Make a new secret."""
    return _webhooks("POST", "secret/rotate", params={"overlap_hours": str(overlap_hours)})


def deliveries(filters: Filters) -> Operation[shapes.Deliveries]:
    """One page of the account's deliveries, newest first."""
    return Operation(
        "GET",
        "/v1/webhooks/deliveries",
        lambda data, _: shapes.Deliveries(list(data["deliveries"]), data["next"]),
        params=_texts(filters),
    )


def delivery(webhook_id: str) -> Operation[dict[str, Any]]:
    """One delivery with its attempts."""
    return _webhooks("GET", f"deliveries/{quote(webhook_id, safe='')}")


def resend_delivery(webhook_id: str) -> Operation[dict[str, Any]]:
    """Send one delivery again."""
    return _webhooks("POST", f"deliveries/{quote(webhook_id, safe='')}/resend")


def resend_deliveries(filters: Filters) -> Operation[dict[str, Any]]:
    """Send many deliveries again."""
    return _webhooks("POST", "deliveries/resend", _texts(filters))
