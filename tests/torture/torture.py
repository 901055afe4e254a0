"""The torture: a load, chaos upon it, rest, and the proof that no word was broken."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import proof
from balancer import free_port
from chaos import Chaos
from stage import SERVERS, Stage, raised

import load
from ground import Ground, wait_until
from load import Caller

ACCOUNTS = 3
CALLERS_EACH = 3
REST_SECONDS_MAX = 180.0
STORM_MORE_SECONDS_MAX = 60.0
SHOWN_MAX = 40


def main() -> int:
    """Torture as the command line says; 1, and the evidence, when a word was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long chaos lasts")
    parser.add_argument("--seed", type=int, default=1, help="what chaos is made of")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="darkroom-torture-"))
    broken = run(folder, given.minutes * 60, given.seed)
    if broken:
        print(f"\nThe evidence is in {folder}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def run(folder: Path, seconds: float, seed: int) -> list[str]:
    """Torture for so long, and print how it went; the violations found."""
    began_at = time.monotonic()
    with raised(folder, [free_port() for _ in range(SERVERS)]) as stage:
        random = Random(seed)
        accounts = load.open_accounts(Ground(stage.embedded.conninfo), ACCOUNTS)
        callers = [
            Caller(account, stage.urls, Random(random.random()), stage.faults)
            for _ in range(CALLERS_EACH)
            for account in accounts
        ]
        chaos = Chaos(stage, Random(random.random()))
        storm_at = time.monotonic()
        _storm(callers, chaos, seconds)
        rested_at = time.monotonic()
        wait_until(stage.is_well, seconds_max=REST_SECONDS_MAX, what="every server's way back")
        for caller in callers:
            caller.settle()
        # A machine that is busy may let one run out of its time, but not each.
        wait_until(callers[0].makes_a_picture, seconds_max=REST_SECONDS_MAX, what="a picture")
        with contextlib.suppress(AssertionError):  # then the proof names what has not ended
            wait_until(lambda: not proof.unfinished(stage), seconds_max=REST_SECONDS_MAX)
        ended_at = time.monotonic()
        broken = [*proof.violations(stage, accounts, callers)]
        stage.end()
        broken += [*stage.faults, *proof.tracebacks(stage)]
        if left := stage.leftovers():
            broken.append(f"processes are left: {left}")
        times = {
            "the storm": rested_at - storm_at,
            "until all had ended": ended_at - rested_at,
            "all in all": time.monotonic() - began_at,
        }
        _print(stage, chaos, callers, seed, times, broken)
    return broken


def _storm(callers: list[Caller], chaos: Chaos, seconds: float) -> None:
    """Load and chaos at once, for so long and until there was a load, however slow the machine."""
    over = threading.Event()
    accounts = [caller.account for caller in callers[:ACCOUNTS]]
    with ThreadPoolExecutor(len(callers) + 1) as pool:
        running = [pool.submit(one.run, over) for one in (*callers, chaos)]
        over.wait(seconds)
        with contextlib.suppress(AssertionError):  # then the table shows how little there was
            wait_until(lambda: _is_load(accounts), seconds_max=STORM_MORE_SECONDS_MAX)
        over.set()
        for one in running:
            one.result()


def _is_load(accounts: list[load.Account]) -> bool:
    """Whether every account was accepted something."""
    return all(account.prompts for account in accounts)


def _print(
    stage: Stage,
    chaos: Chaos,
    callers: list[Caller],
    seed: int,
    times: dict[str, float],
    broken: list[str],
) -> None:
    """The closing table, and what was broken."""
    tasks = proof.rows(stage, "SELECT status, error_code, attempt, strikes FROM tasks")
    sent = [one for caller in callers[:ACCOUNTS] for one in caller.account.sent]
    table = {
        f"seed {seed}, seconds": {name: round(seconds) for name, seconds in times.items()},
        "submits": {
            "sent": len(sent),
            "under a key": sum(one.key is not None for one in sent),
            "accepted": sum(bool(one.answers) for one in sent),
            "answered again": sum(max(len(one.answers) - 1, 0) for one in sent),
            "answers lost": sum(one.lost for one in sent),
        },
        "tasks": Counter(f"{task['status']} {task['error_code'] or ''}".strip() for task in tasks),
        "attempts a task": Counter(str(task["attempt"]) for task in tasks),
        "strikes a task": Counter(str(task["strikes"]) for task in tasks),
        "answers": sum((caller.answers for caller in callers), Counter()),
        "chaos": chaos.done,
        "starts of processes": Counter({"in all": len(stage.players) + sum(stage.starts.values())}),
        "longest answer, seconds": {
            "": round(max(caller.longest_seconds for caller in callers), 1)
        },
        "violations": {"": len(broken)},
    }
    for name, cells in table.items():
        print(f"{name:26}", end="")
        print(f"\n{'':26}".join(f"{count:7}  {what}" for what, count in sorted(cells.items())))
    for line in broken[:SHOWN_MAX]:
        print(f"VIOLATION {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
