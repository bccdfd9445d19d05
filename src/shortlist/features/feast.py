"""Export features as a Feast repository: entities and feature views over Parquet.

What is said of an item or of a user alone can be looked up by a key, which is what Feast does. What
is said of both (affinities, `["user", "item"]`) or of the request (scores, the hour) is left out.
Values are those of the offline join, as of the end of each of the last days.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue
from shortlist.core.errors import ConfigError
from shortlist.core.times import DAY
from shortlist.features.attributes import ItemColumn
from shortlist.features.contract import AsOf, Feature, Others
from shortlist.features.declared import Aggregate
from shortlist.features.items import ItemStatistic
from shortlist.features.prices import LogPrice
from shortlist.features.sets import FeatureSet
from shortlist.features.users import UserActivity, UserIdle

DAYS = 7
"""Days that values are written of, the last of them ends at the watermark."""

ExportLog = tuple[
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.int64],
    NDArray[np.uint32],
    NDArray[np.float32],
]
"""User rows, item rows, times, kinds (`core.keys.kind_code`) and weights of the events."""

_STORE = """\
project: {project}
registry: data/registry.db
provider: local
online_store:
  type: sqlite
  path: data/online_store.db
offline_store:
  type: file
entity_key_serialization_version: 3
"""
_HEAD = '''\
"""Features of {name}, written by `shortlist features --feast`."""

from datetime import timedelta

from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Float32
'''
_VIEW = """
{who} = Entity(name="{who}", join_keys=["{who}_id"], value_type=ValueType.STRING)

{who}_features = FeatureView(
    name="{who}_features",
    entities=[{who}],
    ttl=timedelta(days={days}),
    schema=[
{fields}
    ],
    source=FileSource(
        name="{who}_source",
        path="data/{who}.parquet",
        timestamp_field="event_timestamp",
    ),
    online=True,
)
"""


def export(
    folder: Path,
    *,
    name: str,
    features: FeatureSet,
    catalogue: Catalogue,
    users: Sequence[str],
    log: ExportLog,
    until: int,
    others: Others | None = None,
) -> list[str]:
    """Write a Feast repository; the names of its feature views.

    Args:
        folder: made; must not hold anything yet.
        name: of the project; letters, digits and `_` of it are kept.
        features: those of a release.
        catalogue: the items.
        users: the id of each user row.
        log: the events.
        until: the watermark, microseconds.
        others: events that are no interactions, of the kinds that features count.

    Raises:
        ConfigError: the folder is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError("the folder is not empty.", remedy="Name a new one.", where=str(folder))
    (folder / "data").mkdir(parents=True)
    instants = until - DAY * np.arange(DAYS - 1, -1, -1, dtype=np.int64)
    views: dict[str, list[Feature]] = {
        "item": [one for one in features.features if _of_item(one)],
        "user": [one for one in features.features if _of_user(one)],
    }
    parts, made = [_HEAD.format(name=name)], []
    for who, chosen in views.items():
        if not chosen:
            continue
        lines = len(catalogue) if who == "item" else len(users)
        table = _values(who, FeatureSet(chosen), catalogue, lines, log, instants, others)
        ids = catalogue.vocabulary.ids(np.arange(lines, dtype=np.int32)) if who == "item" else users
        _write(folder / "data" / f"{who}.parquet", who, table, list(ids), instants, lines)
        fields = "\n".join(
            f'        Field(name="{feast_name(one.name)}", dtype=Float32),' for one in chosen
        )
        parts.append(_VIEW.format(who=who, days=DAYS, fields=fields))
        made.append(f"{who}_features")
    project = "".join(c if c.isascii() and c.isalnum() else "_" for c in name).strip("_") or "shop"
    (folder / "feature_store.yaml").write_text(_STORE.format(project=project))
    (folder / "definitions.py").write_text("".join(parts))
    return made


def feast_name(name: str) -> str:
    """A feature's name as Feast allows it: `price:amount` is `price__amount`."""
    return "".join(c if c.isalnum() else "__" if c == ":" else "_" for c in name)


def _of_item(feature: Feature) -> bool:
    if isinstance(feature, Aggregate):
        return not feature.by_user and not feature.paired
    return isinstance(feature, ItemStatistic | ItemColumn | LogPrice)


def _of_user(feature: Feature) -> bool:
    if isinstance(feature, Aggregate):
        return feature.by_user and not feature.key
    return isinstance(feature, UserActivity | UserIdle)


def _values(
    who: str,
    features: FeatureSet,
    catalogue: Catalogue,
    lines: int,
    log: ExportLog,
    instants: NDArray[np.int64],
    others: Others | None,
) -> dict[str, NDArray[np.float32]]:
    """The features of every item (or user) as of each instant, in order of instant and row."""
    import ibis
    import pyarrow as pa

    from shortlist.features.offline import catalogue_table, others_of

    user, item, time, kind, weight = log
    days = len(instants)
    requests: dict[str, NDArray[np.int32] | NDArray[np.int64]]
    if who == "item":
        requests = {"user": np.full(days, -1, np.int32), "time": instants}
        request = np.repeat(np.arange(days), lines)
        items = np.tile(np.arange(lines, dtype=np.int32), days)
    else:
        requests = {
            "user": np.tile(np.arange(lines, dtype=np.int32), days),
            "time": np.repeat(instants, lines),
        }
        request = np.arange(days * lines)
        items = np.zeros(days * lines, np.int32)
    tables = (
        pa.table(
            {
                "user": user,
                "item": item,
                "time": time,
                "kind": kind.astype(np.int64),
                "weight": weight.astype(np.float64),
            }
        ),
        pa.table({"request": np.arange(len(requests["time"])), **requests}),
        pa.table({"request": request, "item": items}),
        catalogue_table(catalogue, features.attributes, features.texts),
    )
    log_table, asked, candidates, items_table = (ibis.memtable(table) for table in tables)
    noted = others_of(features, others)
    _, _, matrix = features.matrix(AsOf(log_table, asked, candidates, items_table, others=noted))
    return dict(zip(map(feast_name, features.names), matrix, strict=True))


def _write(
    path: Path,
    who: str,
    values: dict[str, NDArray[np.float32]],
    ids: list[str],
    instants: NDArray[np.int64],
    lines: int,
) -> None:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    times = pa.array(np.repeat(instants, lines)).cast(pa.timestamp("us", tz="UTC"))
    keys = pa.array(ids * len(instants), pa.string())
    table = pa.table({f"{who}_id": keys, "event_timestamp": times, **values})
    write_table(table, path)
