"""Imports go down the layers only, stand at the top of a file, and close no circle."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

import pytest
from source_files import Source, refuse, sources

GROUND = {"addresses", "authority", "cleaning", "clock", "config", "credentials", "errors"}
GROUND |= {"identity", "ids", "likeness", "log", "media", "outbound", "playback", "player"}
GROUND |= {"signing", "sources", "stripe_checkout", "thumbnails"}
# What each layer may import of darkroom, itself included. Nobody imports `cli`.
MAY_IMPORT = {
    "ground": {"ground"},
    "storage": {"storage", "ground"},
    "domain": {"domain", "storage", "ground"},
    "engine": {"engine", "domain", "storage", "ground"},
    "api": {"api", "domain", "storage", "ground"},
    "console": {"console", "api", "domain", "storage", "ground"},
    "testing": {"testing", "engine", "domain", "storage", "ground"},
    "client": {"client"},
    "darkroom": {"client"},
    "cli": {"cli", "api", "console", "client", "engine", "domain", "storage", "ground"},
}
CLIENT_ALSO = {"darkroom.signing"}
DOMAIN_STORAGE = {"darkroom.storage.database", "darkroom.storage.queries"}

# What of the ground speaks to others: handed to the domain, never imported by it.
DOMAIN_NOT = {"darkroom.outbound", "darkroom.stripe_checkout"}

NETWORK = {"aiohttp", "ftplib", "http.client", "httpx", "requests", "smtplib", "stripe"}
NETWORK |= {"obstore", "urllib.request"}
FILES = {"glob", "importlib.resources", "io", "os", "pathlib", "shutil", "tempfile"}
IO = NETWORK | FILES | {"multiprocessing", "select", "socket", "ssl", "subprocess"}
BANNED = {"domain": IO, "api": NETWORK, "console": NETWORK}
# Module → what it may import although its layer may not, and why.
EXCEPTIONS = {
    "darkroom.api.moderate": ({"httpx"}, "asks the operator's moderation server before a submit"),
    "darkroom.domain.catalogue": (FILES, "reads the catalogue's files once, at start"),
}
DOMAIN_CALLS = {
    *(f"asyncio.{name}" for name in ("create_subprocess_exec", "create_subprocess_shell")),
    *(f"asyncio.{name}" for name in ("open_connection", "open_unix_connection", "sleep")),
    *(f"asyncio.{name}" for name in ("start_server", "start_unix_server", "to_thread")),
    *("open", "time.sleep"),
}
LAZY = "darkroom.engine.backends"
# `signing` asks for an optional package where a receiver first needs it, `credentials` for a large
# one where a file is first signed or read.
DYNAMIC = (LAZY, "darkroom.cli", "darkroom.credentials", "darkroom.signing")
# The package offers the SDK by name, and every process of the server imports the package.
OFFERS = {"darkroom"}
FULL_INITS = {"darkroom", "darkroom.client"}


def layer(module: str) -> str:
    """The layer a module of darkroom stands in, `darkroom` for the package itself."""
    first = [*module.split("."), ""][1]
    if first in GROUND:
        return "ground"
    return {"": "darkroom", "__main__": "cli"}.get(first, first)


def imports(source: Source, modules: Collection[str]) -> Iterator[tuple[ast.stmt, str]]:
    """Each imported module; of `from a import b`, `a.b` where that is a module, else `a`."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                known = whole in modules or whole in IO
                yield node, whole if known else str(node.module)


def is_banned(name: str, banned: Collection[str]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in banned)


def upward(source: Source, modules: Collection[str]) -> Iterator[str]:
    here = layer(source.module)
    for node, name in imports(source, modules):
        if name.split(".")[0] != "darkroom":
            continue
        there = layer(name)
        if here not in MAY_IMPORT:
            yield source.at(1, f"{here} is no layer; move the module into one, or name the layer")
            return
        allowed = there in MAY_IMPORT[here] or (here == "client" and name in CLIENT_ALSO)
        if here == "domain" and there == "storage":
            allowed = name in DOMAIN_STORAGE
        if not allowed or (here == "domain" and name in DOMAIN_NOT):
            yield source.at(node, f"{here} may not import {name}; move it down or pass it in")


def doing_io(source: Source) -> Iterator[str]:
    here = layer(source.module)
    excepted, _ = EXCEPTIONS.get(source.module, (set(), ""))
    banned = BANNED.get(here, set()) - excepted
    for node, name in imports(source, ()):
        if is_banned(name, banned):
            yield source.at(node, f"{here} may not import {name}; do it in engine or storage")
    if here != "domain" or excepted:
        return
    for node in source.nodes:
        if isinstance(node, ast.Call) and (called := ast.unparse(node.func)) in DOMAIN_CALLS:
            yield source.at(node, f"domain may not call {called}: a transaction may be open")


def lazy(source: Source) -> Iterator[str]:
    """Imports below module level, outside the backends."""
    if is_banned(source.module, [LAZY]):
        return
    for function in source.functions():
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield source.at(node, f"import at the top of the file, not in {function.name}")
    if source.module in OFFERS or is_banned(source.module, DYNAMIC):
        return
    for node in source.nodes:
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in {"__import__", "import_module", "importlib.import_module"}:
                yield source.at(node, f"{called} hides an import; write the import")


def relative(source: Source) -> Iterator[str]:
    for node in source.nodes:
        if isinstance(node, ast.ImportFrom) and node.level:
            yield source.at(node, "write the whole name of the module instead of dots")


def full_inits(source: Source) -> Iterator[str]:
    is_init = source.path.endswith("/__init__.py")
    if is_init and source.text.strip() and source.module not in FULL_INITS:
        yield source.at(1, "empty this file; importers name the module they mean")


def cycle(product: Iterable[Source]) -> list[str]:
    by_name = {source.module: source for source in product}
    graph = {
        name: {to for _, to in imports(source, by_name) if to in by_name and to != name}
        for name, source in by_name.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [by_name[name].at(1, "is in a circle of imports; cut it") for name in error.args[1]]
    return []


def test_imports_go_down_the_layers_only() -> None:
    product = sources("src")
    modules = {source.module for source in product}
    refuse(line for source in product for line in upward(source, modules))


def test_domain_does_no_io_and_the_edge_calls_nobody() -> None:
    refuse(line for source in sources("src") for line in doing_io(source))


def test_imports_stand_at_the_top_of_a_file() -> None:
    refuse(line for source in sources("src") for line in lazy(source))


def test_imports_are_absolute() -> None:
    refuse(line for source in sources("src", "tests", "bench") for line in relative(source))


def test_init_of_a_server_package_is_empty() -> None:
    refuse(line for source in sources("src") for line in full_inits(source))


def test_no_circle_of_imports() -> None:
    refuse(cycle(sources("src")))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("storage/database.py", "from darkroom.domain import tasks"),
        ("api/app.py", "from darkroom.engine.worker import run"),
        ("api/app.py", "from darkroom import cli"),
        ("engine/loop.py", "import darkroom.api.app"),
        ("domain/tasks.py", "from darkroom.storage import files"),
        ("domain/tasks.py", "from darkroom import outbound"),
        ("domain/tasks.py", "from darkroom import stripe_checkout"),
        ("client/sync.py", "from darkroom import errors"),
        ("extras/new.py", "from darkroom import errors"),
    ],
)
def test_an_upward_import_is_refused(path: str, text: str) -> None:
    modules = {"darkroom.storage.files", "darkroom.outbound", "darkroom.cli", "darkroom.errors"}
    modules.add("darkroom.stripe_checkout")
    assert list(upward(Source(f"src/darkroom/{path}", text), {*modules, "darkroom.domain.tasks"}))


@pytest.mark.parametrize("path", ["domain/tasks.py", "api/app.py"])
def test_a_network_import_is_refused(path: str) -> None:
    assert list(doing_io(Source(f"src/darkroom/{path}", "import httpx")))
    assert not list(doing_io(Source("src/darkroom/api/moderate.py", "import httpx")))


@pytest.mark.parametrize("text", ["from urllib import request", "open('a')", "asyncio.sleep(1)"])
def test_io_in_the_domain_is_refused(text: str) -> None:
    assert list(doing_io(Source("src/darkroom/domain/tasks.py", text)))


@pytest.mark.parametrize("text", ["def f():\n import os", "def f():\n __import__('os')"])
def test_an_import_in_a_function_is_refused(text: str) -> None:
    assert list(lazy(Source("src/darkroom/ids.py", text)))
    assert not list(lazy(Source("src/darkroom/engine/backends/diffusers.py", text)))


def test_a_relative_import_and_a_full_init_are_refused() -> None:
    init = Source("src/darkroom/api/__init__.py", "from . import app")
    assert list(relative(init))
    assert list(full_inits(init))


def test_a_circle_is_refused() -> None:
    ours = Source("src/darkroom/ids.py", "from darkroom import log")
    theirs = Source("src/darkroom/log.py", "import darkroom.ids")
    assert cycle([ours, theirs])
