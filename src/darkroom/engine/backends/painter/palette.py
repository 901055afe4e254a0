"""The colours of the sky at each time of day, and the colours that words name."""

from __future__ import annotations

import msgspec
import numpy as np

from darkroom.engine.backends.painter import light
from darkroom.engine.backends.painter.noise import FloatArray
from darkroom.engine.backends.painter.scene import Scene

Colour = tuple[float, float, float]


def rgb(code: str) -> Colour:
    """Returns display RGB 0..1 of six hexadecimal digits."""
    return (int(code[0:2], 16) / 255, int(code[2:4], 16) / 255, int(code[4:6], 16) / 255)


class SkyPalette(msgspec.Struct, frozen=True):
    """One sky: colours from the horizon (0) to the top (1), towards the sun and away from it."""

    near: tuple[str, ...]
    far: tuple[str, ...]
    sun: str  # the light's colour
    power: float  # the light's strength: 1 lights a white thing to full white
    glow: str  # the air around the sun
    lit: str  # the bright side of clouds
    shade: str  # the dark side of clouds


SKIES: dict[str, tuple[SkyPalette, ...]] = {
    "sunset": (
        SkyPalette(
            ("ffb648", "ff8a3c", "f2604c", "b8487a", "5f3f86", "2f3270"),
            ("f08a5a", "d9646a", "a44f86", "6b4390", "413a80", "262c62"),
            "ffb060",
            1.5,
            "ff9a3c",
            "ffb27a",
            "5b3a6a",
        ),
        SkyPalette(
            ("ffcf70", "ffae58", "f98f62", "d98096", "8a7cb8", "4a66a8"),
            ("f7b78a", "e79a90", "bd86a8", "8579b4", "5a6db0", "38559a"),
            "ffc27a",
            1.5,
            "ffb85a",
            "ffd0a0",
            "7a6590",
        ),
        SkyPalette(
            ("ffa53a", "ff6f2e", "e2483a", "a52f56", "571f5c", "241a4a"),
            ("e87a3c", "cc4f48", "8f355e", "5a2a66", "331f56", "1b1740"),
            "ff9a48",
            1.45,
            "ff8428",
            "ff9c5c",
            "46244e",
        ),
    ),
    "sunrise": (
        SkyPalette(
            ("ffdca0", "ffc48c", "f7ab96", "d99db4", "9c9fce", "6a92cc"),
            ("f6c8b0", "e8b3b4", "c4a4c4", "9a9fcf", "7697cc", "5586c0"),
            "ffd0a0",
            1.5,
            "ffcc80",
            "ffe0c0",
            "8f86ac",
        ),
        SkyPalette(
            ("ffd084", "ffb27e", "ee9696", "bb88b4", "7c80bc", "4a6cac"),
            ("f2b49a", "d99aa6", "ab88b4", "7f80bc", "5b74b4", "3d609e"),
            "ffc690",
            1.5,
            "ffbe70",
            "ffd4b4",
            "7c6c9a",
        ),
    ),
    "dawn": (
        SkyPalette(
            ("ffd9b4", "f6c0b2", "d8a8bc", "a798c4", "7488bc", "4a6ca4"),
            ("e6c0bc", "c8aac0", "a49ac4", "7f8dc0", "5d7cb2", "40659c"),
            "ffd2b0",
            1.5,
            "ffcfa0",
            "ffdccc",
            "7d7a9c",
        ),
        SkyPalette(
            ("fbe0c4", "f3cbc0", "cdb4c8", "9ca8cc", "6f98c8", "4c80b8"),
            ("e2cfd0", "c4bccc", "9fb0d0", "7da2cc", "5f92c4", "447cb4"),
            "ffdcc0",
            1.5,
            "ffdcb8",
            "ffe6d8",
            "8488a8",
        ),
    ),
    "golden": (
        SkyPalette(
            ("ffe2a4", "fbd3a0", "e6c8ae", "b4bfc8", "84aacf", "5a8cc4"),
            ("ecd2b0", "d2cabc", "adbdc8", "88add0", "679bcc", "4a80ba"),
            "ffcf8c",
            1.75,
            "ffd27c",
            "ffe8c4",
            "8d90a4",
        ),
    ),
    "day": (
        SkyPalette(
            ("dcebf2", "bfdcf0", "96c6ec", "6aace4", "478fd8", "2f74c4"),
            ("d2e6f0", "b2d4ee", "86bae8", "5d9fde", "3c84d0", "2768b8"),
            "fff2dc",
            1.65,
            "fff6e4",
            "ffffff",
            "8fa2ba",
        ),
        SkyPalette(
            ("e2eef0", "c4dfee", "9ccae8", "74b2de", "5299d2", "3a80c0"),
            ("d8e8ee", "b8d6ea", "8fc0e2", "68a8d8", "478ecb", "3076b6"),
            "fff0d6",
            1.65,
            "fff4dc",
            "fffdf8",
            "8c9cb0",
        ),
    ),
    "dusk": (
        SkyPalette(
            ("f0a070", "d67c7c", "9c6290", "5f5490", "38457c", "1f2f60"),
            ("a87890", "845f90", "5c528c", "414a80", "2c3c6e", "1a2a54"),
            "d89aa0",
            0.75,
            "f08c60",
            "d88c8c",
            "3c3a60",
        ),
        SkyPalette(
            ("e8b088", "c48c98", "8c78a8", "586ca4", "365890", "203f70"),
            ("a08ca8", "7c7cac", "5c70a8", "43629a", "2f5084", "1e3a66"),
            "d0a8b4",
            0.75,
            "e8a078",
            "cf9a9c",
            "40486c",
        ),
    ),
    "night": (
        SkyPalette(
            ("3a5a78", "2a4668", "1e3656", "162a48", "10203a", "0b172c"),
            ("2e4a68", "223c5c", "1a304e", "142540", "0e1c34", "0a1528"),
            "a8c0e8",
            0.34,
            "5c7ca0",
            "6c84a8",
            "16243a",
        ),
        SkyPalette(
            ("4a5478", "34426c", "25335a", "1a284a", "121e3a", "0b152a"),
            ("3a4668", "2b3a5e", "1f2e50", "172542", "101b34", "0a1326"),
            "b0bce8",
            0.34,
            "6a6c9c",
            "7080a8",
            "1a2038",
        ),
    ),
}

# A closed sky hides the hour: only the light's warmth and strength remain of it.
GREY = SkyPalette(
    ("c3c9cd", "b4bbc2", "a2abb4", "929ca7", "828d99", "74808d"),
    ("b9c1c7", "a8b1b9", "97a1ab", "87929e", "788491", "6b7785"),
    "e6eaf0",
    0.8,
    "d8dce0",
    "dfe4e8",
    "75808c",
)
STORM = SkyPalette(
    ("b9b8a4", "8f9aa0", "6a7883", "4c5a68", "36434f", "28333d"),
    ("8a969a", "6c7a82", "52616c", "3d4b57", "2d3945", "222c36"),
    "d8dccc",
    0.75,
    "d0ccb0",
    "b8bfc0",
    "2e3843",
)

NAMES: dict[str, str] = {
    "red": "d8342c", "crimson": "b81838", "scarlet": "e03020", "ruby": "b0183c", "orange": "ff8c28",
    "amber": "ffb428", "peach": "ffb890", "coral": "ff7f60", "salmon": "fa8c78", "yellow": "ffd83c",
    "gold": "f0b83c", "golden": "f0b83c", "cream": "fff0d0", "green": "4ca050", "emerald": "20a068",
    "lime": "a0d838", "olive": "808838", "mint": "98e0c0", "teal": "208c8c", "turquoise": "38c8c0",
    "cyan": "30d0e0", "aqua": "48d0d8", "blue": "3470d0", "azure": "3c98e8", "navy": "1c2c60",
    "indigo": "40309c", "cobalt": "2048b0", "purple": "8038b0", "violet": "8c50d8",
    "lavender": "b8a0e0",
    "lilac": "c8a0d8", "magenta": "d830a0", "pink": "f890b8", "rose": "f07090", "fuchsia": "e040b0",
    "brown": "80583c", "beige": "e0cca8", "tan": "c8a878", "white": "f4f4f0", "black": "181818",
    "grey": "90949a", "silver": "c0c4c8", "copper": "c07840", "bronze": "a87838",
}  # fmt: skip

_PLAIN = {
    NAMES[name]
    for name in ("white", "black", "grey", "silver", "brown", "beige", "tan", "green", "olive")
}


def choose(scene: Scene) -> SkyPalette:
    """Returns the sky for the scene's time, one of several by its seed."""
    family = SKIES.get(scene.time, SKIES["day"])
    return family[scene.seed % len(family)]


def _lab(colour: FloatArray) -> FloatArray:
    """Returns OKLab of linear RGB (n, 3): B. Ottosson, "A perceptual color space", 2020."""
    to_cone = np.array([[0.4122214708, 0.5363325363, 0.0514459929],
                        [0.2119034982, 0.6806995451, 0.1073969566],
                        [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
    to_lab = np.array([[0.2104542553, 0.7936177850, -0.0040720468],
                       [1.9779984951, -2.4285922050, 0.4505937099],
                       [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip
    return np.asarray(np.cbrt(colour @ to_cone.T) @ to_lab.T, np.float32)


def _linear(lab: FloatArray) -> FloatArray:
    to_cone = np.array([[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728],
                        [1, -0.0894841775, -1.2914855480]])  # fmt: skip
    to_rgb = np.array([[4.0767416621, -3.3077115913, 0.2309699292],
                       [-1.2684380046, 2.6097574011, -0.3413193965],
                       [-0.0041960863, -0.7034186147, 1.7076147010]])  # fmt: skip
    return np.asarray(np.clip((lab @ to_cone.T) ** 3 @ to_rgb.T, 0.0, 1.0), np.float32)


def mixed(a: Colour, b: Colour, share: float) -> Colour:
    """Returns the display colour `share` of the way from a to b, in OKLab."""
    pair = np.array([a, b], np.float32)
    lab = _lab(light.decoded(pair))
    out = light.encoded(_linear(lab[:1] * (1 - share) + lab[1:] * share))[0]
    return (float(out[0]), float(out[1]), float(out[2]))


def tints(scene: Scene) -> tuple[Colour, ...]:
    """Returns the prompt's colours that may colour a sky; white, browns and greens do not."""
    plain = {rgb(code) for code in _PLAIN}
    return tuple(colour for colour in scene.palette if colour not in plain)


def ramp(codes: tuple[str, ...], tint: tuple[Colour, ...], count: int = 512) -> FloatArray:
    """Returns (count, 3) scene light from horizon to top through the colours, smooth in OKLab."""
    stops = np.array([rgb(code) for code in codes], np.float32)
    lab = _lab(light.decoded(stops))
    if tint:
        wish = _lab(light.decoded(np.array(tint, np.float32)))
        picks = np.linspace(0, len(tint) - 1, len(codes)).round().astype(int)
        lab[:, 1:] = 0.35 * lab[:, 1:] + 0.65 * wish[picks, 1:]
        lab[:, 0] = 0.85 * lab[:, 0] + 0.15 * wish[picks, 0]
    at = np.linspace(0, 1, len(codes))
    t = np.linspace(0, 1, count)
    smooth = np.stack([np.interp(t, at, lab[:, i]) for i in range(3)], axis=1)
    kernel = np.hanning(count // (len(codes)) | 1)
    kernel /= kernel.sum()
    half = len(kernel) // 2
    padded = np.pad(smooth, ((half, half), (0, 0)), mode="edge")
    smooth = np.stack([np.convolve(padded[:, i], kernel, "valid") for i in range(3)], axis=1)
    return light.to_scene(light.encoded(_linear(smooth.astype(np.float32))))
