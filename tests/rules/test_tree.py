"""The pages fit the tree: the drawn one is current, links lead somewhere, no machine is named."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from source_files import ROOT, Source, page, pages, refuse, sources

FOLDERS = ("src", "tests", "bench", "docs", "requirements", "scripts", ".ci")
LOCKS = ("requirements/server.txt", "requirements/dev.txt")
# Written so that this file does not match itself.
MACHINE = re.compile(r"(?<![\w.~})*-])/(?:home|root|work|Users)/\w")
REGISTRY = re.compile(r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.org|crates\.io|anaconda\.org)\b")
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)|<(?:a href|img src)=\"(?P<html>[^\"]+)\"")
FENCE = re.compile(r"(?ms)^ *```.*?^ *```")
HEADING = re.compile(r"(?m)^#+ +(?P<text>.+?) *$")


def texts() -> Iterator[Source]:
    """Every file of text that is ours."""
    top = (path for path in ROOT.iterdir() if path.is_file() and not path.name.startswith("."))
    inside = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file())
    for path in sorted({*top, *inside}):
        content = path.read_bytes()
        if "__pycache__" not in path.parts and b"\0" not in content:
            text = content.decode("utf-8", errors="replace")
            yield Source(path.relative_to(ROOT).as_posix(), text)


def machine_words(source: Source) -> Iterator[str]:
    for number, line in enumerate(source.text.splitlines(), start=1):
        if MACHINE.search(line):
            yield source.at(number, "name no folder of one machine; write a relative path")
        if REGISTRY.search(line):
            yield source.at(number, "name no package registry; each machine is set up for its own")


def unlocked(lock: Source) -> Iterator[str]:
    """Lines of a lock file that name a host, and requirements without a version or a hash."""
    joined = lock.text.replace("\\\n", "")
    for line in lock.text.splitlines():
        if "://" in line or re.search(r"--(extra-)?index-url|--find-links|--trusted", line):
            yield lock.at(lock.text.splitlines().index(line) + 1, "name no host in a lock file")
    for line in joined.splitlines():
        is_pin = not line.strip() or line.lstrip().startswith("#")
        if not is_pin and not re.match(r"[\w.-]+(\[[\w,]+\])?==\S+.*--hash=sha256:", line):
            yield lock.at(1, f"pin {line.split(' ')[0]} to one version, with its hashes")


def anchors(text: str) -> set[str]:
    """The names of a page's headings as a link spells them."""
    headings = HEADING.findall(FENCE.sub("", text))
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


def dead_links(source: Source) -> Iterator[str]:
    blank = FENCE.sub(lambda found: "\n" * found[0].count("\n"), source.text)
    for number, line in enumerate(blank.splitlines(), start=1):
        for found in LINK.finditer(re.sub(r"`[^`]*`", "", line)):
            target = found["target"] or found["html"]
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            path = (ROOT / source.path).parent / file if file else ROOT / source.path
            text = None if file else source.text
            if file and not path.exists():
                yield source.at(number, f"{target} leads nowhere")
            elif file and path.suffix == ".md":
                text = path.read_text(encoding="utf-8")
            if anchor and text is not None and anchor not in anchors(text):
                yield source.at(number, f"{target} names a heading that is not there")


def test_tree_of_the_architecture_page_is_current() -> None:
    script = [sys.executable, str(ROOT / "scripts" / "tree"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_no_file_names_a_machine_or_a_registry() -> None:
    refuse(line for source in texts() for line in machine_words(source))


def test_lock_files_pin_everything_and_name_no_host() -> None:
    refuse(line for path in LOCKS for line in unlocked(Source(path, page(path))))


def test_relative_links_resolve() -> None:
    refuse(line for source in pages() for line in dead_links(source))


def test_scripts_can_be_run() -> None:
    for path in ("run", "test", ".ci/run", "scripts/tree", "tests/torture/run"):
        assert (ROOT / path).stat().st_mode & 0o111, f"{path}:1: chmod +x"


@pytest.mark.parametrize("text", ["see /{}/ann/x", "`/{}/x`", "DATA=/{}/x"])
@pytest.mark.parametrize("folder", ["home", "root", "work"])
def test_a_machines_folder_is_refused(text: str, folder: str) -> None:
    assert list(machine_words(Source("README.md", text.format(folder))))
    assert not list(machine_words(Source("README.md", f"data/{folder}/x ~/{folder}/x")))


def test_a_registry_is_refused() -> None:
    assert list(machine_words(Source("README.md", "from " + "pypi." + "org")))


@pytest.mark.parametrize("line", ["--index-url https://a.example/simple", "click==8.1", "click>=8"])
def test_a_loose_lock_is_refused(line: str) -> None:
    assert list(unlocked(Source("requirements/a.txt", f"# pins\n{line}\n")))
    assert not list(unlocked(Source("requirements/a.txt", "a==1 ; b == 'c' \\\n  --hash=sha256:0")))


@pytest.mark.parametrize("link", ["(nowhere.md)", "(README.md#no-such-heading)", "(#none)"])
def test_a_dead_link_is_refused(link: str) -> None:
    assert list(dead_links(Source("README.md", f"# Title\n[text]{link}")))
    assert not list(dead_links(Source("README.md", f"# Title\n`[text]{link}` [a](#title)")))


def test_a_page_that_is_not_there_is_reported() -> None:
    with pytest.raises(AssertionError, match="page is missing"):
        page("docs/none.md")
    assert sources("docs", suffix=".none") == ()
