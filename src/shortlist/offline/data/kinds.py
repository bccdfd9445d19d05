"""Event kinds as small integers while DuckDB sorts, and what each of them weighs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis.expr.types as ir

from shortlist.config.schema import EventsSection

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend


@dataclass(frozen=True)
class Kinds:
    """The kinds that occur, sorted, and the weight of each; a kind's code is its place."""

    names: tuple[str, ...]
    weights: tuple[float, ...]
    impression: str

    @classmethod
    def of(cls, con: Backend, events: ir.Table, section: EventsSection) -> Kinds:
        """The kinds in a log, weighed by the config; impressions weigh 0 whatever it says."""
        distinct = con.to_pyarrow(events.select("kind").distinct().order_by("kind"))
        names = tuple(distinct["kind"].to_pylist())
        other = 0.0 if section.weights else 1.0
        weights = {name: section.weights.get(name, other) for name in names}
        weights[section.impression] = 0.0
        return cls(names, tuple(weights[name] for name in names), section.impression)

    @property
    def kept(self) -> list[str]:
        """The kinds that are not left out."""
        counting = zip(self.names, self.weights, strict=True)
        return [name for name, weight in counting if weight > 0] + [self.impression]

    @property
    def impression_code(self) -> int:
        """The code of impressions; -1 when there is none."""
        return self.names.index(self.impression) if self.impression in self.names else -1

    def code(self, kind: ir.StringColumn) -> ir.Value:
        """A column of kinds as codes."""
        return kind.cases(*((name, code) for code, name in enumerate(self.names))).cast("int16")

    def name(self, code: ir.IntegerColumn) -> ir.Value:
        """A column of codes as kinds."""
        return code.cases(*enumerate(self.names)).cast("string")

    def weight(self, code: ir.IntegerColumn) -> ir.Value:
        """The weight of each event."""
        return code.cases(*enumerate(self.weights)).cast("float32")
