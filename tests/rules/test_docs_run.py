"""What the pages say to run does run against a real server, and answers what they show."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from source_files import Source, pages, refuse

from ground import Server, wait_until

ADDRESS = "http://127.0.0.1:8080"
BLOCK_SECONDS_MAX = 60
ANSWER_SECONDS_MAX = 30
# A block is run when its fence says so: ```sh run, ```python run. One of JSON that follows is what
# the one before it prints.
BLOCK = re.compile(r"(?ms)^```(?P<language>\w+)(?P<run> run)?\n(?P<text>.*?)^```$")
LANGUAGES = {"sh", "python"}
# What differs from run to run; the group says what kind of thing it is.
ID = re.compile(r"\b(task|req|acc|key)_[0-9a-z]{26}\b")
VARYING = (
    (ID, r"\1_…"),
    (re.compile(r"https?://[\w.:\[\]]+/files/[0-9a-z]{32}"), "…/files/…"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z"), "…Z"),
    (re.compile(r'("(?:batch_id|seed|duration_ms)": )[\d.]+'), r"\1…"),
)


class Block(NamedTuple):
    """A block to run, and the answer that the page shows for it."""

    language: str
    text: str
    line: int
    answer: str | None

    @property
    def is_repeatable(self) -> bool:
        """Whether running it again asks for the same thing only."""
        return "curl" in self.text and not re.search(r"-X (?!GET)| -d | -F ", self.text)


def blocks(text: str) -> list[Block]:
    """The blocks of a page that are run."""
    found = list(BLOCK.finditer(text))
    answers = {
        before.start(): after["text"]
        for before, after in itertools.pairwise(found)
        if after["language"] == "json" and not text[before.end() : after.start()].strip()
    }
    return [
        Block(
            one["language"], one["text"], text.count("\n", 0, one.start()), answers.get(one.start())
        )
        for one in found
        if one["run"]
    ]


def plain(answer: str) -> str:
    """An answer without what differs from run to run, its fields in order, a line each."""
    said = json.dumps(json.loads(answer), indent=1, sort_keys=True, ensure_ascii=False)
    for pattern, instead in VARYING:
        said = pattern.sub(instead, said)
    return said


def run(block: Block, text: str, folder: Path, environment: Mapping[str, str]) -> str:
    """What a block prints; fails with all it said when it fails."""
    command = ["sh", "-euc", text] if block.language == "sh" else [sys.executable, "-c", text]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=BLOCK_SECONDS_MAX,
    )
    assert done.returncode == 0, f"line {block.line}: {text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def environment_of(server: Server) -> dict[str, str]:
    """What a reader's shell has after the first steps: the commands, the key, the data."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DARKROOM_API_KEY": server.key,
        "DARKROOM_BASE_URL": server.url,
        "DARKROOM_DATA": str(server.data),
        "DARKROOM_DATABASE_URL": server.ground.conninfo,
    }


def play(page: Source, server: Server, folder: Path) -> None:
    """Run a page's blocks in order, the ids that it shows replaced by those that came."""
    environment = environment_of(server)
    known = {ADDRESS: server.url}
    for block in blocks(page.text):
        text = block.text
        for shown, real in known.items():
            text = text.replace(shown, real)
        said = run(block, text, folder, environment)
        if block.answer is None:
            wrong = "curl" in text and '"success":true' not in said
            assert not wrong, f"{page.path}:{block.line}: {said}"
            continue
        if block.is_repeatable:
            said = repeated(block, text, folder, environment)
        assert plain(said) == plain(block.answer), f"{page.path}:{block.line}"
        known |= pairs(block.answer, said)


def repeated(block: Block, text: str, folder: Path, environment: Mapping[str, str]) -> str:
    """The answer that a page shows, asked for until it comes: a task takes its time."""
    wanted = plain(block.answer or "")

    def asked() -> str | None:
        said = run(block, text, folder, environment)
        return said if plain(said) == wanted else None

    what = f"the answer of line {block.line}: {wanted}\n"
    return str(wait_until(asked, seconds_max=ANSWER_SECONDS_MAX, what=what))


def pairs(shown: str, real: str) -> dict[str, str]:
    """Each id that a page shows, with the one that came in its place."""

    def ids(text: str) -> Iterator[str]:
        return (found[0] for found in ID.finditer(json.dumps(json.loads(text), sort_keys=True)))

    return dict(zip(ids(shown), ids(real), strict=True))


RUNNABLE = {page.path: page for page in pages() if blocks(page.text)}


@pytest.mark.parametrize("path", RUNNABLE)
def test_blocks_of_the_page_run_and_answer_what_it_shows(
    path: str, server: Server, tmp_path: Path
) -> None:
    page = RUNNABLE[path]
    if any("curl" in block.text for block in blocks(page.text)) and not shutil.which("curl"):
        assert os.environ.get("CI") != "true", "install curl: the pages' requests are run with it"
        pytest.skip("curl is not installed")
    play(page, server, tmp_path)


def test_readme_has_the_two_requests_of_the_quickstart() -> None:
    texts = [block.text for block in blocks(RUNNABLE["README.md"].text) if block.answer]
    assert [re.findall(r"-X (\w+) \S+/(\S+)", text) for text in texts] == [
        [("POST", "text-to-image")],
        [("GET", "status")],
    ]


def test_what_is_to_be_run_is_shell_or_python() -> None:
    refuse(
        page.at(block.line, f"nothing runs {block.language}")
        for page in RUNNABLE.values()
        for block in blocks(page.text)
        if block.language not in LANGUAGES
    )


def test_an_answer_that_differs_is_seen_and_an_id_is_not() -> None:
    shown: dict[str, Any] = {"task_id": f"task_{'a' * 26}", "at": "2026-01-01T00:00:00.000Z"}
    real = {"task_id": f"task_{'b' * 26}", "at": "2027-01-01T00:00:00.000Z"}
    assert plain(json.dumps(shown)) == plain(json.dumps(real))
    assert plain(json.dumps(shown)) != plain(json.dumps({**real, "more": 1}))
    assert pairs(json.dumps(shown), json.dumps(real)) == {shown["task_id"]: real["task_id"]}


def test_a_block_that_fails_is_seen(tmp_path: Path) -> None:
    [block] = blocks("```sh run\nfalse\ntrue\n```\n")
    with pytest.raises(AssertionError, match="line 0: false"):
        run(block, block.text, tmp_path, os.environ)
