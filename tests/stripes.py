"""Stripe for tests: a process that answers as it does, and the official library to speak to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import stripe

SECRET = "whsec_ofthetests"
KEY = "sk_test_ofthetests"


@dataclass(frozen=True, slots=True)
class Stripe:
    """A running double of Stripe."""

    address: str

    @property
    def client(self) -> stripe.StripeClient:
        """The official library, as an operator's script would use it."""
        return stripe.StripeClient(KEY, base_addresses={"api": self.address})

    @property
    def settings(self) -> dict[str, str]:
        """What makes a server sell through it."""
        return {
            "stripe_key": KEY,
            "stripe_webhook_secret": SECRET,
            "stripe_api": self.address,
        }

    def do(self, path: str, **fields: Any) -> Any:
        """Something that no API can do; see `stripe_double.py`."""
        answer = httpx.post(f"{self.address}/_config/{path}", data=fields)
        assert answer.status_code < 400, answer.text
        return answer.json() if "json" in answer.headers.get("content-type", "") else None

    def pay(self, session_id: str, means: str = "visa") -> None:
        """The buyer pays on the session's page."""
        self.do(f"buyer/{session_id}", means=means)

    def refund(self, intent_id: str, amount: int | None = None) -> dict[str, Any]:
        """The operator sends money back; the event that Stripe sends."""
        given: Any = {"payment_intent": intent_id} | ({"amount": amount} if amount else {})
        self.client.v1.refunds.create(given)
        charge = self.client.v1.payment_intents.retrieve(intent_id).latest_charge
        assert charge is not None
        return self.do(f"tell/charge.refunded/{charge if isinstance(charge, str) else charge.id}")

    def events(self, about: str) -> list[dict[str, Any]]:
        """The events whose object has that id or names that intent, the oldest first."""
        every = self.client.v1.events.list({"limit": 10_000}).to_dict()["data"]
        objects = [(event, event["data"]["object"]) for event in every]
        return [
            event
            for event, one in objects
            if about in (one["id"], one.get("payment_intent"), one.get("client_reference_id"))
        ]


def run_stripe() -> Iterator[Stripe]:
    """Start the double and stop it in the end."""
    command = [sys.executable, str(Path(__file__).with_name("stripe_double.py"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        yield Stripe(process.stdout.readline().decode().strip())
        process.terminate()


def signed(body: bytes, secret: str = SECRET, timestamp: int | None = None) -> dict[str, str]:
    """The header under which Stripe sends an event."""
    header = stripe.WebhookSignature.generate_signature_header(
        body.decode(), secret, timestamp=timestamp
    )
    return {"Stripe-Signature": header, "Content-Type": "application/json"}
