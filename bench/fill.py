"""Fills tables as a busy server would have left them, within a bound of time."""

from __future__ import annotations

import time

import psycopg

# Of every two records one is the searching account's.
SHARE = 2
_CHUNK_ROWS = 1_000_000
_SECONDS_MAX = 120.0
# An id is a function of its number, so that the search knows what exists; like a real one it
# begins with its time.
_ID = "'req_' || lpad(to_hex(1735689600000 + n), 12, '0') || substr(md5(n::text), 1, 14)"
_INSERT = f"""
INSERT INTO call_records
SELECT {_ID},
       CASE WHEN n %% {SHARE} = 0 THEN %(account)s
            ELSE 'acc_' || lpad((n %% 997)::text, 26, '0') END,
       'key_' || lpad((n %% 1999)::text, 26, '0'),
       now() - make_interval(secs => (%(rows)s - n) * 0.5),
       CASE WHEN n %% 10 < 3 THEN 'POST' ELSE 'GET' END,
       CASE WHEN n %% 10 < 3 THEN '/v1/generation/text-to-image'
            ELSE '/v1/generation/task_' || substr(hash, 1, 26) || '/status' END,
       CASE WHEN n %% 50 = 0 THEN 404 ELSE 200 END,
       CASE WHEN n %% 50 = 0 THEN 1003 ELSE 0 END,
       1 + (n %% 97) / 10.0,
       '203.0.113.' || n %% 250,
       100000000 + n / 10,
       'task_' || substr(hash, 1, 26),
       CASE WHEN n %% 10 < 3 THEN 4000 END
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n, LATERAL md5(n::text) AS hash
"""

# The durations of the records are all alike; a busy account's are not. It has a few keys.
_CALLS_NEW = """
INSERT INTO usage_calls_new
SELECT account_id, 'key_' || (hashtext(api_key_id) & 3), date_trunc('hour', at, 'UTC'), status,
       code, usage_step(duration_ms * (1 + hashtext(request_id) & 63)), count(*)
  FROM call_records WHERE account_id = %(account)s GROUP BY 1, 2, 3, 4, 5, 6
"""
_TASKS_NEW = """
INSERT INTO usage_tasks_new
SELECT t.account_id, coalesce(b.api_key_id, ''), t.model, date_trunc('hour', t.finished_at, 'UTC'),
       coalesce(t.error_code, 0), usage_step(1000 * (1 + hashtext(t.id) & 15)), t.charged_mill
  FROM tasks t JOIN batches b ON b.id = t.batch_id
 WHERE t.account_id = %(account)s AND t.finished_at IS NOT NULL
"""


def fill(connection: psycopg.Connection, account_id: str, rows: int) -> int:
    """Insert records in the order of their time; answers how many fitted into the bound."""
    indexes = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'call_records'"
    ).fetchall()
    # Not logged, and without its indexes meanwhile: what is measured is reading.
    connection.execute("ALTER TABLE call_records SET UNLOGGED")
    connection.execute("ALTER TABLE call_records SET (autovacuum_enabled = off)")
    connection.execute("ALTER TABLE call_records DROP CONSTRAINT call_records_pkey")
    for name, _ in indexes:
        connection.execute(f"DROP INDEX IF EXISTS {name}")
    until = time.monotonic() + _SECONDS_MAX
    done = 0
    while done < rows and time.monotonic() < until:
        last = min(done + _CHUNK_ROWS, rows)
        given = {"account": account_id, "rows": rows, "first": done + 1, "last": last}
        connection.execute(_INSERT, given)
        done = last
    connection.execute("SET maintenance_work_mem = '512MB'")
    for _, definition in indexes:
        connection.execute(definition)
    connection.execute("ANALYZE call_records")
    connection.execute("CHECKPOINT")
    return done


# Tasks of the last ninety days, one in twenty of them failed, five in a batch.
_BATCHES = """
INSERT INTO batches (id, account_id, api_key_id, request_id, kind, model, input, rate_id,
                     created_at)
SELECT 200000000 + n, %(account)s,
       (SELECT id FROM api_keys WHERE account_id = %(account)s LIMIT 1),
       'req_none', 'text-to-image', (SELECT model FROM rates WHERE id = 1 + n %% 20),
       jsonb_build_object('fields', jsonb_build_object('prompt', 'a lake, number ' || n),
                          'files', '{}'::jsonb),
       1 + n %% 20, now() - interval '90 days' * (1 - n / %(batches)s::float8)
  FROM generate_series(1, %(batches)s) AS n
"""
_TASKS = """
INSERT INTO tasks (id, batch_id, account_id, position, model, seed, price_mill, status, attempt,
                   progress, served_by, error_code, error, charged_mill, created_at, started_at,
                   finished_at)
SELECT 'task_' || lpad(to_hex(b.id), 12, '0') || position, b.id, b.account_id, position, b.model, 1,
       4000, CASE WHEN is_bad THEN 'FAILED' ELSE 'SUCCESS' END, 1, 1, 'painter',
       CASE WHEN is_bad THEN 6004 END, CASE WHEN is_bad THEN 'The model failed.' END,
       CASE WHEN is_bad THEN 0 ELSE 4000 END, b.created_at, b.created_at + interval '1 second',
       b.created_at + interval '3 seconds'
  FROM batches b, generate_series(0, 4) AS position,
       LATERAL (SELECT (b.id + position) %% 20 = 0 AS is_bad) AS fate
 WHERE b.id > 200000000
"""


def fill_tasks(connection: psycopg.Connection, account_id: str, tasks: int) -> None:
    """Insert so many ended tasks of the account, without their money."""
    given = {"account": account_id, "batches": tasks // 5}
    connection.execute(_BATCHES, given)
    connection.execute(_TASKS.replace("%%", "%"))
    connection.execute("ANALYZE batches, tasks")


def fill_usage(connection: psycopg.Connection, account_id: str) -> None:
    """Have the account's records and ended tasks counted, as those who made them would have."""
    connection.execute(_CALLS_NEW, {"account": account_id})
    connection.execute(_TASKS_NEW, {"account": account_id})


def request_id(connection: psycopg.Connection, number: int) -> str:
    """The id of one record."""
    asked = f"SELECT {_ID} FROM (SELECT %s::bigint AS n) AS one"
    [[found]] = connection.execute(asked, [number]).fetchall()
    return str(found)
