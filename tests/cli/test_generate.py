"""`darkroom generate` and `darkroom models` against the real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

SMALL = ("--model", "PAINTER", "--resolution", "160x96")


def test_generate_saves_pictures(served, tmp_path: Path) -> None:
    command = ("generate", "text-to-image", "--prompt", "a lake", *SMALL, "--number", "2")
    made = served()(*command, "--json").json
    assert made.keys() == {"task_ids", "files"}
    assert len(made["task_ids"]) == 2
    for file in made["files"]:
        with Image.open(tmp_path / file) as picture:
            assert picture.size == (160, 96)
    done = served()(*command, "--out", "other")
    assert {path.parent for path in map(Path, done.out.split())} == {Path("other")}


def test_generate_takes_a_local_picture(served, tmp_path: Path) -> None:
    Image.new("RGB", (160, 96), "teal").save(tmp_path / "in.png")
    made = served()(
        *("generate", "image-to-image", "--prompt", "as a sketch", *SMALL),
        *("--image", "in.png", "--seed", "7", "--json"),
    ).json
    assert [(tmp_path / file).is_file() for file in made["files"]] == [True]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("text-to-image", "--model", "NONE"), 'model "NONE" is not known'),
        (("image-to-image", "--model", "PAINTER", "--image", "none.png"), "No such file"),
    ],
)
def test_generate_says_why_not(served, given: tuple[str, ...], said: str) -> None:
    assert said in served()("generate", *given, "--prompt", "a lake").sentence


def test_generate_with_a_bad_key_is_one_sentence(served) -> None:
    done = served("sk-wrong")("generate", "text-to-image", "--prompt", "a lake", *SMALL)
    assert "Invalid API Key" in done.sentence


def test_generate_without_a_server_is_one_sentence(bare) -> None:
    bare.environment["DARKROOM_BASE_URL"] = "http://127.0.0.1:9"
    done = bare("generate", "text-to-image", "--prompt", "a lake", *SMALL)
    assert "No server answers at http://127.0.0.1:9" in done.sentence


def test_models_are_the_same_here_and_on_the_server(served, server) -> None:
    here = served()("models", "--json").json
    there = served()("models", "--server", server.url, "--json").json
    assert [one["model"] for one in here] == [one["model"] for one in there]
    for one, other in zip(here, there, strict=True):
        for kind, offer in one["kinds"].items():
            assert offer["rate"].items() <= other["kinds"][kind]["rate"].items()
    assert "FLUX_PRO" in served()("models").out


def test_generate_of_a_task_that_fails_says_why(served, tmp_path: Path) -> None:
    nowhere = "https://nowhere.invalid/in.png"
    command = ("generate", "image-to-image", "--prompt", "a lake", *SMALL, "--image", nowhere)
    done = served()(*command, "--json")
    assert "failed: " in done.sentence
    assert json.loads(done.out)["files"] == []
