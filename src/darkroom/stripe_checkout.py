"""The way to Stripe: what is asked of it and what it signs, by its own library.

Answers are Stripe's objects as their JSON has them; what they mean is the domain's to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any

import stripe

from darkroom import errors
from darkroom.config import Config

# One request; the library tries again by itself where a connection broke or Stripe was busy, under
# the same idempotency key.
_REQUEST_SECONDS_MAX = 10.0
_RETRIES_MAX = 2
# All of them together.
_ANSWER_SECONDS_MAX = 20.0
_DISPUTES_MAX = 100

Json = Mapping[str, Any]


class StripeCheckout:
    """One Stripe account, by its secret key; no state of the library's is shared."""

    def __init__(self, key: str, webhook_secret: str | None, address: str | None = None) -> None:
        self.is_test = "_test_" in key
        self._webhook_secret = webhook_secret
        self._http = stripe.HTTPXClient(timeout=_REQUEST_SECONDS_MAX)
        self._client = stripe.StripeClient(
            key,
            http_client=self._http,
            max_network_retries=_RETRIES_MAX,
            base_addresses={"api": address} if address else None,
        )

    @property
    def hears(self) -> bool:
        """Whether events can be verified, and so are taken."""
        return self._webhook_secret is not None

    async def close(self) -> None:
        """Close its connections."""
        # The library leaves this one method without types.
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def create_session(self, parameters: Json, idempotency_key: str) -> Json:
        """A new Checkout Session; under the same key the same one again."""
        options: Any = {"idempotency_key": idempotency_key}
        given: Any = parameters
        return await _answer(self._client.v1.checkout.sessions.create_async(given, options))

    async def session(self, session_id: str) -> Json:
        """A Checkout Session."""
        return await _answer(self._client.v1.checkout.sessions.retrieve_async(session_id))

    async def intent(self, intent_id: str) -> Json:
        """A PaymentIntent with its latest charge inside."""
        return await _answer(
            self._client.v1.payment_intents.retrieve_async(intent_id, {"expand": ["latest_charge"]})
        )

    async def disputes(self, intent_id: str) -> Json:
        """The disputes over what a PaymentIntent took, as a list object."""
        return await _answer(
            self._client.v1.disputes.list_async(
                {"payment_intent": intent_id, "limit": _DISPUTES_MAX}
            )
        )

    def event(self, body: bytes, signature: str | None) -> Json:
        """An event that Stripe signed; raises `SignatureRefused` for any other."""
        try:
            stripe.WebhookSignature.verify_header(
                body, signature, self._webhook_secret, stripe.Webhook.DEFAULT_TOLERANCE
            )
            event = json.loads(body)
        except (stripe.SignatureVerificationError, ValueError) as exc:
            raise errors.SignatureRefused from exc
        if not isinstance(event, dict):
            raise errors.SignatureRefused
        return event


@contextlib.asynccontextmanager
async def opened(settings: Config) -> AsyncIterator[StripeCheckout]:
    """The Stripe account that the settings name."""
    assert settings.stripe_key is not None
    checkout = StripeCheckout(
        settings.stripe_key, settings.stripe_webhook_secret, settings.stripe_api
    )
    try:
        yield checkout
    finally:
        await checkout.close()


async def _answer(asked: Awaitable[stripe.StripeObject]) -> Json:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS_MAX):
            answer: Json = (await asked).to_dict()
    except TimeoutError as exc:
        raise errors.StripeFailed("Stripe did not answer in time.") from exc
    except stripe.StripeError as exc:
        said = " ".join((exc.user_message or type(exc).__name__).split())
        raise errors.StripeFailed(f"Stripe: {said[:300]}") from exc
    return answer
