"""The columns of a catalogue with what was written since: same kinds, more rows, newer values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import NO_TIME, Catalogue, Column, ColumnKind, Value
from shortlist.core.jit import kernel
from shortlist.core.vocabulary import UNKNOWN, Vocabulary


class LiveVocabulary(Vocabulary):
    """A release's vocabulary, and after it the items that are new since.

    Args:
        release: of the release; rows from 0.
        first: the row of the first new item, at least `len(release)`; none has a row in between.
        fresh: ids of the new items in the order of their rows.
        known: key → row of the new items.
    """

    def __init__(
        self, release: Vocabulary, first: int, fresh: Sequence[str], known: Mapping[int, int]
    ) -> None:
        self._release, self._first, self._fresh, self._known = release, first, fresh, known

    def __len__(self) -> int:
        return self._first + len(self._fresh)

    def rows_of_keys(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """See `Vocabulary.rows_of_keys`."""
        rows = self._release.rows_of_keys(keys)
        for i in np.flatnonzero(rows == UNKNOWN).tolist():
            rows[i] = self._known.get(int(keys[i]), UNKNOWN)
        return rows

    def id(self, row: int) -> str:
        """The id at a row."""
        return self._release.id(row) if row < self._first else self._fresh[row - self._first]

    def ids(self, rows: NDArray[np.int32] | None = None) -> list[str]:
        """The ids at rows; those of all items without `rows`."""
        if rows is None:
            return [*self._release.ids(), *self._fresh]
        fresh = np.flatnonzero(rows >= self._first)
        if not len(fresh):
            return self._release.ids(rows)
        return [self.id(row) for row in rows.tolist()]


class Written:
    """The attributes of the items that were written, one line each, as columns.

    Args:
        release: the columns of the release; values of others are passed over.
    """

    def __init__(self, release: Mapping[str, Column]) -> None:
        self._release = release
        self._values: dict[str, list[Value]] = {name: [] for name in release}
        self._columns: dict[str, Column] = {}

    def set(self, place: int, attributes: Mapping[str, Value]) -> None:
        """Write the line at a place, or append one."""
        for name, values in self._values.items():
            if place == len(values):
                values.append(None)
            values[place] = attributes.get(name)
        self._columns.clear()

    def value(self, name: str, place: int) -> Value:
        """One value."""
        return self._values[name][place]

    def column(self, name: str) -> Column:
        """One column over the lines."""
        if name not in self._columns:
            self._columns[name] = _column(self._release[name].kind, self._values[name])
        return self._columns[name]

    def catalogue(self) -> Catalogue:
        """The lines as a small catalogue, to evaluate expressions over; its columns come lazily."""
        nothing = np.empty(0, np.int64)
        columns = Columns(dict.fromkeys(self._release, self.column))
        return Catalogue(Vocabulary.of([]), columns, nothing.astype(np.bool_), nothing)

    def over(self, rows: NDArray[np.int32], size: int) -> Mapping[str, Column]:
        """The release's columns with the lines at their rows, made when they are asked for.

        Args:
            rows: `int32[lines]`, the row of each line.
            size: how many rows there are.
        """

        def make(name: str) -> Column:
            if self._release[name].kind == "text":
                return Texts.over(self._release[name], rows, self._values[name], size)
            return extended(self._release[name], self.column(name), rows, size)

        return Columns(dict.fromkeys(self._release, make))


class Columns(Mapping[str, Column]):
    """Columns by name, each made once, when it is first asked for."""

    def __init__(self, makers: Mapping[str, Callable[[str], Column]]) -> None:
        self._makers = makers
        self._made: dict[str, Column] = {}

    def __getitem__(self, name: str) -> Column:
        if name not in self._made:
            self._made[name] = self._makers[name](name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __contains__(self, name: object) -> bool:
        return name in self._makers


@dataclass(frozen=True)
class Texts(Column):
    """The texts of a release with newer ones at some rows.

    Copying what may be gigabytes is not needed: `offsets` have the right lengths, and only `value`
    knows the texts.
    """

    _release: Column | None = None
    _places: Mapping[int, int] = field(default_factory=dict)
    _values: Sequence[Value] = ()

    @classmethod
    def over(
        cls, release: Column, rows: NDArray[np.int32], values: Sequence[Value], size: int
    ) -> Texts:
        """The release's texts with others at some rows, in a column of `size` rows."""
        lengths = np.zeros(size, np.int64)
        lengths[: len(release)] = np.diff(release.arrays["offsets"])
        lengths[rows] = [len(str(value or "")) for value in values]
        offsets = np.zeros(size + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        places = {row: place for place, row in enumerate(rows.tolist())}
        arrays: dict[str, NDArray[Any]] = {"offsets": offsets, "blob": np.empty(0, np.uint8)}
        return cls("text", arrays, _release=release, _places=places, _values=values)

    def value(self, row: int) -> Value:
        """The text at a row."""
        place = self._places.get(row)
        if place is not None:
            return str(self._values[place] or "")
        assert self._release is not None
        return self._release.value(row)


def extended(release: Column, written: Column, rows: NDArray[np.int32], size: int) -> Column:
    """A column of `size` rows: the release's, with the written values at their rows.

    Codes of the release keep their meaning; terms that are new come after its own.
    """
    if release.kind in ("number", "time"):
        old = release.arrays["values"]
        values = np.full(size, NO_TIME if release.kind == "time" else np.nan, old.dtype)
        values[: len(old)] = old
        values[rows] = written.arrays["values"]
        return Column(release.kind, {"values": sealed(values)})
    fresh = [term for term in written.terms if release.code(term) < 0]
    terms = (*release.terms, *fresh)
    later = {term: len(release.terms) + i for i, term in enumerate(fresh)}
    codes_of = [later.get(term, release.code(term)) for term in written.terms]
    shared = np.array([*codes_of, -1], np.int32)  # the code -1 stays what it is
    coded = shared[written.arrays["codes"]]
    if release.kind == "keyword":
        codes = np.full(size, -1, np.int32)
        codes[: len(release)] = release.arrays["codes"]
        codes[rows] = coded
        return Column("keyword", {"codes": sealed(codes)}, terms)
    offsets, codes = _lists(
        release.arrays["offsets"],
        release.arrays["codes"],
        written.arrays["offsets"],
        coded,
        rows,
        size,
    )
    return Column("keywords", {"offsets": sealed(offsets), "codes": sealed(codes)}, terms)


def sealed(array: NDArray[Any]) -> NDArray[Any]:
    """The array, read-only as mapped ones are: kernels that were compiled for those take it."""
    array.flags.writeable = False
    return array


def _column(kind: ColumnKind, values: Sequence[Any]) -> Column:
    match kind:
        case "number":
            return Column.number(values)
        case "time":
            return Column.time(values)
        case "keyword":
            return Column.keyword(values)
        case "keywords":
            return Column.keywords(values)
        case "text":
            return Column.text(values)


@kernel
def _lists(
    offsets: NDArray[np.int64],
    codes: NDArray[np.int32],
    own_offsets: NDArray[np.int64],
    own: NDArray[np.int32],
    rows: NDArray[np.int32],
    size: int,
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Lists of codes by row, those of `rows` replaced by their own."""
    lines = np.full(size, -1, np.int32)
    for line in range(len(rows)):
        lines[rows[line]] = line
    known = len(offsets) - 1
    out_offsets = np.zeros(size + 1, np.int64)
    for row in range(size):
        n = 0
        if lines[row] >= 0:
            n = own_offsets[lines[row] + 1] - own_offsets[lines[row]]
        elif row < known:
            n = offsets[row + 1] - offsets[row]
        out_offsets[row + 1] = out_offsets[row] + n
    out = np.empty(out_offsets[size], np.int32)
    for row in range(size):
        at = out_offsets[row]
        if lines[row] >= 0:
            for j in range(own_offsets[lines[row]], own_offsets[lines[row] + 1]):
                out[at] = own[j]
                at += 1
        elif row < known:
            for j in range(offsets[row], offsets[row + 1]):
                out[at] = codes[j]
                at += 1
    return out_offsets, out
