"""The probe installed: a folder with its package, model and marks, and the settings to it."""

from __future__ import annotations

import os
from pathlib import Path

BACKENDS = Path(__file__).parent / "engine"
CATALOGUE = """
[PROBE]
name = "Probe"
backends = ["probe"]
[PROBE.kinds.text-to-image]
credits = 2
outputs_max = 64
[PROBE.kinds.image-to-image]
credits = 2
"""


def install(folder: Path) -> dict[str, str]:
    """Put everything into the folder; the environment of processes that offer the model PROBE."""
    package = folder / "probe" / "probe-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: probe\nVersion: 1.0\n")
    declared = "[darkroom.backends]\nprobe = probe_backend:Probe\nchoir = probe_backend:Choir\n"
    (package / "entry_points.txt").write_text(declared)
    (folder / "catalogue.toml").write_text(CATALOGUE)
    (folder / "marks").mkdir()
    return {
        **os.environ,
        "PYTHONPATH": f"{package.parent}{os.pathsep}{BACKENDS}",
        "PROBE_MARKS": str(folder / "marks"),
        "DARKROOM_DATA": str(folder / "data"),
        "DARKROOM_CATALOGUE_FILE": str(folder / "catalogue.toml"),
        "DARKROOM_NOTICE_SECONDS": "0",
    }
