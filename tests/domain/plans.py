"""What PostgreSQL does for a named statement, as it is prepared."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from darkroom.storage import queries


def explained(connection: psycopg.Connection, name: str, given: dict[str, Any], mode: str) -> Any:
    """What PostgreSQL did for a statement, in the plan that the mode forces."""
    statement = queries.load()[name]
    connection.execute(f"SET plan_cache_mode = {mode}")
    connection.execute(b"PREPARE asked AS " + statement.text)
    values = sql.SQL(", ").join(sql.Literal(given[one]) for one in statement.parameters)
    executed = sql.SQL("EXECUTE asked ({})" if statement.parameters else "EXECUTE asked")
    explain = sql.SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ") + executed.format(values)
    [[plan]] = connection.execute(explain).fetchall()
    connection.execute("DEALLOCATE asked")
    return plan[0]["Plan"]
