"""The values that items have of several keyword attributes, in one list per item."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue
from shortlist.core.errors import ConfigError, RequestError
from shortlist.core.jit import kernel


@dataclass(frozen=True)
class Lists:
    """Codes of items; each attribute's follow those of the one before it.

    Attributes:
        offsets: `int64[items + 1]`; of no attributes `int64[1]`.
        codes: `int32[m]`.
        sizes: how many values each attribute has.
    """

    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, catalogue: Catalogue, names: Iterable[str], key: str) -> Lists:
        """The values of attributes; `key` is where the configuration names them.

        Raises:
            ConfigError: the release has no such attribute, or it is not one of keywords.
        """
        offsets, codes = np.zeros(1, np.int64), np.empty(0, np.int32)
        sizes: list[int] = []
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
            more_offsets, more = column.lists()
            shifted = more + np.int32(sum(sizes))
            if sizes:
                offsets, codes = _interleave(offsets, codes, np.array(more_offsets), shifted)
            else:
                offsets, codes = np.array(more_offsets), shifted
            sizes.append(len(column.terms))
        return cls(offsets, codes, tuple(sizes))


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
