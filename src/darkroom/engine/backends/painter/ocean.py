"""The ocean's waves as a tile that repeats: their height and slopes, sharp and ever softer."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from darkroom.engine.backends.painter import noise
from darkroom.engine.backends.painter.noise import FloatArray


@functools.lru_cache(maxsize=2)
def tile(seed: int, count: int = 512) -> FloatArray:
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


class Levels(msgspec.Struct, frozen=True):
    """The ocean's tile at ever half its size, down to nothing: all below each other in one `sheet`
    (rows, columns, 4; the last is not used), each with its first row and column again at its end,
    so that one look-up serves rows of all levels.

    Of each: its `size` in pixels, its `first` row, and the `power` of its slopes; (count,).
    """

    sheet: FloatArray
    size: FloatArray
    first: FloatArray
    power: FloatArray

    def sampled(
        self, u: FloatArray, v: FloatArray, wanted: FloatArray
    ) -> tuple[Sequence[FloatArray], FloatArray]:
        """Returns the tile's three values at (u, v), rows from two levels about `wanted` (rows,),
        and the power lost (rows, 1); `u` and `v` are used up."""
        last = len(self.size) - 1
        floor = np.minimum(wanted.astype(int), last - 1)
        share = np.minimum(wanted - floor, 1.0)[:, None].astype(np.float32)
        u -= np.floor(u)
        v -= np.floor(v)

        def at(level: NDArray[np.int64], rows: slice) -> FloatArray:
            size = self.size[level[rows]]
            x, y = u[rows] * size, v[rows] * size
            y += self.first[level[rows]]
            return np.asarray(cv2.remap(self.sheet, x, y, cv2.INTER_LINEAR))

        wave = at(floor, np.s_[:])
        # Near by, the finest level is enough.
        mixed = np.flatnonzero(share)
        if mixed.size:
            rows = slice(int(mixed[0]), int(mixed[-1]) + 1)
            coarse = at(floor + 1, rows)
            coarse -= wave[rows]
            coarse *= share[rows, :, None]
            wave[rows] += coarse
        kept = self.power[floor] * (1 - share) + self.power[floor + 1] * share
        height, right, ahead, _ = (np.asarray(one, np.float32) for one in cv2.split(wave))
        return (height, right, ahead), np.asarray(self.power[0] - kept, np.float32)


@functools.lru_cache(maxsize=2)
def levels(seed: int) -> Levels:
    """Returns the levels of `tile`."""
    tiles = [tile(seed)]
    while tiles[-1].shape[0] > 16:
        soft = cv2.GaussianBlur(
            cv2.copyMakeBorder(tiles[-1], 4, 4, 4, 4, cv2.BORDER_WRAP), (0, 0), 0.9
        )
        tiles.append(np.ascontiguousarray(soft[4:-4:2, 4:-4:2]))
    tiles.append(np.zeros((2, 2, 3), np.float32))
    size = np.array([len(one) for one in tiles])
    first = np.cumsum(size + 1) - size - 1
    sheet = np.zeros((int(first[-1] + size[-1] + 1), int(size[0]) + 1, 4), np.float32)
    for one, row in zip(tiles, first, strict=True):
        count = len(one) + 1
        sheet[row : row + count, :count, :3] = np.pad(one, ((0, 1), (0, 1), (0, 0)), "wrap")
    power = [float((one[..., 1:] ** 2).mean()) for one in tiles]
    return Levels(sheet, *(np.array(one, np.float32)[:, None] for one in (size, first, power)))
