"""Shapes: a size in pixels as the ratio and the resolution that a model offers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from darkroom import errors
from darkroom.domain import sizes
from darkroom.domain.catalogue import Offer
from darkroom.domain.kinds.kind import Kind

# Of a ratio's sides.
_SIDE_MAX = 100
# How far a ratio may be from the shape that was asked for: 1792x1024 passes for 16:9.
_OFF_MAX = 0.03


def fit(kind: Kind, offer: Offer, asked: sizes.Size, *, field: str) -> dict[str, Any]:
    """The fields that ask a model for so many pixels: the very size, or what it lists nearest.

    A shape that the model does not make is refused, with those that it makes.
    """
    exact = f"{asked.width}x{asked.height}"
    if not offer.aspect_ratios and not offer.resolutions:
        return {"resolution": exact}
    ratio = _ratio(kind, offer.aspect_ratios, asked, field)
    # Some models list ratios that carry their resolution: 16:9(2k), or 2k alone.
    if ratio.lower().rstrip(")").endswith("k"):
        return {"aspect_ratio": ratio}
    nearest = min(
        offer.resolutions, key=lambda one: _distance(kind, ratio, one, asked), default=exact
    )
    return {"aspect_ratio": ratio, "resolution": nearest}


def usual(kind: Kind, offer: Offer) -> dict[str, Any]:
    """The fields for whoever leaves the size to a model: one that lists ratios wants one."""
    if not offer.aspect_ratios or kind.size is None or kind.is_ratio_open:
        return {}
    ratio = kind.size[0]
    return {"aspect_ratio": ratio if ratio in offer.aspect_ratios else offer.aspect_ratios[0]}


def _ratio(kind: Kind, listed: Sequence[str], asked: sizes.Size, field: str) -> str:
    if not listed:
        near = Fraction(asked.width, asked.height).limit_denominator(_SIDE_MAX)
        return f"{near.numerator}:{near.denominator}"
    fitting = [one for one in listed if _off(kind, one, asked) <= _OFF_MAX]
    if not fitting:
        raise errors.BadParameter(
            f"{field}: {asked.width}x{asked.height} has a shape that this model does not make. It "
            f"makes {', '.join(listed)}.",
            field=field,
        )
    return min(fitting, key=lambda one: _distance(kind, one, None, asked))


def _off(kind: Kind, ratio: str, asked: sizes.Size) -> float:
    made = _made(kind, ratio, None)
    return abs(made.width / made.height / (asked.width / asked.height) - 1)


def _distance(kind: Kind, ratio: str, resolution: str | None, asked: sizes.Size) -> float:
    return abs(math.log(_made(kind, ratio, resolution).pixels / asked.pixels))


def _made(kind: Kind, ratio: str, resolution: str | None) -> sizes.Size:
    if kind.outputs == "videos" and resolution:
        resolution = sizes.FRAME_LINES.get(resolution.lower(), resolution)
    return sizes.resolve(ratio, resolution, kind.size or sizes.DEFAULT)
