"""Boosts and pins, read for one release: expressions to bitmaps, ids to rows, times to instants."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from shortlist.config.arrange import BoostRule, PinRule
from shortlist.core.bitmap import Bitmap, pack
from shortlist.core.catalogue import Catalogue
from shortlist.core.errors import ConfigError, RequestError
from shortlist.core.expression import matches
from shortlist.core.parser import parse
from shortlist.core.times import parse_instant
from shortlist.core.vocabulary import UNKNOWN
from shortlist.online.live import Live

_NEVER = np.iinfo(np.int64).max
_NONE: Bitmap = np.empty(0, np.uint8)


@dataclass(frozen=True)
class Window:
    """When a rule holds: from `since`, and before `until`, microseconds."""

    since: int
    until: int

    @classmethod
    def of(cls, rule: BoostRule | PinRule) -> Window:
        """The window of a rule."""
        since = parse_instant(rule.since) if rule.since else -_NEVER
        return cls(since, parse_instant(rule.until) if rule.until else _NEVER)

    def holds(self, now: int) -> bool:
        """Whether it holds at an instant."""
        return self.since <= now < self.until


@dataclass(frozen=True)
class Boost:
    """A boost.

    Attributes:
        name: what `explain` calls it.
        window: when it holds.
        where: bitmap of the items that it holds for.
        multiply: what their relevance is multiplied by.
        add: what is added to it then.
    """

    name: str
    window: Window
    where: Bitmap
    multiply: float
    add: float


@dataclass(frozen=True)
class Pin:
    """A pin.

    Attributes:
        number: which of the rules it is.
        name: what `explain` calls it.
        window: when it holds.
        position: the place.
        row: the item; `UNKNOWN` for a pin by expression.
        where: bitmap of the items that may come; empty for a pin by id.
    """

    number: int
    name: str
    window: Window
    position: int
    row: int
    where: Bitmap


def boosts_of(catalogue: Catalogue, rules: Sequence[BoostRule]) -> list[Boost]:
    """The boosts of a configuration over one release.

    Raises:
        ConfigError: an expression does not fit the attributes of the release.
    """
    return [
        Boost(
            rule.name or f"boosts[{number}]",
            Window.of(rule),
            bitmap_of(catalogue, rule.where, f"arrange.boosts[{number}].where"),
            rule.multiply,
            rule.add,
        )
        for number, rule in enumerate(rules)
    ]


def pins_of(catalogue: Catalogue, rules: Sequence[PinRule]) -> list[Pin]:
    """The pins of a configuration over one release; one of an unknown item is left out, and logged.

    Raises:
        ConfigError: an expression does not fit the attributes of the release.
    """
    pins = []
    for number, rule in enumerate(rules):
        row, where = UNKNOWN, _NONE
        if rule.item:
            row = int(catalogue.vocabulary.rows([rule.item])[0])
            if row == UNKNOWN:
                _warn(number, rule.item)
                continue
        else:
            where = bitmap_of(catalogue, rule.where, f"arrange.pins[{number}].where")
        pins.append(_pin(number, rule, row, where))
    return pins


@lru_cache(maxsize=1024)  # once, however often the rules are read
def _warn(number: int, item: str) -> None:
    logging.getLogger(__name__).warning(
        "arrange.pins[%d].item = %r is not in the catalogue; nothing is pinned.", number, item
    )


def bitmap_of(catalogue: Catalogue, where: str, key: str) -> Bitmap:
    """The items that an expression of the configuration holds for.

    Raises:
        ConfigError: it does not fit the attributes of the release; names the key.
    """
    try:
        return pack(matches(parse(where), catalogue))
    except RequestError as error:
        raise ConfigError(error.problem, remedy=error.remedy, where=key) from None


def boosts_over(boosts: Sequence[Boost], rules: Sequence[BoostRule], live: Live) -> list[Boost]:
    """Boosts of a release with what was written since.

    Args:
        boosts: what `boosts_of` gave.
        rules: the same rules.
        live: what was written.
    """
    return [
        replace(boost, where=live.matching(boost.where, parse(rule.where)))
        for boost, rule in zip(boosts, rules, strict=True)
    ]


def pins_over(pins: Sequence[Pin], rules: Sequence[PinRule], live: Live) -> list[Pin]:
    """Pins of a release with what was written since, those of new items among them.

    Args:
        pins: what `pins_of` gave.
        rules: the same rules.
        live: what was written.
    """
    known = {pin.number: pin for pin in pins}
    out = []
    for number, rule in enumerate(rules):
        pin = known.get(number)
        if rule.item:
            row = int(live.catalogue.vocabulary.rows([rule.item])[0])
            if row != UNKNOWN:
                out.append(pin or _pin(number, rule, row, _NONE))
        elif pin is not None:
            out.append(replace(pin, where=live.matching(pin.where, parse(rule.where))))
    return out


def _pin(number: int, rule: PinRule, row: int, where: Bitmap) -> Pin:
    name = rule.name or f"pins[{number}]"
    return Pin(number, name, Window.of(rule), rule.position, row, where)
