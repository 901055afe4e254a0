"""Darkroom: a self-hosted AI media generation platform."""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darkroom.client import AsyncClient, Client, webhooks

__all__ = ["AsyncClient", "Client", "__version__", "webhooks"]


def __getattr__(name: str) -> Any:
    """Load the SDK, or read the version, when first asked: every process of ours imports this."""
    if name == "__version__":
        return metadata.version("darkroom")
    if name == "webhooks":
        return importlib.import_module("darkroom.client.webhooks")
    if name in ("AsyncClient", "Client"):
        return getattr(importlib.import_module("darkroom.client"), name)
    raise AttributeError(f"module 'darkroom' has no attribute {name!r}")
