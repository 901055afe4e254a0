"""`darkroom listen`: an account's webhooks on this machine, printed and passed to a local port."""

from __future__ import annotations

import contextlib

import click
import httpx

from darkroom.cli import output, remote
from darkroom.cli.webhooks import EVENTS
from darkroom.client import Heard, webhooks

_FORWARD_SECONDS_MAX = 15.0


@click.command()
@click.option("--forward", metavar="URL", help="POST each to this address, such as a local port.")
@click.option("--event", "events", type=click.Choice(EVENTS), multiple=True, help="Of what.")
@click.option("--count", type=click.IntRange(1), help="End after so many.")
@output.json_option
def listen(forward: str | None, events: tuple[str, ...], count: int | None, as_json: bool) -> None:
    """Print the account's webhooks as they come, until Ctrl-C; the key is that of DARKROOM_API_KEY.

    Nobody need reach this machine. What is passed on has the headers and the body of the webhook.
    """
    with remote.client() as client, httpx.Client(timeout=_FORWARD_SECONDS_MAX) as local:
        secret = client.webhook_secret()["secret"]
        if not as_json:
            output.note(f"Listening. The secret that signs: {secret}")
        with contextlib.suppress(KeyboardInterrupt):
            for number, one in enumerate(client.listen(events or ("ended",)), start=1):
                # Asked each time: a secret that was rotated meanwhile signs from then on.
                secret = client.webhook_secret()["secret"]
                event = webhooks.verify(one.headers, one.body, secret)
                _say(event, one, _passed_on(local, forward, one), as_json)
                if number == count:
                    break


def _say(event: webhooks.Event, one: Heard, answered: str | None, as_json: bool) -> None:
    if as_json:
        output.document(
            {
                "webhook_id": event.id,
                "type": event.type,
                "data": event.data,
                "headers": one.headers,
                "forwarded": answered,
            }
        )
        return
    about = f"{event.task.id} {event.task.status}" if event.task else ""
    files = " ".join(event.task.files) if event.task else ""
    passed = f"-> {answered}" if answered else ""
    click.echo(" ".join(filter(None, (event.type, about, files, passed))))


def _passed_on(local: httpx.Client, forward: str | None, one: Heard) -> str | None:
    """What the local receiver answered."""
    if forward is None:
        return None
    try:
        return f"HTTP {local.post(forward, content=one.body, headers=one.headers).status_code}"
    except httpx.HTTPError as exc:
        return f"no answer from {forward}: {exc}"
