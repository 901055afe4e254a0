"""Frames: ComfyUI's binary messages, and the previews in them.

As its `server.py` writes them: four bytes big-endian for the sort of message, then what it holds.
"""

from __future__ import annotations

import json
import struct

import msgspec

# What a client says first to be told with each preview whose it is; older ones do not know it.
GREETING = json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
_WORD = struct.Struct(">I")
# A preview behind a word for its format; one behind words in JSON, and before these their length.
_PLAIN, _TOLD = 1, 4


class Frame(msgspec.Struct, frozen=True):
    """A picture of a prompt that runs, and that prompt's id, if it is said."""

    picture: bytes
    prompt_id: str | None


def read(message: bytes) -> Frame | None:
    """The preview in a message; None for another sort of message, or a broken one."""
    try:
        (sort,), (size,) = _WORD.unpack_from(message), _WORD.unpack_from(message, _WORD.size)
        begin = 2 * _WORD.size
        if sort == _PLAIN:
            return Frame(message[begin:], None)
        if sort != _TOLD:
            return None
        return Frame(
            message[begin + size :], str(json.loads(message[begin : begin + size])["prompt_id"])
        )
    except (struct.error, ValueError, TypeError, KeyError, RecursionError):
        return None
