"""The backends by name, loaded only in the child that runs them."""

from __future__ import annotations

import importlib

from darkroom import errors
from darkroom.engine.backends.contract import Backend

BACKENDS = {"painter": "darkroom.engine.backends.painter.backend:Painter"}


def create(name: str) -> Backend:
    """A fresh backend of this name; imports whatever it needs."""
    if name not in BACKENDS:
        raise errors.BackendFailed(f"There is no backend {name} here.")
    module, _, attribute = BACKENDS[name].partition(":")
    backend: Backend = getattr(importlib.import_module(module), attribute)()
    return backend
