"""The sea in perspective: real wave shapes, the sky mirrored in them, the sun's road of glitter."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.painter import light, noise, ocean, relief
from darkroom.engine.backends.painter.beach import add_beach
from darkroom.engine.backends.painter.figures import add_figures
from darkroom.engine.backends.painter.noise import FloatArray, Numbers
from darkroom.engine.backends.painter.scene import Progress, Scene
from darkroom.engine.backends.painter.sky import Sky, sky
from darkroom.engine.backends.painter.survey import Survey
from darkroom.engine.backends.painter.view import Part, View
from darkroom.engine.backends.painter.weather import add_weather

# Scales (metres a tile spans) and turns of the wave layers; each is the same tile seen anew.
_LAYERS = ((74.0, 0.0, 1.0), (27.0, 0.5, 0.8), (9.3, -0.4, 0.75), (3.1, 0.9, 0.65))


class Water(msgspec.Struct, frozen=True):
    """How the sea moves and looks: wave height in metres, its own colour (3,), foam 0..1."""

    wave: float
    body: FloatArray
    foam: float
    eye: float
    at: tuple[float, float] = (0.0, 0.0)  # where the eye stands over it, metres right and ahead
    moment: float = 0.0  # seconds that the waves have run
    is_flat: bool = False  # whether waves only shine, too low to hide each other

    def placed(
        self, x: FloatArray, z: FloatArray, layer: tuple[float, float, float]
    ) -> tuple[FloatArray, FloatArray, float, float]:
        """Returns where a layer's tile shows at (x, z), metres from the eye, and its turn.

        Waves as long as a sixth of the tile run towards the eye at their speed in deep water.
        """
        span, turn, _ = layer
        c, s = float(np.cos(turn)), float(np.sin(turn))
        x, z = x + np.float32(self.at[0]), z + np.float32(self.at[1])
        u = (x * np.float32(c) + z * np.float32(s)) / np.float32(span)
        v = (z * np.float32(c) - x * np.float32(s)) / np.float32(span)
        run = 1.25 * (span / 6.0) ** 0.5 * self.moment / span
        return np.asarray(u + span * 0.013, np.float32), np.asarray(v + run, np.float32), c, s


def sea(
    scene: Scene, width: int, height: int, progress: Progress, survey: Survey | None = None
) -> FloatArray:
    """Returns display RGB 0..1 (height, width, 3) of a sea under the scene's sky."""
    line = horizon(scene)
    view = View(width, height, line * height)
    above = sky(scene, width, height, line)
    progress(0.4)
    picture = above.linear.copy()
    water = water_of(scene, above)
    paint_water(picture, view, above, water, scene.seed)
    progress(0.8)
    if survey:
        plane = (np.arange(height, dtype=np.float32)[:, None] + 0.5 - np.float32(view.horizon)) / (
            np.float32(view.focal * water.eye)
        )
        survey.line = line
        survey.near = np.repeat(np.maximum(plane, 0.0), width, axis=1)
        shore = 0.8 if "beach" in scene.extras else 1.0
        survey.water = (survey.near > 0).astype(np.float32)
        survey.water[int(shore * height) :] = 0.0
    if "beach" in scene.extras:
        add_beach(picture, above, scene)
    add_figures(picture, view, above, scene)
    add_weather(picture, view, above, scene)
    progress(0.95)
    return light.to_display(np.maximum(picture, 0.0))


def horizon(scene: Scene) -> float:
    """Returns how far down the picture the sea begins, 0..1."""
    if scene.weather == "storm":
        return 0.48
    return 0.56 + 0.06 * ((scene.seed * 7919) % 100) / 100


def water_of(scene: Scene, above: Sky) -> Water:
    """Returns how the scene's sea moves and looks under its sky."""
    calm = {"calm": 0.55, "dramatic": 1.5, "dreamy": 0.7}.get(scene.mood, 1.0)
    rough = {"storm": 3.0, "rain": 1.5, "cloudy": 1.1}.get(scene.weather, 1.0)
    deep = {
        "day": (0.020, 0.115, 0.150), "golden": (0.022, 0.095, 0.120),
        "storm": (0.035, 0.075, 0.075),
    }  # fmt: skip
    tone = deep.get("storm" if scene.weather == "storm" else scene.time, (0.016, 0.034, 0.055))
    body = np.array(tone, np.float32) * above.air_light.mean() * 1.2
    if "palm" in scene.extras and scene.time == "day":
        body = np.array((0.03, 0.30, 0.30), np.float32)
    foam = 1.0 if scene.weather == "storm" else 0.0
    eye = 3.6 if scene.weather == "storm" else 2.6
    return Water(0.16 * calm * rough, body, foam, eye, moment=scene.moment or 0.0)


def paint_water(
    picture: FloatArray, view: View, above: Sky, water: Water, seed: int, part: Part | None = None
) -> None:
    """Paints the sea into `picture` (scene light, in place) from the horizon down; where a `part`
    is given, into that alone."""
    part = part or Part.whole(view.width, view.height)
    right = view.rays()[0][:, part.columns]
    hits = None if water.is_flat else _seen(ocean.tile(seed), right, view, water)
    top = max(hits.top if hits else 0, int(view.horizon) - 1, part.rows.start)
    if top >= part.rows.stop:
        return
    lines = np.arange(top, part.rows.stop, dtype=np.float32)[:, None]
    depth = np.float32(view.focal * water.eye) / np.maximum(lines + 0.5 - view.horizon, 0.12)
    cover = np.clip(lines + 1.0 - view.horizon, 0, 1)
    if hits:
        seen = hits.depth[top - hits.top : part.rows.stop - hits.top]
        depth = np.where(np.isfinite(seen), seen, depth)
        cover = np.maximum(cover, np.clip(lines + 1.0 - hits.skyline[None], 0, 1))
    depth = np.minimum(depth, np.float32(40000.0))
    seen_water = (np.asarray(depth, np.float32), top, right)
    shaded = _shaded(seed, view, above, water, seen_water, part)
    painted = picture[top : part.rows.stop, part.columns]
    # Only about the horizon does what lies behind show.
    edge = np.flatnonzero(cover.min(axis=1) < 1)
    count = int(edge[-1]) + 1 if edge.size else 0
    painted[count:] = shaded[count:]
    painted[:count] += (shaded[:count] - painted[:count]) * cover[:count, :, None]


def _seen(tile: FloatArray, right: FloatArray, view: View, water: Water) -> relief.Hits:
    """Returns what of waves that hide each other is seen in columns of slopes `right` (1, n)."""
    depths = relief.slices(water.eye * 0.9, 900.0, 420)
    count = max(1, round(right.shape[1] / max(1.0, view.width / 960)))
    coarse = cv2.resize(right, (count, 1), interpolation=cv2.INTER_AREA)
    ahead = np.repeat(depths[:, None], count, 1)
    lifted = _heights(tile, coarse * ahead, ahead, water)
    whole = cv2.resize(lifted, (right.shape[1], len(depths)))
    return relief.march(view, np.asarray(whole, np.float32), depths, water.eye)


def _heights(tile: FloatArray, x: FloatArray, z: FloatArray, water: Water) -> FloatArray:
    total = np.zeros(x.shape, np.float32)
    lift = np.ascontiguousarray(tile[..., 0])
    for layer in _LAYERS[:2]:
        u, v, _, _ = water.placed(x, z, layer)
        total += noise.sample(lift, u, v) * np.float32(water.wave * layer[0] / 74.0 * layer[2])
    return total * np.exp(-z / np.float32(500.0))


def _slopes(
    seed: int, x: FloatArray, z: FloatArray, water: Water, foot: FloatArray
) -> tuple[FloatArray, ...]:
    """Returns slopes right and ahead, the height, and the variance of slope too fine to see (by
    row)."""
    slope_x, slope_z, lift = (np.zeros(x.shape, np.float32) for _ in range(3))
    hidden = np.zeros((len(x), 1), np.float32)
    levels = ocean.levels(seed)
    for layer in _LAYERS:
        span, _, weight = layer
        u, v, c, s = water.placed(x, z, layer)
        amount = water.wave * weight / 74.0
        wanted = np.log2(np.maximum(foot.mean(axis=1) * (levels.size[0] / span), 1.0))
        (raised, wave_x, wave_z), lost = levels.sampled(u, v, wanted)
        across, along = np.float32(c * amount), np.float32(s * amount)
        slope_x += wave_x * across
        slope_x -= wave_z * along
        slope_z += wave_x * along
        slope_z += wave_z * across
        if span > 20:
            raised *= np.float32(span * amount)
            lift += raised
        hidden += lost * np.float32(amount * amount)
    return slope_x, slope_z, lift, hidden


def _shaded(
    seed: int,
    view: View,
    above: Sky,
    water: Water,
    seen: tuple[FloatArray, int, FloatArray],
    part: Part,
) -> FloatArray:
    """Returns scene light (rows, columns, 3) of the water that pixels see: `seen` is how far off
    it is (rows, columns or 1), its first row, and the columns' slopes."""
    depth, top, right = seen
    x = right * depth
    foot = depth * depth / np.float32(view.focal * water.eye) * 0.3 + depth / np.float32(view.focal)
    slope_x, slope_z, lift, hidden = _slopes(seed, x, depth, water, foot)
    rows = np.arange(top, part.rows.stop, dtype=np.float32)[:, None] + 0.5
    down = np.minimum(np.float32(view.horizon) - rows, -0.3) / np.float32(view.focal)
    dz = 1.0 / np.sqrt(1.0 + right * right + down * down)
    dx, dy = right * dz, down * dz
    size = 1.0 / np.sqrt(1.0 + slope_x * slope_x + slope_z * slope_z)
    facing = np.maximum((dx * slope_x - dy + dz * slope_z) * size, 0.02)
    # Unresolved waves lean towards the eye: the far sea mirrors the higher sky.
    lean = np.sqrt(hidden + 0.0008)
    twice = 2 * facing * size
    ahead = 1.0 / np.maximum(dz - twice * slope_z, 0.12)
    upward = np.abs(dy + twice) + lean * 0.9
    mirror = _mirrored(view, above, (dx - twice * slope_x) * ahead, upward * ahead)
    fresnel = _fresnel(np.minimum(facing + lean * 0.55, 1.0))
    crest = np.clip(lift / max(water.wave, 0.01) - 0.4, 0, 2.0) * np.clip(1.2 - depth / 60.0, 0, 1)
    body = (1.0 + 0.7 * crest) * (1.0 - fresnel)
    spark = _glitter(above, (dx, dy, dz), (slope_x, slope_z), hidden, facing)
    sun = above.sun_light * np.array((1.0, 0.82, 0.54), np.float32)
    out = mirror * cv2.merge([fresnel] * 3)
    out += cv2.merge([body * b + spark * s for b, s in zip(water.body, sun, strict=True)])
    if water.foam:
        out = _foamed(out, above, water, (lift, x, depth), ocean.tile(seed))
    haze = np.clip(np.exp(-130.0 * (-down) ** 0.9) * 0.8, 0, 1)
    count = int(np.count_nonzero(haze > 1e-5))
    line = above.linear[min(max(int(view.horizon) - 2, 0), view.height - 1), part.columns]
    out[:count] += (line - out[:count]) * haze[:count, :, None]
    return np.asarray(out, np.float32)


def _fresnel(facing: FloatArray) -> FloatArray:
    """Returns the share of light that water mirrors, by the cosine of the light's angle: Schlick's
    approximation."""
    bare = 1.0 - facing
    twice = bare * bare
    return np.float32(0.02) + np.float32(0.98) * (twice * twice * bare)


def _mirrored(view: View, above: Sky, right: Numbers, up: Numbers) -> FloatArray:
    """Returns the sky's light along directions, from a small soft copy of the sky."""
    limit = max(1, int(view.horizon))
    upper = np.minimum(above.linear[:limit], 3.0)
    small = cv2.resize(
        upper, (max(2, view.width // 4), max(2, limit // 4)), interpolation=cv2.INTER_AREA
    )
    small = cv2.GaussianBlur(small, (0, 0), 1.0 + 0.012 * small.shape[1])
    scale_x, scale_y = small.shape[1] / view.width, small.shape[0] / limit
    x = right * np.float32(view.focal * scale_x) + np.float32(view.width / 2 * scale_x - 0.5)
    y = np.float32(view.horizon * scale_y - 0.5) - up * np.float32(view.focal * scale_y)
    y = np.maximum(y, 0.0)
    # A fourth value makes the look-up quicker.
    wide = cv2.cvtColor(small, cv2.COLOR_RGB2RGBA)
    found = cv2.remap(wide, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_RGBA2RGB))


def _glitter(
    above: Sky,
    ray: tuple[Numbers, Numbers, Numbers],
    slope: tuple[FloatArray, FloatArray],
    hidden: FloatArray,
    facing: FloatArray,
) -> FloatArray:
    """Returns the sun's share that waves send here: how many facets of a pixel stand just right.

    Slopes are normally distributed: C. Cox and W. Munk, "Measurement of the roughness of the sea
    surface from photographs of the sun's glitter", 1954.
    """
    lx, ly, lz = (np.float32(one) for one in above.sun_direction)
    ly = max(ly, np.float32(0.02))
    hx, hy, hz = lx - ray[0], ly - ray[1], lz - ray[2]
    high = 1.0 / hy
    off_x, off_z = slope[0] + hx * high, slope[1] + hz * high
    off = off_x * off_x + off_z * off_z * np.float32(0.6)
    chance = np.zeros(off.shape, np.float32)
    # Sharp sparks, and the broad shimmer of ripples finer than any layer.
    for ripple, weight in ((0.0012, 0.6), (0.012, 0.8)):
        spread = hidden + np.float32(ripple)
        chance += cv2.exp(off * (-0.5 / spread)) * (np.float32(weight / (2 * np.pi)) / spread)
    facet = (lx * hx + ly * hy + lz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz)
    fresnel = _fresnel(np.clip(facet, 0, 1))
    return np.minimum(chance * fresnel / (4 * facing + 0.08) * np.float32(0.8), 5.0)


def _foamed(
    out: FloatArray,
    above: Sky,
    water: Water,
    place: tuple[FloatArray, FloatArray, FloatArray],
    tile: FloatArray,
) -> FloatArray:
    """Returns the water with broken white on the crests and streaks of foam behind them."""
    lift, x, z = place
    grain = noise.kept_bands((512, 512), 7, (16, 16))
    depth_foot = np.minimum(z * z * np.float32(0.00002), 3.0)
    away = np.clip(z / 60.0, 0.0, 1.0)
    x = x + np.float32(water.at[0])
    z = z + np.float32(water.at[1] + 1.6 * water.moment)
    fine = noise.sample(np.ascontiguousarray(tile[..., 0]), x / 2.3, z / 3.1)
    lace = noise.sample(np.ascontiguousarray(tile[..., 0]), x / 11.0 + 0.3, z / 17.0)
    crest = np.clip((lift / water.wave - 1.75 - 0.2 * away + 0.45 * fine * (1 - away)) * 1.5, 0, 1)
    lines = np.clip(1.0 - np.abs(lace + 0.3 * fine) / 0.16, 0, 1)
    streak = lines * np.clip(0.35 + 0.3 * lift / water.wave, 0, 1) * (1 - away) * 0.6
    crest = crest * np.clip(
        0.75 + 0.8 * noise.layered(grain, x / 9.0, z / 9.0, 5, depth_foot, 0.75), 0.05, 1
    )
    white = (above.air_light * 0.85 + above.sun_light * 0.15).astype(np.float32)
    cover = np.clip(0.8 * crest + streak, 0, 0.85)[..., None] * np.float32(water.foam)
    return np.asarray(out * (1 - cover) + white * cover, np.float32)
