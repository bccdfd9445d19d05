"""The values that items have of several keyword attributes, in one list per item."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue, Column, Value
from shortlist.core.errors import ConfigError, RequestError
from shortlist.core.jit import kernel

_ROOM = 1_024


class Lists:
    """Codes of items. Those of the release come first; items that are written since are added.

    Attributes:
        starts, ends: `int64[items]`, where an item's codes are; empty of no attributes.
        codes: `int32[m]`.
        sizes: how many values each attribute has in the release; its codes follow those of the
            attribute before it.
        later: the attribute, by its number, of each value that came since; their codes follow.
    """

    def __init__(self, columns: Mapping[str, Column]) -> None:
        offsets, codes = np.zeros(1, np.int64), np.empty(0, np.int32)
        self.sizes: tuple[int, ...] = ()
        for column in columns.values():
            more_offsets, more = column.lists()
            shifted = more + np.int32(sum(self.sizes))
            if self.sizes:
                offsets, codes = _interleave(offsets, codes, np.array(more_offsets), shifted)
            else:
                offsets, codes = np.array(more_offsets), shifted
            self.sizes += (len(column.terms),)
        self.starts, self.ends, self.codes = offsets[:-1], offsets[1:], codes
        self.later: list[int] = []
        self._columns = columns
        self._fresh: dict[tuple[str, str], int] = {}
        self._used = len(codes)
        self._own = False

    @classmethod
    def of(cls, catalogue: Catalogue, names: Iterable[str], key: str) -> Lists:
        """The values of attributes; `key` is where the configuration names them.

        Raises:
            ConfigError: the release has no such attribute, or it is not one of keywords.
        """
        columns = {}
        for name in names:
            try:
                column = catalogue.column(name, field=key)
            except RequestError as error:
                raise ConfigError(error.problem, remedy=error.remedy, where=key) from None
            if column.kind not in ("keyword", "keywords"):
                raise ConfigError(
                    f"{name!r} is a {column.kind} attribute.",
                    remedy="Name one of keywords.",
                    where=key,
                )
            columns[name] = column
        return cls(columns)

    def write(self, row: int, attributes: Mapping[str, Value]) -> None:
        """Give an item other values, or a new item its first; what it had stays as a gap."""
        if not self._columns:
            return
        written = [
            self._code(number, name, term)
            for number, name in enumerate(self._columns)
            for term in _terms(attributes.get(name))
        ]
        if not self._own:  # from here on the arrays change
            self.starts, self.ends, self._own = self.starts.copy(), self.ends.copy(), True
        if row >= len(self.starts):
            more = np.zeros(max(_ROOM, row + 1 - len(self.starts)), np.int64)
            self.starts = np.concatenate([self.starts, more])
            self.ends = np.concatenate([self.ends, more])
        if self._used + len(written) > len(self.codes):
            more_codes = np.empty(max(_ROOM, len(written), self._used // 8), np.int32)
            self.codes = np.concatenate([self.codes[: self._used], more_codes])
        self.starts[row] = self._used
        self._used += len(written)
        self.ends[row] = self._used
        self.codes[self.starts[row] : self._used] = written

    def _code(self, number: int, name: str, term: str) -> int:
        known = self._columns[name].code(term)
        if known >= 0:
            return sum(self.sizes[:number]) + known
        code = self._fresh.setdefault((name, term), sum(self.sizes) + len(self._fresh))
        if len(self._fresh) > len(self.later):
            self.later.append(number)
        return code


def _terms(value: Value) -> list[str]:
    if isinstance(value, list):
        return value
    return [] if value is None else [str(value)]


@kernel
def _interleave(
    offsets: NDArray[np.int64],
    codes: NDArray[np.int32],
    more_offsets: NDArray[np.int64],
    more_codes: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Join two lists of codes per item."""
    out_offsets = offsets + more_offsets
    out = np.empty(len(codes) + len(more_codes), np.int32)
    for row in range(len(offsets) - 1):
        at = out_offsets[row]
        for j in range(offsets[row], offsets[row + 1]):
            out[at] = codes[j]
            at += 1
        for j in range(more_offsets[row], more_offsets[row + 1]):
            out[at] = more_codes[j]
            at += 1
    return out_offsets, out
