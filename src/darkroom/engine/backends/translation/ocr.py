"""Tesseract: the words of pictures, read by one bounded process for all of them.

Source: tesseract(1), its TSV output and its page segmentation modes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import msgspec
from PIL import Image

from darkroom import errors
from darkroom.engine.backends import programs
from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.translation.programs import READER

# Page segmentation: text anywhere, one block of even lines, one line.
SPARSE, ONE_BLOCK, ONE_LINE = 11, 6, 7
_SECONDS_MAX = 300.0
_OUTPUT_BYTES_MAX = 16 * 2**20
_LANGUAGES_MAX = 6  # each makes reading slower, and the more the likelier a wrong one fits
_WORD = "5"  # the level of a TSV row that holds one


class Word(msgspec.Struct, frozen=True):
    """A word as it was read: its box in pixels, how sure it is (0 to 100), and its line's id."""

    text: str
    left: int
    top: int
    right: int
    foot: int
    sure: float
    line: tuple[str, ...]


def languages(wanted: Sequence[str]) -> tuple[str, ...]:
    """The languages to read, by Tesseract's names: those wanted, else those that are installed."""
    said = _run([READER, "--list-langs"]).splitlines()[1:]
    installed = [one for one in said if one not in ("osd", "equ") and "/" not in one]
    if missing := [one for one in wanted if one not in said]:
        raise errors.Hindered(
            f"Tesseract cannot read {', '.join(missing)} here: the operator can install it "
            f"(Debian: apt install tesseract-ocr-{missing[0].replace('_', '-')})."
        )
    found = wanted or sorted(installed, key=lambda one: one != "eng")[:_LANGUAGES_MAX]
    if not found:
        raise errors.Hindered(
            "Tesseract has no language on this server: the operator can install one "
            "(Debian: apt install tesseract-ocr-eng)."
        )
    return tuple(found)


def read(
    pages: Sequence[Pixels], reads: Sequence[str], folder: Path, *, layout: int, is_even: bool
) -> list[list[Word]]:
    """The words of each page, uint8 (h, w), in the order they were read.

    `is_even` tells that one threshold tells all letters of a page from its ground.
    """
    if not pages:
        return []
    paths = [folder / f"page-{number}.png" for number in range(len(pages))]
    for path, page in zip(paths, pages, strict=True):
        Image.fromarray(page).save(path, "PNG", compress_level=1)
    listed, out = folder / "pages.txt", folder / "pages"
    listed.write_text("".join(f"{path}\n" for path in paths), "utf-8")
    how = () if is_even else ("-c", "thresholding_method=2")  # Sauvola's
    _run([READER, str(listed), str(out), "-l", "+".join(reads), "--psm", str(layout), *how, "tsv"])
    for path in paths:
        path.unlink()
    with out.with_suffix(".tsv").open(encoding="utf-8") as stream:
        return _words(stream.read(_OUTPUT_BYTES_MAX), len(pages))


def _run(command: Sequence[str]) -> str:
    try:
        return programs.run(command, seconds_max=_SECONDS_MAX)[0].decode()
    except FileNotFoundError as exc:
        raise errors.Hindered("Tesseract is not installed on this machine.") from exc


def _words(table: str, count: int) -> list[list[Word]]:
    pages: list[list[Word]] = [[] for _ in range(count)]
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        text = (row.get("text") or "").strip()
        if row["level"] != _WORD or not text:
            continue
        left, top = int(row["left"]), int(row["top"])
        right, foot = left + int(row["width"]), top + int(row["height"])
        line = (row["page_num"], row["block_num"], row["par_num"], row["line_num"])
        word = Word(text, left, top, right, foot, float(row["conf"]), line)
        pages[int(row["page_num"]) - 1].append(word)
    return pages
