"""Named SQL: every statement lives in `sql/<noun>.sql` under a `-- name: noun.verb` line."""

from __future__ import annotations

import functools
import re
from importlib import resources

_NAME = re.compile(r"^-- name: (?P<name>[a-z_]+\.[a-z_]+)(?: \(caller\))?$", re.MULTILINE)


@functools.cache
def load() -> dict[str, bytes]:
    """All statements by name, read once from the package's `sql` folder."""
    found: dict[str, bytes] = {}
    for file in sorted(resources.files("darkroom.storage").joinpath("sql").iterdir(), key=str):
        if not file.name.endswith(".sql"):
            continue
        text = file.read_text(encoding="utf-8")
        marks = [*_NAME.finditer(text)]
        for mark, after in zip(marks, [*marks[1:], None], strict=True):
            name = mark["name"]
            assert name not in found, f"two statements are named {name}"
            found[name] = text[mark.end() : after.start() if after else None].strip().encode()
    return found
