"""What kind of scene a picture shows, as far as its sky, horizon, colours and edges tell."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np

from darkroom.engine.backends.toolbox.salience import Flags, Floats

_GREEN, _WATER, _SAND = (100.0, 165.0), (200.0, 310.0), (60.0, 100.0)  # hues of Lab, degrees
_PLAIN = 7.0  # Lab; a background that varies less is plain


class Seen(msgspec.Struct, frozen=True):
    """A picture at a small size: Lab (h, w, 3), its chroma and hue in degrees, how much fine detail
    is where, and the part above its horizon that is sky."""

    lab: Floats
    chroma: Floats
    hue: Floats
    detail: Floats
    sky: Flags

    @classmethod
    def of(cls, lab: Floats) -> Seen:
        """Measures a picture in Lab."""
        light = lab[..., 0] * 2.55
        detail = np.abs(light - cv2.GaussianBlur(light, (0, 0), 1.5))
        chroma = np.hypot(lab[..., 1], lab[..., 2])
        hue = np.degrees(np.arctan2(lab[..., 2], lab[..., 1])) % 360
        return cls(lab, chroma, hue, detail, _sky(lab, detail))

    @property
    def horizon(self) -> float:
        """How far down the sky reaches in the mean, 0 to 1."""
        return float(self.sky.mean())

    def share(self, hues: tuple[float, float], least: float, where: Flags) -> float:
        """How much of a part has a hue between two and at least so much colour, 0 to 1."""
        inside = (self.hue >= hues[0]) & (self.hue <= hues[1]) & (self.chroma >= least)
        return float(inside[where].mean()) if where.any() else 0.0


def _sky(lab: Floats, detail: Floats) -> Flags:
    """From the top edge downwards what is calm and blue, bright or glowing; nothing if that does
    not span the top, or is a plain ground all around."""
    calm = cv2.blur(np.minimum(detail, 12), (7, 7)) < 4.5
    blue = (lab[..., 2] < 2) & (lab[..., 0] > 12)
    likely = calm & (blue | (lab[..., 0] > 48))
    reach = np.cumprod(likely | (np.arange(len(lab)) < 2)[:, None], axis=0).astype(bool)
    depth = cv2.blur(reach.sum(axis=0).astype(np.float32)[None], (9, 1))[0]
    sky = np.arange(len(lab))[:, None] < depth
    spans = float((depth > 0.08 * len(lab)).mean()) > 0.7
    band = max(2, len(lab) // 16)
    foot_is_sky = float((depth > 0.9 * len(lab)).mean()) > 0.25
    if not spans or foot_is_sky or float(lab[:band, :, 0].mean()) < 14:
        return np.broadcast_to(np.arange(len(lab))[:, None] < _straight(lab), sky.shape)
    return np.asarray(sky, np.bool_)


def _straight(lab: Floats) -> int:
    """The row of a straight horizon: a step in light or colour from side to side; 0 for none."""
    soft = cv2.GaussianBlur(lab, (0, 0), 1.2)
    step = np.abs(soft[3:] - soft[:-3]).max(axis=2)
    common = np.percentile(step, 20, axis=1)
    tall = len(lab)
    common[: tall // 5] = common[-(tall // 5) :] = 0
    row = int(common.argmax())
    return row + 2 if common[row] > 7 and common[row] > 3 * np.median(common) else 0


def is_plain(seen: Seen) -> bool:
    """Whether something stands before one even ground."""
    band = max(2, min(seen.chroma.shape) // 20)
    edges = [seen.lab[:band], seen.lab[:, :band].swapaxes(0, 1), seen.lab[:, -band:].swapaxes(0, 1)]
    rim = np.concatenate([one.reshape(-1, 3) for one in edges])
    return float(rim.std(axis=0).max()) < _PLAIN and float(seen.detail.max()) > 12


def is_night(seen: Seen) -> bool:
    """Whether it is dark above and in the whole, and what is above is blue, violet or black."""
    top = slice(0, max(2, len(seen.lab) // 3))
    nightly = (seen.chroma[top] < 10) | ((seen.hue[top] > 240) & (seen.hue[top] < 330))
    dark = float(np.median(seen.lab[top, :, 0])) < 34 and float(seen.lab[..., 0].mean()) < 38
    return dark and float(nightly.mean()) > 0.5


def scene(seen: Seen) -> str:
    """Returns a few words for the scene, such as `the sea under a wide sky`."""
    everywhere = np.ones(seen.sky.shape, np.bool_)
    green = seen.share(_GREEN, 12, everywhere)
    across, down, straight = _edges(seen)
    if straight > 0.5 and float(seen.detail.mean()) > 5:
        return "a city with many buildings"
    if seen.horizon < 0.1:
        if across > 1.25 * down and float(seen.detail.mean()) > 4.5:
            return "a forest with tall trees"
        return "dense green plants" if green > 0.4 else ""
    ground = ~seen.sky
    if seen.horizon > 0.9:
        return "a wide sky with clouds"
    ragged = _ragged(seen)
    water = seen.share(_WATER, 5, ground)
    if ragged < 0.02 and (water > 0.3 or down > 1.5 * across):
        return "a city skyline above the water" if _is_built(seen) else "the sea under a wide sky"
    if _mirrors(seen):
        return "mountains mirrored in a calm lake"
    if seen.share(_GREEN, 9, ground) > 0.4:
        return "green fields and hills"
    if seen.share(_SAND, 14, ground) > 0.55 and float(seen.detail[ground].mean()) < 3:
        return "desert dunes"
    return "mountains" if 0.02 < ragged < 0.12 else "a wide landscape"


def _edges(seen: Seen) -> tuple[float, float, float]:
    """How strong upright and level edges are, and how many of all clear ones are quite straight."""
    light = np.ascontiguousarray(seen.lab[..., 0])
    x, y = cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1)
    ground = ~seen.sky
    clear = ground & (np.hypot(x, y) > 40)
    if clear.sum() < 50:
        return float(np.abs(x[ground]).mean()), float(np.abs(y[ground]).mean()), 0.0
    turn = np.degrees(np.arctan2(np.abs(y), np.abs(x)))[clear]
    upright, level = float((turn < 8).mean()), float((turn > 82).mean())
    straight = upright + level if min(upright, level) > 0.12 else 0.0
    return float(np.abs(x[ground]).mean()), float(np.abs(y[ground]).mean()), straight


def _ragged(seen: Seen) -> float:
    """How uneven the horizon is, as a part of the height."""
    return float(seen.sky.sum(axis=0).std() / len(seen.sky))


def _is_built(seen: Seen) -> bool:
    """Whether much fine detail stands right above a straight horizon."""
    row = int(seen.sky.sum(axis=0).mean())
    above = seen.detail[max(0, row - len(seen.sky) // 8) : row - 1]
    return above.size > 0 and float(above.mean()) > 9


def _mirrors(seen: Seen) -> bool:
    """Whether the lower part is the upper part turned upside down, about some row."""
    light = cv2.GaussianBlur(np.ascontiguousarray(seen.lab[..., 0]), (0, 0), 3)
    tall = len(light)
    best = 0.0
    for axis in range(round(tall * 0.35), round(tall * 0.68), 2):
        reach = min(axis, tall - axis, tall // 3)
        above, below = light[axis - reach : axis][::-1], light[axis : axis + reach]
        apart = above - above.mean(), below - below.mean()
        size = float(np.sqrt((apart[0] ** 2).sum() * (apart[1] ** 2).sum()))
        if size > reach * light.shape[1] * 12:
            best = max(best, float((apart[0] * apart[1]).sum()) / size)
    return best > 0.6
