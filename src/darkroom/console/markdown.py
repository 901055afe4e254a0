"""Markdown: the repository's documents as parts of pages, read once and made once."""

from __future__ import annotations

import functools
import itertools
import posixpath
import re
from collections.abc import Iterator, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec
import pygments
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

# What the documents call the server; a reader sees the address under which he reached it.
ADDRESS = "http://127.0.0.1:8080"
_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True, classprefix="hl-")
_SECTIONS = ("", "howto", "reference", "architecture")


class Heading(msgspec.Struct, frozen=True):
    """A heading of a document: its depth from 1 on, its text, and its mark in the address."""

    level: int
    text: str
    mark: str


class Document(msgspec.Struct, frozen=True):
    """One document; `name` is its place below `/docs/`, such as `howto/webhooks`."""

    name: str
    title: str
    html: str
    headings: Sequence[Heading]

    @property
    def section(self) -> str:
        """The folder it stands in, '' for none."""
        return self.name.rpartition("/")[0]

    def shown(self, base_url: str) -> Markup:
        """Its text with the reader's own address in every example."""
        shown = self.html.replace(ADDRESS, str(escape(base_url)))
        return Markup(shown)  # noqa: S704 - ours, and an address that is escaped


@functools.cache
def shelf() -> dict[str, Document]:
    """Every document by its name, section by section."""
    found = {}
    for name, file in _files():
        document = _read(name, file.read_text(encoding="utf-8"))
        found[document.name] = document
    return found


def _files() -> Iterator[tuple[str, Traversable]]:
    folder: Traversable = resources.files("darkroom").joinpath("docs")
    if not folder.is_dir():
        # A checkout: the documents stand beside the sources, not in them.
        folder = Path(__file__).parents[3] / "docs"
    for section in _SECTIONS:
        within = folder.joinpath(section) if section else folder
        for file in sorted(within.iterdir(), key=lambda one: one.name):
            if file.name.endswith(".md"):
                yield posixpath.join(section, file.name), file


def _read(path: str, text: str) -> Document:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    tokens = parser.parse(text)
    headings = [*_marked(tokens)]
    for token in tokens:
        if token.children:
            token.children = [*_led(token.children, posixpath.dirname(path))]
    html = parser.renderer.render(tokens, parser.options, {})
    return Document(path.removesuffix(".md"), headings[0].text, html, headings)


def _marked(tokens: Sequence[Token]) -> Iterator[Heading]:
    """The headings, each given its mark as its id; a mark that is taken gets a number."""
    taken: set[str] = set()
    for opening, inline in itertools.pairwise(tokens):
        if opening.type != "heading_open":
            continue
        text = "".join(one.content for one in inline.children or ())
        mark = plain = re.sub(r"[^\w -]", "", text.lower()).strip().replace(" ", "-")
        number = 1
        while mark in taken:
            mark, number = f"{plain}-{number}", number + 1
        taken.add(mark)
        opening.attrSet("id", mark)
        yield Heading(int(opening.tag[1]), text, mark)


def _led(tokens: Sequence[Token], folder: str) -> Iterator[Token]:
    """The tokens with links to documents led to their pages; one to a source file is no link."""
    is_dropped = False
    for token in tokens:
        if token.type == "link_open":
            address = _address(str(token.attrGet("href")), folder)
            is_dropped = address is None
            if address is not None:
                token.attrSet("href", address)
        if not (is_dropped and token.type in ("link_open", "link_close")):
            yield token


def _address(href: str, folder: str) -> str | None:
    if href.startswith(("#", "https://", "http://")):
        return href
    path, _, mark = href.partition("#")
    path = posixpath.normpath(posixpath.join(folder, path))
    if path.startswith("..") or not path.endswith(".md"):
        return None
    return f"/docs/{path.removesuffix('.md')}" + (f"#{mark}" if mark else "")


def _fence(_: Any, tokens: Sequence[Token], at: int, *__: Any) -> str:
    language, _, _ = tokens[at].info.strip().partition(" ")
    return code(tokens[at].content, language, f"code-{at}")


def code(text: str, language: str, id: str) -> Markup:  # noqa: A002 - it is the attribute's name
    """A block of code in its colours, with a button that copies it."""
    try:
        shown = pygments.highlight(text, get_lexer_by_name(language or "text"), _FORMATTER)
    except ClassNotFound:
        shown = str(escape(text))
    return Markup(
        '<div class="code"><pre tabindex="0"><code id="{}">{}</code></pre>'
        '<button type="button" class="copy" data-copy="{}">Copy</button></div>'
    ).format(id, Markup(shown), id)  # noqa: S704 - pygments escapes what it colours


def _table_open(*_: Any) -> str:
    return '<div class="scroll"><table class="table">'


def _table_close(*_: Any) -> str:
    return "</table></div>"
