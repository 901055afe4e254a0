"""Fitting: fields by a model's own description, in its words, and nothing that it does not take."""

from __future__ import annotations

from pathlib import Path

import pytest

from darkroom import errors
from darkroom.engine.backends.contract import Input
from darkroom.engine.backends.remote.descriptions import of_path, of_schema
from darkroom.engine.backends.remote.fitting import fit, nearest_ratio

TEXT = {"type": "string"}
PICTURE = "data:image/png;base64,AAAA"


def _choice(*values):
    return {"type": "string", "enum": [*values]}


def _fit(kind, properties, pictures=(), extra=None, **fields):
    takes = of_schema({"properties": properties}, {})
    files = {"images": [Path("a")] * len(pictures)} if pictures else {}
    return fit(Input(kind, "M", fields, files), 7, pictures, takes, extra or {})


def _picture(properties, width=1920, height=1080, **fields):
    return _fit("text-to-image", properties, prompt="p", width=width, height=height, **fields)


@pytest.mark.parametrize(
    ("properties", "size", "sent"),
    [
        ({"width": TEXT, "height": {}}, (1920, 1080), {"width": 1920, "height": 1080}),
        ({"aspect_ratio": TEXT}, (1920, 1080), {"aspect_ratio": "16:9"}),
        ({"aspect_ratio": TEXT}, (1024, 1024), {"aspect_ratio": "1:1"}),
        ({"aspect_ratio": _choice("1:1", "3:2", "9:16")}, (1920, 1080), {"aspect_ratio": "3:2"}),
        ({"aspect_ratio": _choice("1:1", "3:2", "9:16")}, (720, 1280), {"aspect_ratio": "9:16"}),
        ({"size": _choice("auto", "1024x1024", "1536x1024")}, (1920, 1080), {"size": "1536x1024"}),
        ({"resolution": _choice("480p", "1080p")}, (1920, 1080), {"resolution": "1080p"}),
        ({"resolution": _choice("1K", "2K", "4K")}, (2048, 2048), {"resolution": "2K"}),
        ({"resolution": _choice("480p")}, (1920, 1080), {}),
    ],
)
def test_a_shape_in_the_models_words(properties, size, sent) -> None:
    assert _picture(properties, *size) == sent


def test_a_size_of_its_own_where_the_model_wants_to_be_told_so() -> None:
    side = {"type": "integer", "minimum": 256, "maximum": 1440, "multipleOf": 32}
    properties = {"aspect_ratio": _choice("1:1", "custom"), "width": side, "height": side}
    sent = {"aspect_ratio": "custom", "width": 1440, "height": 800}
    assert _picture(properties) == sent
    assert _picture(properties, 128, 64) == {"aspect_ratio": "custom", "width": 512, "height": 256}


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ({"type": "integer"}, 5),
        (TEXT, "5"),
        ({"type": ["string", "null"]}, "5"),
        (_choice("5", "10"), "5"),
        (_choice("4s", "5s"), "5s"),
        ({"type": "integer", "enum": [5, 10]}, 5),
    ],
)
def test_a_duration_in_the_models_words(field, sent) -> None:
    fields = {"prompt": "p", "duration": 5, "generate_audio": "true"}
    properties = {"duration": field, "generate_audio": {"type": "boolean"}}
    assert _fit("text-to-video", properties, **fields) == {"duration": sent, "generate_audio": True}


@pytest.mark.parametrize(
    ("properties", "pictures", "sent"),
    [
        ({"image": TEXT}, ["a"], {"image": "a"}),
        (
            {"image_urls": {"type": "array"}, "image_url": TEXT},
            ["a", "b"],
            {"image_urls": ["a", "b"]},
        ),
        ({"start_image": TEXT, "prompt": TEXT}, ["a"], {"start_image": "a", "prompt": "p"}),
    ],
)
def test_pictures_under_the_names_that_the_model_has_for_them(properties, pictures, sent) -> None:
    assert _fit("image-to-image", properties, pictures, prompt="p") == sent


def test_a_model_without_a_field_for_pictures_is_the_catalogues_fault() -> None:
    with pytest.raises(errors.Hindered, match="takes no picture"):
        _fit("image-to-image", {"prompt": TEXT}, ["a"], prompt="p")


def test_an_edited_picture_keeps_its_shape_unless_another_is_named() -> None:
    properties = {"image": TEXT, "aspect_ratio": TEXT}
    size = {"width": 1024, "height": 1024}
    assert _fit("image-to-image", properties, ["a"], **size) == {"image": "a"}
    named = _fit("image-to-image", properties, ["a"], **size, aspect_ratio="1:1")
    assert named == {"image": "a", "aspect_ratio": "1:1"}


def test_what_the_catalogue_adds_comes_last() -> None:
    properties = {"prompt": TEXT, "seed": {"type": "integer"}}
    extra = {"seed": 1, "steps": 4}
    sent = _fit("text-to-image", properties, extra=extra, prompt="p")
    assert sent == {"prompt": "p", "seed": 1, "steps": 4}


def test_a_canvas_as_whole_sizes() -> None:
    asked = {
        "original_image_size": "16x8",
        "canvas_size": "32x32",
        "original_image_location": "4,6",
    }
    properties = {name: {"type": "array"} for name in asked} | {"expand_left": {"type": "integer"}}
    assert _fit("image-expand", properties, **asked) == {
        "original_image_size": [16, 8],
        "canvas_size": [32, 32],
        "original_image_location": [4, 6],
        "expand_left": 4,
    }


def test_nothing_is_near_to_no_shape() -> None:
    assert nearest_ratio(16, 9, ["auto", "match_input_image"]) is None


@pytest.mark.parametrize("document", [{}, {"paths": {"/m": {"get": {}}}}, {"paths": None}])
def test_a_model_that_is_not_described_is_a_hindrance(document) -> None:
    with pytest.raises(errors.Hindered, match="does not describe /m"):
        of_path(document, "/m")


def test_a_description_that_goes_in_circles_ends() -> None:
    schemas = {"A": {"allOf": [{"$ref": "#/components/schemas/A"}], "properties": {"prompt": TEXT}}}
    takes = of_schema({"$ref": "#/components/schemas/A"}, {"components": {"schemas": schemas}})
    assert [*takes] == ["prompt"]
