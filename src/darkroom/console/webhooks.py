"""Webhooks: an account's endpoints, its secret, and its deliveries with what came of each."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from darkroom import config, errors
from darkroom.api.routes.webhooks import wanted
from darkroom.console.visit import Page, Visit
from darkroom.domain import (
    deliveries,
    signing_keys,
    webhook_endpoints,
    webhook_secrets,
    webhooks,
)

_ROWS = 50
_FILTERS = ("status", "type", "endpoint_id", "task_id", "since", "until")
_STATUSES = (deliveries.PENDING, deliveries.DELIVERED, deliveries.FAILED)
_TYPES = (*(f"task.{event}" for event in webhooks.EVENTS), "webhook.test", "endpoint.disabled")


async def show(visit: Visit) -> Response:
    """The endpoints, and the deliveries that the filters leave, newest first."""
    return await _show(visit)


async def _show(visit: Visit, problem: errors.Refusal | None = None) -> Response:
    query = visit.request.query_params.items()
    asked = {name: text for name, text in query if text and "\x00" not in text}
    filters = {name: asked[name] for name in _FILTERS if name in asked}
    async with visit.edge.database.statement() as tx:
        endpoints = await webhook_endpoints.list_for(tx, visit.account_id)
        try:
            rows = await deliveries.list_for(
                tx,
                visit.account_id,
                wanted(filters),
                before=asked.get("before"),
                rows_max=_ROWS,
            )
        except errors.BadParameter as wrong:
            problem, rows = problem or wrong, []
    older = {**filters, "before": rows[-1].id} if len(rows) == _ROWS else None
    return visit.page(
        "webhooks/list.html",
        status=problem.status if problem else 200,
        endpoints=endpoints,
        deliveries=rows,
        filters=filters,
        filled={name: filters.get(name, "") for name in _FILTERS},
        statuses=_STATUSES,
        types=_TYPES,
        events=webhooks.EVENTS,
        newest=f"/webhooks?{urlencode(filters)}" if "before" in asked else "",
        older=f"/webhooks?{urlencode(older)}" if older else "",
        problem=problem,
        given=await visit.fields() if visit.request.method == "POST" else {},
        given_events=await visit.choices("events") if visit.request.method == "POST" else ["ended"],
    )


async def add_endpoint(visit: Visit) -> Response:
    """Have an address told of what happens from now on."""
    url = (await visit.fields()).get("url", "").strip()
    events = [one for one in webhooks.EVENTS if one in await visit.choices("events")]
    try:
        if not events:
            raise errors.BadParameter("Choose at least one event.", field="events")
        visit.edge.outbound.check_webhook(url, field="url")
        async with visit.edge.database.transaction() as tx:
            await webhook_endpoints.create(tx, visit.account_id, url, events)
    except (errors.BadParameter, errors.WebhookRefused) as problem:
        return await _show(visit, problem)
    return visit.go("/webhooks", f"{url} hears of your tasks from now on.")


async def remove_endpoint(visit: Visit) -> Response:
    """Tell an endpoint nothing any more."""
    async with visit.edge.database.statement() as tx:
        await webhook_endpoints.remove(tx, visit.account_id, _id(visit))
    return visit.go("/webhooks", "The endpoint was removed.")


async def enable_endpoint(visit: Visit) -> Response:
    """Have a disabled endpoint told again."""
    async with visit.edge.database.statement() as tx:
        made = await webhook_endpoints.enable(tx, visit.account_id, _id(visit))
    return visit.go("/webhooks", f"{made.url} is told again. What it missed can be sent again.")


async def test_endpoint(visit: Visit) -> Response:
    """Send an endpoint a delivery that tells nothing, and show how it goes."""
    async with visit.edge.database.transaction() as tx:
        made = await deliveries.test(tx, visit.account_id, _id(visit))
    return visit.go(f"/webhooks/deliveries/{made.id}", "A test is on its way.")


async def show_delivery(visit: Visit) -> Response:
    """One delivery with its attempts."""
    async with visit.edge.database.statement() as tx:
        one = await deliveries.get(tx, visit.account_id, _id(visit))
        made = await deliveries.attempts(tx, visit.account_id, one.id)
    return visit.page("webhooks/delivery.html", one=one, attempts=made[::-1], pretty=_pretty)


async def resend_delivery(visit: Visit) -> Response:
    """Send one delivery again at once, under its old id."""
    delivery_id = _id(visit)
    async with visit.edge.database.transaction() as tx:
        await deliveries.get(tx, visit.account_id, delivery_id)
        count = await deliveries.resend(
            tx, visit.account_id, deliveries.Filter(), delivery_id=delivery_id, rows_max=1
        )
    said = "It is on its way again." if count else "It is being sent just now, or out of date."
    return visit.go(f"/webhooks/deliveries/{delivery_id}", said)


async def resend_deliveries(visit: Visit) -> Response:
    """Send again those that failed among what the filters leave, the oldest first."""
    fields = await visit.fields()
    asked = {name: fields[name] for name in _FILTERS if fields.get(name)}
    chosen = wanted(asked | {"status": deliveries.FAILED})
    async with visit.edge.database.transaction() as tx:
        count = await deliveries.resend(
            tx,
            visit.account_id,
            chosen,
            delivery_id=None,
            rows_max=config.RESENT_TOGETHER_MAX,
        )
    more = " There are more: send again." if count == config.RESENT_TOGETHER_MAX else ""
    said = f"{count:,} {'is' if count == 1 else 'are'} on the way again.{more}"
    return visit.go("/webhooks", said)


async def show_secret(visit: Visit) -> Response:
    """The live secrets and the server's public key, on demand, and how to verify with them."""
    return await _secret(visit)


async def _secret(visit: Visit, problem: errors.Refusal | None = None) -> Response:
    async with visit.edge.database.statement() as tx:
        live = (await webhook_secrets.live(tx, [visit.account_id]))[visit.account_id]
        key = await signing_keys.ours(tx)
    return visit.page(
        "webhooks/secret.html",
        status=problem.status if problem else 200,
        secrets=live,
        public_key=key.public,
        overlap_hours=config.SECRET_OVERLAP_HOURS,
        overlap_hours_max=config.SECRET_OVERLAP_HOURS_MAX,
        problem=problem,
    )


async def rotate_secret(visit: Visit) -> Response:
    """Make a new secret; the one before it signs as well for a while."""
    text = (await visit.fields()).get("overlap_hours", "")
    if not text.isdecimal() or int(text[:9]) > config.SECRET_OVERLAP_HOURS_MAX:
        problem = errors.BadParameter(
            f"0 to {config.SECRET_OVERLAP_HOURS_MAX} hours, please.", field="overlap_hours"
        )
        return await _secret(visit, problem)
    async with visit.edge.database.transaction() as tx:
        await webhook_secrets.rotate(tx, visit.account_id, overlap_hours=int(text))
    return visit.go("/webhooks/secret", "There is a new secret.")


def _id(visit: Visit) -> str:
    text: str = visit.request.path_params["id"]
    return text


def _pretty(text: str | None) -> str:
    """A body as it is read best: JSON indented, anything else as it came."""
    try:
        return msgspec.json.format((text or "").encode(), indent=2).decode()
    except msgspec.DecodeError:
        return text or ""


PAGES = (
    Page("GET", "/webhooks", show),
    Page("POST", "/webhooks", add_endpoint),
    Page("POST", "/webhooks/endpoints/{id}/remove", remove_endpoint),
    Page("POST", "/webhooks/endpoints/{id}/enable", enable_endpoint),
    Page("POST", "/webhooks/endpoints/{id}/test", test_endpoint),
    Page("POST", "/webhooks/deliveries/resend", resend_deliveries),
    Page("GET", "/webhooks/deliveries/{id}", show_delivery),
    Page("POST", "/webhooks/deliveries/{id}/resend", resend_delivery),
    Page("GET", "/webhooks/secret", show_secret),
    Page("POST", "/webhooks/secret", rotate_secret),
)
