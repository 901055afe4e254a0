"""Errors form one tree that the docs describe, and nobody swallows one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from source_files import Source, last_word, page, refuse, sources

from darkroom import errors

REFERENCE = "docs/reference/errors.md"
BROAD = {"BaseException", "Exception"}
# Where anything at all may be caught: an answer, a loop's turn and a child's end follow from it.
BROAD_IN = {f"src/darkroom/{name}.py" for name in ("api/problems", "engine/child", "engine/loop")}

CLASSES = sorted(
    (one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)),
    key=lambda one: one.__name__,
)


def names(node: ast.expr | None) -> set[str]:
    """The exception classes a handler names, by their last word; none for a bare `except`."""
    several = node.elts if isinstance(node, ast.Tuple) else [node] if node else []
    return {ast.unparse(one).rsplit(".", 1)[-1] for one in several}


def suppressed(call: ast.Call) -> set[str]:
    """The exception classes that a call of `contextlib.suppress` names."""
    is_suppress = last_word(call.func).endswith("suppress")
    return {name for one in call.args for name in names(one)} if is_suppress else set()


def raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def broad(source: Source) -> Iterator[str]:
    """Catching everything outside the three places, but to clean up and raise again."""
    if source.path in BROAD_IN:
        return
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler):
            caught = names(node.type)
            cleans_up = caught == {"BaseException"} and raises_again(node)
            if (not caught or caught & BROAD) and not cleans_up:
                yield source.at(node, "name the exceptions that can be met here")


def silent(source: Source) -> Iterator[str]:
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler) and all(
            isinstance(line, ast.Pass)
            or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
            for line in node.body
        ):
            yield source.at(node, "act on it, or say contextlib.suppress with a narrow exception")
        elif isinstance(node, ast.Call) and suppressed(node) & BROAD:
            yield source.at(node, "suppress a narrow exception only")


def missing(words: list[str], text: str) -> list[str]:
    return [word for word in words if not re.search(rf"\b{word}\b", text)]


def test_every_error_says_its_message() -> None:
    mute = [one.__name__ for one in CLASSES if not (vars(one).get("__doc__") or "").strip()]
    refuse(f"src/darkroom/errors.py:1: {name} has no docstring, its message" for name in mute)


def test_every_refusal_has_a_status_and_every_error_a_code() -> None:
    for one in CLASSES:
        if issubclass(one, errors.Refusal):
            assert 400 <= one.status <= 599, f"{one.__name__}: status is an HTTP error's"
        if issubclass(one, errors.Refusal | errors.TaskError):
            assert 1000 <= one.code <= 9999, f"{one.__name__}: code has four digits"


def test_every_error_stands_in_the_drawn_tree() -> None:
    drawn = [one.__name__ for one in CLASSES if one is not errors.DarkroomError]
    forgotten = missing(drawn, errors.__doc__ or "")
    refuse(f"src/darkroom/errors.py:1: draw {name} in the tree" for name in forgotten)


def test_docs_describe_every_error() -> None:
    coded = [one for one in CLASSES if issubclass(one, errors.Refusal | errors.TaskError)]
    told = [one.__name__ for one in coded if one not in {errors.Refusal, errors.TaskError}]
    codes = sorted({str(one.code) for one in coded})
    forgotten = missing([*told, *codes], page(REFERENCE))
    refuse(f"{REFERENCE}:1: describe {name} and what to do about it" for name in forgotten)


def test_everything_is_caught_in_three_places_only() -> None:
    refuse(line for source in sources("src") for line in broad(source))


def test_no_exception_is_swallowed() -> None:
    every = sources("src", "tests", "bench")
    refuse(line for source in every for line in silent(source))


@pytest.mark.parametrize(
    "caught", ["", " Exception", " (OSError, Exception) as e", " BaseException"]
)
def test_a_broad_except_is_refused(caught: str) -> None:
    text = f"try:\n f()\nexcept{caught}:\n g()"
    assert list(broad(Source("src/darkroom/ids.py", text)))
    assert not list(broad(Source("src/darkroom/engine/loop.py", text)))


def test_cleaning_up_and_raising_again_passes() -> None:
    text = "try:\n f()\nexcept BaseException:\n g()\n raise"
    assert not list(broad(Source("src/darkroom/ids.py", text)))


@pytest.mark.parametrize(
    "text",
    [
        "try:\n f()\nexcept OSError:\n pass",
        "try:\n f()\nexcept OSError:\n ...",
        "with contextlib.suppress(OSError, Exception): f()",
    ],
)
def test_a_swallowed_exception_is_refused(text: str) -> None:
    assert list(silent(Source("src/darkroom/engine/loop.py", text)))


def test_a_narrow_suppress_passes() -> None:
    assert not list(silent(Source("src/darkroom/ids.py", "with suppress(OSError): f()")))


def test_an_undescribed_code_is_found() -> None:
    assert missing(["1002", "BadInput"], "10020 BadInputs `BadInput`") == ["1002"]
