"""Land as a pixel sees it: lit, and seen through the air."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.painter.ground import Surface
from darkroom.engine.backends.painter.materials import Cover, Sunlit, lit_ground
from darkroom.engine.backends.painter.noise import FloatArray, Numbers
from darkroom.engine.backends.painter.relief import Hits
from darkroom.engine.backends.painter.sky import Sky
from darkroom.engine.backends.painter.view import View

# How far the land is drawn, km.
FAR = 16.0


class Land(msgspec.Struct, frozen=True):
    """Everything that shading one point needs."""

    surface: Surface
    cover: Cover
    sunlit: Sunlit
    eye: float
    air: FloatArray  # (1, columns, 3): the haze in front of far land
    fog: tuple[float, float]  # density per km at height 0, and the height (km) it thins over


def air_of(above: Sky, view: View) -> FloatArray:
    """Returns (1, columns, 3) scene light of the air along the horizon, soft."""
    row = min(max(int(view.horizon) - 2, 0), view.height - 1)
    band = above.linear[max(0, row - max(2, view.height // 30)) : row + 1].mean(axis=0)
    soft = cv2.GaussianBlur(band[None], (0, 0), max(1.0, view.width / 40))
    # Air before land is paler than the sky behind it: much of it stands in shade.
    bright = soft * np.minimum(1.0, 1.5 / np.maximum(soft.max(axis=2, keepdims=True), 1e-6))
    grey = bright.mean(axis=2, keepdims=True)
    return np.asarray(bright * 0.55 + grey * 0.3, np.float32)


def shade(picture: FloatArray, hits: Hits, given: tuple[Land, View, Sky]) -> None:
    """Paints lit ground into `picture` (scene light, in place) where the hits are finite."""
    land, view, above = given
    right, _ = view.rays()
    chunk = max(1, 400_000 // view.width)
    end = hits.top + hits.depth.shape[0]
    for top in range(hits.top, end, chunk):
        rows = np.arange(top, min(end, top + chunk), dtype=np.float32)[:, None]
        seen = hits.depth[top - hits.top : top - hits.top + len(rows)]
        if not np.isfinite(seen).any():
            continue
        z = np.minimum(seen, np.float32(FAR * 1.2))
        x = right * z
        foot = np.maximum(z * np.float32(1.0 / view.focal), np.float32(0.0000005))
        height, slope_x, slope_z = land.surface(x, z, foot)
        over = (
            np.float32(land.eye)
            + (np.float32(view.horizon) - rows - 0.5) * z / np.float32(view.focal)
            - height
        )
        colour = lit_ground(
            land.cover, land.sunlit, above, (x, z, height, slope_x, slope_z, foot, over)
        )
        colour = _aired(colour, land, (x, z, height))
        edge = np.clip(rows + 1.0 - hits.skyline[None], 0, 1)[..., None].astype(np.float32)
        part = picture[top : top + len(rows)]
        part += (colour - part) * edge


def _aired(
    colour: FloatArray, land: Land, place: tuple[FloatArray, FloatArray, FloatArray]
) -> FloatArray:
    """Returns the ground seen through haze that thins with height, integrated along the ray."""
    x, z, height = place
    air = cv2.resize(land.air, (x.shape[1], 1))[0]
    share = veil(land, x, z, height)[..., None]
    return np.asarray(colour * (1 - share) + air[None] * share, np.float32)


def veil(land: Land, x: Numbers, z: Numbers, height: Numbers) -> Numbers:
    """Returns how much of a place (km) the air hides, 0..1."""
    density, thin = land.fog
    climb = (height - np.float32(land.eye)) / np.float32(thin)
    climb = np.where(np.abs(climb) < 1e-3, np.float32(1e-3), climb)
    column = (
        np.float32(np.exp(-max(land.eye, 0.0) / thin)) * -np.expm1(-np.clip(climb, -6, 40)) / climb
    )
    along = np.sqrt(x * x + z * z)
    return 1.0 - np.exp(-(np.float32(density) * column + np.float32(0.009)) * along)
