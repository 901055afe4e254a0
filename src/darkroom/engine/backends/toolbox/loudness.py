"""How loud a sound seems to be, and sounds made as loud as each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from darkroom.engine.backends import sounds
from darkroom.engine.backends.sounds import Samples

Floats = npt.NDArray[np.float64]
QUIETEST, LOUDEST = -24.0, -14.0  # LUFS, between which sounds are brought together
GAIN_MAX = 15.0  # dB
_BLOCK, _HOP = round(0.4 * sounds.RATE), round(0.1 * sounds.RATE)
_SILENT, _BELOW = -70.0, -10.0
_PEAK_MAX = 0.89  # -1 dB below full scale


def lufs(sound: Samples) -> float | None:
    """The integrated loudness of float32 (samples, 2) at 48 kHz in LUFS; None for silence.

    By ITU-R BS.1770-4: K weighting, blocks of 400 ms, an absolute and a relative gate. The
    weighting is applied to each block's spectrum.
    """
    if len(sound) < _BLOCK:
        sound = np.pad(sound, ((0, _BLOCK - len(sound)), (0, 0)))
    weight = _k_weighting(np.asarray(np.fft.rfftfreq(_BLOCK, 1 / sounds.RATE), np.float64))
    # A spectrum without its mirror: all but the ends count twice.
    weight = weight * 2 / _BLOCK**2
    powers = []
    for start in range(0, len(sound) - _BLOCK + 1, _HOP):
        spectrum = np.fft.rfft(sound[start : start + _BLOCK].T)
        powers.append(float((np.square(np.abs(spectrum)) * weight).sum()))
    power = np.array(powers)
    told = -0.691 + 10 * np.log10(np.maximum(power, 1e-12))
    heard = told > _SILENT
    if not heard.any():
        return None
    gate = -0.691 + 10 * np.log10(power[heard].mean()) + _BELOW
    return float(-0.691 + 10 * np.log10(power[heard & (told > gate)].mean()))


def _k_weighting(frequencies: Floats) -> Floats:
    """The power that K weighting leaves at each frequency: its two filters at 48 kHz."""
    z = np.exp(-2j * np.pi * frequencies / sounds.RATE)
    shelf = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z**2) / (
        1 - 1.69065929318241 * z + 0.73248077421585 * z**2
    )
    high = (1 - 2 * z + z**2) / (1 - 1.99004745483398 * z + 0.99007225036621 * z**2)
    return np.asarray(np.square(np.abs(shelf * high)), np.float64)


def gains(
    parts: Sequence[Samples | None], tell: Callable[[float], None]
) -> tuple[list[float], float | None]:
    """The gain in dB that each sound needs to be as loud as the others, and that loudness.

    The middle of what was given, between `QUIETEST` and `LOUDEST` LUFS; no gain takes peaks above
    -1 dB, and silence gets none.
    """
    told = []
    for number, part in enumerate(parts):
        told.append(None if part is None else lufs(part))
        tell((number + 1) / len(parts))
    known = [one for one in told if one is not None]
    if not known:
        return [0.0] * len(parts), None
    target = float(np.clip(np.median(known), QUIETEST, LOUDEST))
    out = []
    for part, one in zip(parts, told, strict=True):
        if part is None or one is None:
            out.append(0.0)
            continue
        room = 20 * np.log10(_PEAK_MAX / max(float(np.abs(part).max()), 1e-6))
        out.append(float(np.clip(min(target - one, room), -GAIN_MAX, GAIN_MAX)))
    return out, target
