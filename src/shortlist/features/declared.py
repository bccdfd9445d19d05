"""Features that a project declares in `[features]`: both sides of each.

By item or by an attribute, values are as of the request from everybody's events
(`features.counters`); by user, from the user's newest `HISTORY` interactions (`features.past`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shortlist.config.features import FeatureSection
from shortlist.core.catalogue import NO_TIME, ColumnKind
from shortlist.core.errors import ConfigError, StoreError
from shortlist.core.keys import kind_code
from shortlist.core.times import DAY, parse_span
from shortlist.features.contract import AsOf, View

if TYPE_CHECKING:
    import ibis.expr.types as ir

KEYWORDS: tuple[ColumnKind, ...] = ("keyword", "keywords")
OLD = 300.0
"""Half-lives after which an event is as good as none."""


@dataclass(frozen=True)
class Aggregate:
    """A value over events.

    Attributes:
        name: the feature's name.
        section: what was declared.
        weights: what each kind of event counts; empty: each counts 1.
    """

    name: str
    section: FeatureSection
    weights: Mapping[str, float]

    @property
    def default(self) -> float:
        """The value where no event matches; counts and sums are 0 there and need none."""
        return self.section.default

    @property
    def by_user(self) -> bool:
        """Whether it is over the user's own events."""
        return self.section.by[0] == "user"

    @property
    def key(self) -> str:
        """What events share with a candidate: `item`, an attribute, or nothing (empty)."""
        return self.section.by[-1] if self.section.by[-1] != "user" else ""

    @property
    def attributes(self) -> list[str]:
        """The catalogue attributes that it reads."""
        named = (*self.section.by, self.section.of)
        return [name for name in named if name not in ("", "user", "item", "weight")]

    @cached_property
    def window(self) -> int | None:
        """Microseconds that events count for."""
        return parse_span(self.section.window) if self.section.window else None

    @cached_property
    def half_life(self) -> int | None:
        """Microseconds after which an event counts half."""
        return parse_span(self.section.half_life) if self.section.half_life else None

    @cached_property
    def freshness(self) -> int | None:
        """Microseconds that the newest known event may lie back."""
        return parse_span(self.section.freshness) if self.section.freshness else None

    @cached_property
    def kinds(self) -> list[int]:
        """Codes of the kinds that count; empty for all."""
        return [kind_code(kind) for kind in self.section.kinds]

    @cached_property
    def among(self) -> list[int]:
        """Codes of the kinds that a rate divides by; empty for all."""
        return [kind_code(kind) for kind in self.section.among]

    def weight_of(self, kinds: NDArray[np.integer]) -> NDArray[np.float64]:
        """What events of these kinds count, `float64[n]`."""
        if not self.weights:
            return np.ones(len(kinds))
        out = np.zeros(len(kinds))
        for kind, weight in self.weights.items():
            out[kinds == kind_code(kind)] = weight
        return out

    def offline(self, at: AsOf) -> ir.Table:
        """(request, item) or (request); `features.offline.join` asks for a whole family at once."""
        from shortlist.features.aggregates import aggregates

        ((table, _),) = aggregates([self], at)
        return table

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """From the user's history, or from counters that posted events have moved."""
        if self.by_user:
            from shortlist.features.past import over_history

            over_history(self, view, out)
            return
        counter = view.counters[self.name]
        if self.freshness is not None and view.now - counter.newest > self.freshness:
            self._stale(view.now - counter.newest, out)
        else:
            counter.read(view.catalogue, view.rows, view.now, self.default, out)

    def _stale(self, age: int, out: NDArray[np.float32]) -> None:
        if self.section.missing == "closed":
            raise StoreError(
                f"the newest known event is {age / DAY:,.2f} days old, and the feature "
                f"{self.name!r} may be {self.section.freshness} old at most.",
                remedy=f'Post events, train again, or set features.{self.name}.missing = "open".',
                where=f"features.{self.name}",
            )
        out.fill(self.default)


@dataclass(frozen=True)
class ItemColumn:
    """An attribute of the candidate: a number, or the days since a time."""

    name: str
    attribute: str
    default: float = 0.0

    def offline(self, at: AsOf) -> ir.Table:
        """(item) for a number, (request, item) for a time."""
        value = at.catalogue[f"attribute:{self.attribute}"]
        if not value.type().is_integer():
            import ibis

            finite = ibis.ifelse(value.isnan() | value.isinf(), None, value)
            return at.catalogue.select("item", **{self.name: finite})
        asked = at.candidates.select("request", "item").join(
            at.requests.select("request", now="time"), "request"
        )
        asked = asked.join(at.catalogue.select("item", then=value), "item")
        return asked.select("request", "item", **{self.name: (asked.now - asked.then) / float(DAY)})

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """A gather."""
        column = view.catalogue.columns[self.attribute]
        values = column.arrays["values"][view.rows]
        if column.kind == "time":
            found, age = values != NO_TIME, (view.now - values.astype(np.float64)) / DAY
        else:
            found, age = np.isfinite(values), values
        out[:] = np.where(found, age, self.default)


@dataclass(frozen=True)
class Cross:
    """Two features combined: their product, ratio or difference.

    A ratio by 0, and whatever is not finite, is the default.
    """

    name: str
    left: str
    right: str
    how: str
    default: float = 0.0

    def offline(self, at: AsOf) -> ir.Table:
        """A cross is made of joined columns: see `features.offline.join`."""
        raise AssertionError("crosses are made by features.offline.join")

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """A cross is made of filled columns: see `FeatureSet.online`."""
        raise AssertionError("crosses are made by FeatureSet.online")

    def combine(
        self, left: NDArray[np.float32], right: NDArray[np.float32], out: NDArray[np.float32]
    ) -> None:
        """Both columns as one; in float64, as the offline side does."""
        a, b = left.astype(np.float64), right.astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            match self.how:
                case "product":
                    made = a * b
                case "ratio":
                    made = a / b
                case _:
                    made = a - b
            made = made.astype(np.float32)
        out[:] = np.where(np.isfinite(made), made, self.default)


Declared = Aggregate | ItemColumn | Cross


def declare(
    sections: Mapping[str, FeatureSection],
    weights: Mapping[str, float],
    kinds: Mapping[str, ColumnKind],
) -> list[Declared]:
    """The declared features, crosses last.

    Args:
        sections: `config.features.declared`.
        weights: `data.events.weights`.
        kinds: the catalogue's columns.

    Raises:
        ConfigError: an attribute is not of a kind that the feature can read.
    """
    made: list[Declared] = []
    for name, section in sections.items():
        match section.value:
            case "cross":
                left, right = section.cross
                made.append(Cross(name, left, right, section.how, section.default))
            case "column":
                _of_kind(name, "of", section.of, ("number", "time"), kinds)
                made.append(ItemColumn(name, section.of, section.default))
            case _:
                made.append(Aggregate(name, section, weights))
                _check_kinds(name, section, kinds)
    return sorted(made, key=lambda feature: isinstance(feature, Cross))


def declared_in(config: Mapping[str, Any], kinds: Mapping[str, ColumnKind]) -> list[Declared]:
    """The declared features of a configuration as a release's manifest holds it."""
    sections = {
        name: msgspec.convert(section, FeatureSection)
        for name, section in config.get("features", {}).items()
        if isinstance(section, Mapping)
    }
    return declare(sections, config["data"]["events"]["weights"] if sections else {}, kinds)


def _check_kinds(name: str, section: FeatureSection, kinds: Mapping[str, ColumnKind]) -> None:
    for by in section.by:
        if by not in ("user", "item"):
            _of_kind(name, "by", by, KEYWORDS, kinds)
    if section.value in ("sum", "mean") and section.of != "weight":
        _of_kind(name, "of", section.of, ("number",), kinds)
    if section.value == "distinct" and section.of not in ("user", "item"):
        _of_kind(name, "of", section.of, KEYWORDS, kinds)


def _of_kind(
    name: str,
    key: str,
    attribute: str,
    wanted: Sequence[ColumnKind],
    kinds: Mapping[str, ColumnKind],
) -> None:
    if kinds.get(attribute) not in wanted:
        found = f"is a {kinds[attribute]} column" if attribute in kinds else "is not there"
        raise ConfigError(
            f"features.{name}.{key} names {attribute!r}, which has to be "
            f"{' or '.join(wanted)} and {found}.",
            remedy="Name another attribute.",
            where="shortlist.toml",
        )
