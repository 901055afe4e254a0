"""The contract's check passes what keeps it, the page's example first, and names what does not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from darkroom import errors
from darkroom.testing import backend_contract

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "backend.md"
# Two methods more for the page's example.
TOGETHER = """
    def together_max(self, kind: str) -> int:
        return 2

    def run_together(self, given, contexts):
        for place, one in enumerate(given):
            for output in self.run(one, contexts[place]):
                yield place, output
"""
PAINTED = ("painter", "text-to-image", {"prompt": "a lake", "width": 64, "height": 48})


def _blocks(name: str) -> str:
    """The code that the page shows under a file's name."""
    found = re.search(rf"`{name}`[^`]*```\w+\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found, name
    return found[1]


def _tested(folder: Path, *sources: str) -> list[str | None]:
    """What pytest says of the page's test over each of the backends; None where it passes.

    Each is put where Python finds it, declared as a package declares it, under a name of its own.
    """
    names = [f"square{number or ''}" for number in range(len(sources))]
    for name, source in zip(names, sources, strict=True):
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[darkroom.backends]\n{name} = {name}:Square\n")
        (folder / f"{name}.py").write_text(source.replace('"square"', f'"{name}"'))
        test = _blocks("test_square.py").replace('"square"', f'"{name}"')
        (folder / f"test_{name}.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--junit-xml=told.xml"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (folder / "told.xml").exists(), done.stdout + done.stderr
    cases = {
        one.attrib["classname"]: one
        for one in ElementTree.parse(folder / "told.xml").iter("testcase")
    }
    told = [next(iter(cases[f"test_{name}"]), None) for name in names]
    return [None if one is None else one.text for one in told]


def test_the_example_of_the_page_keeps_the_contract(tmp_path: Path) -> None:
    assert _tested(tmp_path, _blocks("square.py")) == [None]


# What stands in the page's example, what breaks it, and what is said of it.
BROKEN = (
    ("        context.progress(0.5)", "        pass", "A cancel is not heard"),
    ("width, height)\n", "width, height + 1)\n", "is told to"),
    ('"image/png"', '"image/jpeg"', "is image/png, and is called image/jpeg"),
    ("context.folder /", "context.folder.parent /", "is no file of the task's folder"),
    (
        "context.seed % 256",
        "int.from_bytes(__import__('os').urandom(1))",
        "do not make the same bytes",
    ),
    ('name = "square"', 'name = "round"', "calls itself round"),
    ('{"text-to-image"}', '{"text-to-mud"}', "There are no such kinds: text-to-mud"),
    ('{"text-to-image"}', '{"image-upscale"}', "does not say that it does text-to-image"),
    ("        yield Output", "        return\n        yield Output", "ends without an output"),
)


def test_what_breaks_the_contract_is_named(tmp_path: Path) -> None:
    source = _blocks("square.py")
    assert all(right in source for right, *_ in BROKEN)
    broken = [source.replace(right, wrong, 1) for right, wrong, _ in BROKEN]
    for (*_, said), told in zip(BROKEN, _tested(tmp_path, *broken), strict=True):
        assert said in (told or "it passes")


# The same of the two methods more; these keep it as they are.
BROKEN_TOGETHER = (
    ("yield place, output", "if place: yield place, output", "one ends without an output"),
    ("yield place, output", "raise ValueError", "cannot run two of them"),
    ("contexts[place]", "contexts[0]", "is no file of the task's folder"),
)


def test_what_says_that_it_runs_tasks_together_must(tmp_path: Path) -> None:
    assert all(right in TOGETHER for right, *_ in BROKEN_TOGETHER)
    broken = [TOGETHER.replace(right, wrong, 1) for right, wrong, _ in BROKEN_TOGETHER]
    whole, *others = _tested(tmp_path, *(_blocks("square.py") + one for one in (TOGETHER, *broken)))
    assert whole is None
    for (*_, said), told in zip(BROKEN_TOGETHER, others, strict=True):
        assert said in (told or "it passes")


def test_a_backend_of_ours_keeps_it_and_its_errors_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    [made] = backend_contract.check(*PAINTED, tmp_path / "good")
    with Image.open(made.path) as picture:
        assert picture.size == (64, 48)
    torn = tmp_path / "torn.png"
    torn.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(errors.BadInput):
        backend_contract.check(
            "painter",
            "image-to-image",
            {"prompt": "a lake", "width": 64, "height": 64},
            tmp_path,
            files={"images": [torn]},
        )


def test_what_nobody_declares_is_said(tmp_path: Path) -> None:
    with pytest.raises(backend_contract.Broken, match="No installed package declares nobody"):
        backend_contract.check("nobody", "text-to-image", {"prompt": "a lake"}, tmp_path)
