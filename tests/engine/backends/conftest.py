"""Tiny pipelines for tests that run models; skipped where there is no torch to run them with."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """The folder of a tiny pipeline by its name; required where DARKROOM_TEST_TORCH says so."""
    missing = [name for name in ("torch", "diffusers") if not importlib.util.find_spec(name)]
    if missing:
        assert "DARKROOM_TEST_TORCH" not in os.environ, f"{missing} are not installed"
        pytest.skip("no torch and diffusers here: no model is run (docs/howto/diffusers.md)")
    folder = tmp_path_factory.mktemp("pipelines")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        # Read when the libraries are imported, which is here: no test asks a hub.
        patch.setenv("HF_HUB_OFFLINE", "1")
        warnings.simplefilter("ignore")
        import tiny_pipelines
        import torch

        torch.set_num_threads(1)
        yield lambda name: tiny_pipelines.save(folder, name)
