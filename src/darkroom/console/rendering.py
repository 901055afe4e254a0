"""Rendering: the templates, and how amounts and instants are written in them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from importlib import resources

import jinja2
from markupsafe import Markup

from darkroom.domain import ledger, spellings

STATIC = resources.files("darkroom.console").joinpath("static")
_CENTS = 100


def environment() -> jinja2.Environment:
    """The templates of the console; a name that is missing in one is an error."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("darkroom.console"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.filters |= {
        "credits": credits_text,
        "price": price,
        "dollars": dollars,
        "when": when,
        "ms": milliseconds,
        "number": number,
    }
    templates.globals["asset"] = _addresses().__getitem__
    return templates


def _addresses() -> Mapping[str, str]:
    """Each static file's address with a mark of its content, so that it may be kept for ever."""
    marks = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:12]
        for file in STATIC.iterdir()
        if file.is_file()
    }
    return {name: f"/static/{name}?v={mark}" for name, mark in marks.items()}


def number(value: float) -> str:
    """A count or an amount with its thousands apart: 12,345.5."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}".rstrip("0").rstrip(".")


def credits_text(mill: int) -> str:
    """An amount of mill in credits: 1,234.5."""
    return number(ledger.credits_of(mill))


def price(mill: int, input_mill: int) -> str:
    """What a unit costs in credits: 1.5; of tokens that are read and answered: 15 in, 60 out."""
    if not input_mill:
        return credits_text(mill)
    return f"{credits_text(input_mill)} in, {credits_text(mill)} out"


def dollars(cents: int) -> str:
    """An amount of cents in dollars: $1,234.50."""
    return f"{'-' if cents < 0 else ''}${abs(cents) / _CENTS:,.2f}"


def milliseconds(value: float) -> str:
    """A duration as a person reads it: 4 ms, 1.2 s, 3 min 5 s."""
    if value < 1000:
        return f"{value:.0f} ms"
    if value < 60_000:
        return f"{value / 1000:.1f} s"
    minutes, rest = divmod(round(value / 1000), 60)
    return f"{minutes} min {rest} s"


def when(instant: datetime | None) -> Markup:
    """An instant in UTC, which a script of the page writes in the reader's own time."""
    if instant is None:
        return Markup('<span class="muted">never</span>')
    return Markup('<time datetime="{}">{} UTC</time>').format(
        spellings.instant(instant), f"{instant:%Y-%m-%d %H:%M:%S}"
    )
