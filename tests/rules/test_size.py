"""Files, functions, parameter lists and lines stay small enough to read in one sitting."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from source_files import Function, Source, refuse, sources

FOLDERS = ("src", "tests", "bench")
LINES_MAX = 400
FUNCTION_LINES_MAX = 60
PARAMETERS_MAX = 6
COLUMNS_MAX = 100


def long_files(source: Source) -> Iterator[str]:
    lines = len(source.text.splitlines())
    if lines > LINES_MAX:
        yield source.at(LINES_MAX + 1, f"{lines} lines; split it by verb below {LINES_MAX}")


def long_lines(source: Source) -> Iterator[str]:
    for number, line in enumerate(source.text.splitlines(), start=1):
        if len(line) > COLUMNS_MAX:
            yield source.at(number, f"{len(line)} columns; wrap it at {COLUMNS_MAX}")


def long_functions(source: Source) -> Iterator[str]:
    for function in source.functions():
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            yield source.at(
                function, f"{function.name} has {lines} lines; cut it to {FUNCTION_LINES_MAX}"
            )


def parameters(function: Function) -> list[str]:
    """The names a caller may give, `self` and `cls` left out."""
    given = function.args
    plain = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return [one.arg for one in plain if one is not None and one.arg not in {"self", "cls"}]


def wide_functions(source: Source) -> Iterator[str]:
    for function in source.functions():
        count = len(parameters(function))
        if count > PARAMETERS_MAX:
            text = f"{function.name} takes {count} parameters; pass a struct ({PARAMETERS_MAX})"
            yield source.at(function, text)


def test_files_are_short() -> None:
    every = (*sources(*FOLDERS), *sources("src", suffix=".sql"))
    refuse(line for source in every for line in long_files(source))


def test_lines_are_short() -> None:
    every = (*sources(*FOLDERS), *sources("src", suffix=".sql"))
    refuse(line for source in every for line in long_lines(source))


def test_functions_are_short() -> None:
    refuse(line for source in sources(*FOLDERS) for line in long_functions(source))


def test_functions_take_few_parameters() -> None:
    refuse(line for source in sources(*FOLDERS) for line in wide_functions(source))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (long_files, "pass\n" * (LINES_MAX + 1)),
        (long_lines, "#" * (COLUMNS_MAX + 1)),
        (long_functions, "async def f():\n" + " pass\n" * FUNCTION_LINES_MAX),
        (wide_functions, "def f(a, b, c, /, d, *e, g, **h): ..."),
    ],
)
def test_what_is_too_large_is_refused(rule, text: str) -> None:
    assert list(rule(Source("src/darkroom/sample.py", text)))


def test_self_is_not_a_parameter() -> None:
    method = ast.parse("def f(self, a, b, c, d, e, g): ...").body[0]
    assert isinstance(method, Function)
    assert len(parameters(method)) == PARAMETERS_MAX
