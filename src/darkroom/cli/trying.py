"""One result of a model in a real child process, as a worker would make it, for the operator."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from darkroom import config, errors, media
from darkroom.cli import house
from darkroom.config import Config
from darkroom.domain import catalogue, sizes
from darkroom.domain.catalogue import Catalogue, Offer
from darkroom.domain.kinds.kind import SEED_MAX, Kind
from darkroom.domain.kinds.table import KINDS
from darkroom.engine import protocol
from darkroom.engine.backends import registry
from darkroom.engine.process import Process

_PICTURE_SIDE = 512


def run(key: str, *, kind: str | None, prompt: str, out: Path) -> dict[str, Any]:
    """Make it and keep the files in `out`; raises the task's own error when there is none."""
    settings = config.load({}, os.environ)
    known = house.read_models(settings)
    if key not in known:
        raise errors.ConfigInvalid(f"There is no model {key}: darkroom models lists them.")
    model = known[key]
    kind = kind or next(iter(model.kinds))
    own = {key: model}
    shelf = Catalogue(own, {}, registry.names(), settings.sandbox, kinds_of=registry.kinds_of)
    if said := shelf.misnamed():
        raise errors.ConfigInvalid(f"{' '.join(said)} Take it out of the catalogue's entry.")
    backend = shelf.backend(key, kind)
    if backend is None or registry.kinds_of(backend) is not None:
        raise errors.ConfigInvalid(
            f"{key} has no backend here that runs in a child process for {kind}: it offers "
            f"{', '.join(model.kinds)}, by {', '.join(model.backends) or 'nobody'}."
        )
    with tempfile.TemporaryDirectory() as folder:
        asked = protocol.Run(
            backend,
            key,
            kind,
            _fields(KINDS[kind], model.kinds[kind], prompt),
            _files(KINDS[kind], Path(folder)),
            folder,
            secrets.randbelow(SEED_MAX),
            model.options.get(backend, {}),
        )
        done = asyncio.run(_made(asked, settings, model))
        files = [_kept(one, out, f"{key}-{kind}") for one in done.pop("made")]
    return {"model": key, "kind": kind, "backend": backend, "files": files, **done}


async def _made(asked: protocol.Run, settings: Config, model: catalogue.Model) -> dict[str, Any]:
    process = await Process.start(
        threads=settings.child_threads, memory_mb=settings.child_memory_mb
    )
    began = time.monotonic()
    try:
        async with asyncio.timeout(model.seconds_max or settings.task_seconds_max):
            made = [one async for one in process.run(asked) if isinstance(one, protocol.Made)]
    except TimeoutError as exc:
        raise errors.TimedOut from exc
    finally:
        await process.kill()
    return {
        "made": made,
        "notes": {name: value for one in made for name, value in one.notes.items()},
        "seconds": time.monotonic() - began,
        "load_seconds": process.held.get(asked.model, 0.0),
    }


def _fields(kind: Kind, offer: Offer, prompt: str) -> dict[str, Any]:
    """A request that the model takes: its first resolution and duration."""
    fields: dict[str, Any] = {"prompt": prompt}
    if kind.size is not None:
        resolution = next(iter(offer.resolutions), None)
        ratio = next(iter(offer.aspect_ratios), None)
        size = sizes.resolve(ratio, resolution, kind.size)
        fields |= {"width": size.width, "height": size.height}
    if kind.outputs == "videos":
        fields["duration"] = next(iter(offer.durations), 2)
    if kind.name == "image-expand":
        fields |= {"canvas_size": "768x512", "original_image_size": "512x512"}
        fields["original_image_location"] = "128,0"
    return fields


def _files(kind: Kind, folder: Path) -> dict[str, list[str]]:
    """A picture with something in it, for kinds that begin with one."""
    if any(one.sort != "picture" for one in kind.files.values()):
        raise errors.ConfigInvalid(f"{kind.name} needs more than a picture: try it by a request.")
    if not kind.files:
        return {}
    side = np.linspace(0, 255, _PICTURE_SIDE, dtype=np.uint8)
    across, down = np.meshgrid(side, side)
    path = folder / "given.png"
    Image.fromarray(np.stack([across, down, 255 - across], axis=2)).save(path)
    return {name: [str(path)] * min(one.count_max, 2) for name, one in kind.files.items()}


def _kept(made: protocol.Made, out: Path, stem: str) -> str:
    """The file in the operator's folder."""
    out.mkdir(parents=True, exist_ok=True)
    place = out / f"{stem}.{media.EXTENSIONS[made.media_type]}"
    shutil.copyfile(made.path, place)
    return str(place)
