"""Measures every budget of the design beside its floor and prints the table of the README."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

import cores
import home
import machine
import measure_film
import measure_history
import measure_http
import measure_null
import measure_rest
import measure_tasks
from home import Home
from lines import Line
from plan import FULL, QUICK, SMOKE, Plan

PAGE = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
_HEAD = ("Path", "Budget", "Floor", "Measured", "Figure (spread)", "Verdict")


def lines(plan: Plan, database_url: str | None) -> Iterator[Line]:
    """Every line of the table; submits come after what needs an empty queue."""
    if database_url is not None:
        with home.folder() as data, home.another(Home(data, database_url, {}), "bench") as one:
            yield measure_null.measure(plan, one, "PostgreSQL by address")
    with home.opened() as one:
        with home.served(one, 0, cores.SERVER) as server:
            yield measure_rest.memory(plan, one, server)
        yield from measure_tasks.measure(plan, one)
        yield measure_film.measure(plan)
        yield measure_null.measure(plan, one, "embedded PostgreSQL")
        with home.served(one, 0, cores.SERVER) as server:
            yield from measure_http.measure(plan, one, server)
        yield from measure_history.measure(plan, one)
    yield measure_rest.second_start(plan)


def table(found: list[Line], facts: dict[str, str]) -> str:
    """The lines, their notes and the machine as Markdown."""
    rows = [[*_HEAD], ["---"] * len(_HEAD), *(line.cells() for line in found)]
    drawn = ["| " + " | ".join(row) + " |" for row in rows]
    notes = [f"- {line.path}: {line.note}." for line in found if line.note]
    told = [f"- {name}: {value}." for name, value in facts.items()]
    return "\n".join([*drawn, "", *notes, "", *told])


def write(text: str) -> None:
    """Put the table between the page's markers; exits when they are missing."""
    page = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        sys.exit(f"{PAGE.name}:1: write the lines {BEGIN} and {END} for the table")
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(prog="bench/run", description="Measure the design's budgets.")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="a look of a minute instead of six")
    size.add_argument("--smoke", action="store_true", help="seconds; the figures say nothing")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    parser.add_argument("--database-url", help="a PostgreSQL to run null tasks on as well")
    asked = parser.parse_args()
    facts = machine.told()
    began = time.monotonic()
    found = []
    plan = SMOKE if asked.smoke else QUICK if asked.quick else FULL
    for line in lines(plan, asked.database_url):
        took = f"{time.monotonic() - began:4.0f} s"
        print(" | ".join([took, *line.cells()]), file=sys.stderr, flush=True)
        found.append(line)
    if asked.write:
        write(table(found, facts))
    if asked.json:
        print(msgspec.json.encode({"lines": found, "machine": facts}).decode())
    else:
        print(table(found, facts))


if __name__ == "__main__":
    main()
