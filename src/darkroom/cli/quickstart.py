"""`darkroom quickstart`: start everything, make a first picture, and show how to go on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

from darkroom import config
from darkroom.cli import admissions, connect, generate, output, serving
from darkroom.client import AuthenticationFailed, Client, DarkroomError, Task
from darkroom.config import Config
from darkroom.domain import accounts, api_keys, ledger

EMAIL = "me@localhost"
FIRST_CREDITS = 1000
FIRST = {
    "model": "FLUX_PRO",
    "prompt": "A beautiful sunset over the ocean, vibrant colors",
    "aspect_ratio": "16:9",
    "resolution": "1080p",
    "image_number": 1,
}


class Made(msgspec.Struct, frozen=True):
    """The first picture: its task, where it was saved, and how long it took."""

    task: Task
    path: Path
    seconds: float


@click.command()
@click.option("--exit", "ends", is_flag=True, help="Stop after the picture.")
@click.option("--port", type=int, help="Port to listen on; 0: any free one.")
@click.option(
    "--out", type=click.Path(path_type=Path), default="pictures", help="Folder for the picture."
)
@connect.options
def quickstart(ends: bool, out: Path, **flags: Any) -> None:
    """Start Darkroom, make a first picture, and serve until Ctrl-C."""
    settings = config.load(flags, os.environ)
    with serving.interrupted_by_signals():
        url = serving.find(settings)
        if url is not None:
            _show(settings, url, out)
            output.note("Darkroom was serving there already, and goes on.")
            return
        with serving.started(settings) as child:
            output.note("Starting Darkroom ...")
            url = child.wait_ready()
            _show(settings, url, out, is_strict=ends)
            if not ends:
                output.note(f"Ctrl-C stops Darkroom. Its log is {serving.shown(child.log)}")
                with contextlib.suppress(KeyboardInterrupt):
                    child.wait()
                output.note("Stopping ...")


def _show(settings: Config, url: str, out: Path, *, is_strict: bool = True) -> None:
    """Make the picture and print everything; a failure ends the command only if it is strict."""
    try:
        key = _key(settings, url)
        with Client(url, key) as client:
            made = _picture(client, out)
            console_at = asyncio.run(_console_at(settings, url))
            _print(url, console_at, key, made, client.balance())
    except DarkroomError as exc:
        if is_strict:
            raise click.ClickException(str(exc)) from exc
        output.note(f"No picture this time: {exc}\nDarkroom serves on {url} all the same.")


def _picture(client: Client, out: Path) -> Made:
    began_at = time.monotonic()
    [task], failed = generate.make(client, "text-to-image", FIRST, is_shown=True)
    if failed is not None:
        raise failed
    [path] = client.download(task, out)
    return Made(task, path, time.monotonic() - began_at)


def _key(settings: Config, url: str) -> str:
    """The kept API key, or a new one, kept for the next start where only its owner reads it."""
    path = settings.data / "quickstart.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(path.read_text(encoding="utf-8"))["key"]
        if _works(url, kept):
            return str(kept)
    key = asyncio.run(_make_key(settings))
    if not _works(url, key):
        raise click.ClickException(
            f"A Darkroom with other data than those in {serving.shown(settings.data)} serves on "
            f"{url}. Choose another port with --port, or name its folder with --data."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600, exist_ok=False)
    fresh.write_text(json.dumps({"email": EMAIL, "key": key}), encoding="utf-8")
    fresh.replace(path)
    return key


def _works(url: str, key: str) -> bool:
    try:
        with Client(url, key) as client:
            client.balance()
    except AuthenticationFailed:
        return False
    return True


async def _make_key(settings: Config) -> str:
    async with (
        connect.open_database(settings) as database,
        database.transaction() as tx,
    ):
        account = await accounts.find(tx, EMAIL)
        if account is None:
            limits = accounts.first_limits(settings)
            account = await accounts.create(tx, EMAIL, is_admin=True, limits=limits)
            first_mill = FIRST_CREDITS * ledger.MILL_PER_CREDIT
            await ledger.grant(tx, account.id, first_mill, "the quickstart's first credits")
        key, _ = await api_keys.create(tx, account.id, name="quickstart", wire=settings.wire)
        return key


async def _console_at(settings: Config, url: str) -> str:
    """Where the console is: behind a link that signs in, until there is a password to log in with.

    Each start ends the link of the one before it.
    """
    address = settings.public_url.rstrip("/") if settings.public_url else url
    async with (
        connect.open_database(settings) as database,
        database.transaction() as tx,
    ):
        account = await accounts.find(tx, EMAIL)
        if account is None:  # it has another address by now
            return f"{address}/login"
        if (await accounts.owner(tx, account.id)).password_hash is not None:
            return f"{address}/login (as {EMAIL})"
        return await admissions.sign_in_link(tx, account, address)


def _print(url: str, console_at: str, key: str, made: Made, balance: float) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print()
    cost = f"{made.task.cost:g} credits" if made.task.cost is not None else "nothing"
    rows = {
        "Picture": serving.shown(made.path),
        "Made": f"by {made.task.served_by} in {made.seconds:.1f} s for {cost}",
        "Server": url,
        "Console": console_at,
        "API key": key,
        "Balance": f"{balance:g} credits of {EMAIL}",
    }
    if serving.readiness(url)["sandbox"]:
        rows["Sandbox"] = (
            "on: every model key answers, at its price, with pictures of the built-in\n"
            "           painter, so that you can build against the whole API without a GPU.\n"
            "           DARKROOM_SANDBOX=false leaves only models with a backend of their own."
        )
    rows["Webhooks"] = (
        "name a webhook_url in a submit. To be called on this machine, start Darkroom with\n"
        "           DARKROOM_OUTBOUND_ALLOW=127.0.0.1, or run `darkroom listen` beside it."
    )
    for name, value in rows.items():
        console.print(f"{name:<11}", style="bold", end="")
        console.print(value)
    console.print("\nThe same with curl:\n", style="bold")
    console.print(_curl_submit(url, key))
    console.print("\nHow that task is doing, and where its picture is:\n", style="bold")
    console.print(_curl_status(url, key, made.task.id))
    console.print(f"\n{url}/openapi.json lists every route, `darkroom --help` every command.")


def _curl_submit(url: str, key: str) -> str:
    body = json.dumps(FIRST, indent=4).removesuffix("}") + "  }"
    return (
        f"curl -X POST {url}/v1/generation/text-to-image \\\n"
        f'  -H "Authorization: Bearer {key}" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d '{body}'"
    )


def _curl_status(url: str, key: str, task_id: str) -> str:
    return (
        f'curl -X GET {url}/v1/generation/{task_id}/status \\\n  -H "Authorization: Bearer {key}"'
    )
