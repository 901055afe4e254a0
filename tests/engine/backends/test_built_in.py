"""The built-in backends together: every kind has one, and it says so itself."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from contexts import Progress

import examples
from darkroom.domain.entries import parse
from darkroom.domain.kinds.effects import TEMPLATES
from darkroom.domain.kinds.table import KINDS
from darkroom.engine.backends import registry
from darkroom.engine.backends.contract import Input
from darkroom.engine.backends.film import effects

_SHIPPED = resources.files("darkroom.domain").joinpath("catalogue.toml").read_text("utf-8")


_BUILT_IN = {name: kind for name, kind in KINDS.items() if kind.built_in}


@pytest.mark.parametrize("kind", _BUILT_IN.values(), ids=list(_BUILT_IN))
def test_the_built_in_backend_of_a_kind_does_it(kind) -> None:
    assert kind.name in registry.create(kind.built_in).kinds


def test_every_shipped_backend_does_the_kinds_that_it_is_named_for() -> None:
    for key, model in parse(_SHIPPED, "the shipped catalogue").items():
        for kind, offer in model.kinds.items():
            for name in model.backends if offer.backends is None else offer.backends:
                assert kind in registry.create(name).kinds, key


def test_a_backend_is_loaded_without_the_collector_which_is_back_afterwards() -> None:
    loaded = (
        "import gc\nfrom darkroom.engine.backends import registry\nregistry.create('painter')\n"
        "print(gc.isenabled(), gc.get_freeze_count() > 10_000)"
    )
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, check=True)
    assert done.stdout.split() == [b"True", b"True"]


@pytest.mark.parametrize("number", [1003, 1009])
def test_an_effect_is_a_film_of_its_template(number: int, tmp_path: Path) -> None:
    template, picture = TEMPLATES[number], tmp_path / "picture"
    picture.write_bytes(examples.picture())
    fields = {
        "template_config_id": number,
        "aspect_ratio": "1:1",
        "prompt_inputs": {"pace": "fast"},
        "bgm": False,
    }
    files = {"image_url": [picture] * template.image_input}
    clip = effects.as_clip(Input("effect-template", "FILM", fields, files))
    assert (clip.fields["duration"], clip.fields["width"]) == (template.seconds, 720)
    assert clip.fields["prompt"].startswith("fast ")
    small = {**clip.fields, "width": 64, "height": 64, "duration": 1}
    film, cover = registry.create("film").run(replace(clip, fields=small), Progress(tmp_path))
    assert (film.media_type, cover.media_type) == ("video/mp4", "image/jpeg")
