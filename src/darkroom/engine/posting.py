"""Posting: letters that are due, sent over SMTP, or their links shown to the operator."""

from __future__ import annotations

import asyncio
import email.utils
import logging
import random
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib
import msgspec

from darkroom import errors
from darkroom.config import Config
from darkroom.domain import letters
from darkroom.domain.letters import Claimed
from darkroom.storage.database import Database

_log = logging.getLogger(__name__)
_TOGETHER_MAX = 8
# What one attempt may take; the lease outlives it by far, so that nobody else sends the letter.
_ATTEMPT_SECONDS_MAX = 60.0
_ANSWER_SECONDS_MAX = 20.0
_LEASE_SECONDS = 180.0
# Pauses after each attempt, the last one again and again.
_PAUSES_SECONDS = (10, 60, 300, 900, 1_800, 3_600)
_JITTER = 0.1
_ERROR_CHARS_MAX = 300
_PORTS = {"smtp": 587, "smtps": 465}
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_LATE = "It could not be sent in time."


class Server(msgspec.Struct, frozen=True):
    """The mail server of `DARKROOM_SMTP_URL`, and who writes."""

    scheme: str
    host: str
    port: int
    username: str | None
    password: str | None
    sender: str


class Refused(Exception):
    """The mail server refused the letter for good."""


def server_of(config: Config) -> Server | None:
    """The mail server that is set, None if none is; raises `ConfigInvalid`."""
    if config.smtp_url is None or config.mail_from is None:
        return None
    try:
        parts = urlsplit(config.smtp_url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise errors.ConfigInvalid(
            "DARKROOM_SMTP_URL is no address of a mail server: write "
            "smtp://user:password@host:port, or smtps://."
        )
    if "@" not in email.utils.parseaddr(config.mail_from)[1]:
        raise errors.ConfigInvalid("DARKROOM_MAIL_FROM is no e-mail address.")
    return Server(
        parts.scheme,
        parts.hostname,
        port or _PORTS[parts.scheme],
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
        config.mail_from,
    )


class Poster:
    """Sends letters that are due; any number of daemons may, and none sends another's."""

    def __init__(self, database: Database, config: Config) -> None:
        self._database = database
        self._server = server_of(config)

    async def post(self) -> None:
        """Claim what is due, send it and keep what came of it, until nothing is due."""
        while claimed := await self._claim():
            async with asyncio.TaskGroup() as group:
                for one in claimed:
                    group.create_task(self._attempt(one))

    async def _claim(self) -> list[Claimed]:
        async with self._database.statement() as tx:
            return await letters.claim(tx, rows_max=_TOGETHER_MAX, lease_seconds=_LEASE_SECONDS)

    async def _attempt(self, one: Claimed) -> None:
        status, error = letters.SENT, None
        try:
            if one.is_late:
                raise Refused(_LATE)
            if self._server is None:
                show(one)
                status = letters.SHOWN
            else:
                async with asyncio.timeout(_ATTEMPT_SECONDS_MAX):
                    await send(one, self._server)
        except Refused as refused:
            status, error = letters.FAILED, str(refused)
            _log.warning("%s (%s) is given up: %s", one.id, one.kind, error)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as exc:
            status, error = letters.PENDING, _said(exc)
            _log.warning("%s (%s) could not be sent yet: %s", one.id, one.kind, error)
        pause = _PAUSES_SECONDS[min(one.number, len(_PAUSES_SECONDS)) - 1]
        async with self._database.statement() as tx:
            await letters.record(
                tx,
                one,
                status,
                error=error,
                pause_seconds=pause * random.uniform(1, 1 + _JITTER),
            )


def show(one: Claimed) -> None:
    """Tell the operator where a letter's link leads: nobody else would."""
    if one.link is not None:
        _log.warning("no mail server is set; %s for %s: %s", one.kind, one.recipient, one.link)


async def send(one: Claimed, server: Server, *, seconds_max: float = _ANSWER_SECONDS_MAX) -> None:
    """Send a letter; raises `Refused` where another attempt would end the same.

    Each answer may take `seconds_max`. A password is sent over TLS only, or to this machine.
    """
    is_smtps = server.scheme == "smtps"
    needs_tls = server.username is not None and server.host not in _HERE
    try:
        message = _message(one, server.sender)
    except ValueError as exc:
        raise Refused(_said(exc)) from exc
    try:
        await aiosmtplib.send(
            message,
            sender=email.utils.parseaddr(server.sender)[1],
            recipients=[one.recipient],
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=is_smtps,
            # None: where the server offers it.
            start_tls=False if is_smtps else needs_tls or None,
            tls_context=ssl.create_default_context(),
            timeout=seconds_max,
        )
    except aiosmtplib.SMTPRecipientsRefused as exc:
        raise _judged(exc.recipients[0]) from exc
    except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as exc:
        raise _judged(exc) from exc
    except aiosmtplib.SMTPNotSupported as exc:
        raise Refused(_said(exc)) from exc


def _judged(exc: aiosmtplib.SMTPResponseException) -> Exception:
    """What the server said of this letter: 5xx is for good (RFC 5321, 4.2.1)."""
    return Refused(_said(exc)) if exc.code >= 500 else exc


def _said(exc: Exception) -> str:
    if isinstance(exc, aiosmtplib.SMTPResponseException):
        return f"{exc.code} {exc.message}"[:_ERROR_CHARS_MAX]
    return (str(exc) or type(exc).__name__)[:_ERROR_CHARS_MAX]


def _message(one: Claimed, sender: str) -> EmailMessage:
    """The letter as mail; its Message-ID is the same however often it is tried."""
    name, address = email.utils.parseaddr(sender)
    message = EmailMessage()
    message["From"] = Address(name, addr_spec=address)
    message["To"] = one.recipient
    message["Subject"] = one.subject
    message["Date"] = one.created_at
    message["Message-ID"] = f"<{one.id}@{address.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(one.text + "\n", cte="quoted-printable")
    return message
