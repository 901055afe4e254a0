"""A size in pixels, put into the ratios and resolutions that models list."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from darkroom import errors
from darkroom.api.dialects import shapes
from darkroom.domain.catalogue import Offer
from darkroom.domain.kinds.table import KINDS
from darkroom.domain.sizes import Size

IMAGE, CLIP = KINDS["text-to-image"], KINDS["text-to-video"]
WIDE = ("9:16", "1:1", "16:9", "3:2")


def _offer(**given: Any) -> Offer:
    return Offer(credits=Decimal(1), **given)


@pytest.mark.parametrize(
    ("kind", "offer", "size", "fields"),
    [
        (IMAGE, {}, (1536, 1024), {"resolution": "1536x1024"}),
        (
            IMAGE,
            {"aspect_ratios": WIDE},
            (1536, 1024),
            {"aspect_ratio": "3:2", "resolution": "1536x1024"},
        ),
        (
            IMAGE,
            {"aspect_ratios": WIDE, "resolutions": ("4k", "1k", "2k")},
            (1792, 1024),
            {"aspect_ratio": "16:9", "resolution": "1k"},
        ),
        (IMAGE, {"aspect_ratios": ("1:1", "2k", "3k")}, (2048, 2048), {"aspect_ratio": "2k"}),
        (
            IMAGE,
            {"aspect_ratios": ("16:9(2k)", "16:9(4k)")},
            (4096, 2304),
            {"aspect_ratio": "16:9(4k)"},
        ),
        (
            CLIP,
            {"resolutions": ("720p", "480p", "4k")},
            (720, 1280),
            {"aspect_ratio": "9:16", "resolution": "720p"},
        ),
    ],
)
def test_the_nearest_that_a_model_lists_is_asked_for(kind, offer, size, fields) -> None:
    assert shapes.fit(kind, _offer(**offer), Size(*size), field="size") == fields


def test_a_shape_that_a_model_does_not_make_is_refused_with_those_that_it_makes() -> None:
    with pytest.raises(errors.BadParameter, match="makes 16:9, 1:1") as caught:
        shapes.fit(IMAGE, _offer(aspect_ratios=("16:9", "1:1")), Size(1024, 1536), field="size")
    assert caught.value.field == "size"


@pytest.mark.parametrize(
    ("ratios", "fields"),
    [
        ((), {}),
        (("9:16", "1:1"), {"aspect_ratio": "1:1"}),
        (("9:16", "4:3"), {"aspect_ratio": "9:16"}),
    ],
)
def test_a_size_that_is_left_to_the_model_is_one_that_it_makes(ratios, fields) -> None:
    assert shapes.usual(IMAGE, _offer(aspect_ratios=ratios)) == fields
