"""Phrases: found in a text in whatever letters they are written, many of them at once."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator

from darkroom.domain.readings import DIGITS, UNSPACED, folded

_GAP = r"\W{0,4}"
_UNSPACED_LETTER = re.compile(rf"(?=\w)[{UNSPACED}]")
_EDGES = re.compile(r"^\W+|\W+$")
_DISGUISE = re.compile(r"[0-9*]")
# Beside digits and stars a vowel or an l says nothing, nor does what may stand for one; any other
# digit is a letter, or stands before or after a word that it is no part of.
_VAGUE = str.maketrans("25789", "zstbg", "aeioul0134")
_DIGIT = re.compile("[256789]")
_DOUBLE = re.compile(r"(.)(?=\1)")
_WORD = re.compile(r"\w+")


class Phrases:
    """Phrases by what no disguise takes from them, so that a text is compared with few of them.

    An expression for all of them would be much of the work of a start; so each has one of its own,
    made when a text first comes near to it.
    """

    def __init__(self, phrases: Iterable[str]) -> None:
        self._plain, self._vague = _Index(_letters), _Index(_bones)
        self._by_letter: dict[str, list[str]] = {}
        self._made: dict[str, re.Pattern[str]] = {}
        for phrase in dict.fromkeys(phrases):
            text = folded(phrase)
            if unspaced := _UNSPACED_LETTER.search(text):
                self._by_letter.setdefault(unspaced[0], []).append(phrase)
            else:
                self._plain.add(phrase, text)
                self._vague.add(phrase, text)

    def near(self, view: str) -> set[str]:
        """Every phrase that the view may hold, and a few others; takes time linear in the view."""
        found = (self._vague if _DISGUISE.search(view) else self._plain).near(view)
        if not view.isascii() and _UNSPACED_LETTER.search(view):
            for letter in self._by_letter.keys() & {*view}:
                found.update(self._by_letter[letter])
        return found

    def found(self, phrases: Iterable[str], view: str) -> Iterator[tuple[int, int]]:
        """Where in a view these of the phrases begin and end."""
        for phrase in phrases:
            if (expression := self._made.get(phrase)) is None:
                expression = self._made[phrase] = re.compile(_source(phrase))
            for match in expression.finditer(view):
                yield match.span()


class _Index:
    """Phrases by the pieces that their letters come in."""

    def __init__(self, pieces_of: Callable[[str], list[str]]) -> None:
        self._pieces_of = pieces_of
        self._by_whole: dict[str, list[str]] = {}
        self._beginnings: set[str] = set()

    def add(self, phrase: str, text: str) -> None:
        whole = functools.reduce(_put_together, self._pieces_of(text), "")
        self._by_whole.setdefault(whole, []).append(phrase)
        self._beginnings.update(whole[:end] for end in range(1, len(whole) + 1))

    def near(self, view: str) -> set[str]:
        found = {*self._by_whole.get("", ())}
        pieces = self._pieces_of(view)
        if self._beginnings.isdisjoint(pieces):
            return found
        for start in range(len(pieces)):
            whole, end = pieces[start], start + 1
            # A piece makes the whole longer, or is the one letter that it ends with already, and no
            # two of those stand together: so this ends soon.
            while whole in self._beginnings:
                found.update(self._by_whole.get(whole, ()))
                if end == len(pieces):
                    break
                whole, end = _put_together(whole, pieces[end]), end + 1
        return found


def _put_together(whole: str, piece: str) -> str:
    return whole + piece[whole[-1:] == piece[0] :]


def _letters(view: str) -> list[str]:
    """The words of a view with every run of a letter, and of words of one letter, as one."""
    words = _WORD.findall(_DOUBLE.sub("", view))
    return [
        word
        for before, word in zip(["", *words], words, strict=False)
        if len(word) > 1 or word != before
    ]


def _bones(view: str) -> list[str]:
    """The words of a view by what nothing else can stand for."""
    return _letters(_DIGIT.sub(r" \g<0> ", view).translate(_VAGUE))


def _source(phrase: str) -> str:
    """The expression of a phrase: its edge, each letter or gap, its other edge."""
    text = _EDGES.sub("", folded(phrase))
    units: list[str] = []
    for found in re.finditer(r"(\w)\1*|\W+", text):
        run, letter = found[0], found[1]
        if letter is None:
            units.append(_GAP)
        elif _UNSPACED_LETTER.match(letter):  # a gap may open anywhere
            units.extend(unit for one in run for unit in (re.escape(one), _GAP))
        else:
            units.append(_letter(letter, len(run)))
    # Digits before and after a word ("2kids") are no part of it.
    if not _UNSPACED_LETTER.match(text[0]):
        units.insert(0, r"(?<!\w)" + ("" if text[0].isdigit() else "[0-9]{0,2}"))
    if not _UNSPACED_LETTER.match(text[-1]):
        units.append(("" if text[-1].isdigit() else "[0-9]{0,3}") + r"(?!\w)")
    return "".join(units)


def _letter(letter: str, count: int) -> str:
    """An expression for a letter `count` times, or drawn out to three and more.

    A single consonant, e or o is not read in a double one, which makes other English words
    ("raping", "rapping"); the texts have no run longer than three.
    """
    if letter.isdigit():
        return letter * count
    drawn = letter + letter.translate(DIGITS) + ("*" if letter in "aeiou" else "")
    one = letter if drawn == letter * 2 else f"[{drawn}]"
    if count > 1:
        return f"{one}{{{min(count, 3)},3}}"
    return f"{one}{{1,3}}" if letter in "aiu" else f"{one}(?:{one}{{2}})?"
