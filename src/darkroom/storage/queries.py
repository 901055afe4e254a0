"""Named SQL: every statement lives in `sql/<noun>.sql` under a `-- name: noun.verb` line."""

from __future__ import annotations

import functools
import re
from importlib import resources

import msgspec

_NAME = re.compile(r"^-- name: (?P<name>[a-z_]+\.[a-z_]+)(?: \(caller\))?$", re.MULTILINE)
_PARAMETER = re.compile(r"%\((?P<name>\w+)\)s")


class Statement(msgspec.Struct, frozen=True):
    """A statement as PostgreSQL prepares it, `parameters` in the order of its `$1`, `$2`, …"""

    text: bytes
    parameters: tuple[str, ...]


@functools.cache
def load() -> dict[str, Statement]:
    """All statements by name, read once from the package's `sql` folder."""
    found: dict[str, Statement] = {}
    for file in sorted(resources.files("darkroom.storage").joinpath("sql").iterdir(), key=str):
        if not file.name.endswith(".sql"):
            continue
        text = file.read_text(encoding="utf-8")
        marks = [*_NAME.finditer(text)]
        for mark, after in zip(marks, [*marks[1:], None], strict=True):
            name = mark["name"]
            assert name not in found, f"two statements are named {name}"
            found[name] = _numbered(text[mark.end() : after.start() if after else None].strip())
    return found


def _numbered(text: str) -> Statement:
    """`%(name)s` becomes `$1`, `%%` becomes `%`."""
    names = tuple(dict.fromkeys(found["name"] for found in _PARAMETER.finditer(text)))
    numbered = _PARAMETER.sub(lambda found: f"${names.index(found['name']) + 1}", text)
    return Statement(numbered.replace("%%", "%").encode(), names)
