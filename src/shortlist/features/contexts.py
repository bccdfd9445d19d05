"""Contexts of requests as features, and as columns of what the offline side joins.

A value is known by `core.context.value_code` on both sides. Its place among all values, which a
release holds, is what a column without `equals` reads.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shortlist.core.context import COLUMN, Context, Contexts, value_code
from shortlist.core.errors import ReleaseError
from shortlist.features.contract import AsOf, View

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

FORMAT = 1
FILE = "features/contexts.json"
"""Where a release holds the values of contexts."""
PLACE = "place:"
"""What the columns of places are called, before the name of the context."""


@dataclass(frozen=True)
class ContextColumn:
    """A context of the request.

    Its place among all values in order; with `equals` 1 where that is its value, else 0. The
    default where it is missing, and where a place is asked of a value that no event had.
    """

    name: str
    of: str
    default: float = 0.0
    equals: str = ""

    @property
    def contexts(self) -> tuple[str, ...]:
        """The contexts that it reads."""
        return (self.of,)

    def offline(self, at: AsOf) -> ir.Table:
        """(request)."""
        requests = at.requests
        if not self.equals:
            return requests.select("request", **{self.name: requests[PLACE + self.of]})
        equal = requests[COLUMN + self.of] == value_code(self.equals)
        return requests.select("request", **{self.name: equal.cast("float64")})

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """The same for every candidate."""
        value = view.context.get(self.of, "")
        if self.equals:
            out.fill(value == self.equals if value else self.default)
        else:
            place = _place(view.terms.get(self.of, ()), value)
            out.fill(place if place >= 0 else self.default)


def _place(terms: Sequence[str], value: str) -> int:
    """Where a value is among terms in order; -1 for nowhere."""
    place = bisect_left(terms, value)
    return place if place < len(terms) and terms[place] == value else -1


def save_terms(folder: Path, terms: Mapping[str, Sequence[str]]) -> None:
    """Write the values of contexts, each name's in order, into a release's folder."""
    about = {"format": FORMAT, "terms": {name: list(values) for name, values in terms.items()}}
    (folder / FILE).write_text(json.dumps(about))


def load_terms(folder: Path) -> dict[str, list[str]]:
    """The inverse.

    Raises:
        ReleaseError: the file was written in another format.
    """
    about = json.loads((folder / FILE).read_text())
    if about["format"] != FORMAT:
        raise ReleaseError(
            f"the values of contexts have format {about['format']}, this version reads {FORMAT}.",
            remedy="Train again, or open the release with the version that wrote it.",
            where=str(folder / FILE),
        )
    terms: dict[str, list[str]] = about["terms"]
    return terms


def columns_of_events(names: Sequence[str], contexts: Contexts) -> dict[str, pa.Array]:
    """The codes of the contexts of events, of `AsOf.log` and `AsOf.others`; null for none."""
    return {COLUMN + name: _nullable(contexts.codes(name)) for name in names}


def columns_of_requests(
    names: Sequence[str], asked: Sequence[Context], terms: Mapping[str, Sequence[str]]
) -> dict[str, pa.Array]:
    """The codes and places of the contexts of requests, of `AsOf.requests`; null for none.

    Args:
        names: of the contexts that features read.
        asked: the context of each request.
        terms: the values of each name, in order.
    """
    columns = {}
    for name in names:
        values = [context.get(name, "") for context in asked]
        codes = {value: value_code(value) for value in set(values)}
        places = {value: _place(terms.get(name, ()), value) for value in codes}
        columns[COLUMN + name] = _nullable(np.array([codes[v] for v in values], np.int64))
        columns[PLACE + name] = _nullable(np.array([places[v] for v in values], np.int64))
    return columns


def _nullable(codes: NDArray[np.int64]) -> pa.Array:
    import pyarrow as pa

    return pa.array(codes, mask=codes < 0)
