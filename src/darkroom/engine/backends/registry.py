"""The backends by name: a model is loaded in the child that runs it, a remote in the worker."""

from __future__ import annotations

import importlib.metadata

from darkroom import errors
from darkroom.engine.backends.contract import Backend, Remote

GROUP = "darkroom.backends"
REMOTES = "darkroom.remotes"


def names() -> frozenset[str]:
    """The backends and remotes that the installed packages declare."""
    groups = (GROUP, REMOTES)
    return frozenset(one.name for group in groups for one in _declared(group))


def create(name: str) -> Backend:
    """A fresh backend of this name, from whichever installed package declares it."""
    for entry in importlib.metadata.entry_points(group=GROUP, name=name):
        backend: Backend = entry.load()()
        return backend
    raise errors.BackendFailed(f"No installed package has a backend {name}.")


def remotes() -> dict[str, Remote]:
    """Every declared remote by its name, ready to run tasks."""
    return {one.name: one.load()() for one in _declared(REMOTES)}


def _declared(group: str) -> importlib.metadata.EntryPoints:
    return importlib.metadata.entry_points(group=group)
