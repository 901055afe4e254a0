"""The backends by name, loaded only in the child that runs them."""

from __future__ import annotations

import importlib.metadata

from darkroom import errors
from darkroom.engine.backends.contract import Backend

GROUP = "darkroom.backends"


def names() -> frozenset[str]:
    """The backends that the installed packages declare."""
    return frozenset(entry.name for entry in importlib.metadata.entry_points(group=GROUP))


def create(name: str) -> Backend:
    """A fresh backend of this name, from whichever installed package declares it."""
    for entry in importlib.metadata.entry_points(group=GROUP, name=name):
        backend: Backend = entry.load()()
        return backend
    raise errors.BackendFailed(f"No installed package has a backend {name}.")
