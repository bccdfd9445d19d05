"""Declared features in plain Python: slow, and obviously right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from shortlist.config.features import (
    CONTEXT,
    OF_CONTEXT,
    OF_TIME,
    OF_USERS,
    FeatureSection,
)
from shortlist.core.context import Context
from shortlist.core.times import DAY, SECOND, parse_span
from shortlist.testing.declared import DeclaredWorld, Happening
from shortlist.testing.declared_sections import CONTEXTS, KINDS, WEIGHTS, Person


@dataclass(frozen=True)
class DeclaredOracle:
    """The values of a world's features by their definitions."""

    world: DeclaredWorld

    def __call__(
        self, name: str, user: int, now: int, item: int, context: Context | None = None
    ) -> float:
        """The value of a feature for a user, an instant, an item and a request's context."""
        context = context or {}
        section = self.world.declared[name]
        match section.value:
            case "column":
                if section.by == [CONTEXT]:
                    return self._told(section, context.get(section.of))
                return self._column(section, user, now, item)
            case "match":
                own, theirs = self._own(section.of, user), self._of(section.by[0], item)
                return len(own & theirs) if own and theirs else section.default
            case "similarity":
                return self._similarity(section, user, now, item)
            case "cross":
                told = (self(n, user, now, item, context) for n in section.cross)
                a, b = (float(np.float32(value)) for value in told)
                return _crossed(section, a, b)
        return self._aggregate(section, user, now, item, context)

    def _told(self, section: FeatureSection, value: str | None) -> float:
        if value is None:
            return section.default
        if section.equals:
            return float(section.equals == value)
        terms = CONTEXTS[section.of]
        return terms.index(value) if value in terms else section.default

    def _aggregate(
        self, section: FeatureSection, user: int, now: int, item: int, context: Context
    ) -> float:
        events = [e for e in [*self.world.events, *self.world.others] if e.time < now]
        if section.by[0] == "user":
            events = self.world.history(user, now)
        if section.window:
            events = [e for e in events if now - e.time <= parse_span(section.window)]
        key = next((k for k in section.by[::-1] if not k.startswith((OF_TIME, OF_CONTEXT))), "")
        for one in section.by:
            if one.startswith(OF_TIME):
                events = [e for e in events if _part(one, e.time) == _part(one, now)]
        groups = [events]
        for one in section.by:
            if one.startswith(OF_CONTEXT):
                name = one.removeprefix(OF_CONTEXT)
                alike = [e for e in events if e.context.get(name) == context.get(name)]
                groups = [alike] if name in context else []
        for one in section.by:
            if one.startswith(OF_USERS):
                name = one.removeprefix(OF_USERS)
                groups = [
                    [e for e in group if value in self._own(name, e.user)]
                    for group in groups
                    for value in self._own(name, user)
                ]
        if key == "item":
            groups = [[e for e in group if e.item == item] for group in groups]
        elif key in ("kind", "tags"):
            groups = [
                [e for e in group if value in self._of(key, e.item)]
                for group in groups
                for value in self._of(key, item)
            ]
        told = [self._over(section, group, now) for group in groups]
        known = [value for value in told if value is not None]
        if not known:
            return section.default
        return min(known) if section.value == "last" else sum(known) / len(known)

    def _column(self, section: FeatureSection, user: int, now: int, item: int) -> float:
        by_user = section.by == ["user"]
        if section.of in ("kind", "tags", "favourite", "likes"):
            told = self._own(section.of, user) if by_user else self._of(section.of, item)
            if not told:
                return section.default
            if section.equals:
                return float(section.equals in told)
            column = (self.world.users if by_user else self.world.catalogue).columns[section.of]
            (term,) = told
            return column.terms.index(term)
        person = self._person(user)
        value = {
            "price": self.world.prices[item],
            "made": self.world.made[item],
            "age": person.age,
            "joined": person.joined,
        }[section.of]
        if value is None or not math.isfinite(value):
            return section.default
        return value if section.of in ("price", "age") else (now - value) / DAY

    def _person(self, user: int) -> Person:
        return self.world.people[user] if user < len(self.world.people) else Person()

    def _own(self, attribute: str, user: int) -> set[str]:
        person = self._person(user)
        if attribute == "likes":
            return set(person.likes)
        return set() if person.favourite is None else {person.favourite}

    def _similarity(self, section: FeatureSection, user: int, now: int, item: int) -> float:
        vector = self.world.matrix[item]
        past = [self.world.matrix[e.item] for e in self.world.history(user, now)[-section.reach :]]
        past = [v for v in past if v.any()]
        if not past or not vector.any():
            return section.default
        mean = np.mean(past, axis=0)
        dot = float(vector @ mean)
        if section.measure == "dot":
            return dot
        return dot / float(np.linalg.norm(vector) * np.linalg.norm(mean))

    def _of(self, attribute: str, item: int) -> set[str]:
        if attribute == "tags":
            return set(self.world.tags[item])
        kind = self.world.kinds[item]
        return set() if kind is None else {kind}

    def _over(self, section: FeatureSection, events: list[Happening], now: int) -> float | None:
        def fade(event: Happening) -> float:
            if not section.half_life:
                return 1.0
            return float(2.0 ** (-(now - event.time) / parse_span(section.half_life)))

        counting = [e for e in events if e.kind in (section.kinds or KINDS)]
        match section.value:
            case "count":
                return sum(map(fade, counting))
            case "last":
                return (now - max(e.time for e in counting)) / DAY if counting else None
            case "distinct":
                if section.of in ("user", "item"):
                    return len({getattr(e, section.of) for e in counting})
                return len({value for e in counting for value in self._of(section.of, e.item)})
            case "rate":
                more, fewer = section.prior or (0.0, 0.0)
                among = section.among or KINDS
                below = fewer + sum(fade(e) for e in events if e.kind in among)
                return (more + sum(map(fade, counting))) / below if below else None
        told = [(fade(e), self._amount(section, e)) for e in counting]
        known = [(weight, amount) for weight, amount in told if amount is not None]
        total = sum(weight * amount for weight, amount in known)
        if section.value == "sum":
            return total
        return total / sum(weight for weight, _ in known) if known else None

    def _amount(self, section: FeatureSection, event: Happening) -> float | None:
        if section.of == "weight":
            return WEIGHTS[event.kind]
        price = self.world.prices[event.item]
        return price if price is not None and math.isfinite(price) else None


def _part(name: str, instant: int) -> int:
    moment = datetime.fromtimestamp(instant // SECOND, UTC)
    return moment.hour if name == OF_TIME + "hour" else moment.weekday()


def _crossed(section: FeatureSection, a: float, b: float) -> float:
    match section.how:
        case "product":
            return a * b
        case "ratio":
            return a / b if b else section.default
        case _:
            return a - b
