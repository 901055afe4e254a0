"""Fonts of the machine, found by fontconfig: those that have the letters of a language.

Source: fc-match(1), and fontconfig's FcPatternFormat for what it prints.
"""

from __future__ import annotations

import functools

import msgspec
from PIL import ImageFont, features

from darkroom import errors
from darkroom.engine.backends import programs
from darkroom.engine.backends.translation.languages import Language
from darkroom.engine.backends.translation.programs import FONTS

# Of the shape that most text on screens and in print has; whichever of them is there.
_FAMILIES = "Liberation Sans,Arial,Noto Sans,DejaVu Sans,sans-serif"
_FORMAT = r"%{file}\t%{index}\t%{charset}\n"
_FILES = (".ttf", ".otf", ".ttc", ".otc")
_SECONDS_MAX = 30.0


class Face(msgspec.Struct, frozen=True):
    """A font's file, the number of the font in it, and the characters that it has, as ranges."""

    path: str
    index: int
    ranges: tuple[tuple[int, int], ...]

    def lacks(self, text: str) -> str:
        """The characters of a text that it does not have."""
        codes = sorted({ord(one) for one in text if not one.isspace()})
        return "".join(chr(one) for one in codes if not self._has(one))

    def _has(self, code: int) -> bool:
        return any(first <= code <= last for first, last in self.ranges)

    def at(self, size: int) -> ImageFont.FreeTypeFont:
        """The font at a size, pixels."""
        return _loaded(self.path, self.index, size)


@functools.lru_cache(maxsize=256)
def _loaded(path: str, index: int, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size, index=index)


def check(language: Language) -> None:
    """Raise `BackendFailed` where text of a language cannot be set on this machine, saying why."""
    _faces(language, is_bold=False)
    if language.is_shaped and not features.check("raqm"):
        raise errors.BackendFailed(
            f"{language.name} needs its letters shaped, which Pillow leaves to FriBidi: the "
            "operator can install it (Debian: apt install libfribidi0)."
        )


def face(language: Language, text: str, *, is_bold: bool) -> Face:
    """The first font that has all characters of a text, else the one that lacks the fewest."""
    return min(_faces(language, is_bold=is_bold), key=lambda one: len(one.lacks(text)))


@functools.cache
def _faces(language: Language, *, is_bold: bool) -> list[Face]:
    """The fonts that have the letters of a language, the best first."""
    weight = "bold" if is_bold else "regular"
    pattern = f"{_FAMILIES}:weight={weight}:slant=roman:lang={language.code}"
    command = [FONTS, "-s", "--format", _FORMAT, pattern]
    try:
        said, _ = programs.run(command, seconds_max=_SECONDS_MAX)
    except (OSError, errors.BackendFailed) as exc:
        raise errors.Hindered(f"fontconfig does not tell this machine's fonts: {exc}") from exc
    found = [_face(line) for line in said.decode().splitlines()]
    fitting = [one for one in found if one.path.endswith(_FILES) and not one.lacks(_all(language))]
    if not fitting:
        raise errors.BackendFailed(
            f"No font on this server has the letters of {language.name}: the operator can install "
            f"one (Debian: apt install {language.fonts})."
        )
    return fitting


def _all(language: Language) -> str:
    return "AZaz09" * (language.fonts != "fonts-noto-core") + language.letters


def _face(line: str) -> Face:
    path, index, charset = line.split("\t")
    ranges = []
    for part in charset.split():
        first, _, last = part.partition("-")
        ranges.append((int(first, 16), int(last or first, 16)))
    # The upper half of fontconfig's index is an instance of a variable font.
    return Face(path, int(index) & 0xFFFF, tuple(ranges))
