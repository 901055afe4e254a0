"""A real ComfyUI, the one at the address in DARKROOM_TEST_COMFYUI, runs a workflow of ours."""

from __future__ import annotations

import io
import os

import httpx
import pytest
from kitchens import Kitchen, node
from PIL import Image

ADDRESS = os.environ.get("DARKROOM_TEST_COMFYUI", "")
pytestmark = pytest.mark.skipif(
    not ADDRESS, reason="no real ComfyUI: DARKROOM_TEST_COMFYUI names none, as http://HOST:PORT"
)
PLAIN = {
    "1": node("EmptyImage", "Colour", width=64, height=64, batch_size=1, color=0xFF8000),
    "9": node("SaveImage", "Save", images=["1", 0], filename_prefix="ComfyUI"),
}
HALVED = {
    "10": node("LoadImage", "Load", image="example.png"),
    "2": node("ImageScaleBy", "Scale", image=["10", 0], upscale_method="area", scale_by=0.5),
    "9": node("SaveImage", "Save", images=["2", 0], filename_prefix="ComfyUI"),
}


def test_workflows_run_and_are_refused_at_a_real_comfyui(kitchen: Kitchen) -> None:
    # Nodes without words: what is asked for in them is put where it does no harm.
    plain = {"prompt": "9.filename_prefix", "seed": "1.color"}
    kitchen.offer("PLAIN", PLAIN, [ADDRESS], inputs=plain | {"width": "1.width"})
    halved = {"prompt": "9.filename_prefix", "images": "10.image"}
    kitchen.offer("HALVED", HALVED, [ADDRESS], inputs=halved, kind="image-to-image")
    unknown = {**PLAIN, "1": {**PLAIN["1"], "class_type": "NoSuchNode"}}
    kitchen.offer("UNKNOWN", unknown, [ADDRESS], inputs=plain)
    kitchen.start()
    caller = kitchen.caller()
    for _ in range(2):
        [task_id] = caller.submit("PLAIN", seed=0x204060, resolution="128x64")
        [data] = caller.made(task_id)
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.size == (128, 64)
            assert picture.convert("RGB").getpixel((5, 5)) == (0x20, 0x40, 0x60)
        assert b"EmptyImage" not in data
    held = io.BytesIO()
    Image.new("RGB", (80, 40), (200, 0, 0)).save(held, "PNG")
    [task_id] = caller.submit(
        "HALVED", kind="image-to-image", images=[caller.upload(held.getvalue())]
    )
    [data] = caller.made(task_id)
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.size, picture.convert("RGB").getpixel((9, 9))) == ((40, 20), (200, 0, 0))
    [task_id] = caller.submit("UNKNOWN")
    kitchen.wait_for_fault("Cannot execute because node NoSuchNode does not exist.")
    caller.cancel(task_id)
    assert httpx.get(f"{ADDRESS}/queue").json()["queue_running"] == []
