"""Submit: one route for every kind, made from the kind table."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from darkroom import config, errors
from darkroom.api import inputs, waiting, wire
from darkroom.api.call import Call, Route
from darkroom.api.groups import Wanted
from darkroom.domain import idempotency_keys, moderations, spellings, tasks, webhooks
from darkroom.domain.catalogue import Order
from darkroom.domain.kinds.kind import SEED_MAX, Kind, words
from darkroom.domain.kinds.table import KINDS

ERRORS = (
    errors.BadParameter,
    errors.Unauthenticated,
    errors.PermissionDenied,
    errors.RateLimited,
    errors.InsufficientCredits,
    errors.UnknownModel,
    errors.NotOffered,
    errors.ContentRefused,
    errors.IdempotencyConflict,
    errors.InputRefused,
    errors.WebhookRefused,
    errors.FileNotFound,
    errors.UnsupportedFormat,
    errors.UnsupportedMedia,
    errors.BodyTooLarge,
    errors.UploadTooLarge,
    errors.QueueFull,
    errors.Unavailable,
)
_KEY = re.compile("[!-~]{1,255}")
# Fields that no backend needs to know.
_ABOUT_THE_TASK = ("webhook_url", "webhook_events", "caller_id", "deadline_seconds", "priority")


async def submit(call: Call, kind: Kind, earlier: tasks.Task | None = None) -> Any:
    """Queue the tasks of a request, and answer it; with an `earlier` task it goes on with that."""
    fields = await wire.read_json(call.request)
    outcome, model = await place(call, kind, fields, earlier)
    answer = spellings.batch(outcome, call.principal.wire)
    answer |= {"served_by": call.edge.catalogue.backend(model, kind.name)}
    if earlier is not None:
        answer |= {"task_id": earlier.id, "task_ids": [earlier.id]}
    if kind.is_synchronous:
        answer |= await _at_once(call, outcome.task_ids)
        return wire.success(answer, call.trace.request_id)
    answer, headers = await waiting.preferred(call, answer, outcome.task_ids)
    headers |= {"Idempotent-Replayed": "true"} if outcome.replayed else {}
    return wire.success(answer, call.trace.request_id, headers=headers)


async def place(
    call: Call,
    kind: Kind,
    fields: Mapping[str, Any],
    earlier: tasks.Task | None = None,
    dialect: str = "",
) -> tuple[tasks.Batch, str]:
    """Check, price, moderate, hold the credits, queue the tasks; a refusal leaves nothing.

    With an `earlier` task it goes on with that one: under its id, and with its words where the
    request has none. A webhook is told in the words of the `dialect`, if one is named. Answers the
    batch, and the key of its model.
    """
    key = _idempotency_key(call)
    given: Any = wire.convert(fields, kind.input)
    _check_webhook(call, given)
    order = _order(call, kind, given)
    await _moderate(call, kind, given)
    taken = await inputs.take(call, kind, given)
    submission = _submission(call, kind, given, order, taken)
    if dialect:
        submission = replace(submission, input={**submission.input, "dialect": dialect})
    if earlier is not None:
        submission = _continuing(submission, earlier)
    if key is not None:
        fingerprint = idempotency_keys.fingerprint(kind.name, fields)
        submission = replace(submission, idempotency_key=key, fingerprint=fingerprint)
    outcome = await call.edge.submits.ask(Wanted(submission, taken.stored))
    if isinstance(outcome, errors.Refusal):
        await taken.discard()
        raise outcome
    if outcome.replayed:
        await taken.discard()
    call.trace.batch_id, call.trace.mill = outcome.id, 0 if outcome.replayed else outcome.price_mill
    call.trace.task_id = outcome.task_ids[0]
    return outcome, given.model


def _idempotency_key(call: Call) -> str | None:
    """The caller's name for this request; two headers of it make no key."""
    sent = call.request.headers.getlist("idempotency-key")
    if not sent:
        return None
    if len(sent) > 1 or not _KEY.fullmatch(sent[0]):
        raise errors.BadParameter(
            "Idempotency-Key is one header of 1 to 255 visible ASCII characters, such as a UUID.",
            field="Idempotency-Key",
        )
    return sent[0]


def _check_webhook(call: Call, given: Any) -> None:
    if given.webhook_url:
        host = call.edge.outbound.check_webhook(given.webhook_url, field="webhook_url")
        call.principal.check_callback(host, field="webhook_url")
    elif given.webhook_events is not None:
        raise errors.BadParameter(
            "webhook_events: a webhook_url must say where to send them.", field="webhook_events"
        )


def _order(call: Call, kind: Kind, given: Any) -> Order:
    order = call.edge.catalogue.order(kind, given)
    call.principal.check_model(given.model)
    return order


async def _moderate(call: Call, kind: Kind, given: Any) -> None:
    texts = {name: text for name in kind.texts if (text := words(given, name))}
    decision = await call.edge.moderator.check(texts)
    if decision.verdict == "pass" and decision.error is None:
        return
    async with call.edge.database.statement() as tx:
        await moderations.record(
            tx, call.principal.account_id, call.trace.request_id, kind.name, decision
        )
    if decision.refuses and decision.error is not None:
        raise errors.Unavailable(
            "The moderation service does not answer, and nothing passes without it. Try again "
            "shortly; nothing was charged.",
            retry_after_seconds=5,
        )
    if decision.refuses:
        raise errors.ContentRefused(
            f'The prompt was refused by the content policy (sensitive content), rule "'
            f'{decision.rule}". Change the prompt; nothing was charged.',
            field=decision.field,
        )


def _submission(
    call: Call, kind: Kind, given: Any, order: Order, taken: inputs.Taken
) -> tasks.Submission:
    fields = msgspec.to_builtins(given)
    for name in (*kind.files, *_ABOUT_THE_TASK):
        fields.pop(name, None)
    if order.size:
        fields |= {"width": order.size.width, "height": order.size.height}
    seed = secrets.randbelow(SEED_MAX - order.count) if given.seed is None else given.seed
    return tasks.Submission(
        account_id=call.principal.account_id,
        api_key_id=call.principal.api_key_id,
        request_id=call.trace.request_id,
        kind=kind.name,
        model=given.model,
        input={"fields": fields, "files": taken.references},
        rate_id=order.rate.id,
        price_mill=order.price_mill,
        count=order.count,
        seed=seed,
        size=order.half_octaves,
        priority=given.priority,
        caller_id=given.caller_id,
        deadline_seconds=given.deadline_seconds,
        webhook_url=given.webhook_url or None,
        webhook_events=(given.webhook_events or [webhooks.ENDED]) if given.webhook_url else None,
        base_url=call.base_url,
        is_spend_limited=call.principal.is_spend_limited,
    )


async def _at_once(call: Call, task_ids: Sequence[str]) -> dict[str, Any]:
    """The task of a synchronous kind when it has ended; one that takes long is left to be polled.

    One that failed is answered as a refusal: whoever asks so does not look at a status.
    """
    ended = await waiting.until_ended(
        call.edge, call.principal.account_id, task_ids, config.SYNCHRONOUS_SECONDS_MAX
    )
    if ended is None:
        return {}
    check_success(ended[0])
    return spellings.task(ended[0], call.principal.wire, call.base_url)


def check_success(task: tasks.Task) -> None:
    """Raise as a refusal what a task that is answered at once failed of."""
    if task.error is None:
        return
    refusals = {
        errors.BadInput.code: errors.InputRefused,
        errors.ContentBlocked.code: errors.ContentRefused,
    }
    refusal = refusals.get(task.error_code or 0, errors.Unavailable)
    raise refusal(f"{task.error} Nothing was charged.")


def _continuing(submission: tasks.Submission, earlier: tasks.Task) -> tasks.Submission:
    told = {name: (earlier.notes or {}).get(name) for name in KINDS[earlier.kind].told}
    fields = told | submission.input["fields"]
    return replace(submission, input={**submission.input, "fields": fields}, continues=earlier.id)


def _route(kind: Kind) -> Route:
    async def answer(call: Call) -> Any:
        return await submit(call, kind)

    return Route("POST", kind.route, answer, kind.summary, ERRORS, body=kind.input)


ROUTES = tuple(_route(kind) for kind in KINDS.values() if not kind.continues)
