"""What kind of file some bytes are, told by their first bytes and never by their name."""

from __future__ import annotations

from typing import Literal

Sort = Literal["picture", "clip", "sound"]

SNIFF_BYTES = 64
PICTURES = frozenset({"image/jpeg", "image/png", "image/webp"})
CLIPS = frozenset({"video/mp4", "video/quicktime", "video/webm"})
SOUNDS = frozenset({"audio/mpeg", "audio/mp4", "audio/wav", "audio/ogg", "audio/flac"})
TEXTS = frozenset({"text/plain", "application/json"})
SORTS: dict[Sort, frozenset[str]] = {"picture": PICTURES, "clip": CLIPS, "sound": SOUNDS}
# What the results of a kind may be, by the status field that lists them.
OUTPUTS = {"images": PICTURES, "videos": CLIPS, "audios": SOUNDS, "texts": TEXTS}
EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "text/plain": "txt",
    "application/json": "json",
}
MEDIA_TYPES = {extension: media_type for media_type, extension in EXTENSIONS.items()}
# What callers are told to send.
SPOKEN: dict[Sort, str] = {
    "picture": "jpg, jpeg, png, webp image",
    "clip": "mp4, mov, webm video",
    "sound": "mp3, m4a, wav, ogg, flac audio",
}

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
# The major brands of ISO base media files (ftyp, ISO/IEC 14496-12) that are no plain MP4.
_BRANDS = {b"qt  ": "video/quicktime", b"M4A ": "audio/mp4", b"M4B ": "audio/mp4"}
# Brands of still pictures in the same boxes, which are no clips.
_STILLS = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")


def sniff(head: bytes) -> str | None:
    """The media type of a picture, clip or sound by its signature, or None."""
    for signature, media_type in _SIGNATURES:
        if head.startswith(signature):
            return media_type
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return None if brand in _STILLS else _BRANDS.get(brand, "video/mp4")
    # EBML (RFC 8794); its DocType stands within the first bytes, and is "webm" or "matroska".
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm" if b"webm" in head else None
    # MPEG audio without a tag: eleven set bits, then a version and a layer that are not reserved.
    if len(head) > 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        version, layer, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4
        return "audio/mpeg" if version != 1 and layer == 1 and rate not in (0, 15) else None
    return None


def sort(media_type: str) -> Sort:
    """Whether a media type is one of pictures, clips or sounds."""
    return next(name for name, media_types in SORTS.items() if media_type in media_types)
