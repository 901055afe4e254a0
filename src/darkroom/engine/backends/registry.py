"""The backends by name, loaded only in the child that runs them."""

from __future__ import annotations

import importlib.metadata
import importlib.util

from darkroom import errors
from darkroom.engine.backends.contract import Backend

GROUP = "darkroom.backends"
# What ours need beyond the server's install: without it they are not installed.
_NEEDS = {"diffusers": ("torch", "diffusers")}


def names() -> frozenset[str]:
    """The backends that the installed packages declare, and that can be loaded."""
    every = importlib.metadata.entry_points(group=GROUP)
    return frozenset(entry.name for entry in every if not missing(entry.name))


def missing(name: str) -> list[str]:
    """The modules that a backend needs and that are not here."""
    return [one for one in _NEEDS.get(name, ()) if importlib.util.find_spec(one) is None]


def create(name: str) -> Backend:
    """A fresh backend of this name, from whichever installed package declares it."""
    if gone := missing(name):
        raise errors.BackendFailed(
            f"The backend {name} needs {', '.join(gone)}: pip install 'darkroom[{name}]'"
        )
    for entry in importlib.metadata.entry_points(group=GROUP, name=name):
        backend: Backend = entry.load()()
        return backend
    raise errors.BackendFailed(f"No installed package has a backend {name}.")
