"""Issuers: a real OpenID Connect issuer over HTTP on loopback, which can be told to err."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT_ID, CLIENT_SECRET = "darkroom", "a secret/with:odd+chars"


@dataclass
class Issuer:
    """What it says of whoever comes next; `claims` and `header` overrule what would be right."""

    subject: str = "ann-1"
    email: str | None = "ann@issuer.example"
    is_email_verified: bool = True
    claims: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    key: Any = None
    tells_address_by: str = "token"
    is_away: bool = False
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.rotate()
        self.key = self.published
        issuer = self

        class Answers(BaseHTTPRequestHandler):
            """The four addresses of an issuer."""

            def do_GET(self) -> None:
                issuer.get(self)

            def do_POST(self) -> None:
                issuer.post(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def behave(self) -> None:
        """Be right about everything again."""
        kept = Issuer()
        for name in ("subject", "email", "is_email_verified", "claims", "algorithm", "is_away"):
            setattr(self, name, getattr(kept, name))
        self.tells_address_by = kept.tells_address_by
        self.asked.clear()
        self.key = self.published

    def rotate(self) -> None:
        """Publish another key, and sign with it."""
        self.published = RSAKey.generate_key(2048, {"kid": f"key-{time.monotonic_ns()}"})
        self.key = self.published

    def get(self, request: BaseHTTPRequestHandler) -> None:
        """Discovery, the keys, the sign-in itself (everybody is let in), and userinfo."""
        parts = urlsplit(request.path)
        asked = {name: value for name, [value] in parse_qs(parts.query).items()}
        if parts.path == "/.well-known/openid-configuration":
            _say(request, self.discovery())
        elif parts.path == "/jwks":
            _say(request, {"keys": [self.published.as_dict(private=False)]})
        elif parts.path == "/authorize":
            self.asked.append(asked)
            code = f"code-{len(self.asked)}"
            self.codes[code] = asked
            back = urlencode({"code": code, "state": asked["state"]})
            request.send_response(302)
            request.send_header("Location", f"{asked['redirect_uri']}?{back}")
            request.end_headers()
        elif request.headers["Authorization"] == "Bearer the-access-token":
            _say(request, {"sub": self.subject, **self.address()})
        else:
            _say(request, {}, 404)

    def discovery(self) -> dict[str, Any]:
        """What it publishes of itself."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }

    def address(self) -> dict[str, Any]:
        """The address as a claim."""
        return {"email": self.email, "email_verified": self.is_email_verified}

    def post(self, request: BaseHTTPRequestHandler) -> None:
        """A token for a code that was given out, once, to who proves to be the one who asked."""
        length = int(request.headers["Content-Length"])
        given = {name: one for name, [one] in parse_qs(request.rfile.read(length).decode()).items()}
        asked = self.codes.pop(given["code"], None)
        secret = urlencode({"": CLIENT_SECRET})[1:].replace("+", "%20")
        basic = base64.b64encode(f"{CLIENT_ID}:{secret}".encode()).decode()
        digest = hashlib.sha256(given["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or self.is_away
            or request.headers["Authorization"] != f"Basic {basic}"
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != given["redirect_uri"]
        ):
            _say(request, {"error": "invalid_grant"}, 400)
            return
        token = self.token(asked["nonce"])
        _say(
            request,
            {"access_token": "the-access-token", "token_type": "Bearer", "id_token": token},
        )

    def token(self, nonce: str) -> str:
        """The ID token, right but for what it was told to say."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": self.subject,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            **(self.address() if self.tells_address_by == "token" else {}),
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm}
        if isinstance(self.key, RSAKey):
            header["kid"] = str(self.key.kid)
        if self.algorithm == "none":
            parts = [json.dumps(part).encode() for part in (header, claims)]
            text = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
            return ".".join([*text, ""])
        return jwt.encode(header, claims, self.key, algorithms=[self.algorithm])

    def sign_with_what_everybody_knows(self) -> None:
        """Take the public key for a shared secret: the oldest trick on JSON Web Tokens."""
        self.algorithm = "HS256"
        self.key = OctKey.import_key(CLIENT_SECRET * 2)


def _say(request: BaseHTTPRequestHandler, document: dict[str, Any], status: int = 200) -> None:
    body = json.dumps(document).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
