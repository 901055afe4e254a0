"""Tests meet real parts: nothing under test is replaced, and nobody sleeps and hopes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from source_files import Function, Source, last_word, refuse, sources

MOCKS = {"mock", "pytest_mock", "unittest"}
# A process's surroundings may be set; its code may not.
MONKEYPATCH = {"chdir", "context", "delenv", "setenv"}
WAIT = "wait_until"


def mocks(source: Source) -> Iterator[str]:
    for node in source.nodes:
        if isinstance(node, ast.Import):
            imported = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported = {(node.module or "").split(".")[0]}
        else:
            imported = {node.arg} & {"mocker"} if isinstance(node, ast.arg) else set()
        if imported & (MOCKS | {"mocker"}):
            yield source.at(node, "use the real part instead of a mock")


def patches(source: Source) -> Iterator[str]:
    for node in source.nodes:
        if not isinstance(node, ast.Attribute) or node.attr in MONKEYPATCH:
            continue
        if isinstance(node.value, ast.Name) and node.value.id.lower() == "monkeypatch":
            yield source.at(node, f"no monkeypatch.{node.attr}: pass the other part in")


def sleeps(source: Source) -> Iterator[str]:
    """`time.sleep` anywhere but in the waiting function; `asyncio.sleep` in a test's own body."""
    for node in _outside_wait(source.tree):
        if isinstance(node, ast.ImportFrom) and node.module in {"asyncio", "time"}:
            if "sleep" in {alias.name for alias in node.names}:
                yield source.at(node, "import the module, so that a sleep is seen")
        elif isinstance(node, ast.Call) and last_word(node.func) == "sleep":
            is_blocking = ast.unparse(node.func) == "time.sleep"
            if is_blocking:
                yield source.at(node, f"wait for a condition with {WAIT} instead of sleeping")
    for function in source.functions():
        if function.name.startswith("test_"):
            for line in function.body:
                is_alone = isinstance(line, ast.Expr)
                if is_alone and ast.unparse(line).startswith("await asyncio.sleep("):
                    yield source.at(line, f"wait for a condition with {WAIT} instead of sleeping")


def _outside_wait(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, Function) and child.name == WAIT):
            yield child
            yield from _outside_wait(child)


def test_tests_use_no_mocks() -> None:
    refuse(line for source in sources("tests") for line in mocks(source))


def test_tests_patch_no_code() -> None:
    refuse(line for source in sources("tests") for line in patches(source))


def test_tests_do_not_sleep_and_hope() -> None:
    refuse(line for source in sources("tests") for line in sleeps(source))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (mocks, "from unittest import mock"),
        (mocks, "import unittest.mock as m"),
        (mocks, "def test_a(mocker): ..."),
        (patches, "monkeypatch.setattr(ids, 'make', f)"),
        (
            patches,
            "with pytest.MonkeyPatch.context() as monkeypatch:\n monkeypatch.setitem(a, b, c)",
        ),
        (sleeps, "def test_a():\n time.sleep(1)"),
        (sleeps, "from time import sleep"),
        (sleeps, "async def test_a():\n await asyncio.sleep(1)"),
    ],
)
def test_a_mock_a_patch_and_a_sleep_are_refused(rule, text: str) -> None:
    assert list(rule(Source("tests/test_sample.py", text)))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (patches, "monkeypatch.setenv('DARKROOM_PORT', '0')"),
        (sleeps, "def wait_until(condition):\n while not condition(): time.sleep(0.01)"),
        (sleeps, "async def test_a():\n async def slow():\n  await asyncio.sleep(1)"),
    ],
)
def test_an_environment_and_a_bounded_wait_pass(rule, text: str) -> None:
    assert not list(rule(Source("tests/test_sample.py", text)))
