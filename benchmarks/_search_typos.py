"""How people mistype, learned from pairs of what was typed and what was meant.

A file of lines `typed meant distance`. The pairs say how many letters of a word go wrong, how
(another letter, one too many, one too few, two exchanged), where, and which letter is hit instead;
queries are then mistyped alike. The pairs themselves measure the speller.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from shortlist.text.lexicon import read_words
from shortlist.text.spelling import Speller

LETTERS = "abcdefghijklmnopqrstuvwxyz"
SURE = 0.7
"""`search.confidence`: what is surer is searched for unasked."""
Pair = tuple[str, str]
Edit = tuple[str, int, str, str]
"""What kind, at which letter of what was meant, the letter there, the letter typed."""


@dataclass
class Habits:
    """How words are mistyped.

    Attributes:
        edits: how many letters go wrong → how often, of the words where one does.
        kinds: kind of edit → how often.
        instead: (kind, letter meant) → letters typed and how often each.
        first: the share of edits that are at the first letter.
    """

    edits: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    instead: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    first: float = 0.0

    @classmethod
    def of(cls, pairs: list[Pair]) -> Habits:
        """Those that pairs of typed and meant words show."""
        habits, first = cls(), 0
        for typed, meant in pairs:
            found = edits(typed, meant)
            if found:
                habits.edits[len(found)] += 1
            for kind, at, letter, hit in found:
                habits.kinds[kind] += 1
                habits.instead.setdefault((kind, letter), Counter())[hit] += 1
                first += at == 0
        habits.first = first / max(sum(habits.kinds.values()), 1)
        return habits

    def mistype(self, word: str, rng: np.random.Generator) -> str:
        """A word as it may be typed wrong; one that has no letter left to go wrong stays."""
        for _ in range(_drawn(self.edits, rng)):
            if len(word) < 2:
                break
            at = 0 if rng.random() < self.first else int(rng.integers(1, len(word)))
            kind = _drawn(self.kinds, rng)
            hits = self.instead.get((kind, word[at])) or Counter(LETTERS)
            letter = _drawn(hits, rng)
            if kind == "substitution":
                word = word[:at] + letter + word[at + 1 :]
            elif kind == "insertion":
                word = word[:at] + letter + word[at:]
            elif kind == "deletion":
                word = word[:at] + word[at + 1 :]
            else:
                word = word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]
        return word


def read_pairs(path: Path) -> list[Pair]:
    """The typed and the meant word of each line."""
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return [(line[0], line[1]) for line in lines if len(line) >= 2]


def edits(typed: str, meant: str) -> list[Edit]:
    """The fewest edits that turn what was meant into what was typed (optimal string alignment)."""
    n, m = len(meant), len(typed)
    cost = np.zeros((n + 1, m + 1), int)
    cost[:, 0], cost[0] = np.arange(n + 1), np.arange(m + 1)
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            best = min(cost[i - 1, j], cost[i, j - 1]) + 1
            best = min(best, cost[i - 1, j - 1] + (meant[i - 1] != typed[j - 1]))
            if _exchanged(meant, typed, i, j):
                best = min(best, cost[i - 2, j - 2] + 1)
            cost[i, j] = best
    found: list[Edit] = []
    i, j = n, m
    while i or j:
        if i and j and meant[i - 1] == typed[j - 1] and cost[i, j] == cost[i - 1, j - 1]:
            i, j = i - 1, j - 1
        elif _exchanged(meant, typed, i, j) and cost[i, j] == cost[i - 2, j - 2] + 1:
            found.append(("transposition", i - 2, meant[i - 2], typed[j - 2]))
            i, j = i - 2, j - 2
        elif i and j and cost[i, j] == cost[i - 1, j - 1] + 1:
            found.append(("substitution", i - 1, meant[i - 1], typed[j - 1]))
            i, j = i - 1, j - 1
        elif j and cost[i, j] == cost[i, j - 1] + 1:
            found.append(("insertion", i, meant[i] if i < n else "", typed[j - 1]))
            j -= 1
        else:
            found.append(("deletion", i - 1, meant[i - 1], ""))
            i -= 1
    return found[::-1]


def spelling(pairs: list[Pair], dictionary: Path) -> dict[str, Any]:
    """How often each speller's first choice is what was meant, a word at a time.

    Args:
        pairs: typed and meant.
        dictionary: words and their frequencies; all that both spellers know.
    """
    listed = read_words(dictionary)
    speller = Speller.learn([], (), listed)
    choices = [speller.correct([typed]) for typed, _ in pairs]
    words = [" ".join(choice.words) for choice in choices]
    sure = [
        " ".join(choice.words) if choice.confidence >= SURE else typed
        for choice, (typed, _) in zip(choices, pairs, strict=True)
    ]
    started = time.perf_counter()
    for typed, _ in pairs:
        speller.correct([typed])
    seconds = time.perf_counter() - started
    habits = Habits.of(pairs)
    total = sum(habits.kinds.values())
    figures: dict[str, Any] = {
        "pairs": len(pairs),
        "mistyped": sum(habits.edits.values()),
        "meant_is_in_the_dictionary": sum(meant in listed for _, meant in pairs),
        "typed_is_another_word_of_it": sum(t != m and t in listed for t, m in pairs),
        "share_of_edits": {kind: n / total for kind, n in habits.kinds.most_common()},
        "share_at_the_first_letter": habits.first,
        "shortlist": _accuracy(words, pairs) | {"us_per_word": seconds / len(pairs) * 1e6},
        f"shortlist, where it is {SURE} sure": _accuracy(sure, pairs),
        "as typed": _accuracy([typed for typed, _ in pairs], pairs),
    }
    if find_spec("symspellpy") is not None:
        for distance in (2, 3):
            figures[f"symspell, {distance} edits"] = _symspell(pairs, listed, distance)
    return figures


def _symspell(pairs: list[Pair], listed: dict[str, float], distance: int) -> dict[str, float]:
    from symspellpy import SymSpell, Verbosity

    peer = SymSpell(max_dictionary_edit_distance=distance, prefix_length=7)
    for word, count in listed.items():
        peer.create_dictionary_entry(word, int(count))
    started = time.perf_counter()
    words = [
        peer.lookup(typed, Verbosity.TOP, max_edit_distance=distance, include_unknown=True)[0].term
        for typed, _ in pairs
    ]
    seconds = time.perf_counter() - started
    return _accuracy(words, pairs) | {"us_per_word": seconds / len(pairs) * 1e6}


def _accuracy(words: list[str], pairs: list[Pair]) -> dict[str, float]:
    """The share that is what was meant: of all, by how many letters were wrong, of right ones."""
    right: dict[int, list[bool]] = {}
    for word, (typed, meant) in zip(words, pairs, strict=True):
        right.setdefault(len(edits(typed, meant)), []).append(word == meant)
    every = [good for goods in right.values() for good in goods]
    told = {"accuracy@1": float(np.mean(every))}
    for wrong, goods in sorted(right.items()):
        told[f"{wrong} wrong ({len(goods)})"] = float(np.mean(goods))
    return told


def _exchanged(meant: str, typed: str, i: int, j: int) -> bool:
    if i < 2 or j < 2:
        return False
    return meant[i - 2 : i] == typed[j - 1] + typed[j - 2] and typed[j - 1] != typed[j - 2]


def _drawn(counts: Counter[Any], rng: np.random.Generator) -> Any:
    names = sorted(counts)
    weights = np.array([counts[name] for name in names], float)
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]
