"""`darkroom webhook`: the deliveries, endpoints and secret of an account, on a server."""

from __future__ import annotations

import json
from typing import Any

import click

from darkroom.cli import output, remote

STATUSES = ("PENDING", "DELIVERED", "FAILED")
EVENTS = ("ended", "started", "progress", "output")
_COLUMNS = ("webhook_id", "type", "status", "attempts", "next_at", "url", "error")
_ENDPOINT = ("endpoint_id", "url", "events", "enabled", "failing_since", "disabled_reason")


@click.group()
def webhook() -> None:
    """Webhooks: deliveries, endpoints, secret; the key is that of DARKROOM_API_KEY."""


@webhook.command("list")
@click.option("--status", type=click.Choice(STATUSES, case_sensitive=False), help="How they stand.")
@click.option("--task", "task_id", help="Of this task.")
@click.option("--endpoint", "endpoint_id", help="To this endpoint.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, help="How many.")
@output.json_option
def list_deliveries(as_json: bool, **filters: Any) -> None:
    """List deliveries, newest first."""
    with remote.client() as client:
        found = client.deliveries(**filters).deliveries
    if as_json:
        output.document(found)
    else:
        output.table(_COLUMNS, [[one[column] for column in _COLUMNS] for one in found])


@webhook.command()
@click.argument("webhook_id")
@output.json_option
def show(webhook_id: str, as_json: bool) -> None:
    """Show one delivery: what each attempt sent, and what came back."""
    with remote.client() as client:
        one = client.delivery(webhook_id)
    if as_json:
        output.document(one)
        return
    output.table(_COLUMNS, [[one[column] for column in _COLUMNS]])
    for attempt in one["log"]:
        answer = attempt["answer"] or {}
        said = f"HTTP {answer['status']}" if answer else attempt["error"]
        click.echo(f"\n{attempt['number']}. {attempt['at']}, {attempt['seconds']} s: {said}")
        for name, text in attempt["request"]["headers"].items():
            click.echo(f"   {name}: {text}")
        click.echo(f"   {attempt['request']['body']}")
        if answer.get("body"):
            click.echo(f"   answered: {json.dumps(answer['body'], ensure_ascii=False)}")


@webhook.command()
@click.argument("webhook_id", required=False)
@click.option("--status", type=click.Choice(STATUSES, case_sensitive=False), help="How they stand.")
@click.option("--task", "task_id", help="Of this task.")
@click.option("--endpoint", "endpoint_id", help="To this endpoint.")
@output.json_option
def resend(webhook_id: str | None, as_json: bool, **filters: str | None) -> None:
    """Send one delivery again, or without an id those that FAILED."""
    with remote.client() as client:
        if webhook_id is not None:
            client.resend_delivery(webhook_id)
            count = 1
        else:
            count = client.resend_deliveries(**filters)
    if as_json:
        output.document({"resent": count})
    else:
        click.echo(f"Sent again: {count}.")


@webhook.command()
@output.json_option
def secret(as_json: bool) -> None:
    """Show the secret with which receivers verify."""
    with remote.client() as client:
        _say_secret(client.webhook_secret(), as_json)


@webhook.command()
@click.option(
    "--overlap", type=click.IntRange(0, 168), default=24, help="Hours that the old one signs too."
)
@output.json_option
def rotate(overlap: int, as_json: bool) -> None:
    """Make a new secret; the one before it signs as well for a while."""
    with remote.client() as client:
        _say_secret(client.rotate_webhook_secret(overlap_hours=overlap), as_json)


def _say_secret(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        output.document(told)
        return
    click.echo(told["secret"])
    for one in told["secrets"][1:]:
        output.note(f"The one before it signs as well until {one['expires_at']}.")


@webhook.group()
def endpoint() -> None:
    """Endpoints, which hear of every task of the account."""


@endpoint.command()
@click.argument("url")
@click.option("--event", "events", type=click.Choice(EVENTS), multiple=True, help="Of what.")
@output.json_option
def add(url: str, events: tuple[str, ...], as_json: bool) -> None:
    """Have URL told of every task from now on."""
    with remote.client() as client:
        _say_endpoints([client.add_webhook_endpoint(url, events=events or None)], as_json)


@endpoint.command("list")
@output.json_option
def list_endpoints(as_json: bool) -> None:
    """List the endpoints, and which are failing or disabled."""
    with remote.client() as client:
        _say_endpoints(client.webhook_endpoints(), as_json)


@endpoint.command()
@click.argument("endpoint_id")
@output.json_option
def remove(endpoint_id: str, as_json: bool) -> None:
    """Tell an endpoint nothing any more."""
    with remote.client() as client:
        client.remove_webhook_endpoint(endpoint_id)
    if as_json:
        output.document({"removed": endpoint_id})
    else:
        click.echo(f"Removed {endpoint_id}.")


@endpoint.command()
@click.argument("endpoint_id")
@output.json_option
def enable(endpoint_id: str, as_json: bool) -> None:
    """Have an endpoint told again that was disabled."""
    with remote.client() as client:
        _say_endpoints([client.enable_webhook_endpoint(endpoint_id)], as_json)


@endpoint.command()
@click.argument("endpoint_id")
@output.json_option
def test(endpoint_id: str, as_json: bool) -> None:
    """Send an endpoint a delivery that tells nothing."""
    with remote.client() as client:
        sent = client.test_webhook_endpoint(endpoint_id)
    if as_json:
        output.document(sent)
    else:
        click.echo(f"Sent {sent['webhook_id']}: darkroom webhook show {sent['webhook_id']}")


def _say_endpoints(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        output.document(found)
        return
    rows = [[*map(one.get, _ENDPOINT)] for one in found]
    output.table(_ENDPOINT, [[", ".join(c) if isinstance(c, list) else c for c in r] for r in rows])
