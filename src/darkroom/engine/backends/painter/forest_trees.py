"""Trees: trunks shaded as cylinders of bark, branches, and crowns of single leaves or needles."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from darkroom.engine.backends.painter.mottle import FloatArray, mottle

Pixels = NDArray[np.uint8]
LEAVES = {
    "spring": ((0.40, 0.54, 0.15), (0.50, 0.62, 0.20), (0.30, 0.46, 0.12)),
    "summer": ((0.20, 0.36, 0.10), (0.30, 0.46, 0.13), (0.38, 0.52, 0.16), (0.15, 0.29, 0.09)),
    "autumn": ((0.78, 0.40, 0.08), (0.86, 0.56, 0.12), (0.66, 0.24, 0.07), (0.72, 0.52, 0.14)),
    "winter": ((0.30, 0.30, 0.28), (0.38, 0.36, 0.33)),
    "sakura": ((0.96, 0.72, 0.80), (0.99, 0.84, 0.88), (0.90, 0.58, 0.70)),
    "needles": ((0.11, 0.23, 0.13), (0.16, 0.29, 0.15), (0.21, 0.34, 0.16)),
    "bamboo": ((0.34, 0.50, 0.14), (0.45, 0.58, 0.20), (0.25, 0.42, 0.13)),
}


class Lighting(msgspec.Struct, frozen=True):
    """The light under the trees: display colours of the glow, the air and the sun; where it
    stands in pixels."""

    glow: FloatArray
    air: FloatArray
    sun: FloatArray
    ambient: float
    spot: tuple[float, float]
    reach: float


class Kind(msgspec.Struct, frozen=True):
    """What grows here: leaf colours, needles or leaves, the bark, and whether crowns are bare or
    snowed on."""

    leaves: FloatArray
    trunk: str  # bark · birch · bamboo · pine
    conifer: bool
    bare: bool
    snow: bool


class Tree(msgspec.Struct, frozen=True):
    """A tree on the canvas, in pixels: its foot, trunk width, metres' size, lean and height in
    metres."""

    x: float
    foot: float
    wide: float
    metre: float
    lean: float
    tall: float


def draw_trunks(canvas: Pixels, trees: list[Tree], kind: Kind, light: Lighting, seed: int) -> None:
    """Draw the trunks of one row of trees: tapered, a little bent, lit from the sun's side."""
    owner = np.zeros(canvas.shape[:2], np.float32)
    t = np.linspace(0, 1, 9, dtype=np.float32)
    shape = np.zeros((len(trees), 4), np.float32)
    for k, tree in enumerate(trees):
        top = tree.foot - tree.tall * tree.metre
        spine = tree.x + tree.lean * (t + 0.35 * np.sin(2.4 * t + k)) * tree.tall * tree.metre
        taper = 1 - 0.8 * t if kind.trunk != "bamboo" else 1 - 0.25 * t
        flare = 1 + (0.7 * np.exp(-t * tree.tall * 2.2) if kind.trunk != "bamboo" else 0)
        half = tree.wide / 2 * taper * flare
        y = tree.foot + (top - tree.foot) * t
        outline = np.concatenate(
            [np.stack([spine - half, y], 1), np.stack([spine + half, y], 1)[::-1]]
        )
        bulge = half[0] * np.array([[0.6, 0.20], [0.0, 0.30], [-0.6, 0.20]])
        outline = np.concatenate([outline, np.array([tree.x, tree.foot]) + bulge])
        shape[k] = tree.x, tree.foot, tree.wide, tree.metre
        _polygon(owner, outline, k + 1)
    place = np.flatnonzero(owner)
    if not len(place):
        return
    owned = owner.reshape(-1)[place].astype(np.int32) - 1
    row = (place // canvas.shape[1]).astype(np.float32)
    column = (place % canvas.shape[1]).astype(np.float32)
    lean = np.array([tree.lean for tree in trees], np.float32)[owned]
    tall = np.array([tree.tall for tree in trees], np.float32)[owned]
    x, foot, wide, metre = (shape[owned, i] for i in range(4))
    up = (foot - row) / metre
    part = np.clip(up / tall, 0, 1)
    spine = x + lean * (part + 0.35 * np.sin(2.4 * part + owned)) * tall * metre
    v = (column - spine) / (wide / 2 * np.maximum(1 - 0.8 * part, 0.2))
    colour = _bark(kind, v, up, metre, wide, seed)
    side = np.sign(light.spot[0] - x)
    near = np.exp(-np.abs(light.spot[0] - x) / light.reach)
    round_off = 0.42 + 0.46 * np.clip(0.5 + 0.62 * v * side, 0, 1)
    rim = np.clip(np.abs(v) - 0.72, 0, 1) * 2.2 * np.where(v * side > 0, 1.0, 0.35) * (0.25 + near)
    shade = light.ambient * round_off
    low = 0.75 + 0.25 * np.clip(up / 3, 0, 1)
    lit = colour * (shade * low)[:, None] + light.sun * (colour * 0.9 + 0.06) * rim[:, None]
    canvas.reshape(-1, 3)[place] = np.clip(lit * 255, 0, 255)


def draw_branches(
    canvas: Pixels, trees: list[Tree], kind: Kind, light: Lighting, rng: np.random.Generator
) -> None:
    """Draw branches by forking: each limb ends in two thinner ones that turn away."""
    dark = tuple(float(v) for v in np.array([0.20, 0.16, 0.13]) * light.ambient * 235)
    many = 9 if kind.bare else 5
    tree = np.repeat(
        [(t.x, t.foot, t.wide, t.metre, t.lean, t.tall) for t in trees] or np.zeros((0, 6)), many, 0
    )
    up = rng.uniform(0.3, 0.95, len(tree)) * tree[:, 5]
    start = np.stack([tree[:, 0] + tree[:, 4] * up * tree[:, 3], tree[:, 1] - up * tree[:, 3]], 1)
    angle = rng.choice([-1.0, 1.0], len(tree)) * rng.uniform(0.5, 1.1, len(tree))
    length = tree[:, 3] * rng.uniform(0.7, 1.5, len(tree))
    thick = tree[:, 2] * 0.22
    for _ in range(5 if kind.bare else 3):
        end = start + length[:, None] * np.stack([np.sin(angle), -np.cos(angle)], 1)
        ends = np.round(np.clip(np.concatenate([start, end], 1), -2000, 20000) * 16).astype(int)
        for (x0, y0, x1, y1), wide in zip(ends.tolist(), thick.tolist(), strict=True):
            cv2.line(canvas, (x0, y0), (x1, y1), dark, max(1, round(wide)), cv2.LINE_AA, 4)
        start, thick = np.repeat(end, 2, 0), np.repeat(thick, 2) * 0.6
        angle = np.repeat(angle, 2) + rng.normal(0, 0.5, len(start))
        length = np.repeat(length, 2) * rng.uniform(0.6, 0.85, len(start))


def draw_crowns(
    canvas: Pixels,
    trees: list[Tree],
    kind: Kind,
    light: Lighting,
    rng: np.random.Generator,
    budget: int,
) -> None:
    """Draw the crowns of one row of trees, at most `budget` leaves: dark ones first, lit ones
    last."""
    if not trees:
        return
    each = budget // len(trees)
    parts = [
        (_needles if kind.conifer else _clumps)(
            tree, max(60, min(each, 4200)), rng, canvas.shape[0]
        )
        for tree in trees
    ]
    at, angle, size, lift, slim = (np.concatenate(column) for column in zip(*parts, strict=True))
    base = kind.leaves[rng.integers(len(kind.leaves), size=len(at))]
    base = base * rng.uniform(0.8, 1.2, (len(at), 1))
    away = np.hypot(at[:, 0] - light.spot[0], at[:, 1] - light.spot[1])
    through = np.exp(-away / (0.6 * light.reach))
    lit = light.ambient * (0.35 + 0.75 * lift) + 0.25 * through
    colour = base * lit[:, None] * 1.25
    colour += light.sun * base * (through * lift * 1.3)[:, None]
    if kind.snow:
        snowed = np.clip((lift - 0.42) * 4.5, 0, 1)[:, None] * 0.96
        colour += (np.array([0.90, 0.94, 1.0]) * (light.ambient * 0.75 + 0.2) - colour) * snowed
    draw_leaves(canvas, (at, angle, size, slim), colour, lift)


def draw_leaves(
    canvas: Pixels,
    leaves: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    colour: FloatArray,
    order: FloatArray,
) -> None:
    """Draw leaves as slim rhombs: places (n, 2), angles, lengths and slimness; colours 0..1; low
    order first."""
    at, angle, size, slim = leaves
    height, width = canvas.shape[:2]
    seen = (at[:, 0] > -40) & (at[:, 0] < width + 40) & (at[:, 1] > -40) & (at[:, 1] < height + 40)
    chosen = np.flatnonzero(seen)
    chosen = chosen[np.argsort(order[chosen], kind="stable")]
    along = np.stack([np.cos(angle[chosen]), np.sin(angle[chosen])], 1) * size[chosen, None] / 2
    side = np.stack([-along[:, 1], along[:, 0]], 1) * slim[chosen, None]
    middle = at[chosen]
    corners = np.stack(
        [middle - along, middle + side - along * 0.1, middle + along, middle - side - along * 0.1],
        1,
    )
    whole = np.round(corners * 16).astype(np.int32)
    shades = np.clip(colour[chosen] * 255, 0, 255).tolist()
    smooth = cv2.LINE_AA if len(chosen) and float(size[chosen].mean()) > 9 else cv2.LINE_8
    for corner, shade in zip(whole, shades, strict=True):
        cv2.fillConvexPoly(canvas, corner, shade, smooth, 4)


def _clumps(
    tree: Tree, count: int, rng: np.random.Generator, height: int
) -> tuple[FloatArray, ...]:
    """A broad crown: clumps on a dome, each lighter above than below."""
    top = min(tree.tall * 1.12, (tree.foot + 0.1 * height) / tree.metre)
    low = tree.tall * 0.34
    clumps = max(5, count // 70)
    up = low + (max(top, low + 1) - low) * rng.random(clumps) ** 0.8
    part = np.clip((up - low) / max(tree.tall - low, 1), 0, 1.1)
    reach = tree.tall * (0.10 + 0.26 * np.sin(np.clip(part * 2.6 + 0.35, 0, np.pi)))
    middle_x = (
        tree.x + tree.lean * up * tree.metre + rng.normal(0, 0.6, clumps) * reach * tree.metre
    )
    middle_y = tree.foot - up * tree.metre
    bright = rng.uniform(0.15, 0.75, clumps)
    owner = rng.integers(clumps, size=count)
    radius = tree.metre * tree.tall * 0.06 * rng.uniform(0.6, 1.3, clumps)[owner]
    turn, far = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.random(count))
    dx, dy = np.cos(turn) * far * 1.35, np.sin(turn) * far * 0.8
    at = np.stack([middle_x[owner] + dx * radius, middle_y[owner] + dy * radius], 1)
    lift = np.clip(bright[owner] + 0.34 * -dy + rng.normal(0, 0.1, count), 0, 1)
    size = np.maximum(3.2, tree.metre * rng.uniform(0.12, 0.22, count))
    return at, rng.uniform(0, np.pi, count), size, lift, rng.uniform(0.4, 0.65, count)


def _needles(
    tree: Tree, count: int, rng: np.random.Generator, height: int
) -> tuple[FloatArray, ...]:
    """A conifer: whorls of drooping boughs from a wide skirt to a point, bare below."""
    lowest = float(np.clip(tree.metre / (0.055 * height) * 0.12, 0.1, 0.62))
    top = min(1.0, (tree.foot + 0.06 * height) / tree.metre / tree.tall)
    if top <= lowest:
        count = 0
    part = lowest + (max(top, lowest) - lowest) * rng.random(count) ** 1.25
    whorl = np.round(part * 26) / 26 + rng.normal(0, 0.005, count)
    skirt = tree.tall * 0.20 * (1.03 - part) ** 0.8
    bough = rng.integers(0, 7, count)
    side = rng.choice([-1, 1], count)
    reach = 0.45 + 0.55 * np.abs(np.sin(bough * 12.9 + np.round(part * 26) * 4.7))
    out = rng.random(count) ** 0.75 * side * reach
    x = tree.x + (out * skirt + tree.lean * part * tree.tall) * tree.metre
    droop = np.abs(out) ** 1.5 * skirt * 0.42
    fringe = np.abs(rng.normal(0, 0.10, count)) * (1.2 - np.abs(out))
    y = tree.foot - (whorl * tree.tall - droop - fringe) * tree.metre
    angle = np.where(out > 0, 0.75, np.pi - 0.75) + rng.normal(0, 0.4, count)
    limit = 0.020 * height
    size = np.clip(tree.metre * rng.uniform(0.16, 0.34, count), 0.0035 * height, limit)
    lift = 0.62 - 2.0 * fringe - 0.3 * (1 - np.abs(out)) + rng.normal(0, 0.13, count)
    slim = rng.uniform(0.14, 0.24, count)
    return np.stack([x, y], 1), angle, size, np.clip(lift, 0, 1), slim


def _bark(
    kind: Kind, v: FloatArray, up: FloatArray, metre: FloatArray, wide: FloatArray, seed: int
) -> FloatArray:
    """Colour of the bark at a place across (v) and up (metres) a trunk: (n, 3)."""
    bark = mottle((512, 256), seed + 5, 60, 4)
    around = np.arcsin(np.clip(v, -0.98, 0.98)) * 0.32 + 0.5
    column = (around * 180 + wide * 7).astype(np.int32) % 256
    # There and back: a tile's end would show as a cut through the trunk.
    row = np.abs((up * 13.3 + wide * 31).astype(np.int32) % 1022 - 511)
    rough = bark[row, column]
    if kind.trunk == "birch":
        marks = bark[(up * 120).astype(np.int32) % 512, (around * 26 + wide).astype(np.int32) % 256]
        dark = np.clip((marks - 0.63) * 9, 0, 1)[:, None]
        white = np.array([0.84, 0.82, 0.77]) * (0.86 + 0.28 * rough)[:, None]
        return np.asarray(white + (np.array([0.14, 0.12, 0.11]) - white) * dark, np.float32)
    if kind.trunk == "bamboo":
        ring = np.abs((up / 0.42) % 1 - 0.5) < 0.035
        green = np.array([0.36, 0.47, 0.16]) * (0.8 + 0.4 * rough)[:, None]
        return np.where(ring[:, None], np.float32(0.62) * np.ones(3), green).astype(np.float32)
    base = np.array([0.42, 0.26, 0.17]) if kind.trunk == "pine" else np.array([0.30, 0.24, 0.18])
    moss = np.clip(0.75 - up / 2.2, 0, 1) * np.clip((rough - 0.42) * 4, 0, 1) * (not kind.snow)
    colour = base * (0.35 + 1.3 * rough)[:, None]
    return np.asarray(
        colour + (np.array([0.20, 0.28, 0.09]) - colour) * (0.7 * moss)[:, None], np.float32
    )


def _polygon(canvas: FloatArray, outline: FloatArray, label: float) -> None:
    whole = np.round(np.clip(outline, -9000, 30000) * 16 - 8).astype(np.int32)
    cv2.fillPoly(canvas, [whole], label, shift=4)
