"""Features that a project declares in `[features]`: both sides of each.

By item, by an attribute of items or of users, by hour or weekday, by context, values are as of the
request from everybody's events (`features.counters`); by user, from the user's newest `HISTORY`
interactions (`features.past`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shortlist.config.features import (
    CONTEXT,
    OF_USERS,
    SHARED,
    FeatureSection,
    uncounted,
)
from shortlist.core.catalogue import ColumnKind
from shortlist.core.errors import ConfigError, FeatureError
from shortlist.core.keys import kind_code
from shortlist.core.times import DAY, SECOND, parse_span
from shortlist.features.attributes import ItemColumn, Match, UserColumn
from shortlist.features.contexts import ContextColumn
from shortlist.features.contract import AsOf, View
from shortlist.features.remote import Remote, Who
from shortlist.features.similarity import Similarity

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
        beyond: whether it counts events that are no interactions.
    """

    name: str
    section: FeatureSection
    weights: Mapping[str, float]
    beyond: bool = False

    @property
    def default(self) -> float:
        """The value where no event matches; counts and sums are 0 there and need none."""
        return self.section.default

    @property
    def by_user(self) -> bool:
        """Whether it is over the user's own events."""
        return self.section.by[0] == "user"

    @cached_property
    def shared(self) -> tuple[str, ...]:
        """What events share with the request besides what they share with a candidate: one or
        more `user.NAME`, a `time.PART` or a `context.NAME`."""
        return tuple(name for name in self.section.by if name.startswith(SHARED))

    @property
    def side(self) -> str:
        """What that is of: `user`, `time` or `context`; empty where there is nothing."""
        return self.shared[0].partition(".")[0] if self.shared else ""

    @property
    def names(self) -> tuple[str, ...]:
        """Its names there."""
        return tuple(name.partition(".")[2] for name in self.shared)

    @property
    def paired(self) -> bool:
        """Whether there is such a thing."""
        return bool(self.shared)

    @cached_property
    def key(self) -> str:
        """What events share with a candidate: `item`, an attribute, or nothing (empty)."""
        names = [n for n in self.section.by if n != "user" and not n.startswith(SHARED)]
        return names[0] if names else ""

    @property
    def attributes(self) -> list[str]:
        """The catalogue attributes that it reads."""
        named = (self.key, self.section.of)
        return [name for name in named if name not in ("", "user", "item", "weight")]

    @property
    def user_attributes(self) -> tuple[str, ...]:
        """The attributes of users that it reads."""
        return self.names if self.side == "user" else ()

    @property
    def contexts(self) -> tuple[str, ...]:
        """The contexts that it reads."""
        return self.names if self.side == "context" else ()

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

    @property
    def prior(self) -> tuple[float, float]:
        """What a rate adds above and below."""
        return (self.section.prior[0], self.section.prior[1]) if self.section.prior else (0.0, 0.0)

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
            counter.read(view, self.default, out)

    def _stale(self, age: int, out: NDArray[np.float32]) -> None:
        if self.section.missing == "closed":
            raise FeatureError(
                f"the newest known event is {age / DAY:,.2f} days old, and the feature "
                f"{self.name!r} may be {self.section.freshness} old at most.",
                remedy=f'Post events, train again, or set features.{self.name}.missing = "open".',
                where=f"features.{self.name}",
            )
        out.fill(self.default)


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


Declared = Aggregate | ItemColumn | UserColumn | ContextColumn | Match | Similarity | Remote | Cross


def declare(
    sections: Mapping[str, FeatureSection],
    weights: Mapping[str, float],
    kinds: Mapping[str, ColumnKind],
    users: Mapping[str, ColumnKind] | None = None,
    impression: str = "impression",
) -> list[Declared]:
    """The declared features, crosses last.

    Args:
        sections: `config.features.declared`.
        weights: `data.events.weights`.
        kinds: the catalogue's columns.
        users: the columns of `[data.users]`; None without them.
        impression: `data.events.impression`.

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
                made.append(_column(name, section, kinds, users or {}))
            case "match":
                _of_kind(name, "of", section.of, KEYWORDS, users or {})
                _of_kind(name, "by", section.by[0], KEYWORDS, kinds)
                made.append(Match(name, section.of, section.by[0], section.default))
            case "similarity":
                cosine = section.measure == "cosine"
                made.append(
                    Similarity(name, section.vectors, section.reach, cosine, section.default)
                )
            case "feast":
                made.append(_remote(name, section))
            case _:
                beyond = bool(uncounted({name: section}, weights, impression))
                made.append(Aggregate(name, section, weights, beyond))
                _check_kinds(name, section, kinds, users or {})
    return sorted(made, key=lambda feature: isinstance(feature, Cross))


def _column(
    name: str,
    section: FeatureSection,
    kinds: Mapping[str, ColumnKind],
    users: Mapping[str, ColumnKind],
) -> ItemColumn | UserColumn | ContextColumn:
    if section.by == [CONTEXT]:
        return ContextColumn(name, section.of, section.default, section.equals)
    own = section.by == ["user"]
    columns = users if own else kinds
    wanted: tuple[ColumnKind, ...] = KEYWORDS if section.equals else ("number", "time", "keyword")
    _of_kind(name, "of", section.of, wanted, columns)
    made = UserColumn if own else ItemColumn
    return made(name, section.of, section.default, columns[section.of], section.equals)


def _remote(name: str, section: FeatureSection) -> Remote:
    keep = parse_span(section.freshness) / SECOND if section.freshness else 0.0
    who: Who = "user" if section.by == ["user"] else "item"
    return Remote(name, section.of, who, section.default, section.missing == "closed", keep)


def declared_in(
    config: Mapping[str, Any],
    kinds: Mapping[str, ColumnKind],
    users: Mapping[str, ColumnKind] | None = None,
) -> list[Declared]:
    """The declared features of a configuration as a release's manifest holds it."""
    sections = {
        name: msgspec.convert(section, FeatureSection)
        for name, section in config.get("features", {}).items()
        if isinstance(section, Mapping)
    }
    if not sections:
        return []
    events = config["data"]["events"]
    return declare(sections, events["weights"], kinds, users, events["impression"])


def _check_kinds(
    name: str,
    section: FeatureSection,
    kinds: Mapping[str, ColumnKind],
    users: Mapping[str, ColumnKind],
) -> None:
    for by in section.by:
        if by.startswith(OF_USERS):
            _of_kind(name, "by", by.removeprefix(OF_USERS), KEYWORDS, users)
        elif by not in ("user", "item") and not by.startswith(SHARED):
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
