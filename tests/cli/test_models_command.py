"""`darkroom models add` and `darkroom models test`: from a folder to a first picture."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest


# Importing torch twice takes its time where others work as well.
@pytest.mark.timeout(300)
def test_a_folder_becomes_a_model_and_a_picture(bare, tiny: Callable[[str], Path]) -> None:
    bare.environment.update(DARKROOM_DATA=str(bare.folder / "data"), HF_HUB_OFFLINE="1")
    added = bare("models", "add", str(tiny("sd")), "--key", "TOY.1", "--credits", "2.5", "--json")
    entry = tomllib.loads(Path(added.json["file"]).read_text())["TOY.1"]
    assert entry["options"]["diffusers"]["model"] == str(tiny("sd"))
    assert [*entry["kinds"]] == ["text-to-image", "image-expand", "image-to-image"]
    assert entry["kinds"]["text-to-image"] == {"credits": 2.5, "resolutions": ["128p"]}
    assert [one["model"] for one in bare("models", "--json").json if one["model"] == "TOY.1"]
    # As an operator would: with few steps, by hand.
    place = Path(added.json["file"])
    place.write_text(place.read_text().replace("[diffusers]\n", "[diffusers]\nsteps = 2\n"))

    again = bare("models", "add", str(tiny("sd")), "--key", "TOY.1")
    assert "has a model TOY.1 already: give another --key" in again.sentence
    done = bare("models", "test", "TOY.1", "--out", "out", "--json").json
    assert (done["backend"], done["kind"]) == ("diffusers", "text-to-image")
    assert (bare.folder / done["files"][0]).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("source", "said"),
    [(".", "has no model_index.json"), ("somebody/something", "the hub did not answer for it")],
)
def test_what_is_no_pipeline_is_not_added(bare, tiny, source: str, said: str) -> None:
    bare.environment.update(DARKROOM_DATA=str(bare.folder / "data"), HF_HUB_OFFLINE="1")
    assert said in bare("models", "add", source).sentence
    assert not (bare.folder / "data").exists()


def test_what_does_not_run_in_a_child_is_not_tried(bare) -> None:
    assert "There is no model NOBODY" in bare("models", "test", "NOBODY").sentence
    wrong = bare("models", "test", "PAINTER", "--kind", "video-merge")
    assert "PAINTER has no backend here" in wrong.sentence
    done = bare("models", "test", "PAINTER", "--json").json
    assert done["backend"] == "painter"


def test_a_kind_that_an_upstream_does_not_do_is_told(bare) -> None:
    data = bare.folder / "data"
    data.mkdir()
    (data / "catalogue.toml").write_text(
        '[MINE]\nname = "Mine"\nbackends = ["stability"]\n[MINE.kinds.video-merge]\ncredits = 1\n'
    )
    bare.environment.update(DARKROOM_DATA=str(data))
    said = bare("models", "test", "MINE").sentence
    assert "MINE names the backend stability for video-merge, which stability does not do." in said
    [mine] = [one for one in bare("models", "--json").json if one["model"] == "MINE"]
    assert mine["kinds"]["video-merge"]["served_by"] == "toolbox"
