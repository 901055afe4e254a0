"""Agents: what browsers call themselves, in words."""

from __future__ import annotations

import pytest

from darkroom.console import agents

MOZILLA = "Mozilla/5.0"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        (f"{MOZILLA} (X11; Linux x86_64) {WEBKIT} Chrome/130.0 Safari/537.36", "Chrome on Linux"),
        (f"{MOZILLA} (Windows NT 10.0) {WEBKIT} Chrome/1 Safari/5 Edg/130.0", "Edge on Windows"),
        (f"{MOZILLA} (Macintosh; Intel Mac OS X 10_15) Version/18 Safari/605", "Safari on macOS"),
        (f"{MOZILLA} (iPhone; CPU iPhone OS 18 like Mac OS X) CriOS/130", "Chrome on iPhone"),
        (f"{MOZILLA} (Android 15; Mobile) Gecko/131.0 Firefox/131.0", "Firefox on Android"),
        (f"{MOZILLA} (X11; CrOS x86_64) Chrome/130.0 Safari/537.36", "Chrome on ChromeOS"),
        ("curl/8.5.0", "curl"),
        ("something else", "something else"),
        ("x" * 300, "x" * 60),
        ("", "An unknown browser"),
        (None, "An unknown browser"),
    ],
)
def test_an_agent_is_said_in_words(agent: str | None, said: str) -> None:
    assert agents.readable(agent) == said
