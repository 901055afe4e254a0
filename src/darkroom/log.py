"""Logging: one line an event, to standard error, with the time in UTC."""

from __future__ import annotations

import logging
import sys
import time


def setup(level: str) -> None:
    """Send this process's log to standard error, from the level on."""
    formatter = logging.Formatter(
        "%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ"
    )
    formatter.converter = time.gmtime
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[stream], force=True)
    # These tell every request and every connection; ours say what matters.
    for noisy in ("httpx", "httpcore", "uvicorn.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
