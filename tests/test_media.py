"""A file is what its first bytes say."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from darkroom import media


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_pictures_are_told_by_their_signature(form: str) -> None:
    body = io.BytesIO()
    Image.new("RGB", (8, 8)).save(body, form)
    assert media.sniff(body.getvalue()[: media.SNIFF_BYTES]) == f"image/{form.lower()}"


@pytest.mark.parametrize("head", [b"", b"GIF89a", b"<svg/>", b"RIFF....WAVE", b"\x89PN", b"%PDF"])
def test_anything_else_is_unknown(head: bytes) -> None:
    assert media.sniff(head) is None
