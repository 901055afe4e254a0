"""Who is calling: an API key's account, remembered for a moment, or who is signed in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Sequence

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request

from darkroom import config, errors
from darkroom.api import browsers
from darkroom.api.together import Together
from darkroom.domain import api_keys, sessions
from darkroom.domain.buckets import Limit
from darkroom.storage.database import Database

_log = logging.getLogger(__name__)
# Ours, fal's and Replicate's.
_SCHEMES = ("bearer", "key", "token")


class Principal(msgspec.Struct, frozen=True):
    """The account and key behind a request, its spelling, and the limits it is under.

    Without a key it is the account that is signed in to the console.
    """

    account_id: str
    api_key_id: str | None
    wire: str
    limits: tuple[Limit, ...] = ()
    # Empty: all.
    models: frozenset[str] = frozenset()
    callback_hosts: tuple[str, ...] = ()
    is_spend_limited: bool = False
    is_suspended: bool = False

    def check_model(self, model: str) -> None:
        """Raise `PermissionDenied` for a model that the key may not use."""
        if self.models and model not in self.models:
            raise errors.PermissionDenied(
                f'This API key may not use the model "{model}", only '
                f"{', '.join(sorted(self.models))}. Use another key, or have its models changed.",
                field="model",
            )

    def check_callback(self, host: str, *, field: str) -> None:
        """Raise `PermissionDenied` for the host of a webhook address that the key may not name."""
        if self.callback_hosts and not any(_covers(one, host) for one in self.callback_hosts):
            raise errors.PermissionDenied(
                f"This API key may not have {host} called, only "
                f"{', '.join(self.callback_hosts)}. Use another key, or have its hosts changed.",
                field=field,
            )


class _Known(msgspec.Struct):
    """What is remembered of a key until an instant of the monotonic clock."""

    until: float
    look_up: asyncio.Future[Principal | str]
    used_at: float

    @property
    def has_failed(self) -> bool:
        """Whether nothing was found out."""
        one = self.look_up
        return one.done() and (one.cancelled() or one.exception() is not None)

    @property
    def is_good(self) -> bool:
        """Whether it is known to be somebody's."""
        return (
            self.look_up.done()
            and not self.has_failed
            and not isinstance(self.look_up.result(), str)
        )


class Principals:
    """Finds principals by key and remembers each for `KEY_SECONDS_MAX`, found or not.

    The memory is short enough that a revoked key stops working within a second on every process
    without any message between them. Keys in use are looked up again before that, all together, so
    that their requests need not wait for it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._look_ups = Together(self._look_up, items_max=config.READS_TOGETHER_MAX)
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def find(self, request: Request) -> Principal:
        """The principal of a request's key or session; raises `Unauthenticated`."""
        key = _key(request.headers)
        if key is None:
            return await self._signed_in(request)
        if key not in self._known and not api_keys.is_well_formed(key):
            raise errors.Unauthenticated(
                "Authentication failed: Invalid API Key. A key is sk- and 48 hex digits; "
                "this one is not, or has a typing error."
            )
        principal = await self._remembered(key)
        if isinstance(principal, str):
            raise errors.Unauthenticated(f"Authentication failed: Invalid API Key. {principal}")
        if principal.is_suspended:
            raise errors.AccountSuspended
        return principal

    async def _signed_in(self, request: Request) -> Principal:
        token = browsers.token_of(request)
        if token is None:
            raise errors.Unauthenticated(
                "Authentication failed: no API key. "
                'Send it as "Authorization: Bearer sk-…"; `darkroom key create` makes one.'
            )
        browsers.check_origin(request, token, request.headers.get(browsers.FORM_HEADER))
        async with self._database.statement() as tx:
            visitor = (await sessions.find(tx, [token])).get(token)
        if visitor is None:
            raise errors.Unauthenticated("Authentication failed: nobody is signed in any more.")
        if visitor.suspended_at is not None:
            raise errors.AccountSuspended
        return Principal(
            visitor.account_id,
            None,
            "quickstart",
            _limits(("account", visitor.account_id, visitor.requests_per_minute)),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Renew what is known of the keys in use, again and again until the stop."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), config.KEY_SECONDS_MAX / 2)
            try:
                await self.renew()
            except errors.DatabaseUnavailable as exc:
                _log.warning("keys are not renewed: %s", exc)

    async def renew(self) -> None:
        """Look up the keys that were used of late, in one statement."""
        now = time.monotonic()
        keys = [
            key
            for key, known in self._known.items()
            if now - known.used_at < config.KEY_RENEWED_SECONDS and known.is_good
        ][-config.KEYS_RENEWED_MAX :]
        if not keys:
            return
        for key, principal in zip(keys, await self._look_up(keys), strict=True):
            known = self._known.get(key)
            if known is not None and known.until < now + config.KEY_SECONDS_MAX:
                known.until = now + config.KEY_SECONDS_MAX
                known.look_up = asyncio.get_running_loop().create_future()
                known.look_up.set_result(principal)

    async def _remembered(self, key: str) -> Principal | str:
        now = time.monotonic()
        known = self._known.get(key)
        if known is None or known.until <= now or known.has_failed:
            # The clock starts before the look-up, and requests that arrive together share it.
            known = _Known(
                now + config.KEY_SECONDS_MAX, asyncio.create_task(self._look_ups.ask(key)), now
            )
            self._known[key] = known
            self._known.move_to_end(key)
            if len(self._known) > config.KEYS_CACHED_MAX:
                self._known.popitem(last=False)
        known.used_at = now
        # Shielded: one caller that goes away must not cancel the look-up of the others.
        look_up = known.look_up
        return look_up.result() if look_up.done() else await asyncio.shield(look_up)

    async def _look_up(self, keys: Sequence[str]) -> Sequence[Principal | str]:
        async with self._database.statement() as tx:
            found = await api_keys.find(tx, keys)
        return [_principal(found.get(key)) for key in keys]


def _principal(row: api_keys.Known | None) -> Principal | str:
    """The principal of a key, or what stands against it."""
    if row is None:
        return "It is unknown here or was revoked."
    if row.expired_at is not None:
        return f"It expired on {row.expired_at:%Y-%m-%d %H:%M} UTC. Create a new one."
    # The key's limit comes first: what it refuses is not taken from the account.
    return Principal(
        row.account_id,
        row.id,
        row.wire,
        _limits(
            ("key", row.id, row.requests_per_minute),
            ("account", row.account_id, row.account_requests_per_minute),
        ),
        frozenset(row.models),
        tuple(row.callback_hosts),
        row.is_spend_limited,
        row.is_suspended,
    )


def _covers(listed: str, host: str) -> bool:
    return host.endswith(listed[1:]) if listed.startswith("*.") else host == listed


def _limits(*every: tuple[str, str, int | None]) -> tuple[Limit, ...]:
    return tuple(Limit(name, one, count) for name, one, count in every if count is not None)


def _key(headers: Headers) -> str | None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() in _SCHEMES and key.strip():
        return key.strip()
    return headers.get("x-api-key")
