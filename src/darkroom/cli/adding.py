"""A catalogue entry written for a diffusers model, from what its folder says of itself."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from darkroom import config, errors
from darkroom.cli import house
from darkroom.domain import entries
from darkroom.domain.kinds.table import KINDS
from darkroom.engine.backends import registry
from darkroom.engine.backends.diffusers import inspection
from darkroom.engine.backends.diffusers.inspection import Found

_BACKEND = "diffusers"
_CLIP_RESOLUTION = "480p"
# Clips take minutes where pictures take seconds, and large weights a while to load.
_CLIP_SECONDS_MAX = 3600


def add(source: str, *, key: str | None, name: str | None, price: float) -> dict[str, Any]:
    """Write the entry to the operator's catalogue file; raises `ConfigInvalid`, file untouched."""
    if _BACKEND not in registry.names():
        raise errors.ConfigInvalid(
            "The diffusers backend is not installed: pip install 'darkroom[diffusers]'"
        )
    settings = config.load({}, os.environ)
    last = Path(source).expanduser().resolve().name
    key = key or re.sub(r"[^A-Z0-9]+", "_", last.upper()).strip("_")
    place = house.catalogue_place(settings)
    before = place.read_text(encoding="utf-8") if place.exists() else ""
    shipped = house.shipped_models()
    if key in entries.parse(before, str(place), shipped):
        raise errors.ConfigInvalid(f"{place} has a model {key} already: give another --key.")
    found = inspection.inspect(source)
    entry = _entry(key, name or last, price, found)
    whole = f"{before.rstrip()}\n\n{entry}".lstrip()
    try:
        entries.read(key, entries.document(entries.parse(whole, str(place), shipped)[key]))
    except errors.BadParameter as exc:
        raise errors.ConfigInvalid(exc.message) from exc
    _write(place, whole)
    return {
        "key": key,
        "kinds": [*found.kinds],
        "file": str(place),
        "entry": entry,
        "is_remote": found.is_remote,
    }


def _entry(key: str, name: str, price: float, found: Found) -> str:
    """The entry as TOML: JSON's texts and arrays are TOML's as well."""
    # A key with a dot in it is one key only in quotes.
    key = key if re.fullmatch(r"[\w-]+", key, re.ASCII) else _text(key)
    lines = [f"[{key}]", f"name = {_text(name)}", f'backends = ["{_BACKEND}"]']
    if any(KINDS[kind].outputs == "videos" for kind in found.kinds):
        lines.append(f"seconds_max = {_CLIP_SECONDS_MAX}")
    lines += [f"[{key}.options.{_BACKEND}]", f"model = {_text(found.source)}"]
    for kind in found.kinds:
        lines += [f"[{key}.kinds.{kind}]", f"credits = {price:g}"]
        if KINDS[kind].outputs == "videos":
            lines += [f'resolutions = ["{_CLIP_RESOLUTION}"]', f"durations = [{found.seconds}]"]
        elif KINDS[kind].size is not None:
            side = "1k" if found.side == 1024 else f"{found.side}p"
            lines.append(f'resolutions = ["{side}"]')
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _write(place: Path, text: str) -> None:
    """The file as a whole or not at all: servers read it at their start."""
    place.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=place.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).chmod(place.stat().st_mode if place.exists() else 0o644)
        Path(name).replace(place)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
