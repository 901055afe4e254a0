"""Identity: who somebody is by an OpenID Connect issuer, asked over HTTP, believed by signature."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
import msgspec
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from darkroom import errors

_log = logging.getLogger(__name__)
_SECONDS_MAX = 10.0
_KNOWN_SECONDS = 3_600.0
_LEEWAY_SECONDS = 60
# Signatures that need the issuer's private key; a shared secret or none at all proves nothing here.
_ALGORITHMS = [f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)]
_ALGORITHMS += ["EdDSA", "Ed25519"]
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError)


class Claims(msgspec.Struct, frozen=True):
    """What the issuer says of somebody; only issuer and subject together never change."""

    issuer: str
    subject: str
    email: str | None
    is_email_verified: bool


class Issuer:
    """One OpenID Connect issuer, used as `async with`; after OpenID Connect Core 1.0, with PKCE."""

    def __init__(self, address: str, client_id: str, client_secret: str | None) -> None:
        self._address = address.rstrip("/")
        self._client_id = client_id
        self._client_secret = client_secret
        self._known: Mapping[str, Any] = {}
        self._known_until = 0.0
        self._keys: KeySet | None = None

    async def __aenter__(self) -> Self:
        self._http = httpx.AsyncClient(timeout=_SECONDS_MAX)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def address_for(self, state: str, nonce: str, verifier: str, back: str) -> str:
        """Where to send the browser, which comes back to `back` with a code and the state."""
        try:
            known = await self._discover()
            asked = {
                "response_type": "code",
                "client_id": self._client_id,
                "redirect_uri": back,
                "scope": "openid email",
                "state": state,
                "nonce": nonce,
                "code_challenge": create_s256_code_challenge(verifier),
                "code_challenge_method": "S256",
            }
            return str(add_params_to_uri(known["authorization_endpoint"], [*asked.items()]))
        except (httpx.HTTPError, *_MALFORMED) as exc:
            raise _failed(exc) from exc

    async def claims(
        self, code: str, *, nonce: str, verifier: str, back: str, at_seconds: int
    ) -> Claims:
        """Whom the code is about, at the moment `at_seconds`; raises `Unavailable`."""
        try:
            known = await self._discover()
            tokens = await self._tokens(known, code, verifier, back)
            said = await self._verified(known, tokens, nonce, at_seconds)
            if "email" not in said and "userinfo_endpoint" in known:
                said = await self._more(known, tokens, said)
        except (httpx.HTTPError, JoseError, *_MALFORMED) as exc:
            raise _failed(exc) from exc
        email = said.get("email")
        return Claims(
            known["issuer"],
            str(said["sub"]),
            email if isinstance(email, str) else None,
            said.get("email_verified") in (True, "true"),
        )

    async def _discover(self) -> Mapping[str, Any]:
        """What the issuer publishes of itself, kept for a while."""
        if time.monotonic() < self._known_until:
            return self._known
        known = await self._get(f"{self._address}/.well-known/openid-configuration")
        if str(known["issuer"]).rstrip("/") != self._address:
            raise ValueError(f"it calls itself {known['issuer']}")
        if self._address.startswith("https://"):
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not known[name].startswith("https://"):
                    raise ValueError(f"its {name} is not https")
        self._known, self._keys = known, None
        self._known_until = time.monotonic() + _KNOWN_SECONDS
        return known

    async def _get(self, address: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        answer = await self._http.get(address, headers=headers)
        answer.raise_for_status()
        return _document(answer)

    async def _tokens(
        self, known: Mapping[str, Any], code: str, verifier: str, back: str
    ) -> dict[str, Any]:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": verifier,
        }
        methods = known.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        auth = None
        if self._client_secret is None or "client_secret_basic" not in methods:
            fields["client_id"] = self._client_id
            if self._client_secret is not None:
                fields["client_secret"] = self._client_secret
        else:
            # Both are encoded before they become a header (RFC 6749, 2.3.1).
            auth = httpx.BasicAuth(quote(self._client_id, ""), quote(self._client_secret, ""))
        answer = await self._http.post(
            known["token_endpoint"],
            data=fields,
            auth=auth or httpx.USE_CLIENT_DEFAULT,
            headers={"Accept": "application/json"},
        )
        if answer.is_error:
            raise ValueError(f"it answered {answer.status_code} to the code")
        return _document(answer)

    async def _verified(
        self, known: Mapping[str, Any], tokens: Mapping[str, Any], nonce: str, at_seconds: int
    ) -> Mapping[str, Any]:
        """The claims of an ID token whose signature, issuer, audience, age and nonce are right."""
        try:
            token = self._decoded(tokens["id_token"], await self._key_set(known))
        except (JoseError, ValueError):
            # The issuer may have a new key since.
            self._keys = None
            token = self._decoded(tokens["id_token"], await self._key_set(known))
        claims = CodeIDToken(
            token.claims,
            token.header,
            {
                "iss": {"essential": True, "value": known["issuer"]},
                "aud": {"essential": True, "value": self._client_id},
            },
            {
                "nonce": nonce,
                "client_id": self._client_id,
                "access_token": tokens.get("access_token"),
            },
        )
        claims.validate(now=at_seconds, leeway=_LEEWAY_SECONDS)
        return dict(claims)

    async def _key_set(self, known: Mapping[str, Any]) -> KeySet:
        if self._keys is None:
            found: Any = await self._get(known["jwks_uri"])
            self._keys = KeySet.import_key_set(found)
        return self._keys

    def _decoded(self, text: str, keys: KeySet) -> jwt.Token:
        return jwt.decode(text, keys, algorithms=_ALGORITHMS)

    async def _more(
        self, known: Mapping[str, Any], tokens: Mapping[str, Any], said: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """What the ID token left out, asked for by the access token."""
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        more = await self._get(known["userinfo_endpoint"], bearer)
        if more.get("sub") != said["sub"]:
            raise ValueError("it tells of somebody else")
        return more


def _document(answer: httpx.Response) -> dict[str, Any]:
    found = answer.json()
    if not isinstance(found, dict):
        raise TypeError("its answer is no JSON object")
    return found


def _failed(exc: Exception) -> errors.Unavailable:
    _log.warning("the OpenID Connect issuer: %s: %s", type(exc).__name__, exc)
    return errors.Unavailable(
        "The sign-in elsewhere did not end well. Try again, or log in with your password."
    )
