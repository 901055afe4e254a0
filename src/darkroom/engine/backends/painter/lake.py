"""Still water: the land's exact mirror image, drawn out by ripples, over the lake's own colour."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.painter import noise, relief
from darkroom.engine.backends.painter.ground import step
from darkroom.engine.backends.painter.land import Land, shade
from darkroom.engine.backends.painter.noise import FloatArray, Numbers
from darkroom.engine.backends.painter.relief import Hits
from darkroom.engine.backends.painter.scene import Scene
from darkroom.engine.backends.painter.sky import Sky
from darkroom.engine.backends.painter.view import View

_BANK_ENDS = 0.9  # km
Given = tuple[Land, View, Sky, Scene]


def add_lake(
    picture: FloatArray, hits: Hits, heights: FloatArray, depths: FloatArray, given: Given
) -> None:
    """Paints the water at level 0 into `picture` (scene light, in place) where no land stands.

    `heights` (slices, columns) at `depths` are the land's, as marched.
    """
    land, view, above, scene = given
    top = max(int(np.ceil(view.horizon)) + 1, hits.top)
    rows = view.height - top
    if rows <= 0:
        return
    right, _ = view.rays()
    down = (np.arange(top, view.height, dtype=np.float32) + 0.5 - np.float32(view.horizon))[:, None]
    plane = np.float32(view.focal * land.eye) / down
    seen = hits.depth[top - hits.top :]
    x = right * plane
    # The shore is where the true land crosses the level, found per pixel, not per slice.
    foot = plane * np.float32(1.0 / view.focal) + np.zeros_like(x)
    z = plane + np.zeros_like(x)
    bed = land.surface(x, z, foot)[0]
    water = step(0.0, 1.0, (-bed) / (0.0006 + 0.02 * foot)) * (seen > plane * 0.93)
    mirror = _mirror(heights, depths, given, rows, top)
    mirror, wave = _rippled(mirror, x, z, foot, given)
    facing = np.clip(
        down / np.sqrt(down * down + np.float32(view.focal) ** 2) + 0.055 * wave, 0.0, 1.0
    )
    fresnel: Numbers = np.clip(0.04 + 0.96 * (1.0 - facing) ** 4.0, 0, 0.93)[..., None]
    deep = np.array(
        (0.010, 0.040, 0.050) if scene.time != "night" else (0.006, 0.012, 0.02), np.float32
    )
    depth = np.clip(-bed / 0.05, 0, 1)[..., None]
    shallow = np.array((0.10, 0.15, 0.11), np.float32) * (1.0 if scene.time != "night" else 0.3)
    body: Numbers = (shallow + (deep - shallow) * depth**0.5) * above.air_light.mean()
    if "ice" in scene.extras:
        mirror, body, fresnel = _frozen(mirror, body, fresnel, (x, z, foot), given)
    colour = mirror * fresnel + body * (1.0 - fresnel)
    haze = (1.0 - np.exp(-np.float32(land.fog[0] * 0.7) * plane))[..., None] * 0.6
    colour += (np.minimum(above.haze, 1.6) * 0.85 - colour) * haze
    share = water[..., None]
    picture[top:] += (colour - picture[top:]) * share


def _mirror(
    heights: FloatArray, depths: FloatArray, given: Given, rows: int, top: int
) -> FloatArray:
    """Returns (rows, columns, 3) scene light of the mirror image, from the horizon down."""
    land, view, above, _ = given
    # Half as fine as the land itself: ripples blur it anyway.
    full = int(np.ceil(view.height - view.horizon)) + 1
    lift, columns = max(1, full // 2), max(1, view.width // 2)
    below = View(columns, lift, float(lift), view.focal * columns / view.width)
    heights = np.asarray(cv2.resize(heights, (columns, len(depths))), np.float32)
    dry = np.where(heights > 0.0005, heights, np.float32(-99.0))
    # The near bank stands before the water, not behind it.
    dry[depths < _BANK_ENDS] = -99.0
    hits = relief.march(below, dry, depths, -land.eye)
    last = max(0, int(view.horizon) - 1)
    source = np.minimum(np.abs(np.floor(view.horizon) - full + np.arange(full)), last).astype(int)
    sky = cv2.resize(above.linear[source], (columns, lift), interpolation=cv2.INTER_AREA)
    canvas = np.asarray(sky, np.float32)
    shade(canvas, hits, (land, below, above))
    flipped = np.asarray(cv2.resize(canvas, (view.width, full)), np.float32)[::-1]
    start = max(0, top - int(view.horizon))
    return np.ascontiguousarray(flipped[start : start + rows])


def _rippled(
    mirror: FloatArray, x: FloatArray, z: FloatArray, foot: FloatArray, given: Given
) -> tuple[FloatArray, FloatArray]:
    """Returns the mirror image shaken by small waves, mostly up and down, and the waves."""
    land, view, _, scene = given
    tile = land.cover.tile
    calm = {"calm": 0.4, "dramatic": 1.5}.get(scene.mood, 0.8) * (
        0.35 if "reflection" in scene.extras else 1.0
    )
    wind = np.clip(noise.sample(tile, x / 3.0, z / 9.0) * 0.5 + 0.35, 0.06, 1.0)
    wave = noise.layered(tile, x / 0.16, z / 0.16, 5, foot / np.float32(0.16), 0.7)
    side = noise.layered(tile, x / 0.16 + 0.5, z / 0.16, 4, foot / np.float32(0.16), 0.7)
    rows, columns = x.shape
    grow = np.linspace(0.15, 1.0, rows, dtype=np.float32)[:, None]
    reach = np.float32(0.022 * view.focal * calm) * wind * grow
    yy, xx = np.mgrid[:rows, :columns].astype(np.float32)
    soft = cv2.GaussianBlur(mirror, (1, 0), sigmaX=0.01, sigmaY=max(0.8, view.height / 700))
    across, down = xx + side * reach * 0.22, np.clip(yy + wave * reach, 0, rows - 1)
    shaken = cv2.remap(soft, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(shaken, np.float32), np.asarray(wave * wind * np.float32(calm), np.float32)


def _frozen(
    mirror: FloatArray,
    body: Numbers,
    fresnel: Numbers,
    place: tuple[FloatArray, FloatArray, FloatArray],
    given: Given,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Returns the water as ice: a blurred mirror, blue depth, white cracks and drifted snow."""
    land, view, above, _ = given
    x, z, foot = place
    tile = land.cover.tile
    blurred = cv2.GaussianBlur(mirror, (0, 0), max(1.0, view.height / 160))
    soft = np.asarray(blurred, np.float32)
    lines = np.abs(noise.layered(tile, x / 0.5, z / 0.5, 4, foot / np.float32(0.5), 0.5))
    cracks = np.clip(1.0 - lines / 0.035, 0, 1) * np.clip(1.5 - foot / 0.0012, 0, 1) * 0.55
    drift = step(0.15, 0.7, noise.layered(tile, x / 2.2, z / 3.2, 5, foot / np.float32(2.2), 0.55))
    white = above.air_light * 0.75 + above.sun_light * 0.25
    ice = np.array((0.05, 0.10, 0.14), np.float32) * above.air_light.mean() * 1.4
    cover = np.clip(cracks + 0.85 * drift, 0, 0.95)[..., None]
    return (
        soft,
        np.asarray(ice + (white - ice) * cover, np.float32),
        np.asarray(fresnel * 0.8 * (1 - cover), np.float32),
    )
