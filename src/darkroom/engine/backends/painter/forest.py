"""The forest: rows of trees from the haze to the foreground, light falling through them, ferns
and a path."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.engine.backends.painter.city_plan import Eye
from darkroom.engine.backends.painter.forest_floor import (
    Floor,
    draw_floor,
    draw_undergrowth,
    path_at,
)
from darkroom.engine.backends.painter.forest_trees import (
    LEAVES,
    Kind,
    Lighting,
    Tree,
    draw_branches,
    draw_crowns,
    draw_trunks,
)
from darkroom.engine.backends.painter.mottle import FloatArray, mottle
from darkroom.engine.backends.painter.precipitation import rainfall, snowfall
from darkroom.engine.backends.painter.scene import Scene
from darkroom.engine.backends.painter.style_field import soft, unit
from darkroom.engine.backends.painter.survey import Survey

_ROWS = (74.0, 52.0, 38.0, 27.0, 19.0, 13.0, 8.6, 5.6)
# By time of day: the glow behind the trees, the air, the sun's colour, the light in the shade.
_HOURS = {
    "dawn": ((1.00, 0.88, 0.76), (0.64, 0.67, 0.68), (0.70, 0.54, 0.40), 0.62),
    "sunrise": ((1.00, 0.89, 0.62), (0.72, 0.68, 0.52), (1.00, 0.74, 0.40), 0.72),
    "day": ((0.97, 1.00, 0.86), (0.53, 0.69, 0.47), (0.95, 0.92, 0.62), 0.86),
    "golden": ((1.00, 0.90, 0.58), (0.76, 0.68, 0.40), (1.10, 0.78, 0.34), 0.76),
    "sunset": ((1.00, 0.70, 0.36), (0.70, 0.44, 0.30), (1.05, 0.52, 0.22), 0.60),
    "dusk": ((0.70, 0.60, 0.74), (0.34, 0.36, 0.48), (0.30, 0.24, 0.34), 0.42),
    "night": ((0.46, 0.60, 0.82), (0.10, 0.16, 0.26), (0.16, 0.22, 0.36), 0.26),
}


def forest(
    scene: Scene,
    width: int,
    height: int,
    progress: Callable[[float], None],
    survey: Survey | None = None,
) -> FloatArray:
    """Paint the inside of a forest: (height, width, 3) display RGB 0..1."""
    rng = np.random.default_rng(scene.seed)
    focal = float(np.sqrt(width * height))
    horizon = height * float(rng.uniform(0.56, 0.64))
    horizon = max(horizon, height - 1.75 * focal / 3.0)  # a tall canvas sees no nearer than 3 m
    eye = Eye(width, height, horizon, focal, 1.75)
    light = _lighting(scene, eye, rng)
    kind = _kind(scene, rng)
    bend = float(rng.uniform(0, 6.28))
    walked = "path" in scene.extras or rng.random() < 0.6
    floor = Floor(scene.season, bend, 0.85 if walked else 0.0)
    canvas = np.ascontiguousarray(_behind(eye, light, scene.seed))
    draw_floor(canvas, eye, floor, light, scene.seed)
    progress(0.2)
    thrift = float(np.clip(np.sqrt(width * height / 2e6), 0.15, 1.0))
    veil = 0.27 if scene.weather == "fog" else 0.12
    near = _ground(eye, _ROWS[0])
    for k, z in enumerate(_ROWS):
        before = canvas.copy() if survey else canvas
        _veiled(canvas, eye, light, veil if k else 0.0)
        trees = _row(z, eye, floor, kind, rng)
        after = _ROWS[k + 1] if k + 1 < len(_ROWS) else 3.0
        if kind.bare or not kind.conifer:
            draw_branches(canvas, trees, kind, light, rng)
        draw_trunks(canvas, trees, kind, light, scene.seed + k)
        if not kind.bare:
            draw_crowns(
                canvas, trees, kind, light, rng, round((13_000 if kind.conifer else 9000) * thrift)
            )
        draw_undergrowth(canvas, eye, floor, light, (after, z), rng)
        if survey:
            near[cv2.inRange(cv2.absdiff(canvas, before), (0, 0, 0), (40, 40, 40)) == 0] = 1 / z
        progress(0.2 + 0.7 * (k + 1) / len(_ROWS))
    if survey:
        survey.line, survey.near = eye.horizon / height, np.maximum(near, _ground(eye, 74.0))
    rgb = canvas.astype(np.float32) / 255
    rgb = _shafts(rgb, light, scene)
    progress(0.9)
    out = np.clip(_finished(rgb, scene, rng), 0, 1).astype(np.float32)
    progress(1.0)
    return out


def _ground(eye: Eye, far: float) -> FloatArray:
    """Returns 1 / distance (height, width) of the level ground, `far` metres at most."""
    down = np.arange(eye.height, dtype=np.float32)[:, None] + 0.5 - np.float32(eye.horizon)
    near = np.maximum(down / np.float32(eye.above * eye.focal), np.float32(1 / far))
    return np.repeat(near, eye.width, axis=1)


def _lighting(scene: Scene, eye: Eye, rng: np.random.Generator) -> Lighting:
    glow, air, sun, ambient = _HOURS[scene.time]
    closed = scene.weather in ("overcast", "rain", "storm", "fog", "snow")
    tint = {"autumn": (1.10, 0.96, 0.72), "winter": (0.97, 1.0, 1.10), "spring": (1.0, 1.03, 0.92)}
    turn = np.array(tint.get(scene.season, (1, 1, 1)), np.float32)
    air_colour = np.array(air, np.float32) * turn
    if scene.season == "autumn" and scene.time in ("day", "golden", "sunrise"):
        air_colour = 0.35 * air_colour + 0.65 * np.array([0.80, 0.66, 0.38], np.float32)
    if scene.season == "winter" or scene.weather in ("fog", "overcast", "rain", "snow", "storm"):
        air_colour = air_colour * 0.3 + 0.7 * air_colour.mean() * np.array(
            [0.96, 1.0, 1.05], np.float32
        )
    dim = 0.75 if scene.weather in ("rain", "storm") else 1.0
    spot = (
        eye.width * float(rng.uniform(0.36, 0.64)),
        eye.horizon - eye.height * float(rng.uniform(0.14, 0.3)),
    )
    return Lighting(
        np.clip(np.array(glow, np.float32) * (0.5 + 0.5 * turn) * dim, 0, 1),
        np.clip(air_colour * dim, 0, 0.96).astype(np.float32),
        np.array(sun, np.float32) * (0.2 if closed else 1.0),
        ambient * (0.92 if closed else 1.0),
        spot,
        0.42 * eye.focal,
    )


def _kind(scene: Scene, rng: np.random.Generator) -> Kind:
    words = scene.extras
    white = scene.season == "winter" or scene.weather == "snow"
    name = "sakura" if "sakura" in words else scene.season
    conifer = (
        "trees" in words
        or (white and rng.random() < 0.7)
        or (
            not words & {"birch", "sakura", "bamboo", "jungle"}
            and scene.season == "summer"
            and rng.random() < 0.35
        )
    )
    trunk = (
        "birch"
        if "birch" in words or (scene.season == "autumn" and rng.random() < 0.35)
        else "bark"
    )
    if "bamboo" in words:
        name, conifer, trunk = "bamboo", False, "bamboo"
    elif conifer:
        name, trunk = "needles", "pine"
    bare = white and not conifer
    return Kind(np.array(LEAVES[name], np.float32), trunk, conifer, bare, white)


def _behind(eye: Eye, light: Lighting, seed: int) -> NDArray[np.uint8]:
    """The light behind all trees: the glow, and far leaves that it breaks through."""
    size = (eye.height, eye.width)
    x = np.arange(eye.width, dtype=np.float32) - light.spot[0]
    y = (np.arange(eye.height, dtype=np.float32)[:, None] - light.spot[1]) * 1.15
    near = np.exp(-np.hypot(x, y) / (light.reach * 0.9))[..., None]
    rgb = light.air * 0.92 + (light.glow - light.air * 0.92) * np.clip(near * 1.6, 0, 1)
    leaves = mottle(size, seed + 2, 46, 4)
    gaps = np.clip((leaves - 0.5) * 5 + 0.5, 0, 1)[..., None]
    bushes = mottle((4, eye.width), seed + 6, 34, 4)[0]
    row = np.arange(eye.height, dtype=np.float32)[:, None]
    thicket = np.clip((row - eye.horizon) / (0.05 * eye.focal) + 0.25 + 1.3 * bushes, 0, 1)[
        ..., None
    ]
    rgb = rgb * (1 - 0.34 * thicket)
    return np.clip(rgb * (0.82 + 0.18 * gaps) * 255, 0, 255).astype(np.uint8)


def _row(z: float, eye: Eye, floor: Floor, kind: Kind, rng: np.random.Generator) -> list[Tree]:
    """Place one row of trees about z metres ahead, clear of the path; the nearest stand at the
    sides."""
    metre = eye.focal / z
    span = 0.56 * eye.width / metre
    pitch = (1.1 if kind.trunk == "bamboo" else 3.4) * (1 + z / 60)
    trees = []
    for slot in np.arange(-span, span, pitch)[:60]:
        x = float(slot + rng.uniform(0, pitch * 0.9))
        depth = z * float(rng.uniform(0.92, 1.08))
        clear = max(floor.path + 0.9, 1.4 if z < 14 else 0.6)
        middle = float(path_at(depth, floor.bend)) if floor.path else 0.0
        if abs(x - middle) < clear or (z < 10 and abs(x) < span * 0.34) or rng.random() < 0.22:
            continue
        thick = 0.11 if kind.trunk == "bamboo" else float(rng.uniform(0.22, 0.62))
        thick *= 0.6 if kind.trunk == "birch" else 1.0
        foot = eye.point(x, 0.0, depth)
        trees.append(
            Tree(foot[0], foot[1], max(1.2, thick * eye.focal / depth), eye.focal / depth,
                 float(rng.normal(0, 0.03)), float(rng.uniform(13, 21)))
        )  # fmt: skip
    return trees


def _veiled(canvas: NDArray[np.uint8], eye: Eye, light: Lighting, share: float) -> None:
    """Put one row's worth of air before what is drawn so far: brighter towards the light."""
    if share <= 0:
        return
    small = (max(2, eye.width // 8), max(2, eye.height // 8))
    x = np.linspace(0, eye.width, small[0], dtype=np.float32) - light.spot[0]
    y = np.linspace(0, eye.height, small[1], dtype=np.float32)[:, None]
    near = np.exp(-np.hypot(x, y - light.spot[1]) / light.reach)[..., None]
    low = np.exp(-np.maximum(y - eye.horizon, 0) / (0.16 * eye.height))[..., None]
    air = light.air + (light.glow - light.air) * near * 0.8
    thick = share * (0.7 + 0.7 * near) * (0.25 + 0.75 * low)
    veil, cover = (cv2.resize(one, (eye.width, eye.height)) for one in (air * thick * 255, thick))
    canvas[:] = canvas * cv2.merge([1 - cover] * 3) + veil


def _shafts(rgb: FloatArray, light: Lighting, scene: Scene) -> FloatArray:
    """Add shafts of light: what is bright smeared away from the sun (Mitchell, GPU Gems 3, ch.
    13)."""
    height, width = rgb.shape[:2]
    small = cv2.resize(rgb, (max(8, width // 4), max(8, height // 4)), interpolation=cv2.INTER_AREA)
    bright = np.clip(small.min(2) * 1.5 - 0.62, 0, 1)
    rows, columns = bright.shape
    sx, sy = light.spot[0] * columns / width, light.spot[1] * rows / height
    x = np.arange(columns, dtype=np.float32)
    y = np.arange(rows, dtype=np.float32)[:, None]
    dx, dy = (x - sx + 0 * y).astype(np.float32), (y - sy + 0 * x).astype(np.float32)
    for step in range(6):
        shrink = np.float32(1 - 0.5 * 0.5**step)
        moved = cv2.remap(bright, sx + dx * shrink, sy + dy * shrink, cv2.INTER_LINEAR)
        bright = bright * 0.45 + moved * 0.55
    beams = cv2.resize(soft(bright, 1.2), (width, height))[..., None]
    strong = 0.95 if "sunrays" in scene.extras or scene.mood == "dreamy" else 0.55
    if scene.weather in ("overcast", "rain", "storm", "snow"):
        strong *= 0.25
    strong *= {"dawn": 1.2, "golden": 1.2, "sunrise": 1.3, "night": 0.7}.get(scene.time, 1.0)
    return np.asarray(rgb + light.glow * beams * strong * (1 - 0.75 * rgb), np.float32)


def _finished(rgb: FloatArray, scene: Scene, rng: np.random.Generator) -> FloatArray:
    """Add what floats in the air: fireflies, falling leaves' light, rain or snow."""
    if scene.moment is not None:
        return rgb
    if "fireflies" in scene.extras or (scene.time == "night" and scene.mood == "dreamy"):
        spots = np.zeros(rgb.shape[:2], np.float32)
        for _ in range(70):
            y = int(np.clip(rng.normal(0.62, 0.14), 0, 0.99) * rgb.shape[0])
            spots[y, int(rng.integers(rgb.shape[1]))] += rng.uniform(0.3, 1)
        scale = max(0.5, unit(rgb.shape))
        halo = soft(spots, 2.2 * scale) * 34 * scale**2 + soft(spots, 14 * scale) * 420 * scale**2
        rgb = rgb + np.array([0.95, 0.95, 0.42], np.float32) * np.clip(halo, 0, 1)[..., None]
    if scene.weather in ("rain", "storm"):
        return rainfall(rgb, scene.seed, 0.5)
    return snowfall(rgb, scene.seed, 0.55) if scene.weather == "snow" else rgb
