"""What land is made of and how light falls on it: rock, grass, trees, snow, sand, wheat."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.painter import noise
from darkroom.engine.backends.painter.ground import Surface, step
from darkroom.engine.backends.painter.noise import FloatArray, Numbers
from darkroom.engine.backends.painter.sky import Sky

# Metres matter: a tree is 0.02 km tall.
_TREE = 0.019
_STALK = np.float32(0.00095)
_MAP = 512

# x, z, height, slopes along x and z, the pixel's size, how far over the ground it is; km.
Place = tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]


class Cover(msgspec.Struct, frozen=True):
    """What grows and lies on the land: `kind` alpine, sand or field; snow above `snow` km.

    `tile` is the noise all textures are cut from, `spires` a tile of pointed trees.
    """

    kind: str
    snow: float
    season: str
    wheat: bool
    tile: FloatArray
    spires: FloatArray

    def trees(self, height: Numbers, steep: Numbers, patch: Numbers) -> FloatArray:
        """Returns how much forest stands there, 0..1."""
        if self.kind != "alpine":
            return np.zeros(height.shape, np.float32)
        line = 1.0 - step(0.38, 0.62, height + 0.08 * patch)
        place = (
            (1.0 - step(0.75, 1.15, steep)) * step(0.006, 0.016, height) * step(-0.75, -0.1, patch)
        )
        return np.asarray(line * place, np.float32)

    def canopy(self, x: Numbers, z: Numbers) -> FloatArray:
        """Returns how tall the forest is there, 0..1."""
        return noise.sample(self.spires, x / 0.6, z / 0.6)

    def growth(self, x: Numbers, z: Numbers, height: Numbers, steep: Numbers) -> FloatArray:
        """Returns how much the trees raise the land, km; near ones are left to sprites."""
        if self.kind == "field":
            # Each slice of depth is a row of stalks.
            row = np.arange(len(z), dtype=np.float32)[:, None] * np.float32(0.137) + np.zeros_like(
                x
            )
            ears = noise.sample(self.spires, x / np.float32(0.0016) + row * 3.1, row)
            sway = noise.sample(self.tile, x / 0.4, z / 0.4)
            return np.asarray(
                _STALK * (0.62 + 0.38 * ears + 0.08 * sway) * (1.0 - step(0.3, 0.8, z)), np.float32
            )
        if self.kind != "alpine":
            return np.zeros(height.shape, np.float32)
        patch = noise.sample(self.tile, x / 14.0, z / 14.0)
        forest = self.trees(height, steep, patch) * step(0.9, 1.5, z)
        return np.asarray(forest * self.canopy(x, z) * np.float32(_TREE), np.float32)


def cover(kind: str, snow: float, season: str, seed: int, wheat: bool) -> Cover:
    """Returns a cover with its textures made from the seed."""
    tile = noise.bands((512, 512), seed + 141, (16, 16))
    return Cover(kind, snow, season, wheat, tile, cones(seed))


def cones(seed: int, size: int = 512, cells: int = 52) -> FloatArray:
    """Returns a seamless tile 0..1 (size, size) of pointed spires, one in each jittered cell."""
    rng = np.random.default_rng(seed + 151)
    at = (
        np.indices((cells, cells)).astype(np.float32)
        + 0.5
        + 0.45 * rng.uniform(-1, 1, (2, cells, cells))
    ).astype(np.float32)
    tall = rng.uniform(0.45, 1.0, (cells, cells)).astype(np.float32)
    pixel = (np.arange(size, dtype=np.float32) + 0.5) * np.float32(cells / size)
    gy, gx = np.meshgrid(pixel, pixel, indexing="ij")
    cy, cx = gy.astype(int), gx.astype(int)
    best = np.zeros((size, size), np.float32)
    for oy in (-1, 0, 1):
        for ox in (-1, 0, 1):
            iy, ix = (cy + oy) % cells, (cx + ox) % cells
            dy, dx = gy - (at[0][iy, ix] + (cy + oy - iy)), gx - (at[1][iy, ix] + (cx + ox - ix))
            best = np.maximum(best, tall[iy, ix] * (1.0 - 1.35 * np.sqrt(dx * dx + dy * dy)))
    return np.asarray(np.clip(best, 0.0, 1.0), np.float32)


class Sunlit(msgspec.Struct, frozen=True):
    """Maps over the land (z rows, x columns): how high the shadows reach, and the mean height."""

    shadow: FloatArray
    broad: FloatArray
    half: float
    far: float

    def at(self, grid: FloatArray, x: Numbers, z: Numbers) -> FloatArray:
        """Returns a map's values at places."""
        u = (x / np.float32(2 * self.half) + 0.5) * np.float32(_MAP) - 0.5
        v = z / np.float32(self.far) * np.float32(_MAP) - 0.5
        return np.asarray(cv2.remap(grid, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def sunlit(surface: Surface, above: Sky, far: float) -> Sunlit:
    """Returns where shadows reach, by shifted maxima with doubling steps over a coarse map."""
    half = far * 0.8
    x = (np.arange(_MAP, dtype=np.float32) + 0.5) / _MAP * np.float32(2 * half) - np.float32(half)
    z = (np.arange(_MAP, dtype=np.float32) + 0.5) / _MAP * np.float32(far)
    gx, gz = np.meshgrid(x, z)
    height = surface(gx, gz, np.full_like(gx, np.float32(far / _MAP)))[0]
    lx, ly, lz = above.sun_direction
    flat = max((lx * lx + lz * lz) ** 0.5, 0.05)
    drop = max(ly, 0.05) / flat
    unit = far / _MAP * 1.2
    reach = height.copy()
    for power in range(8):
        length = unit * 2**power
        move_x, move_z = lx / flat * length / (2 * half) * _MAP, lz / flat * length / far * _MAP
        shift = np.array([[1, 0, move_x], [0, 1, move_z]], np.float32)
        moved = cv2.warpAffine(
            reach, shift, (_MAP, _MAP), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT, borderValue=-9.0,
        )  # fmt: skip
        reach = np.maximum(reach, moved - np.float32(length * drop))
    broad = np.asarray(cv2.GaussianBlur(height, (0, 0), 7.0), np.float32)
    soft = np.asarray(cv2.GaussianBlur(reach, (0, 0), 0.8), np.float32)
    return Sunlit(soft, broad, half, far)


def lit_ground(cover: Cover, shadows: Sunlit, above: Sky, place: Place) -> FloatArray:
    """Returns scene light (rows, columns, 3) leaving the ground towards the eye."""
    x, z, height, slope_x, slope_z, foot, _ = place
    tile = cover.tile
    fine = noise.layered(tile, x / 0.9, z / 0.9, 6, foot / np.float32(0.9), 0.7)
    patch = noise.sample(tile, x / 14.0, z / 14.0)
    colour, bump = {"sand": _sand, "field": _field}.get(cover.kind, _alpine)(
        cover, place, fine, patch
    )
    rough = foot / np.float32(0.23)
    gx = slope_x + bump * noise.layered(tile, x / 0.23, z / 0.23 + 0.3, 5, rough, 0.8)
    gz = slope_z + bump * noise.layered(tile, x / 0.23 + 0.5, z / 0.23, 5, rough, 0.8)
    size = 1.0 / np.sqrt(1.0 + gx * gx + gz * gz)
    lx, ly, lz = above.sun_direction
    ly = max(ly, 0.06)
    facing = np.clip((ly - lx * gx - lz * gz) * size, 0.0, 1.0)
    excess = shadows.at(shadows.shadow, x, z) - height
    open_ = 1.0 - np.clip(excess / np.float32(0.035) - 0.25, 0.0, 1.0)
    hollow = np.clip(0.5 + (height - shadows.at(shadows.broad, x, z)) * 1.6, 0.0, 1.0)
    occlusion = (0.55 + 0.45 * hollow) * (0.55 + 0.45 * size)
    sun = (facing * open_)[..., None] * above.sun_light * np.float32(1.15)
    back = np.clip(0.35 - 0.5 * (lx * gx + lz * gz) * size, 0.1, 0.8)[..., None]
    # Shadows see the blue of the high sky more than the warm horizon.
    grey = 0.45 * float(above.air_light.mean())
    shade = (above.air_light * 0.55 + grey) * np.array((0.86, 0.98, 1.18), np.float32)
    sky_part = (shade * (0.62 * occlusion)[..., None]).astype(np.float32)
    bounce = above.haze * (0.22 * (1.0 - size) * back[..., 0])[..., None]
    return np.asarray(colour * (sun + sky_part + bounce), np.float32)


def _mix(
    a: FloatArray, b: tuple[float, float, float] | FloatArray, share: FloatArray
) -> FloatArray:
    return np.asarray(a + (np.asarray(b, np.float32) - a) * share[..., None], np.float32)


_GREENS = {
    "spring": ((0.13, 0.20, 0.045), (0.035, 0.070, 0.022)),
    "summer": ((0.12, 0.165, 0.045), (0.026, 0.052, 0.020)),
    "autumn": ((0.25, 0.17, 0.055), (0.20, 0.085, 0.022)),
    "winter": ((0.20, 0.17, 0.11), (0.016, 0.026, 0.021)),
}


def _alpine(
    cover: Cover, place: Place, fine: FloatArray, patch: Numbers
) -> tuple[FloatArray, FloatArray]:
    x, z, height, slope_x, slope_z, _, _ = place
    steep = np.hypot(slope_x, slope_z)
    tile = cover.tile
    strata = noise.sample(tile, x / 9.0, height * np.float32(1.6) + 0.03 * patch)
    rock = (
        np.array((0.20, 0.175, 0.155), np.float32) * (1.0 + 0.22 * strata + 0.20 * fine)[..., None]
    )
    grass, wood = _GREENS[cover.season]
    turf = np.array(grass, np.float32) * (1.0 + 0.22 * fine + 0.15 * patch)[..., None]
    green = (1.0 - step(0.55, 0.95, steep + 0.16 * fine)) * (
        1.0 - step(0.65, 1.0, height + 0.12 * patch)
    )
    colour = _mix(rock, turf, green)
    forest = cover.trees(height, steep, patch) * step(0.7, 1.4, z)
    spire = cover.canopy(x, z)
    leaf = (
        np.array(wood, np.float32) * (0.35 + 1.3 * spire + 0.25 * np.clip(fine, -1, 2))[..., None]
    )
    if cover.season == "autumn":
        hue = np.clip(noise.sample(tile, x / 1.9, z / 1.9) * 0.6 + 0.4, 0, 1)
        leaf = _mix(leaf, leaf * np.array((1.5, 1.9, 1.1), np.float32), hue)
        evergreen = np.clip(noise.sample(tile, x / 2.7 + 0.4, z / 2.7) * 2 - 0.6, 0, 1)
        leaf = _mix(
            leaf, np.array((0.03, 0.055, 0.022), np.float32) * (0.4 + spire)[..., None], evergreen
        )
    colour = _mix(colour, leaf, forest)
    shore = 1.0 - step(0.004, 0.014, height)
    pebbles = np.array((0.21, 0.19, 0.165), np.float32) * (1.0 + 0.3 * fine)[..., None]
    colour = _mix(colour, pebbles, shore)
    line = np.float32(cover.snow) + 0.10 * patch
    lie = step(-0.16, 0.16, height + 0.05 * fine - line) * (
        1.0 - step(0.85, 1.35, steep + 0.18 * fine)
    )
    lie = lie * (1.0 - forest * (0.9 - 0.35 * spire))
    colour = _mix(colour, (0.70, 0.73, 0.78), np.clip(lie, 0, 1))
    bump = 0.07 + 0.13 * (1.0 - green) * (1.0 - lie * 0.8) + 0.35 * forest
    return colour, np.asarray(bump, np.float32)


def _sand(
    cover: Cover, place: Place, fine: FloatArray, patch: Numbers
) -> tuple[FloatArray, FloatArray]:
    tone = np.array((0.60, 0.36, 0.17), np.float32)
    colour = tone * (1.0 + 0.05 * fine + 0.05 * patch)[..., None]
    return np.asarray(colour, np.float32), np.full(fine.shape, 0.012, np.float32)


def _field(
    cover: Cover, place: Place, fine: FloatArray, patch: Numbers
) -> tuple[FloatArray, FloatArray]:
    x, z, _, _, _, foot, over = place
    tile = cover.tile
    grass, wood = _GREENS[cover.season]
    base = np.array((0.42, 0.28, 0.085) if cover.wheat else grass, np.float32)
    near = 1.0 - step(0.02, 0.25, z)
    row = np.log(z) * np.float32(2.0)
    stalk = noise.layered(tile, x / np.float32(0.012), row, 4, foot / np.float32(0.012), 0.9)
    up = np.clip(over / _STALK, 0.0, 1.1)
    tip = (
        np.array((1.15, 1.05, 0.8), np.float32)
        if cover.wheat
        else np.array((1.1, 1.15, 0.8), np.float32)
    )
    colour = base * (1.0 + (tip - 1.0) * step(0.6, 1.0, up)[..., None])
    colour = colour * ((0.16 + 1.0 * up**1.3) * near + (1.0 - near) * 0.85)[..., None]
    wind = noise.layered(tile, x / 0.5, z / 1.3, 4, foot / np.float32(0.5), 0.6)
    colour = (
        colour
        * np.clip(1.0 + 0.28 * stalk * near + 0.08 * fine + 0.10 * patch + 0.12 * wind, 0.2, 2.0)[
            ..., None
        ]
    )
    # Beyond the first field the land is parcelled: other crops, hedges, woods.
    parcel = noise.sample(tile, np.floor(x * 1.6 + 0.35 * z) / 37.0, np.floor(z * 1.1) / 23.0)
    other = _mix(
        np.broadcast_to(np.array(grass, np.float32), colour.shape).copy(),
        (0.36, 0.27, 0.10),
        np.clip(parcel, 0, 1),
    )
    colour = _mix(colour, other * (1.0 + 0.12 * fine)[..., None], step(0.9, 1.5, z))
    hedge = step(0.55, 0.9, noise.layered(tile, x / 7.0, z / 7.0, 4) * 0.7) * step(0.9, 1.4, z)
    colour = _mix(colour, np.array(wood, np.float32) * (1 + 0.3 * fine)[..., None], hedge)
    return np.asarray(colour, np.float32), np.full(fine.shape, 0.12, np.float32)
