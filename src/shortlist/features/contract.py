"""A feature is one object that owns both of its sides.

Offline: an Ibis expression joined as of the request, on any engine. Online: a column computed for
one request's candidates. Both see only what happened strictly before the request's instant, and
`tests/features` holds them equal at every event of a replayed log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue
from shortlist.core.context import NO_CONTEXTS, Context, Contexts
from shortlist.core.users import UserTable

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from shortlist.features.counters import Counter

HISTORY = 100
"""User features look at this many of the user's newest interactions."""

VectorsOf = Callable[[NDArray[np.int32]], NDArray[np.float32]]
"""A retriever's vectors of catalogue rows, `float32[n, dim]`; zeros for rows without one."""


@dataclass(frozen=True)
class Others:
    """Events that are no interactions (impressions, kinds without weight), by time; what features
    count beside them.

    Attributes:
        user: `int32[n]` user rows.
        item: `int32[n]` catalogue rows.
        time: `int64[n]` microseconds.
        kind: `uint32[n]`, `core.keys.kind_code`.
        context: what each happened in.
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    time: NDArray[np.int64]
    kind: NDArray[np.uint32]
    context: Contexts = NO_CONTEXTS

    def __len__(self) -> int:
        return len(self.item)

    def before(self, until: int) -> Others:
        """The part before an instant."""
        some = slice(int(np.searchsorted(self.time, until)))
        columns = (self.user[some], self.item[some], self.time[some], self.kind[some])
        return Others(*columns, self.context[some])


@dataclass(frozen=True, slots=True)
class View:
    """One request as the online side of features sees it.

    Attributes:
        now: the request's instant, microseconds.
        rows: `int32[n]` candidate rows.
        history_rows: `int32[h]`, the catalogue rows of the user's newest interactions strictly
            before `now`, oldest first, h at most `HISTORY`, no unknown rows. (Where several
            events share the time of the oldest one kept, offline keeps the largest rows.)
        history_times: `int64[h]`, their times.
        scores: source name → `float32[n]`, as in `core.Candidates`.
        ranks: source name → `float32[n]`, as in `core.Candidates`.
        fused: `float32[n]`, the fused scores; candidates are in their order, best first.
        catalogue: the release's items.
        items: item columns as of the start of `now`'s hour, name → `float32[items]`.
        history_kinds: `uint32[h]`, their kinds (`core.keys.kind_code`); empty where no declared
            feature asks.
        counters: of the declared features over everybody's events; empty without any.
        users: what the release knows of users; None without `[data.users]`.
        user_row: the user's row in `users`; -1 where they are not in it.
        vectors: retriever → its item vectors, of those that declared features ask for.
        remote: feature of Feast → its value for each candidate, `float32[n]`, NaN where it has
            none; empty where it was not asked.
        context: what the request is made in.
        terms: context → its values in order, of those that the release knows.
    """

    now: int
    rows: NDArray[np.int32]
    history_rows: NDArray[np.int32]
    history_times: NDArray[np.int64]
    scores: dict[str, NDArray[np.float32]]
    ranks: dict[str, NDArray[np.float32]]
    fused: NDArray[np.float32]
    catalogue: Catalogue
    items: dict[str, NDArray[np.float32]]
    history_kinds: NDArray[np.uint32] = field(default_factory=lambda: np.empty(0, np.uint32))
    counters: Mapping[str, Counter] = field(default_factory=dict)
    users: UserTable | None = None
    user_row: int = -1
    vectors: Mapping[str, VectorsOf] = field(default_factory=dict)
    remote: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    context: Context = field(default_factory=dict)
    terms: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class AsOf:
    """What the offline side joins.

    Attributes:
        log: interactions: user, item (rows), time; where features are declared also kind (int64,
            `core.keys.kind_code`) and weight, and `context:<name>` of each context that a feature
            reads: `core.context.value_code`, null where missing.
        requests: request (int64), user (row), time; one line per request. Also `context:<name>`,
            and `place:<name>`, the value's place among all of that name.
        candidates: request, item, `score:<source>`, `rank:<source>`, and `fused`, `fused_rank`,
            `fused_gap`; one line per candidate.
        catalogue: item (row) and one column `attribute:<name>` per attribute that a feature
            needs: numbers as floats, keywords as their codes, lists of keywords as arrays of
            codes; null where missing. Beside them `text:<name>` of the keyword attributes that a
            feature compares: text, or arrays of it.
        users: user (row) and the same columns of `[data.users]`, and `group:<name>,<name>`, codes
            of pairs of values, where a feature counts by both; users without a line are not in it.
            None where no feature asks.
        others: events that are no interactions (impressions, kinds without weight): user, item,
            time, kind, `context:<name>`. None where no feature asks.
        vectors: retriever → its item vectors, fitted on what is before every request.
        remote: feature of Feast → a table with its column, by request and item or by request.
    """

    log: ir.Table
    requests: ir.Table
    candidates: ir.Table
    catalogue: ir.Table
    users: ir.Table | None = None
    others: ir.Table | None = None
    vectors: Mapping[str, VectorsOf] = field(default_factory=dict)
    remote: Mapping[str, ir.Table] = field(default_factory=dict)


class Feature(Protocol):
    """One column of the ranker's input."""

    @property
    def name(self) -> str:
        """The feature's name, stable: rankers refer to it."""
        ...

    @property
    def default(self) -> float:
        """The value where there is nothing to compute from (no history, no price); finite."""
        ...

    def offline(self, at: AsOf) -> ir.Table:
        """A table keyed by (request, item), request or item that has a column <name>.

        Values are as of the requests. A line that is missing, or a null, means the default.
        Features of one family return the same expression, which is then joined once.
        """
        ...

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """Write the column into `out`, `float32[n]`."""
        ...
