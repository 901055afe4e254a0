"""The backends by name: a model is loaded in the child that runs it, a remote in the worker."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator

from darkroom import errors
from darkroom.engine.backends.contract import Backend, Remote
from darkroom.engine.backends.synth import programs as synth
from darkroom.engine.backends.translation import programs as translation

GROUP = "darkroom.backends"
REMOTES = "darkroom.remotes"
# What ours need beyond the server's install: without it they are not installed.
_NEEDS = {"diffusers": ("torch", "diffusers")}


def names() -> frozenset[str]:
    """The backends and remotes that the installed packages declare, and that can be loaded."""
    every = (one.name for group in (GROUP, REMOTES) for one in _declared(group))
    return frozenset(name for name in every if not _missing(name))


@functools.cache
def kinds_of(name: str) -> frozenset[str] | None:
    """The kinds that a remote does; None of any other, which would have to be loaded to tell."""
    for entry in _declared(REMOTES).select(name=name):
        kinds: frozenset[str] = entry.load().kinds
        return kinds
    return None


def lacks() -> dict[tuple[str, str], str]:
    """What an installed backend cannot do on this machine, by backend and kind, and why."""
    ours = {"synth": synth.lacks(), "translation": translation.lacks()}
    return {(name, kind): words for name, lacks in ours.items() for kind, words in lacks.items()}


def create(name: str) -> Backend:
    """A fresh backend of this name, from whichever installed package declares it."""
    if gone := _missing(name):
        raise errors.BackendFailed(
            f"The backend {name} needs {', '.join(gone)}: pip install 'darkroom[{name}]'"
        )
    for entry in _declared(GROUP).select(name=name):
        with _undisturbed() if entry.module not in sys.modules else contextlib.nullcontext():
            made = entry.load()
        backend: Backend = made()
        return backend
    raise errors.BackendFailed(f"No installed package has a backend {name}.")


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Load libraries without the collector, which has nothing to look for in them, now or later.

    Those of a large backend are a million objects that stay: of what loading torch and diffusers
    takes, it would be a fifth.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def remotes() -> dict[str, Remote]:
    """Every declared remote by its name, ready to run tasks."""
    return {one.name: one.load()() for one in _declared(REMOTES)}


@functools.cache
def _declared(group: str) -> importlib.metadata.EntryPoints:
    """What the packages declare, read once: there are files of every one of them to look into."""
    return importlib.metadata.entry_points(group=group)


def _missing(name: str) -> list[str]:
    """The modules that a backend needs and that are not here."""
    return [one for one in _NEEDS.get(name, ()) if importlib.util.find_spec(one) is None]
