"""Letterboxes: real SMTP servers on loopback that keep what they took, and answer as told."""

from __future__ import annotations

import email
import email.policy
import re
import socket
import ssl
import subprocess
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from ground import wait_until


class Letterbox:
    """A mail server; `answers` are given to the next letters instead of taking them."""

    def __init__(self, **settings: Any) -> None:
        self.taken: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.answers: list[str] = []
        self.was_tls: list[bool] = []
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self._controller = Controller(self, "127.0.0.1", port, **settings)
        self.port = port

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    async def handle_RCPT(  # noqa: N802 - named by aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or answer as told."""
        if self.answers and self.answers[0].startswith("rcpt "):
            return self.answers.pop(0).removeprefix("rcpt ")
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - named by aiosmtpd
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take a letter, or answer as told."""
        if self.answers:
            return self.answers.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        self.taken.append(email.message_from_bytes(content, policy=email.policy.default))
        self.recipients.append(envelope.rcpt_tos)
        self.was_tls.append(session.ssl is not None)
        return "250 OK"

    def letter_to(self, address: str) -> str:
        """The text of the last letter to an address, once there is one that was not read."""
        wait_until(lambda: [a for [a] in self.recipients if a == address], what="the letter")
        at = max(n for n, to in enumerate(self.recipients) if to == [address])
        self.recipients[at] = ["read"]
        return str(self.taken[at].get_content())

    def link_to(self, address: str) -> str:
        """The path of the link in the next letter to an address."""
        found = re.search(r"http\S+?(/link/\S+)", self.letter_to(address))
        assert found
        return found[1]


def only(username: str, password: str) -> Any:
    """An authenticator that lets one in."""

    def authenticate(_s: Any, _session: Any, _e: Any, _m: str, given: Any) -> AuthResult:
        is_right = (given.login, given.password) == (username.encode(), password.encode())
        return AuthResult(success=is_right, handled=False)

    return authenticate


def certify_here(folder: Path) -> Path:
    """A certificate for this machine that signs itself, with its key, in one file."""
    path = folder / "here.pem"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", *key, *name, "-keyout", str(path), "-out", "-"]
    made = subprocess.run(command, capture_output=True, check=True, timeout=60)
    path.write_bytes(path.read_bytes() + made.stdout)
    return path


def tls(certificate: Path) -> ssl.SSLContext:
    """What a server needs to speak TLS with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
