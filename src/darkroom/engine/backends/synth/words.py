"""Words: the lists that the synthesiser knows, written as one reads them."""

from __future__ import annotations


def listed(text: str) -> frozenset[str]:
    """The words of a text, set apart by spaces."""
    return frozenset(text.split())


def table(**meanings: str) -> dict[str, str]:
    """Words, or phrases, set apart by commas, to the meaning whose list they stand in."""
    return {word: meaning for meaning, words in meanings.items() for word in words.split(",")}
