"""The source as the rules see it: each file with its text, its module name and its syntax tree."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One file; `path` is relative to the root, or the made-up path of a sample."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree."""
        _collect()
        found = tuple(ast.walk(self.tree))
        # A million of them stay: every collection would look through them all again.
        gc.freeze()
        return found

    @property
    def module(self) -> str:
        """The dotted name; a package's `__init__` has the package's name."""
        name = self.path.removeprefix("src/").removesuffix(".py").replace("/", ".")
        return name.removesuffix(".__init__")

    def at(self, node: ast.AST | int, text: str) -> str:
        """One line of a report: where, and what to do."""
        line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        return f"{self.path}:{line}: {text}"

    def functions(self) -> Iterator[Function]:
        yield from (node for node in self.nodes if isinstance(node, Function))


@cache
def _collect() -> None:
    """Collect, once, what other tests left: what is frozen never is."""
    gc.collect()


def last_word(name: ast.expr) -> str:
    """The last word of a dotted name; of any other expression none."""
    return name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "")


@cache
def sources(*folders: str, suffix: str = ".py") -> tuple[Source, ...]:
    """Every file with the suffix under the folders, in order."""
    return tuple(
        Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for folder in folders
        for path in sorted((ROOT / folder).rglob(f"*{suffix}"))
        if path.is_file() and "__pycache__" not in path.parts
    )


@cache
def pages() -> tuple[Source, ...]:
    """Every Markdown page: those at the top and those under docs."""
    top = (Source(path.name, path.read_text(encoding="utf-8")) for path in ROOT.glob("*.md"))
    return (*sorted(top, key=lambda page: page.path), *sources("docs", suffix=".md"))


def page(path: str) -> str:
    """The text of a page that must exist."""
    assert (ROOT / path).is_file(), f"{path}:1: this page is missing; write it"
    return (ROOT / path).read_text(encoding="utf-8")


def refuse(violations: Iterable[str]) -> None:
    """Fail with every violation on a line of its own."""
    found = list(dict.fromkeys(violations))
    assert not found, f"{len(found)} to repair:\n" + "\n".join(found)
