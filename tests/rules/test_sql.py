"""SQL stands in `.sql` files alone: each statement named, explained, used and valid."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import psycopg
import pytest
from psycopg.pq import ExecStatus
from source_files import Source, refuse, sources

FOLDER = "src/darkroom/storage/sql"
MARK = re.compile(r"^-- name: (?P<name>\S+)(?P<caller> \(caller\))?$")
PARAMETER = re.compile(r"%\((?P<name>\w+)\)s")
# A statement in a string: the verbs as they are written in SQL, or a whole pattern in any case.
STATEMENT = re.compile(
    r"\s*(?:(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|MERGE INTO|WITH \w+ AS|CREATE|ALTER"
    r"|DROP|TRUNCATE|GRANT|REVOKE|LISTEN|UNLISTEN|NOTIFY|COPY|LOCK|SET|SHOW|EXPLAIN|PREPARE"
    r"|VACUUM|ANALYZE|SAVEPOINT) "
    r"|(?:BEGIN|COMMIT|ROLLBACK|CHECKPOINT)(?: TRANSACTION)?;?\s*$"
    r"|(?i:select .+ from |insert into \w|update \w+ set \w|delete from \w))",
    re.DOTALL,
)
# Module → the statements it may hold, and why they are in no file.
EXCEPTIONS = {
    "darkroom.storage.database": (
        r"SELECT 1$|SELECT set_config|SET |LISTEN |BEGIN$|COMMIT$",
        "sets up connections and opens transactions",
    ),
    "darkroom.storage.migrate": (
        r"SELECT pg_try_advisory|.*\bschema_migrations\b",
        "makes the schema",
    ),
    "darkroom.storage.exchange": (r"ROLLBACK$", "ends what broke off"),
    "darkroom.storage.supervisor": (r"CREATE DATABASE ", "runs before there is a database"),
}


@dataclass(frozen=True)
class Statement:
    """One named statement, where it stands and what is said about it."""

    where: str
    name: str
    is_callers: bool
    comment: str
    text: str


def statements(source: Source) -> Iterator[Statement]:
    """Every statement of one file, in order."""
    lines = source.text.splitlines()
    starts = [at for at, line in enumerate(lines) if line.startswith("-- name:")]
    for at, end in pairwise([*starts, len(lines)]):
        mark = MARK.match(lines[at])
        assert mark, source.at(at + 1, "write `-- name: noun.verb`, or add ` (caller)`")
        body = lines[at + 1 : end]
        first = next((n for n, line in enumerate(body) if not line.startswith("--")), len(body))
        comment = " ".join(line.removeprefix("--").strip() for line in body[:first])
        where = f"{source.path}:{at + 1}"
        yield Statement(where, mark["name"], bool(mark["caller"]), comment, "\n".join(body[first:]))


def ill_named(source: Source) -> Iterator[str]:
    noun = source.path.rsplit("/", 1)[-1].removesuffix(".sql")
    seen: set[str] = set()
    for one in statements(source):
        if not re.fullmatch(rf"{noun}\.[a-z][a-z_]*", one.name):
            yield f"{one.where}: {one.name} is to be named {noun}.<verb>, as its file"
        if one.name in seen:
            yield f"{one.where}: {one.name} is named twice"
        seen.add(one.name)
        if not re.fullmatch(r"\S.*[.]", one.comment):
            yield f"{one.where}: {one.name} needs a line `-- One sentence.` under its name"
    if source.text.strip() and not source.text.startswith("-- name:"):
        yield source.at(1, "begin the file with a statement's name")


def open_to_others(source: Source) -> Iterator[str]:
    """Statements for a caller that do not ask whose row it is."""
    for one in statements(source):
        if one.is_callers and "%(account_id)s" not in one.text:
            yield f"{one.where}: {one.name} (caller) must compare %(account_id)s"


def numbered(text: str) -> str:
    """The statement as PostgreSQL prepares it: `%(name)s` → `$1`, `%%` → `%`."""
    names = list(dict.fromkeys(found["name"] for found in PARAMETER.finditer(text)))
    return PARAMETER.sub(lambda found: f"${names.index(found['name']) + 1}", text).replace(
        "%%", "%"
    )


def strings(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """Every string literal that is a value: docstrings are left out."""
    told = {id(node.value) for node in source.nodes if isinstance(node, ast.Expr)}
    for node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node, node.value


def stray(source: Source) -> Iterator[str]:
    """SQL in Python, where it is not the module's exception."""
    pattern, _ = EXCEPTIONS.get(source.module, (r"(?!)", ""))
    excepted = re.compile(rf"\s*(?:{pattern})", re.DOTALL)
    for node, text in strings(source):
        if STATEMENT.match(text) and not excepted.match(text):
            yield source.at(node, f"move the statement to {FOLDER}")


def refusal(connection: psycopg.Connection, one: Statement) -> Iterator[str]:
    """What PostgreSQL says against the statement."""
    result = connection.pgconn.prepare(b"", numbered(one.text).encode())
    if result.status != ExecStatus.COMMAND_OK:
        said = result.error_message.decode().splitlines()[0]
        yield f"{one.where}: {one.name} cannot be prepared: {said}"


def files() -> tuple[Source, ...]:
    found = sources(FOLDER, suffix=".sql")
    assert found, f"{FOLDER}:1: there is no SQL"
    return found


def test_statements_are_named_and_explained() -> None:
    refuse(line for source in files() for line in ill_named(source))


def test_statements_for_a_caller_compare_the_account() -> None:
    refuse(line for source in files() for line in open_to_others(source))


def test_statements_are_used() -> None:
    used = {text for source in sources("src") for _, text in strings(source)}
    unused = [one for source in files() for one in statements(source) if one.name not in used]
    refuse(f"{one.where}: nothing uses {one.name}; remove it" for one in unused)


def test_sql_stands_in_sql_files_only() -> None:
    refuse(line for source in sources("src") for line in stray(source))


def test_statements_are_valid_on_the_schema(database_conninfo: str) -> None:
    with psycopg.connect(database_conninfo, autocommit=True) as connection:
        every = [one for source in files() for one in statements(source)]
        refuse(line for one in every for line in refusal(connection, one))


@pytest.mark.parametrize("text", ["SELECT 1 FROM a", "SELECT nothing", "COMMIT; SELECT 1"])
def test_an_invalid_statement_is_found(database_conninfo: str, text: str) -> None:
    with psycopg.connect(database_conninfo, autocommit=True) as connection:
        assert list(refusal(connection, Statement("a.sql:1", "a.get", False, "", text)))


@pytest.mark.parametrize(
    "text",
    [
        "-- name: tasks.get\nSELECT 1",
        "-- name: task.get\n-- One.\nSELECT 1",
        "-- name: tasks.get\n-- One.\nSELECT 1;\n-- name: tasks.get\n-- One.\nSELECT 1",
        "SELECT 1",
    ],
)
def test_an_ill_named_statement_is_refused(text: str) -> None:
    assert list(ill_named(Source(f"{FOLDER}/tasks.sql", text)))


def test_a_callers_statement_without_its_account_is_refused() -> None:
    text = "-- name: tasks.get (caller)\n-- One.\nSELECT 1 WHERE id = %(task_id)s"
    assert list(open_to_others(Source(f"{FOLDER}/tasks.sql", text)))


@pytest.mark.parametrize(
    "text", ["SELECT 1", "WITH a AS (", "\\n update tasks set status = 1", "COMMIT"]
)
def test_sql_in_python_is_refused(text: str) -> None:
    assert list(stray(Source("src/darkroom/domain/tasks.py", f'run(f"{text}")')))


@pytest.mark.parametrize("text", ["Update the settings.", "GRANT", "Select from the list below."])
def test_prose_is_no_sql(text: str) -> None:
    assert not list(stray(Source("src/darkroom/domain/tasks.py", f'say("{text}")')))
    assert not list(stray(Source("src/darkroom/ids.py", '"""SELECT 1"""')))


def test_an_exception_holds_for_its_statement_only() -> None:
    path = "src/darkroom/storage/database.py"
    assert not list(stray(Source(path, "run('SELECT 1')")))
    assert list(stray(Source(path, "run('SELECT 1 FROM tasks')")))


def test_parameters_are_numbered_by_name() -> None:
    assert numbered("%(a)s, %(b)s, %(a)s LIKE '%%'") == "$1, $2, $1 LIKE '%'"
