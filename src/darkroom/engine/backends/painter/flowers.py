"""Flowers: a meadow at a flower's height or a close view, sharp at one distance and soft before
and behind."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from darkroom.engine.backends.painter import palette, sky
from darkroom.engine.backends.painter.city_plan import Eye
from darkroom.engine.backends.painter.flower_heads import Colour, head
from darkroom.engine.backends.painter.forest_trees import draw_leaves
from darkroom.engine.backends.painter.mottle import FloatArray, mottle
from darkroom.engine.backends.painter.precipitation import rainfall, snowfall
from darkroom.engine.backends.painter.scene import Scene
from darkroom.engine.backends.painter.style_field import soft, unit
from darkroom.engine.backends.painter.survey import Survey

_ROWS = (11.0, 8.0, 6.0, 4.6, 3.6, 2.8, 2.2, 1.75, 1.45)
_FOCUS = 1.75
# Species with the colours they come in; head size and stem height in metres of this large meadow.
_KINDS: dict[str, tuple[tuple[Colour, ...], float, float]] = {
    "daisy": (((0.97, 0.97, 0.95),), 0.15, 0.42),
    "poppy": (((0.88, 0.13, 0.06), (0.92, 0.22, 0.08)), 0.20, 0.50),
    "cosmos": (((0.92, 0.48, 0.70), (0.96, 0.82, 0.90), (0.74, 0.22, 0.48)), 0.19, 0.54),
    "tulip": (((0.90, 0.16, 0.16), (0.98, 0.74, 0.16), (0.94, 0.46, 0.58)), 0.17, 0.46),
    "lavender": (((0.50, 0.34, 0.84), (0.42, 0.28, 0.76)), 0.20, 0.50),
    "sunflower": (((0.98, 0.76, 0.10),), 0.30, 0.60),
    "rose": (((0.84, 0.14, 0.24), (0.96, 0.62, 0.66), (0.97, 0.88, 0.80)), 0.22, 0.44),
    "sakura": (((0.99, 0.86, 0.90),), 0.15, 0.46),
}  # fmt: skip
_BEDS = (("daisy", "poppy"), ("cosmos", "daisy"), ("tulip",), ("poppy", "lavender", "daisy"),
         ("cosmos",), ("lavender", "daisy"), ("sunflower",), ("rose",))  # fmt: skip
# By time of day: the light on things, the share of it that comes through petals from behind.
_HOURS = {
    "dawn": ((0.92, 0.80, 0.80), 0.25), "sunrise": ((1.02, 0.86, 0.68), 0.4),
    "day": ((1.02, 1.0, 0.95), 0.15), "golden": ((1.10, 0.92, 0.66), 0.45),
    "sunset": ((0.98, 0.70, 0.54), 0.4), "dusk": ((0.52, 0.48, 0.66), 0.1),
    "night": ((0.26, 0.32, 0.52), 0.0),
}  # fmt: skip


class _Bed(msgspec.Struct, frozen=True):
    """What grows: heads of each species (RGB with cover), their size and stem height in metres."""

    heads: list[tuple[FloatArray, float, float, bool]]
    light: FloatArray
    through: float
    grass: FloatArray


def flowers(
    scene: Scene,
    width: int,
    height: int,
    progress: Callable[[float], None],
    survey: Survey | None = None,
) -> FloatArray:
    """Paint flowers with depth of field: (height, width, 3) display RGB 0..1."""
    rng = np.random.default_rng(scene.seed)
    focal = float(np.sqrt(width * height))
    horizon = height * float(rng.uniform(0.34, 0.46))
    horizon = max(
        horizon, height - 0.62 * focal / 1.1
    )  # a tall canvas sees no nearer than the first row
    eye = Eye(width, height, horizon, focal, 0.62)
    bed = _bed(scene, rng, round(float(np.clip(0.18 * focal, 64, 256))))
    progress(0.15)
    canvas = _behind(scene, eye, bed, rng)
    progress(0.4)
    close = float(rng.choice([1.0, 1.0, 1.45]))
    blurs = [_blur(z, eye) for z in _ROWS]
    down = (np.arange(height, dtype=np.float32)[:, None] + 0.5 - np.float32(horizon)) / (
        np.float32(eye.above * focal)
    )
    near = np.repeat(np.clip(down, 1 / 60, 1 / _ROWS[0]), width, axis=1).astype(np.float32)
    for k, z in enumerate(_ROWS):
        before = canvas.copy() if survey else canvas
        _row(canvas, eye, z, bed, rng, close)
        if survey:
            near[cv2.inRange(cv2.absdiff(canvas, before), (0, 0, 0), (24, 24, 24)) == 0] = 1 / z
        after = blurs[k + 1] if k + 1 < len(_ROWS) and z > _FOCUS else blurs[k]
        rest = np.sqrt(max(0.0, blurs[k] ** 2 - after**2))
        if rest > 0.4:
            canvas = np.clip(soft(canvas.astype(np.float32), rest), 0, 255).astype(np.uint8)
        progress(0.4 + 0.05 * k)
    if survey:
        survey.line, survey.near = horizon / height, near
    rgb = _before(canvas, eye, bed, rng).astype(np.float32) / 255
    progress(0.9)
    out = np.clip(_aired(rgb, scene, eye, rng), 0, 1).astype(np.float32)
    progress(1.0)
    return out


def _bed(scene: Scene, rng: np.random.Generator, side: int) -> _Bed:
    named = [name for name in _KINDS if name in scene.extras]
    species = named or list(_BEDS[int(rng.integers(len(_BEDS)))])
    heads = []
    own_names = {palette.rgb(palette.NAMES[name]) for name in _KINDS if name in palette.NAMES}
    for name in species[:3]:
        colours, size, tall = _KINDS[name]
        asked = [colour for colour in scene.palette if colour not in own_names]
        colours = tuple(asked[:3]) or colours
        for k in range(3):
            colour = colours[k % len(colours)]
            heads.append((head(name, colour, rng, side), size, tall, name in ("tulip", "lavender")))
    light, through = _HOURS[scene.time]
    closed = scene.weather in ("overcast", "rain", "storm", "fog", "snow")
    tone = np.array(light, np.float32) * (0.84 if closed else 1.0)
    grass = np.array(((0.24, 0.42, 0.10), (0.33, 0.52, 0.14), (0.18, 0.34, 0.09)), np.float32)
    if scene.season == "autumn":
        grass = grass * np.array([1.7, 0.95, 0.9], np.float32)
    return _Bed(heads, tone, 0.0 if closed else through, grass)


def _behind(scene: Scene, eye: Eye, bed: _Bed, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The far half of the picture, out of focus: sky, a line of trees, the meadow's colours,
    discs of light."""
    # It will be blurred: a small sky is enough.
    small = (max(32, eye.width // 3), max(32, eye.height // 3))
    air = sky.sky(scene, *small, eye.horizon / eye.height)
    rgb: FloatArray = cv2.resize(air.rgb, (eye.width, eye.height))
    y = np.arange(eye.height, dtype=np.float32)[:, None]
    haze = np.array(air.ambient_horizon, np.float32)
    for k, (far, rise) in enumerate(((0.75, 0.085), (0.4, 0.05))):
        line = mottle((4, eye.width), scene.seed + k, 6.0 + 10 * k, 5)[0]
        top = eye.horizon - eye.focal * rise * (0.3 + 1.2 * line)
        mask = np.clip((y - top) / 2 + 0.5, 0, 1)[..., None]
        wood = np.array([0.16, 0.27, 0.13], np.float32) * bed.light * (1 - far) + haze * far * 0.9
        rgb += (wood - rgb) * mask
    top_row = int(eye.horizon)
    z = eye.above * eye.focal / np.maximum(y[top_row:] - eye.horizon + 0.5, 0.5)
    x = (np.arange(eye.width, dtype=np.float32) - eye.width / 2) * z / eye.focal
    tile = mottle((512, 512), scene.seed + 9, 40, 4)
    u = np.abs((x * 60) % 1022 - 511).astype(np.float32)
    v = np.abs((np.broadcast_to(z, x.shape) * 30) % 1022 - 511).astype(np.float32)
    patch = cv2.remap(tile, u, v, cv2.INTER_LINEAR)[..., None]
    field = bed.grass[0] + (bed.grass[1] - bed.grass[0]) * patch * 1.6
    share = np.clip((patch - 0.42) * 5, 0, 1) * np.clip(z / 5 - 0.4, 0, 0.8)[..., None]
    petals = np.mean([h[0][..., :3][h[0][..., 3] > 0.9].mean(0) for h in bed.heads], 0)
    field = (field + (petals - field) * share) * bed.light * 0.9
    thin = np.exp(-z / 70)[..., None]
    rgb[top_row:] = haze + (field - haze) * thin
    rgb = soft(rgb, _blur(14.0, eye) * 0.8)
    _discs(rgb, eye, air.sun_colour, scene, rng)
    return np.clip(rgb * 255, 0, 255).astype(np.uint8)


def _discs(
    rgb: FloatArray, eye: Eye, colour: Colour, scene: Scene, rng: np.random.Generator
) -> None:
    """Discs of light, as an open lens draws far points."""
    layer: FloatArray = np.zeros(rgb.shape[:2], np.float32)
    for _ in range(46):
        at = (rng.uniform(0, eye.width), eye.horizon + eye.height * rng.normal(0.02, 0.11))
        radius = 0.020 * eye.focal * rng.uniform(0.4, 1.2)
        spot = (round(at[0] * 16), round(at[1] * 16))
        left, top = max(0, int(at[0] - radius) - 1), max(0, int(at[1] - radius) - 1)
        part = layer[top : top + int(2 * radius) + 3, left : left + int(2 * radius) + 3]
        if part.size:
            disc = np.zeros(part.shape, np.float32)
            spot = (spot[0] - left * 16, spot[1] - top * 16)
            cv2.circle(disc, spot, round(radius * 16), 1.0, -1, shift=4)
            part += disc * np.float32(rng.uniform(0.03, 0.16))
    layer = cv2.GaussianBlur(layer, (0, 0), max(0.6, 1.6 * unit(rgb.shape)))
    strength = 0.35 if scene.time in ("night", "dusk") else 1.0
    tint = np.array(colour, np.float32) * 0.8 + 0.2
    rgb += tint * (layer * strength)[..., None] * (1 - np.clip(rgb, 0, 1))


def _blur(z: float, eye: Eye) -> float:
    """How blurred a distance is, in pixels: the circle of confusion of a lens focused at
    `_FOCUS`."""
    return 0.0165 * eye.focal * abs(1 - _FOCUS / z)


def _row(
    canvas: NDArray[np.uint8], eye: Eye, z: float, bed: _Bed, rng: np.random.Generator, close: float
) -> None:
    """Draw one row of grass and flowers about z metres ahead."""
    span = 0.56 * eye.width / eye.focal * z
    metre = eye.focal / z
    _grass(canvas, eye, z, span, bed, rng)
    crowd = 0.17 / float(np.mean([size for _head, size, _tall, _upright in bed.heads]))
    crowd *= 2.2 if all(upright for *_rest, upright in bed.heads) else 1.0
    count = int(np.clip(span * 7.2 * crowd / close, 3, 90))
    places = (np.arange(count) + rng.uniform(0.1, 0.9, count)) / count * 2 * span - span
    for x in rng.permutation(places):
        made, size, tall, upright = bed.heads[int(rng.integers(len(bed.heads)))]
        depth = z * float(rng.uniform(0.95, 1.05))
        height = tall * float(rng.uniform(0.5, 1.18)) * (0.8 + 0.2 * close)
        foot, top = eye.point(float(x), 0.0, depth), eye.point(float(x), height, depth)
        bent = float(rng.normal(0, 0.05)) * metre
        _stem(canvas, foot, (top[0] + bent, top[1]), metre, bed, rng)
        pixels = size * close * metre * float(rng.uniform(0.8, 1.15))
        shade = bed.light * float(rng.uniform(0.9, 1.06))
        _stamp(canvas, made, (top[0] + bent, top[1], pixels), upright, (shade, bed.through), rng)


def _grass(
    canvas: NDArray[np.uint8], eye: Eye, z: float, span: float, bed: _Bed, rng: np.random.Generator
) -> None:
    count = int(min(1500, 420 * span) * np.clip(eye.focal / 1440, 0.2, 1))
    x = rng.uniform(-span, span, count)
    depth = z * rng.uniform(0.88, 1.1, count)
    metre = eye.focal / depth
    length = rng.uniform(0.16, 0.44, count) * metre
    lean = rng.normal(0, 0.3, count)
    foot_x = eye.width / 2 + x * metre
    foot_y = eye.horizon + eye.above * metre
    at = np.stack([foot_x + np.sin(lean) * length / 2, foot_y - np.cos(lean) * length / 2], 1)
    tone = bed.grass[rng.integers(len(bed.grass), size=count)] * rng.uniform(0.45, 1.25, (count, 1))
    order = rng.random(count)
    slim = np.full(count, 0.035) * rng.uniform(0.6, 1.6, count)
    draw_leaves(canvas, (at, lean - np.pi / 2, length, slim), tone * bed.light, order)


def _stem(
    canvas: NDArray[np.uint8],
    foot: tuple[float, float],
    top: tuple[float, float],
    metre: float,
    bed: _Bed,
    rng: np.random.Generator,
) -> None:
    t = np.linspace(0, 1, 8)
    bow = float(rng.normal(0, 0.04)) * metre
    x = foot[0] + (top[0] - foot[0]) * t + bow * np.sin(np.pi * t)
    y = foot[1] + (top[1] - foot[1]) * t
    line = np.round(np.stack([x, y], 1) * 16).astype(np.int32)
    green = bed.grass[0] * bed.light * 1.1
    for thick, shade in ((0.014, 0.72), (0.006, 1.25)):
        colour = tuple(float(v) for v in np.clip(green * shade * 255, 0, 255))
        cv2.polylines(canvas, [line], False, colour, max(1, round(thick * metre)), cv2.LINE_AA, 4)
    size = np.array([0.17, 0.14]) * metre
    at = np.stack([x[[3, 4]] + np.array([0.4, -0.4]) * size, y[[3, 4]] - 0.25 * size], 1)
    draw_leaves(canvas, (at, np.array([-0.6, 0.6 - np.pi]), size, np.array([0.13, 0.13])),
                np.stack([green * 1.0, green * 0.8]), np.arange(2.0))  # fmt: skip


def _stamp(
    canvas: NDArray[np.uint8],
    made: FloatArray,
    place: tuple[float, float, float],
    upright: bool,
    light: tuple[FloatArray, float],
    rng: np.random.Generator,
) -> None:
    """Set one head into the picture at a place (x, y, size in pixels): turned, tilted away, lit."""
    at, size = place[:2], place[2]
    turn = rng.normal(0, 0.14) if upright else rng.uniform(0, 6.28)
    tilt = 1.0 if upright else float(rng.uniform(0.55, 0.98))
    lean = rng.normal(0, 0.25)
    box = int(size * (0.92 if upright else 0.62)) + 2
    left, top = int(at[0]) - box, int(at[1]) - box
    if (
        left >= canvas.shape[1]
        or top >= canvas.shape[0]
        or left + 2 * box <= 0
        or top + 2 * box <= 0
    ):
        return
    side = len(made)
    step = max(1, int(side / size / 1.6))
    source = (
        made
        if step == 1
        else cv2.resize(made, (max(1, side // step),) * 2, interpolation=cv2.INTER_AREA)
    )
    scale = size / source.shape[0]
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * scale
    bend = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]]) @ np.diag(
        [1.0, tilt]
    )
    matrix = bend @ spin
    middle = np.array([at[0] - left, at[1] - top - (size * 0.28 if upright else 0)])
    shift = middle - matrix @ np.array([source.shape[1] / 2, source.shape[0] / 2])
    drawn = cv2.warpAffine(
        source, np.column_stack([matrix, shift]), (2 * box, 2 * box), flags=cv2.INTER_LINEAR
    )
    rows = np.s_[max(0, -top) : min(2 * box, canvas.shape[0] - top)]
    columns = np.s_[max(0, -left) : min(2 * box, canvas.shape[1] - left)]
    drawn = drawn[rows, columns]
    part = canvas[
        max(0, top) : max(0, top) + drawn.shape[0], max(0, left) : max(0, left) + drawn.shape[1]
    ]
    cover = drawn[..., 3:]
    rgb = drawn[..., :3] * light[0]
    rgb = rgb + light[1] * rgb * (1 - rgb)
    part[:] = np.clip(part * (1 - cover) + rgb * 255 * np.where(cover > 0, cover, 0), 0, 255)


def _before(
    canvas: NDArray[np.uint8], eye: Eye, bed: _Bed, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Lay a few heads and blades right before the lens over the picture, wholly out of focus."""
    front = canvas.copy()
    z = 0.95
    for _ in range(int(rng.integers(2, 5))):
        made, size, _tall, upright = bed.heads[int(rng.integers(len(bed.heads)))]
        side = float(rng.choice([-1, 1])) * rng.uniform(0.28, 0.52)
        at = (eye.width * (0.5 + side), eye.height * float(rng.uniform(0.86, 1.04)))
        _stamp(
            front, made, (*at, size * eye.focal / z), upright, (bed.light * 0.95, bed.through), rng
        )
    changed = (np.abs(front.astype(np.int16) - canvas).max(2) > 3).astype(np.float32)
    blur = 0.016 * eye.focal
    cover = np.clip(soft(changed, blur) * 1.25, 0, 1)[..., None]
    colour = soft(front.astype(np.float32) * changed[..., None], blur)
    colour = colour / np.maximum(soft(changed, blur), 0.02)[..., None]
    return np.clip(canvas + (colour - canvas) * cover, 0, 255).astype(np.uint8)


def _aired(rgb: FloatArray, scene: Scene, eye: Eye, rng: np.random.Generator) -> FloatArray:
    """Veil the distance in fog, let pollen float in the light, or rain and snow fall."""
    rows = np.arange(eye.height, dtype=np.float32)[:, None]
    if scene.weather == "fog":
        thick = 0.75 * np.exp(-np.abs(rows - eye.horizon) / (0.22 * eye.height))[..., None]
        rgb = rgb + (rgb[int(eye.horizon) - 1].mean(0) * 1.02 - rgb) * thick
    if scene.time in ("golden", "sunrise", "sunset") and scene.weather in ("clear", "cloudy"):
        spots = np.zeros(rgb.shape[:2], np.float32)
        for _ in range(90):
            y = int(np.clip(rng.normal(0.5, 0.2), 0, 0.99) * eye.height)
            spots[y, int(rng.integers(eye.width))] += rng.uniform(0.2, 1)
        scale = max(0.5, unit(rgb.shape))
        motes = soft(spots, 1.6 * scale) * 11 * scale**2 + soft(spots, 5 * scale) * 40 * scale**2
        rgb = rgb + np.array([1.0, 0.9, 0.65], np.float32) * np.clip(motes, 0, 0.8)[..., None] * (
            1 - rgb
        )
    if scene.moment is not None:
        return rgb
    if scene.weather in ("rain", "storm"):
        return rainfall(rgb, scene.seed, 0.45)
    return snowfall(rgb, scene.seed, 0.4) if scene.weather == "snow" else rgb
