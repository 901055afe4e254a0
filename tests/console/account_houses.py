"""Houses for the tests of accounts: servers of their own, with letters, issuers and modes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
from console_visitors import Visitor

from darkroom.domain import accounts, passwords
from darkroom.storage.database import Database
from ground import Ground, fresh_database, serve
from letterboxes import Letterbox

PASSWORD = "correct horse battery"
NEW_PASSWORD = "staple battery horse"
PUBLIC = "http://darkroom.example"


@dataclass
class House:
    """A server with its database, its log and its letters."""

    url: str
    ground: Ground
    log: Path
    box: Letterbox

    @contextmanager
    def visitor(self, **settings: object) -> Iterator[Visitor]:
        """A browser of nobody."""
        with Visitor(base_url=self.url, timeout=30, **settings) as one:
            yield one

    def register(self, visitor: Visitor, email: str, password: str = PASSWORD) -> str:
        """Register by letter, and answer the link that was used."""
        assert visitor.post_form("/register", email=email).status_code == 200
        link = self.box.link_to(email)
        answer = visitor.post_form(link, password=password)
        assert answer.status_code == 303, answer.text
        return link

    def account(self, email: str, password: str | None = PASSWORD) -> str:
        """An account made behind the console's back; its id."""

        async def made(database: Database) -> str:
            async with database.transaction() as tx:
                one = await accounts.create(tx, email)
                if password is not None:
                    await accounts.set_password(tx, one.id, passwords.hash_of(password))
                return one.id

        return str(self.ground.run(made))

    def query(self, text: str) -> list[tuple[object, ...]]:
        """Rows of the database."""
        with psycopg.connect(self.ground.conninfo) as connection:
            found = connection.execute(text)
            return found.fetchall() if found.description else []


@contextmanager
def housed(postgres: str, template: str, folder: Path, **settings: str) -> Iterator[House]:
    """A server with a mail server, and those settings."""
    databases = fresh_database(postgres, template)
    ground = Ground(next(databases))
    with Letterbox() as box:
        given = {
            "smtp_url": f"smtp://127.0.0.1:{box.port}",
            "mail_from": "Darkroom <post@darkroom.example>",
            "public_url": PUBLIC,
            "workers": "0",
            **settings,
        }
        given = {name: value for name, value in given.items() if value}
        served = serve(ground.conninfo, folder, **given)
        yield House(served.url, ground, served.log, box)
        served.stop()
    next(databases, None)


def is_signed_in(visitor: Visitor) -> bool:
    """Whether this browser is let into the settings."""
    return visitor.get("/settings").status_code == 200


def without_tokens(answer: httpx.Response) -> str:
    """A page without what differs from browser to browser and request to request."""
    text = re.sub(r'(value|content)="[0-9a-f]{64}"', "", answer.text)
    return re.sub(r"req_\w+|&#34;[0-9a-f]{64}&#34;|\"[0-9a-f]{64}\"", "", text)
