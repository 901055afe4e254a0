"""What kind of file some bytes are, told by their first bytes and never by their name."""

from __future__ import annotations

SNIFF_BYTES = 16


def sniff(head: bytes) -> str | None:
    """The media type of a picture by its signature (PNG, JPEG, RIFF/WebP), or None."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return None
