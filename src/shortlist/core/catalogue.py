"""`Catalogue`: the items of a release as columns, row `i` being the item at vocabulary row `i`.

Column kinds and the arrays each is made of:

| kind       | arrays                                               | missing value        |
|------------|------------------------------------------------------|----------------------|
| `number`   | `values` float64[n]                                  | NaN                  |
| `time`     | `values` int64[n], microseconds since the epoch      | `NO_TIME`            |
| `keyword`  | `codes` int32[n], `terms` (text of each code)        | -1                   |
| `keywords` | `offsets` int64[n+1], `codes` int32[m], `terms`      | an empty list        |
| `text`     | `offsets` int64[n+1], `blob` uint8[m]                | an empty text        |

Booleans are keywords whose terms are `true` and `false`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import RequestError, did_you_mean
from shortlist.core.vocabulary import Vocabulary, open_array

ColumnKind = Literal["number", "time", "keyword", "keywords", "text"]
NO_TIME = np.iinfo(np.int64).min
Value = float | int | str | list[str] | None
_TAKEN = "taken.json"
_TOGETHER = 4_096
"""So many texts are read at once."""


@dataclass(frozen=True)
class Column:
    """One attribute of every item; which arrays it has depends on its kind (see the module)."""

    kind: ColumnKind
    arrays: Mapping[str, NDArray[Any]]
    terms: tuple[str, ...] = ()
    _codes: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._codes.update({term: code for code, term in enumerate(self.terms)})

    def __len__(self) -> int:
        if "offsets" in self.arrays:
            return len(self.arrays["offsets"]) - 1
        return len(self.arrays["codes" if self.kind == "keyword" else "values"])

    def code(self, term: str) -> int:
        """The code of a keyword; -1 when no item has it."""
        return self._codes.get(term, -1)

    def lists(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The codes of each item of a keyword or keywords column: `int64[n + 1]`, `int32[m]`."""
        codes = self.arrays["codes"]
        if self.kind == "keywords":
            return self.arrays["offsets"], codes
        present = codes >= 0
        offsets = np.zeros(len(codes) + 1, np.int64)
        np.cumsum(present, out=offsets[1:])
        return offsets, codes[present]

    def value(self, row: int) -> Value:
        """The value at a row as a plain Python value; None when it is missing."""
        arrays = self.arrays
        if self.kind == "number":
            number = float(arrays["values"][row])
            return None if np.isnan(number) else number
        if self.kind == "time":
            instant = int(arrays["values"][row])
            return None if instant == NO_TIME else instant
        if self.kind == "keyword":
            code = int(arrays["codes"][row])
            return None if code < 0 else self.terms[code]
        start, stop = (int(o) for o in arrays["offsets"][row : row + 2])
        if self.kind == "keywords":
            return [self.terms[int(code)] for code in arrays["codes"][start:stop]]
        return bytes(arrays["blob"][start:stop]).decode("utf-8", "surrogatepass")

    def texts(self) -> Iterator[str]:
        """The texts of a text column in the order of rows, empty where one is missing."""
        offsets, blob = self.arrays["offsets"], self.arrays["blob"]
        for first in range(0, len(self), _TOGETHER):
            ends = offsets[first : first + _TOGETHER + 1].tolist()
            base = ends[0]
            piece = bytes(blob[base : ends[-1]])
            for start, stop in pairwise(ends):
                yield piece[start - base : stop - base].decode("utf-8", "surrogatepass")

    @classmethod
    def number(cls, values: Sequence[float | None]) -> Column:
        """A number column."""
        return cls("number", {"values": np.array(values, np.float64)})

    @classmethod
    def time(cls, values: Sequence[int | None]) -> Column:
        """A time column, microseconds since the epoch."""
        return cls("time", {"values": np.array([NO_TIME if v is None else v for v in values])})

    @classmethod
    def keyword(cls, values: Sequence[str | None]) -> Column:
        """A keyword column; codes are given in order of first occurrence."""
        terms: dict[str, int] = {}
        codes = [-1 if v is None else terms.setdefault(v, len(terms)) for v in values]
        return cls("keyword", {"codes": np.array(codes, np.int32)}, tuple(terms))

    @classmethod
    def keywords(cls, values: Sequence[Sequence[str] | None]) -> Column:
        """A keywords column."""
        terms: dict[str, int] = {}
        lists = [[terms.setdefault(v, len(terms)) for v in vs or ()] for vs in values]
        codes = np.array([code for row in lists for code in row], np.int32)
        return cls("keywords", {"offsets": _offsets(lists), "codes": codes}, tuple(terms))

    @classmethod
    def text(cls, values: Sequence[str | None]) -> Column:
        """A text column."""
        encoded = [(v or "").encode("utf-8", "surrogatepass") for v in values]
        blob = np.frombuffer(b"".join(encoded), np.uint8)
        return cls("text", {"offsets": _offsets(encoded), "blob": blob})


def _offsets(lists: Sequence[Sequence[object] | bytes]) -> NDArray[np.int64]:
    offsets = np.zeros(len(lists) + 1, np.int64)
    np.cumsum([len(values) for values in lists], out=offsets[1:])
    return offsets


@dataclass(frozen=True)
class Catalogue:
    """The items of a release.

    Attributes:
        vocabulary: ids and rows.
        columns: attributes and texts by name.
        available: `bool[n]`, False for items that the catalogue file no longer has or marks as
            unavailable. What is hidden while serving lives in the availability store instead.
        expires: `int64[n]`, the instant from which an item may no longer be shown; the largest
            int64 where it never expires.
        taken: of the items written while serving, the number of the last write that is in here.
    """

    vocabulary: Vocabulary
    columns: Mapping[str, Column]
    available: NDArray[np.bool_]
    expires: NDArray[np.int64]
    taken: int = 0

    def __len__(self) -> int:
        return len(self.vocabulary)

    def column(self, name: str, *, field: str = "where") -> Column:
        """A column by name.

        Raises:
            RequestError: there is no such column; the message offers the nearest one.
        """
        if name not in self.columns:
            raise RequestError(
                f"the catalogue has no attribute {name!r}.",
                remedy=did_you_mean(name, self.columns),
                where=field,
            )
        return self.columns[name]

    def item(self, row: int) -> dict[str, Value]:
        """Every attribute and text of one item."""
        return {name: column.value(row) for name, column in self.columns.items()}

    def save(self, folder: Path) -> None:
        """Write the catalogue's arrays into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        self.vocabulary.save(folder / "vocabulary")
        np.save(folder / "available.npy", self.available)
        np.save(folder / "expires.npy", self.expires)
        save_columns(self.columns, folder)
        if self.taken:
            (folder / _TAKEN).write_text(json.dumps(self.taken))

    @classmethod
    def load(cls, folder: Path) -> Catalogue:
        """Open a saved catalogue, memory-mapped."""
        columns = load_columns(folder)
        return cls(
            Vocabulary.load(folder / "vocabulary"),
            columns,
            open_array(folder / "available.npy").view(np.bool_),
            open_array(folder / "expires.npy").astype(np.int64, copy=False),
            json.loads((folder / _TAKEN).read_text()) if (folder / _TAKEN).exists() else 0,
        )


def save_columns(columns: Mapping[str, Column], folder: Path) -> None:
    """Write columns into a folder that is there: an array for each part, and `columns.json`."""
    described = []
    for number, (name, column) in enumerate(columns.items()):
        for part, array in column.arrays.items():
            np.save(folder / f"column{number}.{part}.npy", array)
        described.append(
            {
                "name": name,
                "kind": column.kind,
                "arrays": list(column.arrays),
                "terms": list(column.terms),
            }
        )
    (folder / "columns.json").write_text(json.dumps(described))


def load_columns(folder: Path) -> dict[str, Column]:
    """Open saved columns, memory-mapped."""
    columns = {}
    for number, entry in enumerate(json.loads((folder / "columns.json").read_text())):
        assert entry["kind"] in get_args(ColumnKind)
        arrays = {
            part: open_array(folder / f"column{number}.{part}.npy") for part in entry["arrays"]
        }
        columns[entry["name"]] = Column(entry["kind"], arrays, tuple(entry["terms"]))
    return columns
