"""`Completions`: what a few typed letters may become, by weight; one typing error is forgiven."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.core.vocabulary import open_array

INSIDE = 0.3
"""What a completion counts from a later word of its text on, of what it does from the first."""
WORDS = 5
"""A text is found by the beginnings of so many of its words."""
LONGEST = 80
"""Characters of a text that are looked at."""
FORGIVING = 4
"""From so many letters on one may be wrong, where nothing begins with them as they are."""


_LATER = re.compile("(?<= )[^ ]")
"""The first letter of a word that is not the first."""


class Phrase(NamedTuple):
    """A text to complete to.

    Attributes:
        text: as it is shown.
        weight: what it counts, above 0.
        row: the item whose title it is, or -1.
    """

    text: str
    weight: float
    row: int = -1


@dataclass(frozen=True)
class Completions:
    """Texts, found by how they or their words begin.

    Attributes:
        codes: `uint32[m]`, code points of the entries: normalised texts from one word on.
        offsets: `int64[entries + 1]` into `codes`; entries are sorted.
        text: `int32[entries]`, the text of each entry.
        weight: `float32[entries]`.
        blob: `uint8[b]`, the texts as they are shown.
        text_offsets: `int64[texts + 1]` into `blob`.
        rows: `int32[texts]`, the item of each text, or -1.
        letters: `uint32[a]`, the letters that entries are made of.
    """

    codes: NDArray[np.uint32]
    offsets: NDArray[np.int64]
    text: NDArray[np.int32]
    weight: NDArray[np.float32]
    blob: NDArray[np.uint8]
    text_offsets: NDArray[np.int64]
    rows: NDArray[np.int32]
    letters: NDArray[np.uint32]

    _ARRAYS = ("codes", "offsets", "text", "weight", "blob", "text_offsets", "rows", "letters")

    @classmethod
    def of(cls, phrases: Iterable[Phrase], normalise: Callable[[str], str]) -> Completions:
        """Completions to these texts; of equal ones the heaviest.

        Args:
            phrases: the texts.
            normalise: what makes texts comparable; queries go through it as well.
        """
        best: dict[str, Phrase] = {}
        for phrase in phrases:
            known = normalise(phrase.text)[:LONGEST].strip()
            if known and (known not in best or best[known].weight < phrase.weight):
                best[known] = phrase
        entries: list[str] = []
        numbers, weights = array("i"), array("f")
        for number, (known, phrase) in enumerate(best.items()):
            for place, start in enumerate(_starts(known)):
                entries.append(known[start:])
                numbers.append(number)
                weights.append(phrase.weight * (INSIDE if place else 1))
        order = sorted(range(len(entries)), key=entries.__getitem__)
        entries = [entries[place] for place in order]
        codes = np.frombuffer("".join(entries).encode("utf-32-le", "surrogatepass"), np.uint32)
        encoded = [phrase.text.encode("utf-8", "replace") for phrase in best.values()]
        return cls(
            codes,
            _bounds([len(entry) for entry in entries]),
            np.array(numbers, np.int32)[order],
            np.array(weights, np.float32)[order],
            np.frombuffer(b"".join(encoded), np.uint8),
            _bounds([len(text) for text in encoded]),
            np.array([phrase.row for phrase in best.values()], np.int32),
            np.unique(codes)[:256],
        )

    def __len__(self) -> int:
        return len(self.rows)

    def search(self, typed: str, k: int, allowed: Callable[[int], bool]) -> list[str]:
        """At most k texts that what was typed may become, the heaviest first.

        Args:
            typed: the beginning, normalised like the texts.
            k: how many.
            allowed: whether the text of an item's row may be shown.
        """
        wanted = np.array([ord(c) for c in typed.lstrip()[:LONGEST]], np.uint32)
        if not len(wanted) or not len(self.offsets):
            return []
        low, high = _range(self.codes, self.offsets, wanted, len(wanted))
        found = self._best(np.arange(low, high), k, allowed)
        if found or len(wanted) < FORGIVING:
            return found
        ranges = _near(self.codes, self.offsets, wanted, self.letters).tolist()
        near = [np.arange(low, high) for low, high in ranges]
        return self._best(np.unique(np.concatenate(near)), k, allowed) if near else []

    def save(self, folder: Path) -> None:
        """Write the arrays into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in self._ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, folder: Path) -> Completions:
        """Open saved arrays, memory-mapped."""
        return cls(**{name: open_array(folder / f"{name}.npy") for name in cls._ARRAYS})

    def _best(
        self,
        entries: NDArray[np.int64],
        k: int,
        allowed: Callable[[int], bool],
    ) -> list[str]:
        most = 20 * k  # several entries may be of one text, or hidden
        if len(entries) > most:
            entries = entries[np.argpartition(-self.weight[entries], most)[:most]]
        found: dict[int, None] = {}
        for entry in entries[np.lexsort((entries, -self.weight[entries]))].tolist():
            text = int(self.text[entry])
            row = int(self.rows[text])
            if text not in found and (row < 0 or allowed(row)):
                found[text] = None
                if len(found) == k:
                    break
        return [self._text(text) for text in found]

    def _text(self, number: int) -> str:
        start, stop = self.text_offsets[number : number + 2]
        return self.blob[start:stop].tobytes().decode("utf-8", "replace")


def _starts(text: str) -> list[int]:
    return [0, *(match.start() for match in islice(_LATER.finditer(text), WORDS - 1))]


def _bounds(lengths: list[int]) -> NDArray[np.int64]:
    bounds = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=bounds[1:])
    return bounds


@kernel
def _compare(
    codes: NDArray[np.uint32], start: int, stop: int, wanted: NDArray[np.uint32], n: int
) -> int:
    """-1, 0, 1: an entry is before the prefix, begins with it, or is after."""
    for i in range(n):
        if start + i >= stop or codes[start + i] < wanted[i]:
            return -1
        if codes[start + i] > wanted[i]:
            return 1
    return 0


@kernel
def _range(
    codes: NDArray[np.uint32], offsets: NDArray[np.int64], wanted: NDArray[np.uint32], n: int
) -> tuple[int, int]:
    """The entries that begin with the first n of the wanted code points."""
    low, high = 0, len(offsets) - 1
    while low < high:
        middle = (low + high) // 2
        if _compare(codes, offsets[middle], offsets[middle + 1], wanted, n) < 0:
            low = middle + 1
        else:
            high = middle
    first = low
    high = len(offsets) - 1
    while low < high:
        middle = (low + high) // 2
        if _compare(codes, offsets[middle], offsets[middle + 1], wanted, n) <= 0:
            low = middle + 1
        else:
            high = middle
    return first, low


@kernel
def _near(
    codes: NDArray[np.uint32],
    offsets: NDArray[np.int64],
    wanted: NDArray[np.uint32],
    letters: NDArray[np.uint32],
) -> NDArray[np.int64]:
    """Ranges of entries that begin with the wanted code points but for one error.

    The error is a letter too much, too few, another one, or two swapped; not at the first letter.
    """
    n = len(wanted)
    out = np.empty((n * (2 * len(letters) + 2), 2), np.int64)
    found = 0
    trial = np.empty(n + 1, np.uint32)
    for at in range(1, n):
        alike_low, alike_high = _range(codes, offsets, wanted, at)
        if alike_low == alike_high:
            break  # nothing begins like this, so the error lies before
        for kind in range(4):
            for letter in range(len(letters) if kind in (0, 1) else 1):
                trial[:at] = wanted[:at]
                length = n
                if kind == 0:  # another letter
                    trial[at] = letters[letter]
                    trial[at + 1 : n] = wanted[at + 1 :]
                elif kind == 1:  # one too few
                    trial[at] = letters[letter]
                    trial[at + 1 : n + 1] = wanted[at:]
                    length = n + 1
                elif kind == 2:  # one too many
                    trial[at : n - 1] = wanted[at + 1 :]
                    length = n - 1
                else:  # two swapped
                    if at + 1 >= n:
                        continue
                    trial[at], trial[at + 1] = wanted[at + 1], wanted[at]
                    trial[at + 2 : n] = wanted[at + 2 :]
                low, high = _range(codes, offsets, trial, length)
                if low < high:
                    out[found, 0], out[found, 1] = low, high
                    found += 1
    return out[:found]
