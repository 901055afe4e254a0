"""A real ComfyUI, the one at the address in DARKROOM_TEST_COMFYUI, runs a workflow of ours."""

from __future__ import annotations

import io
import os

import httpx
import pytest
from kitchens import Kitchen, node, text_to_image
from PIL import Image

from ground import wait_until

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


@pytest.mark.timeout(600)
def test_a_sampler_of_a_real_comfyui_is_seen_and_stopped(kitchen: Kitchen) -> None:
    """With the first of its checkpoints; it must have been started with a `--preview-method`."""
    checkpoints = httpx.get(f"{ADDRESS}/models/checkpoints").json()
    if not checkpoints:
        pytest.skip(f"the ComfyUI at {ADDRESS} has no checkpoint to sample with")
    graph = text_to_image(n4_ckpt_name=checkpoints[0], n3_steps=20)
    graph["3"]["inputs"] |= {"sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    kitchen.offer("SAMPLED", graph, [ADDRESS])
    kitchen.start()
    caller = kitchen.caller()
    [task_id] = caller.submit("SAMPLED", resolution="64x64")
    address = wait_until(
        lambda: caller.status(task_id).get("preview_url"), seconds_max=300, what="a preview"
    )
    answer = caller.http.get(address)
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.format == "JPEG"
        assert max(picture.size) <= 512
    caller.cancel(task_id)
    assert caller.ended(task_id, seconds_max=300)["error_code"] == 6005
    assert caller.http.get(address).status_code == 404
    # It stops at its next step.
    wait_until(
        lambda: not httpx.get(f"{ADDRESS}/queue").json()["queue_running"],
        seconds_max=300,
        what="the stop of the sampler",
    )
