"""The sea in perspective: real wave shapes, the sky mirrored in them, the sun's road of glitter."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from darkroom.engine.backends.painter import light, noise, relief
from darkroom.engine.backends.painter.beach import add_beach
from darkroom.engine.backends.painter.figures import add_figures
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.scene import Progress, Scene
from darkroom.engine.backends.painter.sky import Sky, sky
from darkroom.engine.backends.painter.survey import Survey
from darkroom.engine.backends.painter.view import View
from darkroom.engine.backends.painter.weather import add_weather

# Scales (metres a tile spans) and turns of the wave layers; each is the same tile seen anew.
_LAYERS = ((74.0, 0.0, 1.0), (27.0, 0.5, 0.8), (9.3, -0.4, 0.75), (3.1, 0.9, 0.65))


@dataclass(frozen=True, slots=True)
class Water:
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


@functools.lru_cache(maxsize=2)
def ocean_tile(seed: int, count: int = 512) -> FloatArray:
    """Returns a seamless tile (count, count, 3): wave height, deviation 1, and its two slopes.

    A directional wind-sea spectrum summed by inverse FFT, its crests sharpened by drawing the
    water towards them: J. Tessendorf, "Simulating Ocean Water", 2001.
    """
    rng = np.random.default_rng(seed + 71)
    k = np.fft.fftfreq(count, 1.0 / count)
    kx, kz = np.meshgrid(k, k)
    size = np.hypot(kx, kz)
    size[0, 0] = 1.0
    wind = rng.uniform(1.2, 1.9)
    along = (kx * np.cos(wind) + kz * np.sin(wind)) / size
    power = (
        np.exp(-((4.5 / size) ** 2)) / size**3.9 * (0.03 + along**6) * np.exp(-((size / 150) ** 2))
    )
    power[0, 0] = 0.0
    spectrum = np.sqrt(power) * (
        rng.standard_normal((count, count)) + 1j * rng.standard_normal((count, count))
    )
    height = np.real(np.fft.ifft2(spectrum))
    scale = 1.0 / height.std()
    pull_x = np.real(np.fft.ifft2(1j * kx / size * spectrum)) * scale
    pull_z = np.real(np.fft.ifft2(1j * kz / size * spectrum)) * scale
    grid = np.arange(count, dtype=np.float32) / count
    u, v = np.meshgrid(grid, grid)
    reach = 0.014
    sharp = noise.sample(
        (height * scale).astype(np.float32),
        (u + reach * pull_x).astype(np.float32),
        (v + reach * pull_z).astype(np.float32),
    )
    padded = np.pad(sharp, 1, mode="wrap")
    slope_x = (padded[1:-1, 2:] - padded[1:-1, :-2]) * (count / 2)
    slope_z = (padded[2:, 1:-1] - padded[:-2, 1:-1]) * (count / 2)
    return np.ascontiguousarray(np.stack([sharp, slope_x, slope_z], axis=2).astype(np.float32))


@functools.lru_cache(maxsize=2)
def ocean_levels(seed: int) -> tuple[list[FloatArray], list[float]]:
    """Returns the tile at ever half its size, down to nothing, and the power of each's slopes."""
    levels = [ocean_tile(seed)]
    while levels[-1].shape[0] > 16:
        soft = cv2.GaussianBlur(
            cv2.copyMakeBorder(levels[-1], 4, 4, 4, 4, cv2.BORDER_WRAP), (0, 0), 0.9
        )
        levels.append(np.ascontiguousarray(soft[4:-4:2, 4:-4:2]))
    power = [float((level[..., 1:] ** 2).mean()) for level in levels] + [0.0]
    return [*levels, np.zeros((2, 2, 3), np.float32)], power


def paint_water(picture: FloatArray, view: View, above: Sky, water: Water, seed: int) -> None:
    """Paints the sea into `picture` (scene light, in place) from the horizon down."""
    right, _ = view.rays()
    seen, first, skyline = _seen(ocean_tile(seed), view, water)
    rows = view.height - max(first, int(view.horizon) - 1)
    depth = seen[-rows:]
    top = view.height - rows
    plane = (
        view.focal * water.eye / np.maximum(np.arange(top, view.height) + 0.5 - view.horizon, 0.12)
    )
    depth = np.where(np.isfinite(depth), depth, plane[:, None].astype(np.float32))
    depth = np.minimum(depth, np.float32(40000.0))
    shaded = _shaded(seed, view, above, water, (depth, top, right))
    cover = np.clip(np.arange(top, view.height) + 1.0 - view.horizon, 0, 1)[:, None]
    cover = np.maximum(
        cover, np.clip(np.arange(top, view.height)[:, None] + 1.0 - skyline[None], 0, 1)
    )
    cover = cover[..., None].astype(np.float32)
    picture[top:] = picture[top:] * (1 - cover) + shaded * cover


def _seen(tile: FloatArray, view: View, water: Water) -> tuple[FloatArray, int, FloatArray]:
    """Returns how far off (rows, columns) the water is that pixels see, inf where none, the row
    that this begins at, and the skyline (columns,)."""
    if water.is_flat:
        top = min(view.height - 1, max(0, int(view.horizon) - 1))
        skyline = np.full(view.width, view.horizon, np.float32)
        return np.full((view.height - top, view.width), np.inf, np.float32), top, skyline
    depths = relief.slices(water.eye * 0.9, 900.0, 420)
    coarse, _ = view.rays(max(1.0, view.width / 960))
    ahead = np.repeat(depths[:, None], coarse.shape[1], 1)
    lifted = cv2.resize(_heights(tile, coarse * ahead, ahead, water), (view.width, len(depths)))
    hits = relief.march(view, np.asarray(lifted, np.float32), depths, water.eye)
    return hits.depth, hits.top, hits.skyline


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
    """Returns slopes right and ahead, the height, and the variance of slope too fine to see."""
    slope_x, slope_z, lift, hidden = (np.zeros(x.shape, np.float32) for _ in range(4))
    levels, power = ocean_levels(seed)
    for layer in _LAYERS:
        span, _, weight = layer
        u, v, c, s = water.placed(x, z, layer)
        amount = np.float32(water.wave * weight / 74.0)
        wanted = np.log2(np.maximum(foot.mean(axis=1) * (len(levels[0]) / span), 1.0))
        wave, lost = _levelled(levels, power, u, v, np.minimum(wanted, len(levels) - 1.0))
        slope_x += (wave[..., 1] * np.float32(c) - wave[..., 2] * np.float32(s)) * amount
        slope_z += (wave[..., 1] * np.float32(s) + wave[..., 2] * np.float32(c)) * amount
        if span > 20:
            lift += wave[..., 0] * np.float32(span) * amount
        hidden += (lost * amount * amount)[:, None]
    return slope_x, slope_z, lift, hidden


def _levelled(
    levels: list[FloatArray], power: list[float], u: FloatArray, v: FloatArray, wanted: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Returns the tile at (u, v), rows from two levels about `wanted`, and the power lost."""
    out = np.empty((*u.shape, 3), np.float32)
    lost = np.empty(len(wanted), np.float32)
    floor = np.minimum(np.floor(wanted).astype(int), len(levels) - 2)
    for level in np.unique(floor):
        rows = np.flatnonzero(floor == level)
        part = slice(rows[0], rows[-1] + 1)
        share = (wanted[part] - level).astype(np.float32)
        fine, coarse = (noise.sample(levels[at], u[part], v[part]) for at in (level, level + 1))
        out[part] = fine + (coarse - fine) * share[:, None, None]
        kept = power[level] * (1 - share) + power[level + 1] * share
        lost[part] = power[0] - kept
    return out, lost


def _shaded(
    seed: int, view: View, above: Sky, water: Water, seen: tuple[FloatArray, int, FloatArray]
) -> FloatArray:
    """Returns scene light (rows, columns, 3) of the water that pixels see."""
    depth, top, right = seen
    x = right * depth
    foot = depth * depth / np.float32(view.focal * water.eye) * 0.3 + depth / np.float32(view.focal)
    slope_x, slope_z, lift, hidden = _slopes(seed, x, depth, water, foot)
    rows = np.arange(top, view.height, dtype=np.float32)[:, None] + 0.5
    down = np.minimum(np.float32(view.horizon) - rows, -0.3) / np.float32(view.focal)
    length = np.sqrt(1.0 + right * right + down * down)
    dx, dy, dz = right / length, down / length, 1.0 / length
    size = 1.0 / np.sqrt(1.0 + slope_x * slope_x + slope_z * slope_z)
    facing = -(dx * -slope_x + dy - dz * slope_z) * size
    facing = np.maximum(facing, 0.02)
    # Unresolved waves lean towards the eye: the far sea mirrors the higher sky.
    lean = np.sqrt(hidden + 0.0008)
    rx = dx - 2 * facing * slope_x * size
    ry = np.abs(dy + 2 * facing * size) + lean * 0.9
    rz = np.maximum(dz - 2 * facing * slope_z * size, 0.12)
    mirror = _mirrored(view, above, rx / rz, ry / rz)
    bare = 1.0 - np.minimum(facing + lean * 0.55, 1.0)
    fresnel = (0.02 + 0.98 * bare**5)[..., None]
    crest = np.clip(lift / max(water.wave, 0.01) - 0.4, 0, 2.0) * np.clip(1.2 - depth / 60.0, 0, 1)
    body = water.body * (1.0 + 0.7 * crest)[..., None]
    out = mirror * fresnel + body * (1 - fresnel)
    out += _glitter(above, (dx, dy, dz), (slope_x, slope_z), hidden, facing)
    if water.foam:
        out = _foamed(out, above, water, (lift, x, depth), ocean_tile(seed))
    haze = np.clip(np.exp(-130.0 * (-down) ** 0.9) * 0.8, 0, 1)[..., None]
    line = above.linear[min(max(int(view.horizon) - 2, 0), view.height - 1)][None]
    return np.asarray(out * (1 - haze) + line * haze, np.float32)


def _mirrored(view: View, above: Sky, right: FloatArray, up: FloatArray) -> FloatArray:
    """Returns the sky's light along directions, from a small soft copy of the sky."""
    limit = max(1, int(view.horizon))
    upper = np.minimum(above.linear[:limit], 3.0)
    small = cv2.resize(
        upper, (max(2, view.width // 4), max(2, limit // 4)), interpolation=cv2.INTER_AREA
    )
    small = cv2.GaussianBlur(small, (0, 0), 1.0 + 0.012 * small.shape[1])
    x = (right * np.float32(view.focal) + np.float32(view.width / 2)) * np.float32(
        small.shape[1] / view.width
    ) - 0.5
    y = (np.float32(view.horizon) - up * np.float32(view.focal)) * np.float32(
        small.shape[0] / limit
    ) - 0.5
    y = np.maximum(y, 0.0).astype(np.float32)
    return np.asarray(
        cv2.remap(
            small, x.astype(np.float32), y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
    )


def _glitter(
    above: Sky,
    ray: tuple[FloatArray, FloatArray, FloatArray],
    slope: tuple[FloatArray, FloatArray],
    hidden: FloatArray,
    facing: FloatArray,
) -> FloatArray:
    """Returns the sun's light off the waves: how many facets of a pixel's share stand just right.

    Slopes are normally distributed: C. Cox and W. Munk, "Measurement of the roughness of the sea
    surface from photographs of the sun's glitter", 1954.
    """
    lx, ly, lz = above.sun_direction
    ly = max(ly, 0.02)
    hx, hy, hz = lx - ray[0], ly - ray[1], lz - ray[2]
    need_x, need_z = -hx / hy, -hz / hy
    off = (slope[0] - need_x) ** 2 + (slope[1] - need_z) ** 2 * 0.6
    chance = np.zeros(off.shape, np.float32)
    # Sharp sparks, and the broad shimmer of ripples finer than any layer.
    for ripple, weight in ((0.0012, 0.6), (0.012, 0.8)):
        spread = hidden + np.float32(ripple)
        chance += cv2.exp(-off / (2 * spread)) / spread * np.float32(weight / (2 * np.pi))
    bare = 1.0 - np.clip((lx * hx + ly * hy + lz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz), 0, 1)
    fresnel = 0.02 + 0.98 * bare**5
    amount = np.minimum(chance * fresnel / (4 * facing + 0.08) * np.float32(0.8), 5.0)
    return amount[..., None] * (above.sun_light * np.array((1.0, 0.82, 0.54), np.float32))


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
