"""Where each small piece of a hole is best copied from, and the picture that those copies make."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from darkroom.engine.backends.toolbox.matting import spread
from darkroom.engine.backends.toolbox.salience import Flags, Floats

Whole = npt.NDArray[np.int32]

RADIUS = 3  # pieces are 7 × 7
_LUMA_WAVES, _CHROMA_WAVES = 5, 2
_TRIES = 5
_CONFIDENCE = 1.25  # how much less a pixel counts for each pixel that it lies deeper in the hole


@dataclass(slots=True)
class Layer:
    """A picture at one size: `image` is RGB float32 0..255, its hole filled better and better.

    `targets` are the (row, column) of the pieces that touch the hole, `usable` the middles of
    pieces that may be copied; `stay` weighs how far from their own height pieces may come.
    """

    image: Floats
    hole: Flags
    usable: Flags
    stay: float
    rounds: int
    targets: Whole = field(init=False)
    index: Whole = field(init=False)
    trust: Floats = field(init=False)
    band: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        box = np.ones((2 * RADIUS + 1, 2 * RADIUS + 1), np.uint8)
        near = cv2.dilate(self.hole.astype(np.uint8), box) > 0
        self.targets = np.argwhere(near).astype(np.int32)
        self.index = np.full(self.hole.shape, -1, np.int32)
        self.index[near] = np.arange(len(self.targets))
        depth = cv2.distanceTransform(self.hole.astype(np.uint8), cv2.DIST_L2, 3)
        self.trust = np.power(_CONFIDENCE, -np.minimum(depth, 60)).astype(np.float32)
        rows = np.flatnonzero(self.usable.any(axis=1))
        self.band = (int(rows[0]), int(rows[-1])) if len(rows) else (0, 0)


@dataclass(slots=True)
class Field:
    """For each target of a layer the (row, column) it is copied from, and how unlike the two
    are."""

    source: Whole
    cost: Floats

    @classmethod
    def random(cls, layer: Layer, rng: np.random.Generator) -> Field:
        """A field that points anywhere usable, at the same height where there is something."""
        places = np.argwhere(layer.usable).astype(np.int32)
        picked = places[rng.integers(0, len(places), len(layer.targets))]
        rows = np.clip(layer.targets[:, 0], *layer.band)
        level = np.stack([rows, picked[:, 1]], axis=1)
        fits = layer.usable[level[:, 0], level[:, 1]]
        source = np.where(fits[:, None], level, picked)
        return cls(source, np.full(len(source), np.inf, np.float32))

    @classmethod
    def grown(cls, coarse: Field, below: Layer, layer: Layer) -> Field:
        """The field of the layer below, made larger: neighbours keep copying neighbours."""
        ratio = np.array(layer.hole.shape) / np.array(below.hole.shape)
        cell = np.minimum((layer.targets + 0.5) / ratio, np.array(below.hole.shape) - 1)
        cell = cell.astype(np.int32)
        number = below.index[cell[:, 0], cell[:, 1]]
        shift = np.round((coarse.source[number] - below.targets[number]) * ratio)
        source = layer.targets + shift.astype(np.int32)
        source = np.clip(source, 0, np.array(layer.hole.shape) - 1).astype(np.int32)
        lost = (number < 0) | ~layer.usable[source[:, 0], source[:, 1]]
        if lost.any():
            source[lost] = _nearest_usable(layer, source[lost])
        return cls(source, np.full(len(source), np.inf, np.float32))


def _nearest_usable(layer: Layer, places: Whole) -> Whole:
    """The usable middle closest to each place."""
    closed = (~layer.usable).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(
        closed, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    where = np.zeros((int(labels.max()) + 1, 2), np.int32)
    open_at = np.argwhere(layer.usable)
    where[labels[layer.usable]] = open_at
    return where[labels[places[:, 0], places[:, 1]]]


@cache
def _waves() -> tuple[tuple[int, Floats], ...]:
    """The kernels that describe a piece: (channel, 7 × 7 wave of the discrete cosine transform)."""
    side = 2 * RADIUS + 1
    along = (np.arange(side) + 0.5) * np.pi / side
    rows = [np.cos(k * along) * np.sqrt((2 if k else 1) / side) for k in range(side)]
    kernels = []
    for channel, most in enumerate((_LUMA_WAVES, _CHROMA_WAVES, _CHROMA_WAVES)):
        for u in range(most):
            for v in range(most - u):
                kernels.append((channel, np.outer(rows[u], rows[v]).astype(np.float32)))
    return tuple(kernels)


def _described(image: Floats) -> Floats:
    """Every piece of RGB 0..255 as the strengths of its waves in Lab, (h, w, 21)."""
    lab = cv2.cvtColor(image / np.float32(255), cv2.COLOR_RGB2Lab)
    planes = [
        cv2.filter2D(lab[..., channel], cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT)
        for channel, kernel in _waves()
    ]
    return np.stack(planes, axis=2)


def search(layer: Layer, held: Field, rng: np.random.Generator) -> None:
    """Improve a field in place: by what neighbours copy, and by tries ever closer to the own."""
    described = _described(layer.image)
    wanted = described[layer.targets[:, 0], layer.targets[:, 1]]
    height, width = layer.hole.shape
    held.cost[:] = np.inf
    _try(layer, held, (described, wanted), held.source.copy())
    for step in (4, 1, 2, 1):
        for dy, dx in ((step, 0), (-step, 0), (0, step), (0, -step)):
            rows = np.clip(layer.targets[:, 0] + dy, 0, height - 1)
            columns = np.clip(layer.targets[:, 1] + dx, 0, width - 1)
            number = layer.index[rows, columns]
            moved = held.source[number] - np.array([dy, dx], np.int32)
            moved[number < 0] = held.source[number < 0]
            _try(layer, held, (described, wanted), moved)
    reach = np.array([height, width], np.float32) / 2
    for _ in range(_TRIES):
        jump = rng.uniform(-1, 1, held.source.shape) * reach
        _try(layer, held, (described, wanted), held.source + jump.astype(np.int32))
        reach *= 0.4


def _try(layer: Layer, held: Field, waves: tuple[Floats, Floats], places: Whole) -> None:
    """Take each place that is usable and more alike than the one held."""
    described, wanted = waves
    height, width = layer.hole.shape
    rows, columns = places[:, 0], places[:, 1]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    good = np.flatnonzero(inside & layer.usable[rows, columns])
    rows, columns = rows[good], columns[good]
    cost = ((described[rows, columns] - wanted[good]) ** 2).sum(axis=1)
    if layer.stay:
        own = np.clip(layer.targets[good, 0], *layer.band)
        far = np.maximum(np.abs(rows - own) / height - 0.03, 0)
        cost += np.float32(layer.stay) * far.astype(np.float32) ** 2
    better = cost < held.cost[good]
    held.cost[good[better]] = cost[better]
    held.source[good[better], 0], held.source[good[better], 1] = rows[better], columns[better]


def vote(layer: Layer, held: Field) -> None:
    """Paint the hole of a layer: each pixel the mean of what the pieces over it copy there."""
    layer.image[layer.hole] = _blended(layer, held, layer.hole)


def settle(layer: Layer, held: Field) -> None:
    """Shift the colours in the hole so that they meet what is known along its rim.

    What the copies lack on known pixels beside the hole is carried inwards, fading away.
    """
    rim = (layer.index >= 0) & ~layer.hole
    if not rim.any():
        return
    lacking = np.zeros_like(layer.image)
    lacking[rim] = np.clip(layer.image[rim] - _blended(layer, held, rim), -48, 48)
    carried = spread(lacking, rim.astype(np.float32))
    depth = cv2.distanceTransform(layer.hole.astype(np.uint8), cv2.DIST_L2, 3)
    fading = np.exp(-depth / (0.2 * max(layer.hole.shape)))[..., None]
    layer.image[layer.hole] += (carried * fading)[layer.hole]


def _blended(layer: Layer, held: Field, where: Flags) -> Floats:
    """The colours (n, 3) that the pieces over each pixel of `where` copy there, in the mean."""
    height, width = layer.hole.shape
    pixels = np.argwhere(where).astype(np.int32)
    finite = held.cost[np.isfinite(held.cost)]
    scale = float(np.percentile(finite, 60)) + 25.0 if len(finite) else 1.0
    alike = np.exp(-np.minimum(held.cost, 1e6) / (2 * scale)).astype(np.float32) + 1e-4
    weight = alike * layer.trust[layer.targets[:, 0], layer.targets[:, 1]]
    # Flat indices into a padded frame: an offset is then one number.
    wide = width + 2 * RADIUS
    index = np.full((height + 2 * RADIUS, wide), len(weight), np.int32)
    index[RADIUS:-RADIUS, RADIUS:-RADIUS] = layer.index
    index[index < 0] = len(weight)
    index = index.ravel()
    weight = np.append(weight, np.float32(0))
    source = np.append(held.source[:, 0] * width + held.source[:, 1], RADIUS * width + RADIUS)
    own = (pixels[:, 0] + RADIUS) * wide + pixels[:, 1] + RADIUS
    flat = layer.image.reshape(-1, 3)
    total = np.zeros((len(pixels), 3), np.float32)
    share = np.zeros(len(pixels), np.float32)
    for dy in range(-RADIUS, RADIUS + 1):
        for dx in range(-RADIUS, RADIUS + 1):
            number = index[own - (dy * wide + dx)]
            part = weight[number]
            # A usable middle has its whole piece inside the picture.
            total += flat[source[number] + (dy * width + dx)] * part[:, None]
            share += part
    return np.asarray(total / np.maximum(share, 1e-12)[:, None], np.float32)
