"""`Live`: the items written since a release, as further rows of its catalogue.

Rows 0 to n - 1 are the release's. New items have the rows from the next multiple of 8 on, so that
the bytes of a bitmap belong to one side only; an item of the release that was written again keeps
its row, with newer values. Rows of new items mean something in this process alone, until a
training gives them rows of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap
from shortlist.core.catalogue import Catalogue
from shortlist.core.expression import Expression, matches
from shortlist.core.jit import kernel
from shortlist.core.keys import item_key
from shortlist.core.times import now
from shortlist.core.vocabulary import UNKNOWN
from shortlist.features.statistics import ItemStatistics
from shortlist.index.lexical.forward import Forward
from shortlist.online.live.columns import LiveVocabulary, Written
from shortlist.online.live.texts import ItemEncoder
from shortlist.online.live.titles import LiveTitles
from shortlist.online.live.vectors import LiveVectors
from shortlist.online.live.words import LiveWords
from shortlist.online.snapshot import Snapshot
from shortlist.stores.items import Encoded, ItemBody, ItemStore, LiveItem
from shortlist.stores.vectors.reuse import embed
from shortlist.text.analyzer import Analyzer

LEAST_ROOM = 1_024
"""Arrays that grow with the new items get room for at least so many more."""


@dataclass(frozen=True)
class _Flags:
    """What bitmaps are made of: replaced as a whole, for those who read beside a batch.

    Attributes:
        rows: `int32[n]`, of the written items.
        size: how many rows there are.
        available, expires: of the written items.
        values: their attributes.
    """

    rows: NDArray[np.int32]
    size: int
    available: NDArray[np.bool_]
    expires: NDArray[np.int64]
    values: Catalogue

    def over(self, bitmap: Bitmap, flags: NDArray[np.bool_]) -> Bitmap:
        """A bitmap over the release's rows, with all rows, and flags of the written items."""
        out = np.zeros((self.size + 7) // 8, np.uint8)
        out[: len(bitmap)] = bitmap
        _set(out, self.rows, flags)
        return out


class Live:
    """Not safe for several threads: each pipeline has one, and refreshes it under its own lock.

    Args:
        snapshot: the release.
        store: the items that were written.
        encoders: of the release's retrievers that make vectors of items' texts.
        words: the release's words and their analyzer, where it answers searches.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        store: ItemStore,
        encoders: Mapping[str, ItemEncoder],
        words: tuple[Forward, Analyzer] | None = None,
    ) -> None:
        self.release = snapshot.catalogue
        self.items = len(self.release)
        self.first = (self.items + 7) // 8 * 8
        self.catalogue: Catalogue = self.release
        """The release's items and the new ones; another object after every change."""
        self.version = 0
        """Grows with every change."""
        self.rows: NDArray[np.int32] = np.empty(0, np.int32)
        """The row of every item that was written, in the order of first writes."""
        self.changed: Mapping[int, ItemBody] = {}
        """Row → the item, of what the last refresh took over."""
        self.vectors = {
            name: LiveVectors(encoder.encoder.dim, self.items) for name, encoder in encoders.items()
        }
        self.words = LiveWords(*words, self.items) if words is not None else None
        self.titles = LiveTitles(words[0].fields[0], words[1]) if words is not None else None
        self._encoders = encoders
        self._store = store
        self._sequence = self.release.taken
        self._written = Written(self.release.columns)
        self._bodies: list[ItemBody] = []
        self._places: dict[str, int] = {}
        self._row_of: list[int] = []
        self._fresh: list[str] = []
        self._known: dict[int, int] = {}
        self._flags = _Flags(
            self.rows, self.items, np.empty(0, np.bool_), np.empty(0, np.int64), self.release
        )
        self._flags.over(np.zeros(0, np.uint8), self._flags.available)  # compiles

    @property
    def size(self) -> int:
        """How many rows there are, those without an item included."""
        return self.first + len(self._fresh) if self._fresh else self.items

    @property
    def fresh(self) -> int:
        """How many items are new."""
        return len(self._fresh)

    def refresh(self) -> bool:
        """Take over what was written by any process; whether anything was."""
        newest = self._store.sequence()
        if newest == self._sequence:
            return False
        changed = self._store.since(self._sequence)
        if not changed:
            self._sequence = newest
            return False
        for item in changed:
            self._place(item)
        self._sequence = changed[-1].sequence
        self.changed = {self._row_of[self._places[item.id]]: item.body for item in changed}
        self._encode(changed)
        self.rows = np.array(self._row_of, np.int32)
        self._flags = _Flags(
            self.rows,
            self.size,
            np.array([body.available for body in self._bodies], np.bool_),
            np.array([body.expires for body in self._bodies], np.int64),
            self._written.catalogue(),
        )
        vocabulary = LiveVocabulary(self.release.vocabulary, self.first, self._fresh, self._known)
        self.catalogue = Catalogue(
            vocabulary,
            self._written.over(self.rows, self.size),
            self.release.available,
            self.release.expires,
        )
        self.version += 1
        return True

    def knows(self, id: str) -> bool:
        """Whether an item is live, of whatever process; safe to call from any thread."""
        written = self._store.get([id]).get(id)
        return written is not None and written.sequence > self.release.taken

    def epoch(self, instant: int) -> tuple[int, int]:
        """Changes when `visible` may have."""
        return self.version, int((self._flags.expires <= instant).sum())

    def visible(self, bitmap: Bitmap, instant: int) -> Bitmap:
        """A bitmap over the release's rows, with all rows and what was written since."""
        flags = self._flags
        return flags.over(bitmap, flags.available & (flags.expires > instant))

    def matching(self, bitmap: Bitmap, expression: Expression) -> Bitmap:
        """A bitmap of an expression over the release's rows, with all rows and newer values."""
        flags = self._flags
        return flags.over(bitmap, matches(expression, flags.values))

    def item_columns(
        self,
        columns: Mapping[str, NDArray[np.float32]],
        statistics: ItemStatistics,
        instant: int,
        keys: NDArray[np.uint64],
        times: NDArray[np.int64],
    ) -> dict[str, NDArray[np.float32]]:
        """Item columns of the release with those of new items, and room for more.

        Args:
            columns: name → `float32[items]`, as `ItemStatistics.at` gives them.
            statistics: the release's.
            instant: as of which they are.
            keys, times: the events since the release.
        """
        room = self.size - self.first + max(LEAST_ROOM, self.fresh)
        nothing = np.empty(0, np.int64)
        new = ItemStatistics.of(nothing.astype(np.int32), nothing, room, statistics.until)
        rows = self.catalogue.vocabulary.rows_of_keys(keys) - np.int32(self.first)
        later = new.at(instant, (rows, times))
        out = np.zeros((self.first + room, len(columns)), np.float32).T
        for line, (name, values) in zip(out, columns.items(), strict=True):
            line[: self.items] = values
            line[self.first :] = later[name]
        return dict(zip(columns, out, strict=True))

    def _place(self, item: LiveItem) -> None:
        place = self._places.setdefault(item.id, len(self._places))
        if place == len(self._bodies):
            row = int(self.release.vocabulary.rows([item.id])[0])
            if row == UNKNOWN:
                row = self._known[item_key(item.id)] = self.first + len(self._fresh)
                self._fresh.append(item.id)
            self._bodies.append(item.body)
            self._row_of.append(row)
        self._bodies[place] = item.body
        self._written.set(place, item.body.attributes)
        if self.words is not None:
            self.words.set(self._row_of[place], item.body.attributes)
        if self.titles is not None:
            self.titles.set(self._row_of[place], item.body.attributes)

    def _encode(self, changed: list[LiveItem]) -> None:
        """The vectors of texts that the release does not have; kept, as they mostly are."""
        rows = {item.id: self._row_of[self._places[item.id]] for item in changed}
        for name, encoder in self._encoders.items():
            texts = differing(encoder, self.release, {item.id: item.body for item in changed})
            kept = self._store.vectors(encoder.encoder.version, encoder.encoder.dim)
            made = embed(kept, texts, encoder.encoder)
            if len(made.encoded):
                fresh = [made.ids[place] for place in made.encoded.tolist()]
                content = [made.content[place] for place in made.encoded.tolist()]
                vectors = made.vectors[made.encoded]
                self._store.put(
                    (), now(), [Encoded(encoder.encoder.version, fresh, vectors, content)]
                )
            own = self.vectors[name]
            vectors_of = dict(zip(made.ids, made.vectors, strict=True))
            for id, row in rows.items():
                if id in vectors_of:
                    own.set(row, vectors_of[id])
                else:  # its text is the release's, which may not have been so before
                    own.restore(row)


def differing(
    encoder: ItemEncoder, release: Catalogue, items: Mapping[str, ItemBody]
) -> dict[str, str]:
    """The texts, by id, of items that the release has no vector of such a text for."""
    ids = list(items)
    found = {}
    for id, row in zip(ids, release.vocabulary.rows(ids).tolist(), strict=True):
        text = encoder.text(items[id].attributes)
        if row == UNKNOWN or text != encoder.text_of(release, row):
            found[id] = text
    return found


@kernel
def _set(bitmap: Bitmap, rows: NDArray[np.int32], flags: NDArray[np.bool_]) -> None:
    for i in range(len(rows)):
        bit = 1 << (rows[i] & 7)
        if flags[i]:
            bitmap[rows[i] >> 3] |= np.uint8(bit)
        else:
            bitmap[rows[i] >> 3] &= np.uint8(~bit & 0xFF)
