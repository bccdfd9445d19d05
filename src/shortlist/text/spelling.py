"""`Speller`: what a query's words were meant to be.

A noisy channel (Kernighan, Church & Gale, COLING 1990) over whole queries: the likeliest words,
given how common each is, what it follows, and what it costs to have typed the query for them.
Words that the catalogue knows well stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from shortlist.core.vocabulary import open_array
from shortlist.text.boundaries import describe
from shortlist.text.edits import build_index, candidates
from shortlist.text.letters import learn_letters, likelihood
from shortlist.text.lexicon import SURE, Lexicon, count_words
from shortlist.text.strokes import codes, is_hangul, keyboard, strokes

_DEARNESS = 7.0
"""-log of the chance of one certain full edit: a few mistakes in a hundred words, spread over the
hundreds of edits that each could have."""
_INITIALS = 4
"""Unknown words up to this long may be initials, whose letters follow no rule."""
_INITIALS_SHARE = 0.1
_SPACE = 0.9
"""What a space too many or too few costs."""
_CONTEXT = 0.5
"""The weight of the pair in how likely a word is after another (Jelinek & Mercer 1980)."""
_OTHER_LAYOUT = 0.6
"""What a word may cost that is taken to have been typed on the other layout."""
_FEWEST, _MOST = 3, 60
"""Keys that a word must have to be corrected."""
_BEAM = 16
_CANDIDATES = 8
_MOST_WORDS = 32
_Scalar = TypeVar("_Scalar", bound=np.generic)
_ARRAYS = ("letters", "letter_offsets", "buckets", "entries", "alphabet", "letter_pairs")


@dataclass(frozen=True)
class Change:
    """One thing that was corrected.

    Attributes:
        start: the first word of the query that it takes the place of.
        end: the one after the last.
        typed: those words.
        meant: the words in their place.
        confidence: the probability that they were meant, in (0, 1].
    """

    start: int
    end: int
    typed: tuple[str, ...]
    meant: tuple[str, ...]
    confidence: float


@dataclass(frozen=True)
class Correction:
    """A query's words as they were meant.

    Attributes:
        words: all of them.
        changes: what differs from what was typed, in order.
        confidence: that of the least sure change; 1 where there is none.
    """

    words: tuple[str, ...]
    changes: tuple[Change, ...]
    confidence: float


@dataclass(frozen=True)
class _Step:
    """A reading of the words from `start` to `end`: other words, or the same."""

    start: int
    end: int
    words: tuple[str, ...]
    rows: tuple[int, ...]
    cost: float


@dataclass(frozen=True)
class _Reading:
    """A reading of the words so far, and the logarithm of how likely it is."""

    score: float
    steps: tuple[_Step, ...]
    last: int


class Speller:
    """Corrects queries; learn one from texts, or open a saved one. Safe for threads."""

    def __init__(
        self,
        lexicon: Lexicon,
        letters: NDArray[np.int32],
        letter_offsets: NDArray[np.int64],
        buckets: NDArray[np.int64],
        entries: NDArray[np.int32],
        alphabet: NDArray[np.int32],
        pairs: NDArray[np.float32],
    ) -> None:
        self.lexicon = lexicon
        self._letters, self._letter_offsets = _fixed(letters), _fixed(letter_offsets)
        self._buckets, self._entries = _fixed(buckets), _fixed(entries)
        self._alphabet, self._pairs = alphabet, pairs
        self._likelihood = _fixed(np.log(lexicon.shares, dtype=np.float32))
        self._keys = _fixed(keyboard())

    @classmethod
    def learn(
        cls,
        texts: Iterable[Sequence[str]],
        queries: Iterable[tuple[Sequence[str], int]] = (),
        lists: Mapping[str, float] | None = None,
        *,
        most: int = 500_000,
    ) -> Speller:
        """A speller for the words of a catalogue.

        Args:
            texts: the words (`Analyzer.words`) of each text of the catalogue.
            queries: the words of past queries and how often each was asked; they say how common
                a word is, not that it is right.
            lists: further words that are right, with counts of some other corpus (`read_words`).
            most: how many words are kept, the commonest.
        """
        spelled = (_spelled(words) for words in texts)
        asked = ((_spelled(words), times) for words, times in queries)
        lexicon = count_words(spelled, asked, lists, most=most)
        keys = [codes(strokes(word)) for word in lexicon.words.ids()]
        offsets = np.zeros(len(keys) + 1, np.int64)
        np.cumsum([len(word) for word in keys], out=offsets[1:])
        letters = np.concatenate(keys) if keys else np.empty(0, np.int32)
        bits = max(4, int(16 * max(len(keys), 1)).bit_length())
        buckets, entries = build_index(_fixed(letters), _fixed(offsets), bits)
        alphabet, pairs = learn_letters(letters, offsets)
        return cls(lexicon, letters, offsets, buckets, entries, alphabet, pairs)

    def save(self, folder: Path) -> None:
        """Write the speller's arrays into a folder, which is made."""
        self.lexicon.save(folder)
        arrays: tuple[NDArray[Any], ...] = (
            self._letters,
            self._letter_offsets,
            self._buckets,
            self._entries,
            self._alphabet,
            self._pairs,
        )
        for name, array in zip(_ARRAYS, arrays, strict=True):
            np.save(folder / f"{name}.npy", array)

    @classmethod
    def load(cls, folder: Path) -> Speller:
        """Open a saved speller, memory-mapped."""
        arrays = [open_array(folder / f"{name}.npy") for name in _ARRAYS]
        return cls(Lexicon.load(folder), *arrays)

    def knows(self, word: str) -> bool:
        """Whether the catalogue or a word list has a word often enough to leave it alone."""
        row = int(self.lexicon.words.rows([word])[0])
        return row >= 0 and int(self.lexicon.known[row]) >= SURE

    def correct(self, words: Sequence[str]) -> Correction:
        """The likeliest words that were meant, and how sure that is.

        Args:
            words: `Analyzer.words` of the query; those after the first 32 stay as they are.
        """
        head, tail = tuple(words[:_MOST_WORDS]), tuple(words[_MOST_WORDS:])
        rows = self.lexicon.words.rows(head).tolist()
        well = [row >= 0 and int(self.lexicon.known[row]) >= SURE for row in rows]
        if all(known or not _correctable(word) for word, known in zip(head, well, strict=True)):
            return Correction((*head, *tail), (), 1.0)
        readings = self._read(head, rows, well)
        best = readings[0]
        total = sum(exp(reading.score - best.score) for reading in readings)
        changes = []
        for step in best.steps:
            typed = head[step.start : step.end]
            if step.words != typed:
                agree = sum(exp(r.score - best.score) for r in readings if step in r.steps)
                share = min(agree / total, 1.0)
                changes.append(Change(step.start, step.end, typed, step.words, share))
        meant = tuple(word for step in best.steps for word in step.words)
        least = min((change.confidence for change in changes), default=1.0)
        return Correction((*meant, *tail), tuple(changes), least)

    def _read(self, words: tuple[str, ...], rows: list[int], well: list[bool]) -> list[_Reading]:
        """The likeliest readings of some words, likeliest first."""
        beams: list[list[_Reading]] = [[] for _ in range(len(words) + 1)]
        beams[0] = [_Reading(0.0, (), -1)]
        for start in range(len(words)):
            beams[start].sort(key=lambda reading: -reading.score)
            steps = list(self._steps(words, rows, well, start))
            for reading in beams[start][:_BEAM]:
                for step in steps:
                    score, last = reading.score - _DEARNESS * step.cost, reading.last
                    for word, row in zip(step.words, step.rows, strict=True):
                        score += self._likely(word, row, last)
                        last = row
                    beams[step.end].append(_Reading(score, (*reading.steps, step), last))
        return sorted(beams[-1], key=lambda reading: -reading.score)

    def _steps(
        self, words: tuple[str, ...], rows: list[int], well: list[bool], start: int
    ) -> Iterator[_Step]:
        word, row, end = words[start], rows[start], start + 1
        yield _Step(start, end, (word,), (row,), 0.0)
        if end < len(words) and not (well[start] and well[end]):
            joined = word + words[end]
            at = int(self.lexicon.words.rows([joined])[0])
            if at >= 0 and _correctable(joined):
                yield _Step(start, end + 1, (joined,), (at,), _SPACE)
        if well[start] or not _correctable(word):
            return
        found, costs = self._candidates(word)
        meant = self.lexicon.words.ids(found)
        for other, at, cost in zip(meant, found.tolist(), costs.tolist(), strict=True):
            if is_hangul(other) != is_hangul(word) and cost > _OTHER_LAYOUT:
                continue
            if at != row:
                yield _Step(start, end, (other,), (at,), cost)
        yield from self._splits(word, start)

    def _candidates(self, word: str) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        return candidates(
            _fixed(codes(strokes(word))),
            self._letters,
            self._letter_offsets,
            self._buckets,
            self._entries,
            self._likelihood,
            self._keys,
            _DEARNESS,
            _CANDIDATES,
        )

    def _splits(self, word: str, start: int) -> Iterator[_Step]:
        """A word as two that the catalogue knows well, without the space between them."""
        places = range(2, len(word) - 1)
        halves = [(word[:place], word[place:]) for place in places]
        rows = self.lexicon.words.rows([half for both in halves for half in both]).reshape(-1, 2)
        for both, pair in zip(halves, rows.tolist(), strict=True):
            if min(pair) >= 0 and int(self.lexicon.known[pair].min()) >= SURE:
                yield _Step(start, start + 1, both, tuple(pair), _SPACE)

    def _likely(self, word: str, row: int, before: int) -> float:
        """The logarithm of how likely a word is after another."""
        lexicon = self.lexicon
        if row < 0:
            typed = codes(strokes(word))
            told = likelihood(self._alphabet, self._pairs, typed)
            if len(typed) <= _INITIALS:
                told = max(told, log(_INITIALS_SHARE) - len(typed) * log(26))
            return log(lexicon.unseen) + told
        share = float(lexicon.shares[row])
        if before >= 0 and lexicon.totals[before]:
            share = _CONTEXT * lexicon.follows(before, row) + (1 - _CONTEXT) * share
        return log(share)


def _correctable(word: str) -> bool:
    """Whether a word is made of letters that people mistype, and of enough of them."""
    if len(word) > _MOST:
        return False
    kind, _, _ = describe(word)
    if kind not in ("word", "hangul") or any(letter.isdigit() for letter in word):
        return False
    return _FEWEST <= len(strokes(word)) <= _MOST


def _spelled(words: Sequence[str]) -> list[str]:
    """The words of a text that can be corrected to."""
    return [word for word in words if describe(word)[0] in ("word", "hangul")]


def _fixed(array: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """The array read-only, as a memory-mapped one is: kernels are compiled for one kind."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view
