"""Other ways to write the words of a query: `XT-500`, `XT 500` and `xt500`; `Müller` and `Mueller`.

An index has words as the texts write them. What a query writes in another way is looked up in
both; a way that no text has costs nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

from shortlist.text.analyzer import Analyzer, Token
from shortlist.text.boundaries import describe

MOST_WORDS = 16
"""So many words of a query are looked at; longer ones are texts, which say more than names."""
LONGEST = 32
"""Letters of a word that two are written as."""

_PARTS = re.compile(r"[0-9]+(?:\.[0-9]+)*|[^0-9.]+")
_UMLAUTS = {"ä": "ae", "ö": "oe", "ü": "ue"}
_SPELLED_OUT = re.compile(r"(?<![aeiouq])(?:ae|oe|ue)")

Way = tuple[int, int, str]
"""The first token that is written in another way, the one after the last, and how."""


def other_ways(query: str, tokens: Sequence[Token], analyzer: Analyzer) -> list[Way]:
    """Other ways to write the words of a query, as text to be analysed.

    Args:
        query: what was typed.
        tokens: its words, with their places in it.
        analyzer: whose languages say whether umlauts are spelled out.
    """
    some = tokens[:MOST_WORDS]
    plain = [_plain(token.text) for token in some]
    ways: list[Way] = []
    for at, (first, second) in enumerate(pairwise(some)):
        joined = first.text + second.text
        near = len(query[first.end : second.start].strip()) <= 1
        if plain[at] and plain[at + 1] and near and len(joined) <= LONGEST:
            ways.append((at, at + 2, joined))
    for at, token in enumerate(some):
        parts = _PARTS.findall(token.text)
        if plain[at] and len(parts) > 1:
            ways.append((at, at + 1, " ".join(parts)))
        if "de" in analyzer.settings.languages and plain[at]:
            ways += [(at, at + 1, way) for way in _umlauts(query[token.start : token.end])]
    return ways


def _plain(word: str) -> bool:
    """Whether a word is of letters with spaces between words, or of digits."""
    kind, script, _ = describe(word)
    return kind == "word" and (script in ("Latin", "Greek", "Cyrillic") or word.isdigit())


def _umlauts(word: str) -> list[str]:
    """A word with its umlauts spelled out, or with letters in the place of what spells them out."""
    folded = unicodedata.normalize("NFC", word).casefold()
    spelled_out = "".join(_UMLAUTS.get(letter, letter) for letter in folded)
    return [
        way
        for way in (spelled_out, _SPELLED_OUT.sub(lambda match: match[0][0], folded))
        if way != folded
    ]
