"""Visitors: HTTP clients that are signed in to the console and send forms as its pages do."""

from __future__ import annotations

import re
from typing import Any

import httpx

from darkroom.domain import sessions
from darkroom.storage.database import Database
from ground import Server

_FORM_TOKEN = re.compile(r'<meta name="form-token" content="(\w+)">')


class Visitor(httpx.Client):
    """An HTTP client that sends forms as the pages do; `account_id` is who is signed in."""

    account_id: str = ""

    def form_token(self) -> str:
        """What forms carry, read from a page that everybody may see."""
        found = _FORM_TOKEN.search(self.get("/login?next=/settings", follow_redirects=True).text)
        assert found, "the page names no form token"
        return found[1]

    def post_form(self, path: str, **fields: Any) -> httpx.Response:
        """Send a form; its answer as it comes, redirects and all."""
        return self.post(path, data={"csrf": self.form_token(), **fields})


def token_for(server: Server, account_id: str) -> str:
    """The cookie's text of a new session of an account."""

    async def opened(database: Database) -> str:
        async with database.transaction() as tx:
            token, _ = await sessions.open_for(tx, account_id, ip=None, agent="a test")
        return token

    return str(server.ground.run(opened))
