"""Signatures of webhooks: made by the server, verified by the SDK, after the Standard Webhooks.

What is signed is `{webhook-id}.{webhook-timestamp}.{body}`: with HMAC-SHA256 under a secret that
both sides know (`v1`, `whsec_…`), and with ed25519 under a key whose public half anybody may have
(`v1a`, `whsk_…` and `whpk_…`). https://github.com/standard-webhooks/standard-webhooks

The errors stand here and not in `errors`, since they are raised where a delivery arrives.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib
import json
import time
from collections.abc import Container, Mapping, Sequence
from secrets import token_bytes
from typing import TYPE_CHECKING, Any, Self

import msgspec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TOLERANCE_SECONDS = 300
SECRET_BYTES = 32
SIGNATURES_MAX = 16  # looked at in one delivery, whoever sent it

_SECRET, _PRIVATE, _PUBLIC = "whsec_", "whsk_", "whpk_"


class NotVerified(Exception):
    """The delivery is not what its sender signed, or not of now; the text says which."""


class KeyUnusable(Exception):
    """What was given as a secret or a key is none, or cannot be used on this machine."""


def new_secret() -> str:
    """A fresh shared secret: `whsec_` and 32 random bytes in base64."""
    return _SECRET + _encoded(token_bytes(SECRET_BYTES))


class SigningKey(msgspec.Struct, frozen=True):
    """An ed25519 key; needs the package `cryptography`, which the server install has."""

    _private: Ed25519PrivateKey

    @classmethod
    def make(cls) -> Self:
        """A fresh key."""
        return cls(_ed25519().Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, text: str) -> Self:
        """The key that `dump` wrote; raises KeyUnusable for anything else."""
        both = _decoded(text, _PRIVATE, (64,))
        key = cls(_ed25519().Ed25519PrivateKey.from_private_bytes(both[:32]))
        if key._public_bytes != both[32:]:
            raise KeyUnusable(f"The halves of this {_PRIVATE} key do not belong together.")
        return key

    def dump(self) -> str:
        """The private key, to be kept secret: `whsk_`, then seed and public key in base64."""
        return _PRIVATE + _encoded(self._private.private_bytes_raw() + self._public_bytes)

    @property
    def public(self) -> str:
        """The public key, `whpk_…`, with which receivers verify."""
        return _PUBLIC + _encoded(self._public_bytes)

    def jwk(self) -> dict[str, str]:
        """The public key as a JSON Web Key (RFC 8037); `kid` is its thumbprint (RFC 7638)."""
        members = {"crv": "Ed25519", "kty": "OKP", "x": _encoded_for_urls(self._public_bytes)}
        text = json.dumps(members, sort_keys=True, separators=(",", ":"))
        kid = _encoded_for_urls(hashlib.sha256(text.encode()).digest())
        return {**members, "use": "sig", "alg": "EdDSA", "kid": kid}

    def sign(self, content: bytes) -> bytes:
        """The 64 bytes of the signature."""
        return self._private.sign(content)

    @property
    def _public_bytes(self) -> bytes:
        return self._private.public_key().public_bytes_raw()


def headers(
    message_id: str, at_seconds: int, body: bytes, secrets: Sequence[str], key: SigningKey | None
) -> dict[str, str]:
    """The three headers of one attempt: a signature for every live secret, and one of the key.

    `at_seconds` is the attempt's Unix time; `message_id` stays the same over attempts. Raises
    KeyUnusable for a secret that is none.
    """
    assert "." not in message_id, "a full stop would move the border between id and timestamp"
    content = _content(message_id, str(at_seconds), body)
    signatures = [f"v1,{_encoded(_hmac(_secret(one), content))}" for one in secrets]
    if key is not None:
        signatures.append(f"v1a,{_encoded(key.sign(content))}")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_seconds),
        "webhook-signature": " ".join(signatures),
    }


def verify(
    headers: Mapping[str, str],
    body: bytes | str,
    secret: str | Sequence[str],
    *,
    tolerance_seconds: int = TOLERANCE_SECONDS,
    now: float | None = None,
) -> None:
    """Raises NotVerified unless one of the secrets signed this body, at most so long ago.

    `headers` may be in any case, `body` must be the bytes as they came. `secret` is a `whsec_…`,
    a public key `whpk_…`, or several of either, as during a rotation; KeyUnusable is raised for
    what is neither, and for a public key where `cryptography` is not installed.
    """
    given = {name.lower(): text for name, text in headers.items()}
    message_id, timestamp, signature = (
        _header(given, f"webhook-{name}") for name in ("id", "timestamp", "signature")
    )
    if "." in message_id:
        raise NotVerified("webhook-id holds a full stop: the borders of what is signed were moved.")
    _check_time(timestamp, tolerance_seconds, time.time() if now is None else now)
    content = _content(message_id, timestamp, _bytes(body))
    signatures = [_version(one) for one in signature.split()[:SIGNATURES_MAX]]
    live = (secret,) if isinstance(secret, str) else secret
    if not any(_is_signed(content, signatures, one) for one in live):
        raise NotVerified(
            "No signature matches: the secret is another one, or the body is not as it was sent. "
            "Verify the raw bytes of the request, before anything parses them."
        )


def _is_signed(content: bytes, signatures: Sequence[tuple[str, str]], secret: str) -> bool:
    if secret.startswith(_PUBLIC):
        public = _decoded(secret, _PUBLIC, (32,))
        return any(_is_of(public, content, text) for name, text in signatures if name == "v1a")
    expected = _encoded(_hmac(_secret(secret), content)).encode()
    return any(
        hmac.compare_digest(expected, _bytes(text)) for name, text in signatures if name == "v1"
    )


def _is_of(public: bytes, content: bytes, signature: str) -> bool:
    ed25519, invalid = _ed25519(), importlib.import_module("cryptography.exceptions")
    try:
        key = ed25519.Ed25519PublicKey.from_public_bytes(public)
        key.verify(base64.b64decode(signature, validate=True), content)
    except (invalid.InvalidSignature, ValueError):
        return False
    return True


def _check_time(timestamp: str, tolerance_seconds: int, now: float) -> None:
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        raise NotVerified("webhook-timestamp is not a Unix time in whole seconds.")
    age_seconds = now - int(timestamp)
    if abs(age_seconds) > tolerance_seconds:
        side = "old" if age_seconds > 0 else "new"
        raise NotVerified(
            f"webhook-timestamp is too {side}: {abs(age_seconds):.0f} seconds from this machine's "
            f"clock, over {tolerance_seconds}. It is a replay, or a clock is wrong."
        )


def _header(given: Mapping[str, str], name: str) -> str:
    if not given.get(name):
        raise NotVerified(f"The header {name} is missing.")
    return given[name]


def _content(message_id: str, timestamp: str, body: bytes) -> bytes:
    return _bytes(f"{message_id}.{timestamp}.") + body


def _version(signature: str) -> tuple[str, str]:
    name, _, text = signature.partition(",")
    return name, text


def _bytes(text: bytes | str) -> bytes:
    """The bytes of anything that a stranger's request may hold: none makes an error."""
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


def _hmac(secret: bytes, content: bytes) -> bytes:
    return hmac.digest(secret, content, "sha256")


def _secret(text: str) -> bytes:
    return _decoded(text, _SECRET, range(24, 65))


def _decoded(text: str, prefix: str, lengths: Container[int]) -> bytes:
    """The bytes behind the prefix; the text itself never gets into an error."""
    try:
        found = base64.b64decode(text.removeprefix(prefix), validate=True)
    except ValueError:
        found = b""
    if not text.startswith(prefix) or len(found) not in lengths:
        raise KeyUnusable(f"This is no {prefix}… as Darkroom gives them: copy the whole of it.")
    return found


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _encoded_for_urls(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _ed25519() -> Any:
    """The module of ed25519, loaded when it is first needed: receivers may do without it."""
    try:
        return importlib.import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    except ModuleNotFoundError as missing:
        raise KeyUnusable(
            "ed25519 needs the package cryptography: pip install cryptography. "
            "Or verify with the whsec_ secret, which needs nothing."
        ) from missing
