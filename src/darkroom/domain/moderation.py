"""The content policy: rules read from a TOML text, and prompts checked against them."""

from __future__ import annotations

import hashlib
import itertools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

import msgspec

from darkroom.domain import readings
from darkroom.domain.phrases import Phrases
from darkroom.errors import ConfigInvalid

Mode = Literal["enforce", "shadow"]

POLICY_CHARACTERS_MAX = 1_000_000
PHRASE_CHARACTERS_MAX = 100
PATTERN_CHARACTERS_MAX = 1000
# In how many ways the repeats of a pattern can be tried from one place in the text.
PATTERN_WAYS_MAX = 20_000
WITHIN_CHARACTERS = 60


class Match(msgspec.Struct, frozen=True):
    """A rule that a text falls under, the field that the text came in, and the rule's mode."""

    rule: str
    field: str
    mode: Mode


class _Rule(msgspec.Struct, frozen=True):
    name: str
    mode: Mode
    terms: frozenset[str]
    patterns: tuple[re.Pattern[str], ...]
    sides: tuple[frozenset[str], ...]
    within_characters: int
    unless: frozenset[str]

    @property
    def phrases(self) -> frozenset[str]:
        return self.terms.union(*self.sides, self.unless)


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules in their order; `version` is the head of the SHA-256 of the text they came from."""

    version: str
    # Not in the representation: the terms have no place in a log.
    rules: tuple[_Rule, ...] = field(repr=False)
    _phrases: Phrases = field(repr=False)
    # Those that a text may fall under without a phrase.
    _patterned: tuple[_Rule, ...] = field(repr=False)

    def check(self, texts: Mapping[str, str]) -> Match | None:
        """Returns the first match of an enforced rule, else the first of a shadow rule, else None.

        `texts` maps field names to what callers wrote there. Takes time linear in the texts.
        """
        shadow: Match | None = None
        for name, text in texts.items():
            views = [(view, self._phrases.near(view)) for view in readings.views(text)]
            is_near = any(near for _, near in views)
            for rule in self.rules if is_near else self._patterned:
                if any(self._matches(rule, view, near) for view, near in views):
                    match = Match(rule.name, name, rule.mode)
                    if rule.mode == "enforce":
                        return match
                    shadow = shadow or match
        return shadow

    def _matches(self, rule: _Rule, view: str, near: set[str]) -> bool:
        """Whether a view, which may hold phrases of `near` and no others, falls under the rule."""
        if not (rule.patterns or near & rule.terms or (rule.sides and near & rule.sides[0])):
            return False
        if harmless := [*self._phrases.found(near & rule.unless, view)]:
            letters = [*view]
            for start, end in harmless:
                letters[start:end] = " " * (end - start)
            view = "".join(letters)
        if any(pattern.search(view) for pattern in rule.patterns):
            return True
        if any(self._phrases.found(near & rule.terms, view)):
            return True
        # The nearest two of different sides are neighbours once all are in order.
        found = sorted(
            (start, end, number)
            for number, side in enumerate(rule.sides)
            for start, end in self._phrases.found(near & side, view)
        )
        return any(
            left[2] != right[2] and right[0] - left[1] <= rule.within_characters
            for left, right in itertools.pairwise(found)
        )


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
    phrases = Phrases(phrase for rule in rules for phrase in rule.phrases)
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Policy(version, rules, phrases, tuple(rule for rule in rules if rule.patterns))


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
        patterns=tuple(_pattern(text, where) for text in _texts(entry.get("patterns", []), where)),
        sides=tuple(_phrases(side, f"{where}: near") for side in near),
        within_characters=within,
        unless=_phrases(entry.get("unless", []), f"{where}: unless"),
    )
    if not all(rule.sides) or not (rule.terms or rule.patterns or rule.sides):
        raise ConfigInvalid(f"{where} has no terms and no patterns, or an empty list in near.")
    return rule


def _texts(value: object, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ConfigInvalid(f"{where} is a list of texts.")
    return cast(list[str], value)


def _phrases(value: object, where: str) -> frozenset[str]:
    phrases = _texts(value, where)
    for phrase in phrases:
        letters = len(re.findall(r"\w", readings.folded(phrase)))
        if letters < 2 or len(phrase) > PHRASE_CHARACTERS_MAX:
            raise ConfigInvalid(
                f"{where}: {phrase[:40]!r} has fewer than 2 letters or more than "
                f"{PHRASE_CHARACTERS_MAX} characters."
            )
    return frozenset(phrases)


def _pattern(source: str, where: str) -> re.Pattern[str]:
    """Returns the pattern with its letters folded as the texts' letters will be.

    Every repeat must be bounded and none may repeat a group, so that no text is slow to check.
    """
    try:
        if len(source) > PATTERN_CHARACTERS_MAX:
            raise re.error(f"it is longer than {PATTERN_CHARACTERS_MAX} characters")
        _check_repeats(source)
        return re.compile(source.translate(readings.LOOK_ALIKES))
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
