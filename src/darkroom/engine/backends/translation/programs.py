"""The programs of the machine that translation needs: which are here, and what to install."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

KINDS = frozenset({"image-translate", "video-subtitle-translate"})
READER, FONTS = "tesseract", "fc-match"
_MISSING = {
    READER: "No text recognition is installed on this server: the operator can install Tesseract "
    "(Debian: apt install tesseract-ocr).",
    FONTS: "No fonts can be looked for on this server: the operator can install fontconfig and a "
    "font (Debian: apt install fontconfig fonts-dejavu-core).",
}


def lacks() -> Mapping[str, str]:
    """What cannot be done on this machine now, by kind, and what to install for it."""
    missing = " ".join(words for name, words in _MISSING.items() if shutil.which(name) is None)
    return dict.fromkeys(KINDS, missing) if missing else {}
