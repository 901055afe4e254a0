"""Another background, or none, behind what a picture shows."""

from __future__ import annotations

import cv2
import numpy as np

from darkroom.engine.backends.pictures import Pixels
from darkroom.engine.backends.toolbox.cutout import outline
from darkroom.engine.backends.toolbox.matting import own_colours, refined
from darkroom.engine.backends.toolbox.salience import to_lab
from darkroom.engine.backends.toolbox.steps import Progress, within

_SMALL_SIDE = 640
_STRIP = 256
_CUT_OFF = 0.05  # of the lower edge; a subject that covers more goes on below the picture
_TAKEN = np.array([0.22, 0.3, 0.3], np.float32)  # of the scene's light, in Lab
_SHIFT_MAX = np.array([9, 7, 7], np.float32)
_WRAP = 0.45


def cut_out(picture: Pixels, progress: Progress) -> Pixels:
    """Returns the subject of RGBA uint8 (h, w, 4) with its own opacity and colours, as RGBA.

    A picture that came cut out already (with transparent places) keeps the opacity it has.
    """
    pixels, given = np.ascontiguousarray(picture[..., :3]), picture[..., 3]
    if float((given < 128).mean()) > 0.01:
        return picture
    front = outline(pixels, within(progress, 0.0, 0.5))
    opacity = refined(pixels, front)
    progress(0.75)
    clean = own_colours(pixels, opacity)
    progress(0.9)
    alpha = np.clip(opacity * 255 + 0.5, 0, 255).astype(np.uint8)
    return np.dstack([clean, alpha])


def on_colour(subject: Pixels, colour: str) -> Pixels:
    """Returns RGBA uint8 laid over a plain colour, such as `#FFFFFF`, with a soft shadow."""
    value = int(colour.lstrip("#"), 16)
    ground = np.empty((*subject.shape[:2], 3), np.uint8)
    ground[:] = (value >> 16, value >> 8 & 255, value & 255)
    return _laid(subject, _shaded(ground, subject[..., 3]))


def on_scene(subject: Pixels, scene: Pixels) -> Pixels:
    """Returns RGBA uint8 laid over a scene (RGB uint8 of its size), its light moved towards it.

    The scene is a little out of focus, its light bleeds over the subject's rim.
    """
    short = min(scene.shape[:2])
    far = np.asarray(cv2.GaussianBlur(scene, (0, 0), 0.3 + short / 450), np.uint8)
    lit = np.dstack([_lit(subject, scene), subject[..., 3]])
    wrapped = _wrapped(lit, far)
    return _laid(wrapped, _shaded(far, subject[..., 3]))


def _laid(subject: Pixels, ground: Pixels) -> Pixels:
    opacity = subject[..., 3:].astype(np.uint16)
    mixed = subject[..., :3] * opacity + ground * (255 - opacity) + 127
    return np.asarray(mixed // 255, np.uint8)


def _shaded(ground: Pixels, alpha: Pixels) -> Pixels:
    """The ground with the soft shadow of what stands on it; none where the frame cuts it off."""
    height, width = alpha.shape
    small = cv2.resize(alpha, _bounded(width, height), interpolation=cv2.INTER_AREA) > 127
    if small[-2:].mean() > _CUT_OFF or not small.any():
        return ground
    rows = np.flatnonzero(small.any(axis=1))
    foot, tall = int(rows[-1]), int(rows[-1] - rows[0]) + 1
    low = np.flatnonzero(small[max(0, foot - tall // 8) : foot + 1].any(axis=0))
    shadow = np.zeros(small.shape, np.float32)
    half = max(2, int(low[-1] - low[0]) // 2)
    flat = max(2, min(round(half * 0.16), tall // 12))
    middle = (int(low[0] + low[-1]) // 2, foot - flat // 2)
    for grown, dark in ((1.25, 0.22), (1.0, 0.3)):
        blot = np.zeros_like(shadow)
        cv2.ellipse(blot, middle, (round(half * grown), round(flat * grown)), 0, 0, 360, dark, -1)
        shadow += cv2.GaussianBlur(blot, (0, 0), max(1.0, flat * 0.7 * grown))
    full = cv2.resize(shadow, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(ground * (1 - full[..., None]) + 0.5, np.uint8)


def _bounded(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, _SMALL_SIDE / max(width, height))
    return max(4, round(width * scale)), max(4, round(height * scale))


def _lit(subject: Pixels, scene: Pixels) -> Pixels:
    """The subject's colours with a part of the scene's light: its level, contrast and tint."""
    size = _bounded(*subject.shape[1::-1])
    small = np.asarray(cv2.resize(subject, size, interpolation=cv2.INTER_AREA), np.uint8)
    own = to_lab(np.ascontiguousarray(small[..., :3]))[small[..., 3] > 200]
    if not len(own):
        return np.ascontiguousarray(subject[..., :3])
    back = np.asarray(cv2.resize(scene, size, interpolation=cv2.INTER_AREA), np.uint8)
    around = to_lab(back).reshape(-1, 3)
    shift = np.clip((around.mean(axis=0) - own.mean(axis=0)) * _TAKEN, -_SHIFT_MAX, _SHIFT_MAX)
    ratio = float(around[:, 0].std() / max(1.0, own[:, 0].std()))
    contrast = np.clip(ratio**0.25, 0.9, 1.1)
    lit = np.empty((*subject.shape[:2], 3), np.uint8)
    for top in range(0, len(lit), _STRIP):
        lab = to_lab(np.ascontiguousarray(subject[top : top + _STRIP, :, :3]))
        lab[..., 0] = (lab[..., 0] - own[:, 0].mean()) * contrast + own[:, 0].mean()
        rgb = cv2.cvtColor((lab + shift).astype(np.float32), cv2.COLOR_Lab2RGB)
        lit[top : top + _STRIP] = np.clip(rgb * 255 + 0.5, 0, 255)
    return lit


def _wrapped(subject: Pixels, scene: Pixels) -> Pixels:
    """The subject with the scene's light over its rim, from the inside a few pixels deep."""
    width, height = subject.shape[1], subject.shape[0]
    size = _bounded(width, height)
    alpha = cv2.resize(subject[..., 3], size, interpolation=cv2.INTER_AREA).astype(np.float32)
    reach = max(size) / 150
    rim = np.clip(1 - cv2.GaussianBlur(alpha / 255, (0, 0), reach), 0, 1) * _WRAP
    full = cv2.resize(rim, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    soft = cv2.GaussianBlur(
        cv2.resize(scene, size, interpolation=cv2.INTER_AREA), (0, 0), reach * 3
    )
    glow = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    colours = subject[..., :3] * (1 - full) + glow * full
    return np.dstack([(colours + 0.5).astype(np.uint8), subject[..., 3]])
