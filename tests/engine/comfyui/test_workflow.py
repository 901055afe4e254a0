"""Workflows are checked when they are first needed, and errors say what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kitchens import INPUTS, image_to_image, node, text_to_image

from darkroom import errors
from darkroom.domain.kinds.table import KINDS
from darkroom.engine.backends.comfyui import options, workflow
from darkroom.engine.backends.contract import Input


def _read(folder: Path, graph: Any, inputs: Any, kind: str = "text-to-image") -> workflow.Workflow:
    path = folder / "flux.json"
    path.write_text(graph if isinstance(graph, str) else json.dumps(graph))
    told = {"addresses": ["http://gpu:8188"], "workflow": str(path), "inputs": inputs}
    return workflow.read(options.read(told).of_kind(kind), KINDS[kind])


@pytest.mark.parametrize(
    ("graph", "inputs", "said"),
    [
        (text_to_image(), {**INPUTS, "seed": "33.seed"}, "has no node 33, only the nodes 4 (Load"),
        (
            text_to_image(),
            {**INPUTS, "seed": "3.noise_seed"},
            "node 3 (KSampler) of {} has no input noise_seed; its own inputs are seed, steps, cfg.",
        ),
        (
            text_to_image(),
            {**INPUTS, "prompt": "3.positive"},
            "gets positive from node 6 (Positive): name that one's; its own inputs are seed",
        ),
        (
            text_to_image(),
            {"seed": "3.seed"},
            "where prompt goes, which text-to-image needs: prompt",
        ),
        (text_to_image(), {**INPUTS, "promt": "6.text"}, '"promt", which is no field of text-to-'),
        ({"nodes": [], "links": []}, INPUTS, "choose Workflow, Export (API)"),
        ("{", INPUTS, "is no JSON"),
        ("[]", INPUTS, "is not in ComfyUI's API format"),
        (" " * (4 * 2**20 + 1), INPUTS, "is not in ComfyUI's API format"),
    ],
)
def test_what_is_wrong_is_said_with_what_there_is(
    tmp_path: Path, graph: Any, inputs: Any, said: str
) -> None:
    with pytest.raises(errors.Hindered) as caught:
        _read(tmp_path, graph, inputs)
    assert said.format(tmp_path / "flux.json") in caught.value.message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    named = options.Named(workflow=str(tmp_path / "none.json"), inputs={})
    with pytest.raises(errors.Hindered, match=r"none\.json cannot be read: No such file"):
        workflow.read(named, KINDS["text-to-image"])


def test_relative_names_are_beside_the_catalogue_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flux.json").write_text(json.dumps(text_to_image()))
    monkeypatch.setenv("DARKROOM_CATALOGUE_FILE", str(tmp_path / "catalogue.toml"))
    named = options.Named(workflow="flux.json", inputs={"prompt": "6.text"})
    assert workflow.read(named, KINDS["text-to-image"]).graph == text_to_image()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"workflow": "a.json"}, "missing required field `addresses`"),
        ({"addresses": []}, "length >= 1"),
        ({"addresses": ["gpu:8188"]}, "matching regex"),
        ({"addresses": ["http://gpu"], "adress": 1}, "unknown field `adress`"),
    ],
)
def test_options_are_checked(told: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.Hindered, match="The catalogue's options for comfyui: ") as caught:
        options.read(told)
    assert said in caught.value.message


def test_a_kind_may_have_a_workflow_of_its_own() -> None:
    own = {"workflow": "edit.json", "inputs": {"images": "10.image"}}
    told = options.read(
        {"addresses": ["http://gpu"], "workflow": "make.json", "kinds": {"image-to-image": own}}
    )
    assert told.of_kind("image-to-image").workflow == "edit.json"
    assert told.of_kind("text-to-image").workflow == "make.json"
    alone = options.read({"addresses": ["http://gpu"], "kinds": {"image-to-image": own}})
    with pytest.raises(errors.Hindered, match="no ComfyUI workflow for text-to-image"):
        alone.of_kind("text-to-image")


def test_fields_go_to_every_place_and_in_the_type_of_what_they_replace(tmp_path: Path) -> None:
    graph = {
        "1": node("Words", "Words", text="mine", again="mine", number="5", is_sharp=False),
        "2": node("SaveImage", "Save", images=["1", 0], filename_prefix="mine"),
        "2:7": node("SaveImage", "Save", images=["1", 0], filename_prefix=["1", 0]),
    }
    inputs = {
        "prompt": ["1.text", "1.again"],
        "seed": "1.number",
        "negative_prompt": "2.filename_prefix",
        "use_web_search": "1.is_sharp",
    }
    read = _read(tmp_path, graph, inputs)
    fields = {"prompt": "a lake", "negative_prompt": "", "use_web_search": True}
    filled = read.fill(Input("text-to-image", "M", fields), 7, {}, "abc")
    assert filled["1"]["inputs"] == {
        "text": "a lake",
        "again": "a lake",
        "number": "7",
        "is_sharp": True,
    }
    assert filled["2"]["inputs"]["filename_prefix"] == "darkroom/abc-2"
    assert filled["2:7"]["inputs"]["filename_prefix"] == ["1", 0]
    assert read.graph == graph


def test_files_are_as_many_as_there_are_places(tmp_path: Path) -> None:
    graph = image_to_image() | {"11": node("LoadImage", "Second", image="example.png")}
    inputs = {"prompt": "6.text", "images": ["10.image", "11.image"]}
    read = _read(tmp_path, graph, inputs, "image-to-image")

    def given(count: int) -> Input:
        files = {"images": [tmp_path] * count}
        return Input("image-to-image", "M", {"prompt": "a lake"}, files)

    read.check(given(2))
    filled = read.fill(given(2), 7, {"images": ["one", "two"]}, "abc")
    assert [filled[one]["inputs"]["image"] for one in ("10", "11")] == ["one", "two"]
    with pytest.raises(errors.BadInput, match="M takes 2 images, not 1"):
        read.check(given(1))
