"""`Lexicon`: the words that are known, how common each is, and which follow which."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import DataError
from shortlist.core.vocabulary import Vocabulary, open_array
from shortlist.text.normalise import normalise

_FOREIGN = 0.2
"""The share of the word lists in how common a word is: the catalogue knows its field better."""
_DOUBTED = 0.05
"""What a word counts that queries alone have: most such are mistakes, or nothing that is found."""
_UNSEEN = (1e-3, 0.02)
"""Bounds of the share of unseen words: queries ask for what a catalogue may be expected to have."""
_PAIRS = 4_000_000
"""Pairs that are counted at once; above it those met once are forgotten (lossy counting)."""
_LINE = re.compile(r"\s*(\S+)(?:\s+(\d+))?\s*")
_ARRAYS = ("shares", "known", "pairs", "pair_counts", "totals")


@dataclass(frozen=True)
class Lexicon:
    """Words and what was counted of them.

    Attributes:
        words: the words and their rows.
        shares: `float32[n]`, the part of all that is said that each word is; sums to less than 1
            by `unseen`.
        known: `int32[n]`, how often the catalogue has it; those of a word list, at least `SURE`.
        pairs: `int64[p]`, first · n + second of words that follow each other, ascending.
        pair_counts: `float32[p]`.
        totals: `float32[n]`, how often each word is the first of a pair.
        unseen: the share of words that are not here (Good, Biometrika 1953: as many as occur
            once), within bounds.
    """

    words: Vocabulary
    shares: NDArray[np.float32]
    known: NDArray[np.int32]
    pairs: NDArray[np.int64]
    pair_counts: NDArray[np.float32]
    totals: NDArray[np.float32]
    unseen: float

    def follows(self, first: int, second: int) -> float:
        """The part of what follows a word that another is; 0 where that was never met."""
        if first < 0 or second < 0 or not self.totals[first]:
            return 0.0
        pair = first * len(self.words) + second
        at = int(np.searchsorted(self.pairs, pair))
        if at == len(self.pairs) or self.pairs[at] != pair:
            return 0.0
        return float(self.pair_counts[at] / self.totals[first])

    def save(self, folder: Path) -> None:
        """Write the arrays into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        self.words.save(folder / "words")
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))
        np.save(folder / "unseen.npy", np.array([self.unseen]))

    @classmethod
    def load(cls, folder: Path) -> Lexicon:
        """Open saved arrays, memory-mapped."""
        arrays = {name: open_array(folder / f"{name}.npy") for name in _ARRAYS}
        unseen = float(open_array(folder / "unseen.npy")[0])
        return cls(words=Vocabulary.load(folder / "words"), unseen=unseen, **arrays)


SURE = 3
"""A word that the catalogue has this often is spelled right."""


def count_words(
    texts: Iterable[Sequence[str]],
    queries: Iterable[tuple[Sequence[str], int]] = (),
    lists: Mapping[str, float] | None = None,
    *,
    most: int = 500_000,
) -> Lexicon:
    """Learn the words of a catalogue and of a query log.

    A query log holds mistakes: it says how common a word is, and only the catalogue and the lists
    say that it is spelled right.

    Args:
        texts: the words (`Analyzer.words`) of each text of the catalogue.
        queries: the words of queries, and how often each was asked.
        lists: further words that are spelled right and their counts in some other corpus.
        most: how many words are kept, the commonest.
    """
    catalogue: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for words in texts:
        catalogue.update(words)
        pairs.update(pairwise(words))
        if len(pairs) > _PAIRS:
            pairs = Counter({pair: count for pair, count in pairs.items() if count > 1})
    for words, times in queries:
        for word in words:
            asked[word] += times
        for pair in pairwise(words):
            pairs[pair] += times
    own = {word: float(count) for word, count in (catalogue + asked).items()}
    foreign = lists or {}
    for word in own:
        if word not in catalogue and word not in foreign:
            own[word] *= _DOUBTED
    total, outside = float(sum(own.values())), float(sum(foreign.values()))
    share = {word: count / total for word, count in own.items()}
    if outside:
        mixed = _FOREIGN if total else 1.0
        share = {word: part * (1 - mixed) for word, part in share.items()}
        for word, count in foreign.items():
            share[word] = share.get(word, 0.0) + mixed * count / outside
    kept = sorted(share, key=lambda word: (-share[word], word))[:most]
    unseen = sum(count == 1 for count in catalogue.values()) / max(total, 1.0)
    unseen = min(max(unseen, _UNSEEN[0]), _UNSEEN[1])
    row_of = {word: row for row, word in enumerate(kept)}
    known = [catalogue[word] + (SURE if word in foreign else 0) for word in kept]
    keys, counts, totals = _pairs(pairs, row_of)
    return Lexicon(
        words=Vocabulary.of(kept),
        shares=(np.array([share[word] for word in kept]) * (1 - unseen)).astype(np.float32),
        known=np.array(known, np.int32),
        pairs=keys,
        pair_counts=counts,
        totals=totals,
        unseen=unseen,
    )


def _pairs(
    pairs: Mapping[tuple[str, str], int], row_of: Mapping[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    n = len(row_of)
    both = [
        (row_of[first] * n + row_of[second], count)
        for (first, second), count in pairs.items()
        if first in row_of and second in row_of
    ]
    flat = np.fromiter(chain.from_iterable(both), np.int64, 2 * len(both)).reshape(-1, 2)
    flat = flat[np.argsort(flat[:, 0])]
    keys, counts = np.ascontiguousarray(flat[:, 0]), flat[:, 1].astype(np.float32)
    totals = np.bincount(keys // max(n, 1), counts, minlength=n).astype(np.float32)
    return keys, counts, totals


def read_words(file: Path, *, diacritics: bool = False) -> dict[str, float]:
    """A word list: a word on each line, with a count after it or none; `.gz` is unpacked.

    Raises:
        DataError: the file cannot be read, or a line is no word; names the line.
    """
    words: dict[str, float] = {}
    number = 0
    try:
        opened = gzip.open if file.suffix == ".gz" else open
        with opened(file, "rt", encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip() or line.startswith("#"):
                    continue
                match = _LINE.fullmatch(line)
                if match is None:
                    raise DataError(
                        f"{line.strip()[:60]!r} is no word with a count.",
                        remedy="Write one word on a line, and a whole number after it or nothing.",
                        where=f"{file}:{number}",
                    )
                word = normalise(match[1], diacritics=diacritics)
                words[word] = words.get(word, 0.0) + float(match[2] or 1)
    except UnicodeDecodeError:
        raise DataError(
            "the line is not UTF-8.", remedy="Save the file as UTF-8.", where=f"{file}:{number + 1}"
        ) from None
    except (OSError, EOFError) as error:
        raise DataError(
            f"the word list cannot be read: {getattr(error, 'strerror', None) or error}.",
            remedy="Correct `words` in [search].",
            where=str(file),
        ) from None
    return words
