"""The proof: at rest, everything that anybody was told is held against the rows."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row
from stage import Stage

from darkroom.config import STRIKES_MAX
from load import FINAL, GRANTED, HOPELESS, Account, Caller

TASKS = """
SELECT t.*, h.status AS hold, b.request_id,
       (SELECT count(*) FROM ledger_entries e WHERE e.hold_id = t.id AND e.type = 'hold') AS opened,
       (SELECT count(*) FROM ledger_entries e
         WHERE e.hold_id = t.id AND e.type IN ('settle', 'refund')) AS closed,
       (SELECT json_agg(json_build_array(a.file, a.bytes, encode(a.sha256, 'hex')))
          FROM assets a WHERE a.task_id = t.id) AS assets
  FROM tasks t JOIN batches b ON b.id = t.batch_id LEFT JOIN holds h ON h.id = t.id
"""


def rows(stage: Stage, statement: str) -> list[dict[str, Any]]:
    """What a statement answers, past the line and past the product."""
    with psycopg.connect(stage.embedded.conninfo, row_factory=dict_row) as connection:
        return connection.execute(statement).fetchall()


def unfinished(stage: Stage) -> int:
    """How many tasks have not ended."""
    found = rows(stage, "SELECT count(*) FROM tasks WHERE status NOT IN ('SUCCESS', 'FAILED')")
    count: int = found[0]["count"]
    return count


def violations(stage: Stage, accounts: list[Account], callers: list[Caller]) -> Iterator[str]:
    """Every promise that was broken; none, when Darkroom keeps its word."""
    tasks = {task["id"]: task for task in rows(stage, TASKS)}
    marks = _marks(stage)
    for task in tasks.values():
        yield from _of_task(task, marks[task["id"]])
    for account in accounts:
        yield from _of_account(account, tasks)
        yield from _of_submits(account, tasks, rows(stage, "SELECT * FROM idempotency_keys"))
    for caller in callers[: len(accounts)]:
        yield from _of_answers(caller, tasks)
    for url in stage.urls:
        yield from _of_files(url, tasks)
    yield from _of_audit(stage)
    if left := unfinished(stage):
        yield f"{left} tasks have not ended"


def _marks(stage: Stage) -> dict[str, dict[int, list[int]]]:
    """The probe's processes that began each attempt at each task."""
    marks: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for mark in Path(stage.environment["PROBE_MARKS"]).iterdir():
        task_id, _, attempt = mark.stem.partition("-")
        marks[task_id][int(attempt)].append(int(mark.suffix.removeprefix(".")))
    return marks


def _of_task(task: dict[str, Any], runs: dict[int, list[int]]) -> Iterator[str]:
    """Ended by its last attempt, paid or refunded once, and each attempt begun once at most."""
    is_success = task["status"] == "SUCCESS"
    said = f"{task['id']} ({task['status']}, attempt {task['attempt']}, strikes {task['strikes']})"
    money = (task["opened"], task["closed"], task["hold"], task["charged_mill"])
    paid = (1, 1, "settled", task["price_mill"]) if is_success else (1, 1, "refunded", 0)
    if money != paid:
        yield f"{said}: opened, closed, hold, charged are {money}, not {paid}"
    if len(task["assets"] or ()) != is_success:
        yield f"{said}: its files are {task['assets']}"
    if task["strikes"] >= STRIKES_MAX:
        yield f"{said}: more strikes than a task may survive"
    if any(len(pids) > 1 for pids in runs.values()):
        yield f"{said}: an attempt ran more than once: {runs}"
    if runs and max(runs) > task["attempt"]:
        yield f"{said}: ran in attempt {max(runs)}"
    if is_success and task["notes"]["pid"] not in runs.get(task["attempt"], ()):
        yield f"{said}: was ended by {task['notes']['pid']}, its attempts ran in {runs}"


def _of_account(account: Account, tasks: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The tasks that were promised exist, and whatever was told of them is still so."""
    for task_id, prompt in account.prompts.items():
        task = tasks.get(task_id)
        if task is None or task["account_id"] != account.id:
            yield f"{task_id} was accepted, and is {task}"
        elif prompt in HOPELESS and task["status"] == "SUCCESS":
            yield f"{task_id} succeeded, although it was to {prompt}"
    for task_id, seen in account.seen.items():
        task = tasks.get(task_id)
        if task is None:
            continue  # told above
        if seen["attempt"] > task["attempt"]:
            yield f"{task_id} was in attempt {seen['attempt']}, and ended in {task['attempt']}"
        told = (seen["task_status"], seen["cost_mill"])
        if seen["task_status"] in FINAL and told != (task["status"], task["charged_mill"]):
            yield f"{task_id} was told to be {told}, and is {task['status']}"


def _of_submits(
    account: Account, tasks: dict[str, dict[str, Any]], kept: list[dict[str, Any]]
) -> Iterator[str]:
    """Each key made one batch, and nothing was made that nobody asked for."""
    batch_of = {row["key"]: row["batch_id"] for row in kept if row["account_id"] == account.id}
    for sent in account.sent:
        if sent.key is None:
            continue
        if not sent.answers:
            yield f"{sent.key} was never answered"
        elif sent.answers[0]["batch_id"] != batch_of.get(sent.key):
            yield f"{sent.key} was answered {sent.answers[0]}, kept {batch_of.get(sent.key)}"
    promised = {sent.answers[0]["batch_id"] for sent in account.sent if sent.answers}
    made = {task["batch_id"] for task in tasks.values() if task["account_id"] == account.id}
    lost = sum(sent.lost for sent in account.sent if sent.key is None)
    if promised - made:
        yield f"batches {promised - made} were accepted, and are not there"
    if len(made - promised) > lost:
        yield f"{len(made - promised)} batches more than accepted, {lost} answers were lost"


def _of_answers(caller: Caller, tasks: dict[str, dict[str, Any]]) -> Iterator[str]:
    """What is answered now: the end of every task, and a balance that adds up."""
    account = caller.account
    for task_id in account.prompts:
        told = caller.ask(task_id)
        if told is None or told["task_status"] not in FINAL:
            yield f"{task_id}: the status answers {told}"
    charged = sum(
        task["charged_mill"] or 0 for task in tasks.values() if task["account_id"] == account.id
    )
    answer = caller.client.get(f"{caller.urls[0]}/v1/generation/balance")
    balance = answer.json()["data"]
    if balance != GRANTED - charged / 1000:
        yield f"{account.id} has {balance} of {GRANTED}, and was charged {charged / 1000}"


def _of_files(url: str, tasks: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Every result can be fetched, whole."""
    with httpx.Client(base_url=url, timeout=30) as client:
        for task in tasks.values():
            for file, size, digest in task["assets"] or ():
                answer = client.get(f"/files/{file}")
                found = (len(answer.content), hashlib.sha256(answer.content).hexdigest())
                if answer.status_code != 200 or found != (size, digest):
                    yield f"{task['id']}: {file} is {answer.status_code} {found}"


def _of_audit(stage: Stage) -> Iterator[str]:
    told = subprocess.run(
        [sys.executable, "-m", "darkroom", "audit", "--json"],
        env=stage.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode or not json.loads(told.stdout)["ok"]:
        yield f"the audit says {told.stdout[-2000:]} {told.stderr[-2000:]}"


def tracebacks(stage: Stage) -> Iterator[str]:
    """Errors that the product did not expect: the probe's own apart, none may be in any log."""
    for log in sorted((stage.folder / "logs").glob("*.log")):
        for trace in log.read_text(errors="replace").split("Traceback (most recent call last)")[1:]:
            # Children share a log: another's trace may stand between the head of one and the rest.
            if "  File " in trace and "The probe was told to break" not in trace[:4000]:
                yield f"{log.name}: {trace[:3000]}"
