"""Messages: what a delivery says, written from its task as it is now and signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from darkroom import signing
from darkroom.domain import dialects, spellings, tasks, webhook_secrets
from darkroom.domain.deliveries import Claimed
from darkroom.storage.database import Transaction


class Message(msgspec.Struct, frozen=True):
    """One attempt at a delivery as it is sent."""

    delivery: Claimed
    headers: dict[str, str]
    body: bytes


class Facts(msgspec.Struct, frozen=True):
    """What deliveries tell of: their tasks as they are now, and the secrets of their accounts."""

    task_of: Mapping[tuple[str, str], tasks.Task]
    secrets_of: Mapping[str, Sequence[webhook_secrets.Secret]]


async def read(tx: Transaction, claimed: Sequence[Claimed]) -> Facts:
    """The facts of claimed deliveries."""
    asked = [(one.account_id, one.task_id) for one in claimed if one.task_id is not None]
    accounts = {one.account_id for one in claimed}
    return Facts(
        await tasks.get_many(tx, asked) if asked else {},
        await webhook_secrets.live(tx, accounts) if accounts else {},
    )


def write(one: Claimed, facts: Facts, key: signing.SigningKey, base_url: str) -> Message:
    """The message of one delivery; `base_url` is for results whose submit left none."""
    task = facts.task_of.get((one.account_id, one.task_id or ""))
    body = _body(one, task, one.base_url or base_url)
    secrets = [secret.secret for secret in facts.secrets_of[one.account_id]]
    signed = signing.headers(one.id, one.at_seconds, body, secrets, key)
    return Message(one, {"Content-Type": "application/json", **signed}, body)


def _body(one: Claimed, task: tasks.Task | None, base_url: str) -> bytes:
    """The envelope of a status answer, and what sort of news it is; or what a dialect says."""
    if one.asked and task is not None and one.endpoint_id is None:
        say = dialects.WEBHOOKS[one.asked["dialect"]]
        return spellings.encode(say(task, one.asked.get("fields", {}), base_url))
    data = one.data if task is None else spellings.task(task, one.wire, base_url)
    return spellings.encode(
        {
            **spellings.envelope(data, one.request_id or one.id),
            "type": one.type,
            "version": 0 if task is None else spellings.version(task),
            "webhook_id": one.id,
        }
    )
