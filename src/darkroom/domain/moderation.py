"""The content policy: rules read from a TOML text, and prompts checked against them."""

from __future__ import annotations

import hashlib
import itertools
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, cast

from darkroom.errors import ConfigInvalid

Mode = Literal["enforce", "shadow"]

POLICY_CHARACTERS_MAX = 1_000_000
PHRASE_CHARACTERS_MAX = 100
PATTERN_CHARACTERS_MAX = 1000
# In how many ways the repeats of a pattern can be tried from one place in the text.
PATTERN_WAYS_MAX = 20_000
WITHIN_CHARACTERS = 60

# Unicode's Default_Ignorable_Code_Point, which people do not see and machines trip over, and the
# marks that Hebrew and Arabic may leave out; also two ligatures that NFKC makes 18 times as long.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\u0591-\u05c7\u0640\u064b-\u065f\u0670\ufdfa\ufdfb]"
)
# The blocks of combining diacritical marks; not every mark, for some scripts spell with them.
_DIACRITICS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
# Letters of other alphabets, and of phonetic ones, drawn like Latin letters. Greek capitals are
# listed because their small letters look like others (Ν is N, ν is v).
_LOOK_ALIKES = str.maketrans(
    "аАвВеЕзЗіІјЈкКмМнНоОпрРсСтТуУхХѕЅһҺԁԛԝӏӀьЬ"
    "αΑβΒγεΕΖηΗιΙκΚΜνΝοΟρΡτΤυΥχΧωϲօսոհցıłŁøØđĐħŧɑɡɩɪɴʀʏʜʟʙꜰɢꜱᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢ",
    "aAbBeEzZiIjJkKmMhHoOnpPcCtTyYxXsShHdqwlIbB"
    "aAbByeEZnHiIkKMvNoOpPtTuYxXwcounhgilLoOdDhtagiinryhlbfgsacdejkmoptuvwz",
) | {
    # Letters in black circles, in black squares, and the halves of flags: NFKC leaves them.
    start + place: chr(ord("a") + place)
    for start in (0x1F150, 0x1F170, 0x1F1E6)
    for place in range(26)
}
# Symbols that stand for letters become the digit that stands for the same letter.
_SYMBOLS = str.maketrans({"@": "4", "$": "5", "€": "3", "£": "1", "|": "1", "¢": "c", "¥": "y"})
_DIGITS = str.maketrans("abegilostz", "4839110572")

# Thai, and all that begins with the symbols at U+2000, among which are the scripts of China, Japan
# and Korea: they put no space between words, so their phrases are found anywhere.
_UNSPACED = r"\u0e00-\u0e7f\u2000-\U0010ffff"
_SEAM = re.compile(
    rf"(?<=\w)(?<=[{_UNSPACED}])(?=[^\W{_UNSPACED}])|(?<=[^\W{_UNSPACED}])(?=\w)(?=[{_UNSPACED}])"
)
_GAP = r"\W{0,4}"
_BANG = re.compile(r"!(?=[a-z0-9])")
_RUN_ON = re.compile(r"(\S)\1{3,}")
_SPELLED = re.compile(r"(?<!\w)(?:\w\W{1,3}){2,}\w(?!\w)")
# The look behind stands second, so that the search can skip to the next mark.
_INNER = re.compile(r"[^\w\s](?<=\w.)[^\w\s]{0,2}(?=\w)")


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that a text falls under, the field that the text came in, and the rule's mode."""

    rule: str
    field: str
    mode: Mode


@dataclass(frozen=True)
class _Rule:
    """A rule's phrases and patterns; its expressions are compiled when a text first needs them.

    Most of a policy is never needed, and compiling it all would double the time of a start.
    """

    name: str
    mode: Mode
    terms: list[str]
    patterns: list[str]
    sides: list[list[str]]
    within_characters: int
    unless_phrases: list[str]

    @cached_property
    def alone(self) -> re.Pattern[str] | None:
        return _compiled(self.terms, self.patterns)

    @cached_property
    def near(self) -> list[re.Pattern[str]]:
        return [re.compile(_alternation(side)) for side in self.sides]

    @cached_property
    def unless(self) -> re.Pattern[str] | None:
        return _compiled(self.unless_phrases, [])

    def matches(self, view: str) -> bool:
        if self.unless is not None and self.unless.search(view):
            view = self.unless.sub(lambda found: " " * len(found[0]), view)
        if self.alone is not None and self.alone.search(view):
            return True
        # The nearest two of different sides are neighbours once all are in order.
        found = sorted(
            (match.start(), match.end(), side)
            for side, pattern in enumerate(self.near)
            for match in pattern.finditer(view)
        )
        return any(
            left[2] != right[2] and right[0] - left[1] <= self.within_characters
            for left, right in itertools.pairwise(found)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules in their order; `version` is the head of the SHA-256 of the text they came from."""

    version: str
    # Not in the representation: the terms have no place in a log.
    rules: tuple[_Rule, ...] = field(repr=False)
    # Finds something wherever any rule can: most texts need no more than this.
    _any: re.Pattern[str] = field(repr=False)

    def check(self, texts: Mapping[str, str]) -> Match | None:
        """Returns the first match of an enforced rule, else the first of a shadow rule, else None.

        `texts` maps field names to what callers wrote there. Takes time linear in the texts.
        """
        shadow: Match | None = None
        for name, text in texts.items():
            views = [view for view in _views(text) if self._any.search(view)]
            for rule in self.rules if views else ():
                if any(rule.matches(view) for view in views):
                    match = Match(rule.name, name, rule.mode)
                    if rule.mode == "enforce":
                        return match
                    shadow = shadow or match
        return shadow


def parse(text: str) -> Policy:
    """Returns the policy that a TOML text describes; ConfigInvalid says where the text is wrong.

    Each [[rule]] has a `name` and at least one of `terms` (phrases), `patterns` (regular
    expressions over the folded text, every repeat bounded) and `near` (two lists of phrases, one
    of each at most `within_characters` apart). `unless` lists phrases in which a match is
    harmless. `mode` is "enforce" (as when left out) or "shadow".
    """
    if len(text) > POLICY_CHARACTERS_MAX:
        raise ConfigInvalid(f"The policy is longer than {POLICY_CHARACTERS_MAX} characters.")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid(f"The policy is not TOML: {error}") from None
    entries = table.pop("rule", [])
    if table or not isinstance(entries, list) or not entries:
        raise ConfigInvalid("The policy has one or more [[rule]] and nothing beside them.")
    rules = tuple(_read_rule(number, entry) for number, entry in enumerate(entries, start=1))
    if len({rule.name for rule in rules}) < len(rules):
        raise ConfigInvalid("Two rules of the policy have the same name.")
    # A rule of two sides needs one of its first side at least.
    phrases = [phrase for rule in rules for side in rule.sides[:1] for phrase in side]
    phrases += [phrase for rule in rules for phrase in rule.terms]
    finder = _compiled(phrases, [pattern for rule in rules for pattern in rule.patterns])
    assert finder is not None, "every rule has something to find"
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Policy(version, rules, finder)


def _read_rule(number: int, entry: object) -> _Rule:
    where = f"rule {number} of the policy"
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise ConfigInvalid(f"{where} has no name.")
    where = f"rule {entry['name']!r} of the policy"
    if not re.fullmatch(r"[a-z0-9-]{1,64}", entry["name"]):
        raise ConfigInvalid(f"{where}: a name is small letters, digits and hyphens, 64 at most.")
    known = {"name", "mode", "terms", "patterns", "near", "within_characters", "unless"}
    if unknown := sorted(set(entry) - known):
        raise ConfigInvalid(f"{where}: {unknown[0]!r} is not known; {sorted(known)} are.")
    if entry.get("mode", "enforce") not in ("enforce", "shadow"):
        raise ConfigInvalid(f'{where}: mode is "enforce" or "shadow".')
    within = entry.get("within_characters", WITHIN_CHARACTERS)
    if not isinstance(within, int) or not 1 <= within <= 1000:
        raise ConfigInvalid(f"{where}: within_characters is a number from 1 to 1000.")
    near = entry.get("near", [])
    if not isinstance(near, list) or len(near) not in (0, 2):
        raise ConfigInvalid(f"{where}: near is two lists of phrases.")
    rule = _Rule(
        name=entry["name"],
        mode=cast(Mode, entry.get("mode", "enforce")),
        terms=_phrases(entry.get("terms", []), f"{where}: terms"),
        patterns=[_pattern(text, where) for text in _texts(entry.get("patterns", []), where)],
        sides=[_phrases(side, f"{where}: near") for side in near],
        within_characters=within,
        unless_phrases=_phrases(entry.get("unless", []), f"{where}: unless"),
    )
    if not all(rule.sides) or not (rule.terms or rule.patterns or rule.sides):
        raise ConfigInvalid(f"{where} has no terms and no patterns, or an empty list in near.")
    return rule


def _texts(value: object, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ConfigInvalid(f"{where} is a list of texts.")
    return cast(list[str], value)


def _phrases(value: object, where: str) -> list[str]:
    phrases = _texts(value, where)
    for phrase in phrases:
        if len(phrase) > PHRASE_CHARACTERS_MAX or len(re.findall(r"\w", _folded(phrase))) < 2:
            raise ConfigInvalid(
                f"{where}: {phrase[:40]!r} has fewer than 2 letters or more than "
                f"{PHRASE_CHARACTERS_MAX} characters."
            )
    return phrases


def _pattern(source: str, where: str) -> str:
    """Returns the pattern in a group, with its letters folded as the texts' letters will be.

    Every repeat must be bounded and none may repeat a group, so that no text is slow to check.
    """
    try:
        if len(source) > PATTERN_CHARACTERS_MAX:
            raise re.error(f"it is longer than {PATTERN_CHARACTERS_MAX} characters")
        _check_repeats(source)
        return f"(?:{re.compile(source.translate(_LOOK_ALIKES)).pattern})"
    except (re.error, OverflowError) as error:
        raise ConfigInvalid(f"{where}: the pattern {source[:80]!r}: {error}.") from None


def _check_repeats(source: str) -> None:
    token = re.compile(
        r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(?P<group>\(\?(?!:|=|!|<=|<!))"
        r"|(?P<endless>[*+]|\{\d*,\})|\{(?:\d*,)?(?P<times>\d+)\}|(?P<maybe>\?(?<!\(\?))|.",
        re.DOTALL,
    )
    ways, before = 1, ""
    for found in token.finditer(source):
        if found["group"] or found["endless"]:
            raise re.error("only (?: (?= (?! (?<= (?<! groups and bounded repeats, as {0,40}, pass")
        if found["times"]:
            if before == ")":
                raise re.error("a group may be optional (?) but not repeat")
            ways *= int(found["times"]) + 1
        elif found["maybe"]:
            ways *= 2
        before = found[0]
    if ways > PATTERN_WAYS_MAX:
        raise re.error(f"its repeats can be tried in {ways} ways, more than {PATTERN_WAYS_MAX}")


def _compiled(phrases: list[str], patterns: list[str]) -> re.Pattern[str] | None:
    sources = [*([_alternation(phrases)] if phrases else []), *patterns]
    return re.compile("|".join(sources)) if sources else None


def _alternation(phrases: Iterable[str]) -> str:
    return _tree(sorted(_units(phrase) for phrase in phrases))


def _tree(branches: list[tuple[str, ...]]) -> str:
    """Returns one expression for many, with their common beginnings written once."""
    heads: dict[str, list[tuple[str, ...]]] = {}
    for branch in branches:
        if branch:
            heads.setdefault(branch[0], []).append(branch[1:])
    joined = "|".join(head + _tree(rest) for head, rest in heads.items())
    return f"(?:{joined})" if len(heads) > 1 else joined


def _units(phrase: str) -> tuple[str, ...]:
    """Returns the expression of a phrase in parts: its edge, each letter or gap, its other edge."""
    folded = _folded(phrase).strip()
    unspaced = re.compile(f"[{_UNSPACED}]")
    units: list[str] = []
    for found in re.finditer(r"(\w)\1*|\W+", folded):
        run, letter = found[0], found[1]
        if letter is None:
            units.append(_GAP)
        elif unspaced.match(letter):  # a gap may open anywhere
            units.extend(unit for one in run for unit in (re.escape(one), _GAP))
        else:
            units.append(_letters(letter, len(run)))
    if unspaced.match(folded[0]):
        units.insert(0, r"(?![\x00-\x7f])")  # one look instead of one for each such phrase
    else:  # digits before and after a word ("2kids") are not part of it
        units.insert(0, r"(?<!\w)" + ("" if folded[0].isdigit() else "[0-9]{0,2}"))
    if unspaced.match(folded[-1]):
        units.append("(?:)")
    else:
        units.append(("" if folded[-1].isdigit() else "[0-9]{0,3}") + r"(?!\w)")
    return tuple(units)


def _letters(letter: str, count: int) -> str:
    """Returns an expression for a letter `count` times, or drawn out to three and more.

    A single consonant, e or o is not read in a double one, which makes other English words
    ("raping", "rapping"); the texts have no run longer than three.
    """
    if letter.isdigit():
        return letter * count
    drawn = letter + letter.translate(_DIGITS) + ("*" if letter in "aeiou" else "")
    one = letter if drawn == letter * 2 else f"[{drawn}]"
    if count > 1:
        return f"{one}{{{min(count, 3)},3}}"
    return f"{one}{{1,3}}" if letter in "aiu" else f"{one}(?:{one}{{2}})?"


def _folded(text: str) -> str:
    """Returns the text without case, diacritics, invisible characters and look-alikes."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
        text = _DIACRITICS.sub("", unicodedata.normalize("NFD", text))
        text = _SEAM.sub(" ", unicodedata.normalize("NFC", text)).translate(_LOOK_ALIKES)
    return text.casefold().replace("_", "-")


def _views(text: str) -> Iterable[str]:
    """Returns the ways to read a text: folded; symbols as letters; broken words joined."""
    folded = _RUN_ON.sub(r"\1\1\1", _folded(text))
    drawn = _BANG.sub("1", folded).translate(_SYMBOLS)
    if drawn != folded:
        drawn = _RUN_ON.sub(r"\1\1\1", drawn)
    joined = _INNER.sub("", _SPELLED.sub(_joined, drawn))
    return dict.fromkeys((folded, drawn, joined))


def _joined(spelled: re.Match[str]) -> str:
    """Returns a word that was written letter by letter; wider gaps stay between words."""
    letters, gaps = re.findall(r"\w", spelled[0]), re.findall(r"\W+", spelled[0])
    narrow = min(map(len, gaps))
    rest = "".join(
        (" " if len(gap) > narrow else "") + letter
        for gap, letter in zip(gaps, letters[1:], strict=True)
    )
    # "I k i l l" is read both ways: a lone a or i may be a word before the spelled one.
    return f"{letters[0]}{rest} {rest}" if letters[0] in "ai" else letters[0] + rest
