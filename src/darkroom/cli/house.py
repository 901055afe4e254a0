"""What every long-running process needs before it starts and lets go of at its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import tempfile
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import uvloop

from darkroom import config, credentials, errors, log
from darkroom.authority import Authority, AuthorityUnusable
from darkroom.cli import connect, lazy
from darkroom.config import Config
from darkroom.domain import catalogue, edits, entries, moderation, packages
from darkroom.domain.catalogue import Catalogue
from darkroom.domain.packages import Package
from darkroom.engine import renew
from darkroom.engine.backends import registry
from darkroom.storage.database import Database
from darkroom.storage.disk import Disk
from darkroom.storage.files import Files

if TYPE_CHECKING:
    from darkroom.stripe_checkout import StripeCheckout

_log = logging.getLogger(__name__)


class House(msgspec.Struct, frozen=True):
    """An open database, the files, the catalogue with its rates, and what ends the process."""

    database: Database
    files: Files
    catalogue: Catalogue
    stripe: StripeCheckout | None
    stop: asyncio.Event
    # Nobody needs notice of the stop: it was Ctrl-C, or the second signal.
    hurry: asyncio.Event


def run(process: Coroutine[Any, Any, None], settings: Config) -> None:
    """Run a process to its end on the fast event loop."""
    log.setup(settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(process)


def _stripe(settings: Config) -> AbstractAsyncContextManager[StripeCheckout | None]:
    """The Stripe account that the settings name; its library is loaded only for one."""
    if settings.stripe_key is None:
        return contextlib.nullcontext()
    found: AbstractAsyncContextManager[StripeCheckout]
    found = lazy.load("darkroom.stripe_checkout:opened")(settings)
    return found


@contextlib.asynccontextmanager
async def opened(settings: Config) -> AsyncIterator[House]:
    """Everything a process needs; SIGTERM and SIGINT set its stop event."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def signaled(number: signal.Signals) -> None:
        if stop.is_set() or number == signal.SIGINT:
            hurry.set()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, signaled, number)
    models, files = read_models(settings), await open_files(settings)
    async with (
        connect.open_database(settings) as database,
        _stripe(settings) as stripe,
    ):
        installed = registry.names()
        served = Catalogue(
            {}, {}, installed, settings.sandbox, files=models, kinds_of=registry.kinds_of
        )
        async with database.transaction() as tx:
            await edits.publish(tx, served)
        for key, model in served.models.items():
            for name in sorted(set(model.backends) - installed):
                _log.warning("%s names the backend %s, which is not installed", key, name)
        for said in served.misnamed():
            _log.warning("%s", said)
        # Workers of chosen models leave the others to other boxes, which may have what is not here.
        lacks = registry.lacks if settings.workers_count and not settings.models else None
        served.lack(lacks() if lacks else {})
        renewing = asyncio.create_task(renew.run(database, served, stop, lacks))
        try:
            yield House(database, files, served, stripe, stop, hurry)
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await renewing


async def open_files(settings: Config) -> Files:
    """The store of files that the settings name; a bucket's library is loaded only for one."""
    if settings.files_url is None:
        return Disk(settings.files_folder)
    found: Files = await lazy.load("darkroom.storage.bucket:opened")(settings)
    return found


def check_models(settings: Config, served: Catalogue) -> None:
    """Refuse models that the worker of this process is to run and cannot."""
    runs = served.served()
    for key in settings.models if settings.workers_count else ():
        if key in runs:
            continue
        is_known = key in served.models or key in served.hidden
        what = "has no backend here" if is_known else "is not in the catalogue"
        raise errors.ConfigInvalid(
            f"DARKROOM_MODELS names {key}, which {what}. `darkroom models` lists the models."
        )


def read_models(settings: Config) -> dict[str, catalogue.Model]:
    """The shipped models, with the operator's over them."""
    models = shipped_models()
    place = catalogue_place(settings)
    if settings.catalogue_file is not None or place.exists():
        own = config.text_of(place, "DARKROOM_CATALOGUE_FILE")
        models |= entries.parse(own, str(place), models)
    return models


def shipped_models() -> dict[str, catalogue.Model]:
    """The models that come with Darkroom."""
    shipped = resources.files("darkroom.domain").joinpath("catalogue.toml")
    return entries.parse(shipped.read_text(encoding="utf-8"), "the shipped catalogue")


def catalogue_place(settings: Config) -> Path:
    """Where the operator's models are, or would be: as set, else in the data folder."""
    return settings.catalogue_file or settings.data / "catalogue.toml"


def read_authority(settings: Config) -> Authority | None:
    """The operator's certificate and key, once they are seen to sign; None: the instance's own."""
    chain, key = settings.provenance_certificate, settings.provenance_key
    if chain is None or key is None:
        return None
    try:
        own = Authority.load(
            config.text_of(chain, "DARKROOM_PROVENANCE_CERTIFICATE"),
            config.text_of(key, "DARKROOM_PROVENANCE_KEY"),
        )
        with tempfile.TemporaryDirectory() as folder:
            credentials.check(own, Path(folder))
    except (AuthorityUnusable, credentials.NotSigned) as exc:
        raise errors.ConfigInvalid(
            f"DARKROOM_PROVENANCE_CERTIFICATE and DARKROOM_PROVENANCE_KEY cannot be used: {exc}"
        ) from exc
    return own


def read_packages(settings: Config) -> list[Package]:
    """The operator's packages, or the shipped ones."""
    if settings.packages_file is not None:
        own = config.text_of(settings.packages_file, "DARKROOM_PACKAGES_FILE")
        return packages.parse(own, str(settings.packages_file))
    shipped = resources.files("darkroom.domain").joinpath("packages.toml")
    return packages.parse(shipped.read_text(encoding="utf-8"), "the shipped packages")


def read_policy(settings: Config) -> moderation.Policy:
    """The operator's content policy, or the shipped one."""
    if settings.policy_file is not None:
        return moderation.parse(config.text_of(settings.policy_file, "DARKROOM_POLICY_FILE"))
    shipped = resources.files("darkroom.domain").joinpath("policy.toml")
    return moderation.parse(shipped.read_text(encoding="utf-8"))
