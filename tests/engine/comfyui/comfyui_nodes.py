"""The nodes of the double: what they must be given, and the files that they save."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, PngImagePlugin

CHECKPOINTS = ["tiny.safetensors"]
# Inputs that a node must have: a pair of bounds, a list of choices, str for anything, or nothing.
NODES: dict[str, dict[str, Any]] = {
    "CheckpointLoaderSimple": {"ckpt_name": CHECKPOINTS},
    "CLIPTextEncode": {"text": str},
    "EmptyLatentImage": {"width": (16, 2048), "height": (16, 16384), "batch_size": (1, 4096)},
    "EmptyImage": {"width": (1, 16384), "height": (1, 16384), "batch_size": (1, 4096)},
    "KSampler": {"seed": (0, 2**64), "steps": (1, 10000), "latent_image": None},
    "VAEDecode": {"samples": None},
    "LoadImage": {"image": str},
    "SaveImage": {"images": None, "filename_prefix": str},
    "PreviewImage": {"images": None},
    "SaveAnimatedWEBP": {"images": None, "filename_prefix": str},
    "SaveVideo": {"images": None, "filename_prefix": str},
    "SaveAudio": {"filename_prefix": str},
}

Graph = dict[str, Any]
_EXTENSIONS = {"SaveVideo": "mp4", "SaveAudio": "flac", "SaveAnimatedWEBP": "webp"}


def outputs(graph: Graph) -> list[str]:
    """The nodes that something is run for."""
    kinds = ("Save", "Preview")
    return [node for node, told in graph.items() if told["class_type"].startswith(kinds)]


def order(graph: Graph, wanted: list[str]) -> list[str]:
    """What these nodes need, each after what feeds it."""
    found: list[str] = []

    def visit(node: str) -> None:
        for value in graph[node]["inputs"].values():
            if isinstance(value, list):
                visit(value[0])
        if node not in found:
            found.append(node)

    for node in wanted:
        visit(node)
    return found


def needs(graph: Graph, node: str) -> set[str]:
    """A node and everything that feeds it."""
    return set(order(graph, [node]))


def faults(graph: Graph, folder: Path) -> dict[str, Any]:
    """What is wrong with which nodes."""
    return {
        node: {
            "errors": found,
            "class_type": told["class_type"],
            "dependent_outputs": [one for one in outputs(graph) if node in needs(graph, one)],
        }
        for node, told in graph.items()
        if (found := _faults_of(told, folder))
    }


def _faults_of(told: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    found = []

    def say(kind: str, message: str, details: str, name: str) -> None:
        said = {"type": kind, "message": message, "details": details}
        found.append(said | {"extra_info": {"input_name": name}})

    inputs = told["inputs"]
    for name, wanted in NODES[told["class_type"]].items():
        if name not in inputs:
            say("required_input_missing", "Required input is missing", name, name)
        elif isinstance(wanted, list) and inputs[name] not in wanted:
            details = f"{name}: '{inputs[name]}' not in {wanted}"
            say("value_not_in_list", "Value not in list", details, name)
        elif isinstance(wanted, tuple) and inputs[name] > wanted[1]:
            message = f"Value {inputs[name]} bigger than max of {wanted[1]}"
            say("value_bigger_than_max", message, name, name)
        elif name == "image" and not (folder / "input" / inputs[name]).is_file():
            details = f"image - Invalid image file: {inputs[name]}"
            say("custom_validation_failed", "Custom validation failed for node", details, name)
    return found


def save(
    kind: str, place: Path, prefix: str, pictures: list[Image.Image], words: str
) -> dict[str, Any]:
    """Save files as a node of this kind does, the graph in them; what it tells of them."""
    sort = "temp" if kind == "PreviewImage" else "output"
    folder, name = (place / sort / prefix).parent, Path(prefix).name
    folder.mkdir(parents=True, exist_ok=True)
    told = []
    for part in [pictures] if kind in _EXTENSIONS else [[one] for one in pictures]:
        number = len([*folder.glob(f"{name}_*")]) + 1
        path = folder / f"{name}_{number:05}_.{_EXTENSIONS.get(kind, 'png')}"
        _WRITERS[path.suffix](path, part, words)
        subfolder = str(Path(prefix).parent).removeprefix(".")
        told.append({"filename": path.name, "subfolder": subfolder, "type": sort})
    shown: dict[str, Any] = {"audio" if kind == "SaveAudio" else "images": told}
    return shown | ({"animated": [True]} if kind in ("SaveVideo", "SaveAnimatedWEBP") else {})


def _write_picture(path: Path, pictures: list[Image.Image], words: str) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("prompt", words)
    pictures[0].save(path, pnginfo=text)


def _write_animation(path: Path, pictures: list[Image.Image], words: str) -> None:
    exif = Image.Exif()
    exif[0x0110] = f"prompt:{words}"
    more = [pictures[0].point(lambda value: 255 - value)]
    pictures[0].save(path, save_all=True, append_images=more, exif=exif)


def _write_clip(path: Path, pictures: list[Image.Image], words: str) -> None:
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata["prompt"] = words
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height = pictures[0].size
        stream.pix_fmt = "yuv420p"
        for _ in range(8):
            container.mux(stream.encode(av.VideoFrame.from_image(pictures[0])))
        container.mux(stream.encode(None))


def _write_sound(path: Path, pictures: list[Image.Image], words: str) -> None:
    with av.open(str(path), "w") as container:
        container.metadata["prompt"] = words
        stream = container.add_stream("flac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.int16), "s16", "mono")
        frame.rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


_WRITERS = {
    ".png": _write_picture,
    ".webp": _write_animation,
    ".mp4": _write_clip,
    ".flac": _write_sound,
}


def preview(name: str, colour: tuple[int, int, int]) -> bytes:
    """What a sampler shows: a `picture`, or what is none."""
    held = io.BytesIO()
    if name == "picture":
        Image.new("RGB", (600, 300), colour).save(held, "JPEG", comment=b"SECRET")
        return held.getvalue()
    if name == "bomb":
        Image.new("1", (3_000, 3_000)).save(held, "PNG")
        return held.getvalue()
    return {"text": b"no picture", "empty": b"", "huge": bytes(5 * 2**20), "headless": b"\0\0"}[
        name
    ]
