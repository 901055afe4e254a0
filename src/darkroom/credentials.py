"""Content credentials: manifests after C2PA, signed into files and read from them.

https://spec.c2pa.org/ by its own library, which takes 30 MB once it is loaded: that is when a file
is first signed or read. It is told to fetch nothing that a file names.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import mmap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from PIL import Image

from darkroom.authority import Authority

# The files that can carry a manifest.
MEDIA_TYPES = frozenset(
    {
        *("image/png", "image/jpeg", "image/webp"),
        *("video/mp4", "video/quicktime"),
        *("audio/wav", "audio/mpeg", "audio/mp4", "audio/flac"),
    }
)
# valid: by an authority that was asked about. foreign: by another, or kept somewhere else.
Signature = Literal["valid", "invalid", "absent", "foreign"]
# https://cv.iptc.org/newscodes/digitalsourcetype/ What is said where a backend says nothing.
SOURCE_DEFAULT = "trainedAlgorithmicMedia"
_SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_SETTINGS: Mapping[str, Any] = {
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}


class NotSigned(Exception):
    """A file could not be signed; the text says why."""


class Origin(msgspec.Struct, frozen=True):
    """How a file came to be: by which task, and as which of IPTC's digital source types."""

    task_id: str
    kind: str
    model: str
    served_by: str
    source: str
    # The fields that named an input file each; the files themselves are not told of.
    inputs: tuple[str, ...] = ()


class Reading(msgspec.Struct, frozen=True):
    """What a file's manifest says; its origin only where the signature is valid."""

    signature: Signature
    origin: Origin | None = None


def sign(path: Path, media_type: str, origin: Origin, authority: Authority, to: Path) -> None:
    """Write the file anew, with a manifest; raises `NotSigned` and leaves no file then. Blocks."""
    c2pa = _c2pa()
    signed_by = c2pa.C2paSignerInfo(
        b"es256", authority.chain.encode(), authority.key.encode(), None
    )
    try:
        with (
            c2pa.Signer.from_info(signed_by) as signer,
            c2pa.Builder(_manifest(origin), _context({})) as builder,
            path.open("rb") as source,
            to.open("w+b") as target,
        ):
            builder.sign(signer, media_type, source, target)
    except c2pa.C2paError as exc:
        to.unlink(missing_ok=True)
        raise NotSigned(str(exc)) from exc


def read(path: Path, media_type: str, trusted: Sequence[Authority]) -> Reading:
    """What stands in a file, and whether one of these authorities signed it. Blocks."""
    if media_type not in MEDIA_TYPES:
        return Reading("absent")
    c2pa = _c2pa()
    anchors = {"trust": {"user_anchors": "".join(one.root for one in trusted)}} if trusted else {}
    try:
        with (
            path.open("rb") as stream,
            c2pa.Reader(media_type, stream, context=_context(anchors)) as reader,
        ):
            state, manifest = reader.get_validation_state(), reader.get_active_manifest()
    except c2pa.C2paError as exc:
        return Reading(_unread(exc, path))
    if state == "Invalid" or manifest is None:
        return Reading("invalid")
    # A root may vouch for others too: it must be the certificate that signs here.
    serial = manifest.get("signature_info", {}).get("cert_serial_number")
    if state != "Trusted" or serial not in {one.serial for one in trusted}:
        return Reading("foreign")
    return Reading("valid", _origin(manifest))


def check(authority: Authority, folder: Path) -> None:
    """Sign a tiny picture and read it; raises `NotSigned` where what is signed would not be valid.

    The library knows all the rules for certificates.
    """
    path, signed = folder / "probe.png", folder / "signed.png"
    Image.new("L", (8, 8)).save(path)
    sign(path, "image/png", Origin("", "", "", "", SOURCE_DEFAULT), authority, signed)
    if (reading := read(signed, "image/png", [authority])).signature != "valid":
        raise NotSigned(f"A file that they sign reads back as {reading.signature}.")


@functools.cache
def _version() -> str:
    return importlib.metadata.version("darkroom")


def _manifest(origin: Origin) -> dict[str, Any]:
    version = _version()
    told: dict[str, Any] = {
        "digitalSourceType": _SOURCES + origin.source,
        "softwareAgent": {"name": "Darkroom", "version": version, "served_by": origin.served_by},
        "parameters": {"task_id": origin.task_id, "kind": origin.kind, "model": origin.model},
    }
    ingredients = [
        {
            "title": name,
            "relationship": "componentOf" if at else "parentOf",
            "label": f"input-{at}",
        }
        for at, name in enumerate(origin.inputs)
    ]
    # Whatever has a parent begins with its being opened; what else went in was placed (C2PA 2.1,
    # section 18.15.4).
    actions = [
        {
            "action": "c2pa.placed" if at else "c2pa.opened",
            "parameters": {"ingredientIds": [one["label"]]},
        }
        for at, one in enumerate(ingredients)
    ]
    actions.append({"action": "c2pa.edited" if ingredients else "c2pa.created", **told})
    return {
        "claim_generator_info": [{"name": "Darkroom", "version": version}],
        "ingredients": ingredients,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
    }


def _origin(manifest: Mapping[str, Any]) -> Origin | None:
    """What `_manifest` says, read again; None for what something else signed with our key."""
    for assertion in manifest.get("assertions", ()):
        if assertion["label"].startswith("c2pa.actions"):
            done = assertion["data"]["actions"][-1]
            with contextlib.suppress(KeyError):
                told, agent = done["parameters"], done["softwareAgent"]
                return Origin(
                    told["task_id"],
                    told["kind"],
                    told["model"],
                    agent["served_by"],
                    done["digitalSourceType"].removeprefix(_SOURCES),
                    tuple(one["title"] for one in manifest.get("ingredients", ())),
                )
    return None


def _unread(exc: Exception, path: Path) -> Signature:
    """Why there is no manifest to read: there is none, it lies elsewhere, or it is broken."""
    said = str(exc)
    if said.startswith("ManifestNotFound"):
        return "absent"
    if said.startswith("Remote"):
        return "foreign"
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        return "absent" if whole.find(b"c2pa") < 0 else "invalid"


def _context(more: Mapping[str, Any]) -> Any:
    c2pa = _c2pa()
    return c2pa.Context(c2pa.Settings.from_dict({**_SETTINGS, **more}))


def _c2pa() -> Any:
    """The library, loaded when it is first needed."""
    return importlib.import_module("c2pa")
