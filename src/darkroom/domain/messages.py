"""Messages: what a delivery says, written from its task as it is now and signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from darkroom import signing
from darkroom.domain import spellings, tasks, webhook_secrets
from darkroom.domain.deliveries import Claimed
from darkroom.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class Message:
    """One attempt at a delivery as it is sent."""

    delivery: Claimed
    headers: dict[str, str]
    body: bytes


async def write(
    tx: Transaction, claimed: Sequence[Claimed], key: signing.SigningKey, base_url: str
) -> list[Message]:
    """The messages of claimed deliveries; `base_url` is for results whose submit left none."""
    asked = [(one.account_id, one.task_id) for one in claimed if one.task_id is not None]
    found = await tasks.get_many(tx, asked) if asked else {}
    accounts = {one.account_id for one in claimed}
    live = await webhook_secrets.live(tx, accounts) if accounts else {}
    messages = []
    for one in claimed:
        task = found.get((one.account_id, one.task_id or ""))
        body = _body(one, task, one.base_url or base_url)
        secrets = [secret.secret for secret in live[one.account_id]]
        signed = signing.headers(one.id, one.at_seconds, body, secrets, key)
        messages.append(Message(one, {"Content-Type": "application/json", **signed}, body))
    return messages


def _body(one: Claimed, task: tasks.Task | None, base_url: str) -> bytes:
    """The envelope of a status answer, and what sort of news it is."""
    data = one.data if task is None else spellings.task(task, one.wire, base_url)
    return spellings.encode(
        {
            **spellings.envelope(data, one.request_id or one.id),
            "type": one.type,
            "version": 0 if task is None else spellings.version(task),
            "webhook_id": one.id,
        }
    )
