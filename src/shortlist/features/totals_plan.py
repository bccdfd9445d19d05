"""Which totals a family of declared aggregates needs: as few as possible.

Every total costs as much as any other, and features ask for the same things in different words.
The count of all events is the number of the last one, and the time of the last event is that
event's. What is a matter of kinds (how many likes, how many of likes and views, what they weigh)
is a sum over kinds, and needs one total for each kind, where those are fewer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shortlist.features.aggregate_columns import EVENTS, NEWEST, shares_of
from shortlist.features.declared import Aggregate

NUMBER = "number"
"""The number of an event among those of its term, in order of time, from 1."""
THEN = "then"
"""Its time."""


@dataclass(frozen=True)
class Plan:
    """What is added up, and what columns of events are made of it.

    Attributes:
        summed: half-life (None for none) → the columns of events that have a total.
        made: half-life → column → what it is a sum of: totals, each times a number.
        kinds: those whose events have to be counted apart, by `of_kind`.
        lasting: the columns whose total is the largest.
        wanted: the totals that features ask for, with how long before the instant; sorted.
    """

    summed: Mapping[int | None, list[str]]
    made: Mapping[int | None, Mapping[str, Mapping[str, float]]]
    kinds: list[int]
    lasting: frozenset[str]
    wanted: list[tuple[str, int]]

    @classmethod
    def of(cls, features: Sequence[Aggregate]) -> Plan:
        """The plan of a family, without `distinct`."""
        made: dict[int | None, dict[str, dict[str, float]]] = {}
        summed: dict[int | None, list[str]] = {None: []}
        kinds: set[int] = set()
        for half_life in dict.fromkeys(feature.half_life for feature in features):
            named = dict(
                pair for f in features if f.half_life == half_life for pair in shares_of(f)
            )
            free = {EVENTS: NUMBER, NEWEST: THEN} if half_life is None else {}
            by_kind = {c: s for c, s in named.items() if s is not None and c not in free}
            apart = {kind for shares in by_kind.values() for kind in shares}
            if len(apart) >= len(by_kind):
                apart, by_kind = set(), {}
            kinds |= apart
            columns = [c for c in named if c not in free and c not in by_kind]
            summed[half_life] = [*columns, *map(cls.of_kind, sorted(apart))]
            made[half_life] = {c: {cls.total(c, half_life): 1.0} for c in columns}
            made[half_life] |= {c: {free[c]: 1.0} for c in named if c in free}
            made[half_life] |= {
                c: {cls.total(cls.of_kind(kind), half_life): s for kind, s in shares.items()}
                for c, shares in by_kind.items()
            }
        lasting = {c for f in features if f.section.value == "last" for c, _ in shares_of(f)}
        wanted = {(THEN, 0)} | {
            (total, shift)
            for f in features
            for column, _ in shares_of(f)
            for total in made[f.half_life][column]
            for shift in (0, cls._shift(f))
        }
        return cls(summed, made, sorted(kinds), frozenset(lasting), sorted(wanted))

    @staticmethod
    def of_kind(kind: int) -> str:
        """The column that counts the events of a kind."""
        return f"1:{kind}"

    @staticmethod
    def total(column: str, half_life: int | None) -> str:
        """The name of a column's total: those of a decay are its own."""
        return column if half_life is None else f"{column} fading {half_life}"

    @staticmethod
    def _shift(feature: Aggregate) -> int:
        """How long before the instant a window begins; 0 where the end says everything."""
        return 0 if feature.section.value == "last" else feature.window or 0

    @property
    def shifts(self) -> list[int]:
        """How long before the instant totals are looked up, 0 first."""
        return sorted({shift for _, shift in self.wanted})

    def parts(self, feature: Aggregate, column: str) -> Mapping[str, float]:
        """The totals that a feature's column is a sum of, each times a number."""
        return self.made[feature.half_life][column]
