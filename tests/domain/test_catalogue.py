"""The catalogue: what is shipped, what an operator may write, and what a request may ask."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from importlib import resources

import msgspec
import pytest

from darkroom import errors
from darkroom.domain import catalogue, entries, rates
from darkroom.domain.catalogue import Catalogue
from darkroom.domain.kinds.image import IMAGE_TO_IMAGE, TEXT_TO_IMAGE
from darkroom.domain.sizes import Size

OWN = """
[M]
name = "Mine"
[M.kinds.text-to-image]
credits = 0.1
{more}
"""
SHIPPED = resources.files("darkroom.domain").joinpath("catalogue.toml").read_text("utf-8")


def _catalogue(text, sandbox=True):
    models = entries.parse(text, "test.toml")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    in_force = {
        (one.model, one.kind): rates.Rate(number, one.model, one.kind, one.unit, one.mill, at)
        for number, one in enumerate(catalogue.prices(models))
    }
    return Catalogue(models, in_force, frozenset({"a", "b", "painter"}), sandbox)


def _order(text, sandbox=True, kind=TEXT_TO_IMAGE, **asked):
    given = msgspec.convert({"model": "M", "prompt": "x"} | asked, kind.input)
    return _catalogue(text, sandbox).order(kind, given)


def test_the_shipped_catalogue_is_read_whole():
    models = entries.parse(SHIPPED, "the shipped catalogue")
    assert models.keys() == tomllib.loads(SHIPPED).keys()
    assert {"PAINTER", "FLUX_PRO", "WERYAI_IMAGE_2_0"} <= models.keys()


def test_every_shipped_model_has_a_price():
    prices = catalogue.prices(entries.parse(SHIPPED, "the shipped catalogue"))
    free = {one.kind for one in prices if not one.mill}
    # What only a neural model could do is a marked stand-in, for nothing.
    assert free == {
        "image-face-swap",
        "image-translate",
        "video-anime-replace",
        "video-face-change",
        "video-lips-change",
        "video-subtitle-translate",
    }


def test_an_entry_without_a_name_changes_only_what_it_says():
    shipped = entries.parse(SHIPPED, "the shipped catalogue")
    own = """
    [TOOLBOX]
    seconds_max = 900
    [TOOLBOX.kinds.image-translate]
    credits = 6
    backends = ["translation"]
    [TOOLBOX.options.translation]
    model = "m"
    """
    models = entries.parse(own, "own.toml", shipped)
    assert models.keys() == {"TOOLBOX"}
    mine, theirs = models["TOOLBOX"], shipped["TOOLBOX"]
    assert (mine.name, mine.backends, mine.seconds_max) == (theirs.name, theirs.backends, 900)
    assert mine.options == {"translation": {"model": "m"}}
    changed = {kind for kind in theirs.kinds if mine.kinds[kind] != theirs.kinds[kind]}
    assert changed == {"image-translate"}
    assert mine.kinds["image-translate"].backends == ("translation",)
    with pytest.raises(errors.ConfigInvalid, match="name"):
        entries.parse("[NEW.kinds.chat]\ncredits = 1", "own.toml", shipped)


def test_the_quickstart_s_request_is_accepted_and_priced():
    order = _order(
        SHIPPED, model="FLUX_PRO", aspect_ratio="16:9", resolution="1080p", image_number=1
    )
    assert (order.count, order.size, order.price_mill) == (1, Size(1920, 1080), 4000)


def test_a_fraction_of_a_credit_is_exact():
    assert _order(OWN.format(more="")).price_mill == 100


def test_a_price_by_the_megapixel_follows_the_size():
    assert _order(OWN.format(more='unit = "megapixel"'), resolution="2000x2000").price_mill == 400


@pytest.mark.parametrize(
    "more",
    [
        *('unit = "minute"', 'colour = "red"', "outputs_max = 0", "outputs_max = 65"),
        *("images_max = 17", "prompt_chars_max = 2001", 'aspect_ratios = ["banana"]'),
        *('aspect_ratios = "1:1"', "[M.kinds.text-to-nothing]\ncredits = 1", "]", "[M]"),
    ],
)
def test_a_catalogue_with_a_mistake_is_refused_with_its_name(more):
    with pytest.raises(errors.ConfigInvalid, match=r"test\.toml"):
        entries.parse(OWN.format(more=more), "test.toml")


@pytest.mark.parametrize("seconds", ["0", "-1", "86401", "inf", "nan", '"long"'])
def test_a_time_that_no_task_may_take_is_refused_with_its_model(seconds):
    own = OWN.format(more="").replace('"Mine"', f'"Mine"\nseconds_max = {seconds}')
    with pytest.raises(errors.ConfigInvalid, match=r"test\.toml.*seconds_max"):
        entries.parse(own, "test.toml")


def test_a_model_may_have_a_time_of_its_own():
    own = OWN.format(more="").replace('"Mine"', '"Mine"\nseconds_max = 1.5')
    assert entries.parse(own, "test.toml")["M"].seconds_max == 1.5
    assert entries.parse(OWN.format(more=""), "test.toml")["M"].seconds_max is None


@pytest.mark.parametrize("credits_asked", ["-1", "nan", "inf", '"x"', "0.0001", "1e30"])
def test_a_price_that_is_none_is_refused_with_its_file(credits_asked):
    text = OWN.format(more="").replace("0.1", credits_asked)
    with pytest.raises(errors.ConfigInvalid, match=r"test\.toml"):
        catalogue.prices(entries.parse(text, "test.toml"))


@pytest.mark.parametrize(
    ("backends", "sandbox", "served_by"),
    [
        (["a", "b"], True, "a"),
        (["gone", "b", "a"], True, "b"),
        (["gone"], True, "painter"),
        (["gone"], False, None),
        (["painter"], False, "painter"),
        ([], True, "painter"),
        ([], False, None),
    ],
)
def test_a_model_is_served_by_its_first_installed_backend_then_the_sandbox(
    backends, sandbox, served_by
):
    own = OWN.format(more="").replace('"Mine"', f'"Mine"\nbackends = {backends}')
    assert _catalogue(own, sandbox).backend("M", "text-to-image") == served_by


def test_an_unknown_model_has_no_backend():
    assert _catalogue(OWN.format(more="")).backend("N", "text-to-image") is None


def test_a_model_without_a_backend_is_not_offered_outside_the_sandbox():
    with pytest.raises(errors.NotOffered, match="has no backend") as refused:
        _order(OWN.format(more=""), sandbox=False)
    assert (refused.value.code, refused.value.field) == (1006, "model")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"prompt": "x" * 11}, "prompt"),
        ({"image_number": 3}, "image_number"),
        ({"aspect_ratio": "1:2"}, "aspect_ratio"),
        ({"aspect_ratio": ""}, "aspect_ratio"),
        ({"resolution": "4k"}, "resolution"),
        ({"resolution": "1280x720"}, "resolution"),
    ],
)
def test_what_the_model_does_not_offer_is_refused_with_its_field(asked, field):
    more = 'prompt_chars_max = 10\noutputs_max = 2\naspect_ratios = ["1:1"]\nresolutions = ["2k"]'
    fits = {"aspect_ratio": "1:1", "resolution": "2k", "prompt": "x" * 10, "image_number": 2}
    assert _order(OWN.format(more=more), **fits).size == Size(2048, 2048)
    with pytest.raises(errors.BadParameter) as refused:
        _order(OWN.format(more=more), **(fits | asked))
    assert refused.value.field == field


def test_a_model_that_lists_resolutions_makes_one_of_them_when_none_is_asked():
    assert _order(OWN.format(more='resolutions = ["2k", "4k"]')).size == Size(2048, 2048)


def test_a_listed_resolution_is_taken_in_any_case():
    more = 'resolutions = ["2K"]'
    for resolution in ("2k", "2K"):
        assert _order(OWN.format(more=more), resolution=resolution).size == Size(2048, 2048)


@pytest.mark.parametrize(("images", "fits"), [(1, True), (2, True), (3, False)])
def test_a_model_takes_as_many_images_as_it_says(images, fits):
    own = OWN.format(more="[M.kinds.image-to-image]\ncredits = 1\nimages_max = 2")
    asked = {"kind": IMAGE_TO_IMAGE, "images": ["https://example.com/a.png"] * images}
    if fits:
        assert _order(own, **asked).count == 1
    else:
        with pytest.raises(errors.BadParameter, match="at most 2"):
            _order(own, **asked)


def test_a_resolution_inside_the_ratio_counts_where_none_is_sent():
    more = 'aspect_ratios = ["16:9(2k)"]'
    assert _order(OWN.format(more=more), aspect_ratio="16:9(2k)").size == Size(2728, 1536)


def test_a_backend_is_not_given_a_kind_that_it_does_not_do():
    text = """
    [M]
    name = "Mine"
    backends = ["a", "b"]
    [M.kinds.text-to-image]
    credits = 1
    [M.kinds.image-to-image]
    credits = 1
    backends = ["a"]
    """
    shelf = _catalogue(text, sandbox=False)
    assert shelf.misnamed() == []
    shelf.kinds_of = {"a": frozenset({"text-to-video"})}.get
    assert shelf.misnamed() == [
        "M names the backend a for text-to-image, which a does not do.",
        "M names the backend a for image-to-image, which a does not do.",
    ]
    assert shelf.candidates("M", "text-to-image") == ("b",)
    assert shelf.candidates("M", "image-to-image") == ()
    given = IMAGE_TO_IMAGE.input(model="M", prompt="x", images=["https://example.com/a.png"])
    with pytest.raises(errors.NotOffered, match="has no backend for image-to-image"):
        shelf.order(IMAGE_TO_IMAGE, given)
