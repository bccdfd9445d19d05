"""What every full-text index promises.

Indexes know terms, never text: whoever writes and whoever asks run the same analyzer. Documents
carry 64-bit keys; an index inside a release uses catalogue rows, one that outlives releases
`core.keys.item_key`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Value
from shortlist.core.expression import Expression

K1, B = 1.2, 0.75
"""BM25's saturation and length normalisation (Robertson and Zaragoza, 2009, section 3.4)."""

Hits = tuple[NDArray[np.uint64], NDArray[np.float32]]
"""Keys and BM25 scores, best first; equal scores by key."""
NO_HITS: Hits = (np.empty(0, np.uint64), np.empty(0, np.float32))


@dataclass(frozen=True, slots=True)
class Document:
    """One document.

    Attributes:
        key: who it is; a document replaces the one of the same key.
        fields: field → its terms in order. A field that the index does not weigh is left out.
        attributes: values to filter by, of the kinds that the index was made with.
    """

    key: int
    fields: Mapping[str, Sequence[str]]
    attributes: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for, in terms.

    Attributes:
        terms: term → its weight, above 0. A document needs one of them (or, without terms, only
            what follows), and scores the weighted sum of their BM25.
        phrases: each must occur, its terms side by side and in order within a field.
        prefix: a term of the document must begin with it; the last word of an unfinished query.
        begun: terms that will do as well: stems of words that begin with it.
    """

    terms: Mapping[str, float] = field(default_factory=dict)
    phrases: tuple[tuple[str, ...], ...] = ()
    prefix: str = ""
    begun: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing is looked for; nothing is then found."""
        return not (self.terms or self.phrases or self.prefix)


class LexicalIndex(Protocol):
    """An inverted index that ranks by BM25; safe to search from several threads.

    Fields have whole weights: a term counts as often as its field weighs, before saturation, in
    one frequency and one length for the document ("simple BM25F", Robertson, Zaragoza and
    Taylor, CIKM 2004). Sums of BM25 over fields would count a word once more for every field.
    """

    def __len__(self) -> int:
        """How many documents it holds."""
        ...

    def search(
        self,
        wanted: Wanted,
        k: int,
        where: Expression | None = None,
        only: NDArray[np.uint64] | None = None,
    ) -> Hits:
        """The k best documents.

        Args:
            wanted: the terms.
            k: at most how many.
            where: a filter over attributes, with the meaning of `core.expression.matches`.
            only: keys of the documents that may be found.

        Raises:
            RequestError: `where` names an attribute that the index does not have, or compares it
                with what its kind does not compare with.
        """
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


class LiveIndex(LexicalIndex, Protocol):
    """An index that changes; a change is durable and visible to every search after it returns."""

    def upsert(self, documents: Iterable[Document]) -> int:
        """Add documents or replace those of the same keys; returns how many."""
        ...

    def delete(self, keys: Sequence[int]) -> None:
        """Remove documents; keys that are not there are passed over."""
        ...
