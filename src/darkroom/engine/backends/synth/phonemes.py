"""Letters as sounds: English words by simple rules, other letters by the nearest open syllable."""

from __future__ import annotations

import itertools
import re
import unicodedata

import msgspec

from darkroom.engine.backends.synth.words import listed

# Vowels by their own signs here: E bet, e bait, i beet, I bit, a bat, A father, Y bite, o boat,
# O bought, u boot, U book, V but, W bout, Q boy, R bird. S ship, C chip, J jam, T thin, N sing.
VOWELS = frozenset("EeiIaAYoOuUVWQR")
_KNOWN = {
    "a": "V", "i": "Y", "the": "TV", "of": "Vv", "to": "tu", "do": "du", "you": "yu", "your": "yOr",
    "are": "Ar", "were": "wR", "was": "wVz", "what": "wVt", "who": "hu", "two": "tu", "one": "wVn",
    "love": "lVv", "come": "kVm", "some": "sVm", "have": "hav", "give": "gIv", "live": "lIv",
    "gone": "gOn", "done": "dVn", "none": "nVn", "there": "TEr", "where": "wEr", "their": "TEr",
    "said": "sEd", "says": "sEz", "heart": "hArt", "eyes": "Yz", "eye": "Y", "world": "wRld",
    "word": "wRd", "through": "Tru", "though": "To", "know": "no", "now": "nW", "how": "hW",
    "down": "dWn", "town": "tWn", "could": "kUd", "would": "wUd", "should": "SUd", "good": "gUd",
    "look": "lUk", "took": "tUk", "book": "bUk", "put": "pUt", "full": "fUl", "people": "pipVl",
    "he": "hi", "she": "Si", "we": "wi", "me": "mi", "be": "bi", "my": "mY", "by": "bY",
    "why": "wY", "sky": "skY", "fly": "flY", "cry": "krY", "go": "go", "so": "so", "no": "no",
    "oh": "o", "again": "VgEn", "water": "wOtR", "mother": "mVTR", "father": "fATR", "other": "VTR",
    "another": "VnVTR", "together": "tVgETR", "away": "Vwe", "alone": "Vlon", "along": "VlON",
    "about": "VbWt", "around": "VrWnd", "every": "EvrI", "never": "nEvR", "ever": "EvR",
    "only": "onlI", "over": "ovR", "open": "opVn", "moment": "momVnt", "ocean": "oSVn",
    "music": "myuzIk", "beautiful": "byutIfUl", "from": "frVm", "with": "wIT", "this": "TIs",
    "that": "Tat", "is": "Iz", "as": "az", "his": "hIz", "has": "haz", "any": "EnI", "many": "mEnI",
    "find": "fYnd", "mind": "mYnd", "kind": "kYnd", "behind": "bihYnd", "wild": "wYld",
    "child": "CYld", "old": "old", "cold": "kold", "hold": "hold", "told": "told", "gold": "gold",
    "quiet": "kwYVt", "calm": "kAm", "colour": "kVlR", "colours": "kVlRz", "color": "kVlR",
    "most": "most", "both": "boT", "don't": "dont", "won't": "wont", "river": "rIvR",
    "city": "sItI", "being": "biIN", "light": "lYt", "year": "yir", "hear": "hir", "near": "nir",
    "dear": "dir", "fear": "fir", "clear": "klir", "here": "hir", "air": "Er", "move": "muv",
    "lose": "luz", "walk": "wOk", "talk": "tOk", "all": "Ol", "call": "kOl", "fall": "fOl",
    "wall": "wOl", "small": "smOl", "tomorrow": "tumArO", "tonight": "tunYt", "today": "tude",
}  # fmt: skip
_GRAPHEMES = (
    ("eigh", "e"), ("augh", "O"), ("ough", "O"), ("tion", "SVn"), ("sion", "ZVn"), ("tch", "C"),
    ("dge", "J"), ("igh", "Y"), ("air", "Er"), ("ear", "ir"), ("our", "Or"), ("oor", "Or"),
    ("ee", "i"), ("ea", "i"), ("oo", "u"), ("ou", "W"), ("ow", "o"), ("ai", "e"), ("ay", "e"),
    ("oa", "o"), ("oi", "Q"), ("oy", "Q"), ("au", "O"), ("aw", "O"), ("ie", "i"), ("ei", "i"),
    ("ey", "i"), ("ew", "u"), ("ue", "u"), ("ui", "u"), ("er", "R"), ("ir", "R"), ("ur", "R"),
    ("ar", "Ar"), ("or", "Or"), ("sh", "S"), ("ch", "C"), ("th", "T"), ("ph", "f"), ("wh", "w"),
    ("ck", "k"), ("ng", "N"), ("qu", "kw"), ("gh", ""), ("ss", "s"), ("ll", "l"), ("tt", "t"),
    ("ff", "f"), ("nn", "n"), ("mm", "m"), ("pp", "p"), ("rr", "r"), ("dd", "d"), ("bb", "b"),
    ("gg", "g"), ("zz", "z"), ("cc", "k"),
)  # fmt: skip
_SINGLE = dict(zip("abcdefghijklmnopqrstuvwxyz", "abkdEfghIJklmnApkrstVvwkIz", strict=True))
_LONG = {"a": "e", "e": "i", "i": "Y", "o": "o", "u": "u", "y": "Y"}
_SPELLED_VOWELS = "aeiouy"
_PAIRS = listed("pl pr tr tw kl kr kw bl br dr gl gr fl fr sl sw sk st sp sm sn Tr")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+")
_OPEN = ("lA", "nu", "mi", "ho", "dA", "lo", "ne", "su")


class Syllable(msgspec.Struct, frozen=True):
    """What is sung on one tone: consonants before a vowel, and after it."""

    onset: str
    vowel: str
    coda: str


_LETTERS = str.maketrans({"ø": "o", "æ": "e", "œ": "e", "ł": "l", "đ": "d", "ı": "i"})


def _plain(text: str) -> str:
    """A text in small letters without their accents."""
    parts = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return "".join(one for one in parts if not unicodedata.combining(one))


def is_readable(text: str) -> bool:
    """Whether the rules can read every letter of a text."""
    return all(one.isascii() or not one.isalpha() for one in _plain(text))


def sounds_of(word: str) -> str:
    """A word's phonemes, one sign each."""
    word = word.lower().replace("’", "'")
    if word in _KNOWN:
        return _KNOWN[word]
    plain = _plain(word).replace("'", "")
    if not plain.isascii():
        # A script that the rules cannot read: an open syllable for each sign.
        return "".join(_OPEN[ord(one) % len(_OPEN)] for one in plain if one.isalnum())
    if plain.isdigit():
        return "".join(_DIGITS[int(one)] for one in plain)
    if plain.startswith(("kn", "wr")):
        plain = plain[1:]
    return _spelled(plain)


_DIGITS = ("ziro", "wVn", "tu", "Tri", "fOr", "fYv", "sIks", "sEvVn", "et", "nYn")


def _spelled(word: str) -> str:
    found = ""
    at = 0
    while at < len(word):
        rest = word[at:]
        grapheme, sound = next((pair for pair in _GRAPHEMES if rest.startswith(pair[0])), ("", ""))
        if grapheme:
            found += sound
            at += len(grapheme)
            continue
        letter = word[at]
        found += _letter(word, at, found)
        at += 1 + (letter == word[at + 1 : at + 2] and letter not in _SPELLED_VOWELS)
    return found if VOWELS & set(found) else found + "V"


def _letter(word: str, at: int, found: str) -> str:
    letter, rest = word[at], word[at + 1 :]
    is_last = not rest
    has_vowel = bool(VOWELS & set(found))
    if letter == "e" and (is_last or rest == "s") and has_vowel:
        return ""
    if letter == "y":
        if at == 0:
            return "y"
        return ("i" if has_vowel else "Y") if is_last else "I"
    if letter in _LONG and (
        (len(rest) in (2, 3) and rest[0] not in _SPELLED_VOWELS + "wx" and rest[1:] in ("e", "es"))
        or (is_last and letter in "eo")
    ):
        return _LONG[letter]
    if letter == "c" and rest[:1] in tuple("eiy"):
        return "s"
    if letter == "g" and rest[:1] in tuple("ei") and at > 0:
        return "J"
    if letter == "s" and is_last and found[-1:] in tuple("bdgvmnlrNieoYuW"):
        return "z"
    return _SINGLE[letter] + ("s" if letter == "x" else "")


def syllables(text: str) -> list[Syllable]:
    """The syllables of a line, in order; words run on as they are sung."""
    found: list[Syllable] = []
    for word in _WORD.findall(text):
        found += _divided(sounds_of(word))
    return found


def _divided(sounds: str) -> list[Syllable]:
    """A word's phonemes cut into syllables: a consonant between vowels begins the next one."""
    places = [place for place, one in enumerate(sounds) if one in VOWELS]
    if not places:
        return []
    cuts = [0]
    for left, right in itertools.pairwise(places):
        between = sounds[left + 1 : right]
        keeps = min(len(between), 2 if between[-2:] in _PAIRS else 1)
        cuts.append(right - keeps)
    cuts.append(len(sounds))
    return [
        Syllable(sounds[start:vowel], sounds[vowel], sounds[vowel + 1 : end])
        for start, vowel, end in zip(cuts, places, cuts[1:], strict=False)
    ]
