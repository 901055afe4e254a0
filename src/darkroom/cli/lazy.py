"""Loading by name what only the server install can run."""

from __future__ import annotations

import gc
import importlib
from typing import Any

import click


def load(target: str) -> Any:
    """What stands at "module:attribute"; says what to install when the server extra is missing."""
    module, _, attribute = target.partition(":")
    # Modules stay to the end: to look through them for garbage, while they load, later and at the
    # end, would be a third of the work of a start.
    gc.disable()
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.partition(".")[0] == "darkroom":
            raise
        raise click.ClickException(
            f"This needs the module {exc.name}. "
            "Install the server with: pip install 'darkroom[server]'"
        ) from exc
    finally:
        gc.freeze()
        gc.enable()
