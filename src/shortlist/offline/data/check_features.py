"""Check that declared features and the rules of `[arrange]` can read the columns that they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shortlist.config.arrange import ArrangeSection
from shortlist.config.features import declared
from shortlist.config.load import FILE
from shortlist.config.schema import Config
from shortlist.config.toml import value_text
from shortlist.core.catalogue import Catalogue, Column, ColumnKind
from shortlist.core.errors import ConfigError, DataError, RequestError, ShortlistError
from shortlist.core.expression import matches
from shortlist.core.parser import parse
from shortlist.core.vocabulary import Vocabulary
from shortlist.features.declared import declare
from shortlist.offline.data.finding import Finding
from shortlist.offline.data.items import column_kinds
from shortlist.offline.data.source import locate, open_source
from shortlist.offline.data.users import user_kinds

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend


def check_features(con: Backend, config: Config, folder: Path) -> Iterator[Finding]:
    """What would stop training: a feature or a rule names a column that it cannot read.

    Args:
        con: the engine that reads.
        config: the project's configuration.
        folder: the project folder; sources without errors.
    """
    items, users = config.data.items, config.data.users
    if not declared(config.features) and not _arranged(config):
        return
    try:
        kinds = (
            column_kinds(open_source(con, locate(items, folder), items.id), items) if items else {}
        )
        own = user_kinds(open_source(con, locate(users, folder), users.id), users) if users else {}
    except DataError as error:
        yield Finding.of("features", error)
        return
    for key, said in unfit(config, kinds, own):
        yield Finding.of(key, said)


def unfit(
    config: Config, kinds: Mapping[str, ColumnKind], own: Mapping[str, ColumnKind]
) -> Iterator[tuple[str, ShortlistError]]:
    """Features and rules that name a column of a kind that they cannot read, by their keys.

    Args:
        config: the project's configuration, whose names are known.
        kinds: of the attributes of items.
        own: of the attributes of users.
    """
    events = config.data.events
    for name, section in declared(config.features).items():
        if section.value == "cross":
            continue
        try:
            declare({name: section}, events.weights, kinds, own, events.impression)
        except ConfigError as error:
            yield f"features.{name}", error
    for at, arrange in _arranged(config).items():
        yield from _unfit_rules(arrange, kinds, at)


def _arranged(config: Config) -> dict[str, ArrangeSection]:
    """`[arrange]`, and what stands in its place for some users."""
    sections = {"arrange": config.arrange}
    for name, experiment in config.experiments.items():
        for variant, section in experiment.variants.items():
            if section.arrange is not None:
                sections[f"experiments.{name}.variants.{variant}.arrange"] = section.arrange
    empty = ArrangeSection()
    return {at: section for at, section in sections.items() if section != empty}


def _unfit_rules(
    section: ArrangeSection, kinds: Mapping[str, ColumnKind], at: str
) -> Iterator[tuple[str, ShortlistError]]:
    keywords = {f"max_per.{name}": name for name in section.max_per}
    wheres = {f"boosts[{n}].where": boost.where for n, boost in enumerate(section.boosts)}
    wheres |= {f"pins[{n}].where": pin.where for n, pin in enumerate(section.pins) if pin.where}
    if section.diversity is not None:
        named = enumerate(section.diversity.attributes)
        keywords |= {f"diversity.attributes[{n}]": name for n, name in named}
    fresh = section.freshness
    if fresh is not None and fresh.where:
        wheres["freshness.where"] = fresh.where
    asked: dict[str, tuple[str, tuple[ColumnKind, ...]]] = {
        key: (name, ("keyword", "keywords")) for key, name in keywords.items()
    }
    if fresh is not None and fresh.attribute:
        asked["freshness.attribute"] = fresh.attribute, ("time",)
    for key, (name, wanted) in asked.items():
        if kinds.get(name, wanted[0]) not in wanted:
            yield (
                f"{at}.{key}",
                ConfigError(
                    f"{at}.{key} names {name!r}, which has to be {' or '.join(wanted)} and is a "
                    f"{kinds[name]} column.",
                    remedy="Name another attribute.",
                    where=FILE,
                ),
            )
    empty = np.empty(0)
    catalogue = Catalogue(
        Vocabulary.of([]),
        {name: _EMPTY[kind] for name, kind in kinds.items()},
        empty.astype(np.bool_),
        empty.astype(np.int64),
    )
    for key, where in wheres.items():
        try:
            matches(parse(where), catalogue)
        except RequestError as error:
            yield (
                f"{at}.{key}",
                ConfigError(
                    f"{at}.{key} = {value_text(where)}: {error.problem}",
                    remedy=error.remedy,
                    where=FILE,
                ),
            )


_EMPTY: dict[ColumnKind, Column] = {
    "number": Column.number([]),
    "time": Column.time([]),
    "keyword": Column.keyword([]),
    "keywords": Column.keywords([]),
    "text": Column.text([]),
}
