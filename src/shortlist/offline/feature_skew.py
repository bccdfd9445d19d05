"""What training computes for the requests whose features were logged when serving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import Catalogue
from shortlist.core.keys import item_keys
from shortlist.core.vocabulary import Vocabulary
from shortlist.features import FeatureSet
from shortlist.features.contexts import columns_of_requests
from shortlist.features.contract import AsOf, VectorsOf
from shortlist.features.skew import Logged, Skew, compare
from shortlist.offline.data.prepared import Prepared
from shortlist.offline.ranking.rows import event_table


@dataclass(frozen=True)
class SkewReport:
    """The skew of a release.

    Attributes:
        requests, values: how many were compared.
        later: requests left out because the log does not reach them yet.
        others: requests left out because another release answered them.
        features: by feature, the most different first.
    """

    requests: int
    values: int
    later: int
    others: int
    features: list[Skew]


def feature_skew(
    prepared: Prepared,
    release: str,
    features: FeatureSet,
    logged: Sequence[Logged],
    vectors: Mapping[str, VectorsOf],
    terms: Mapping[str, Sequence[str]],
) -> SkewReport:
    """Compare what was logged with the as-of join over the prepared log.

    Args:
        prepared: the log; requests after its newest event are left out.
        release: the id of the release whose requests are compared.
        features: those of that release.
        logged: what serving logged.
        vectors: retriever → its item vectors, of that release.
        terms: context → its values in order, of that release.
    """
    mine = [one for one in logged if one.release == release]
    kept = [one for one in mine if one.now <= prepared.watermark]
    skews: list[Skew] = []
    lines = 0
    if kept:
        at, place, lines = _as_of(prepared, features, kept, vectors, terms)
        _, _, computed = features.matrix(at)
        served = np.array([column for one in kept for column in zip(*one.values, strict=True)])
        skews = compare(features.names, served[place].T.astype(np.float32), computed)
    return SkewReport(
        requests=len(kept),
        values=lines * len(skews),
        later=len(mine) - len(kept),
        others=len(logged) - len(mine),
        features=skews,
    )


def _as_of(
    prepared: Prepared,
    features: FeatureSet,
    kept: Sequence[Logged],
    vectors: Mapping[str, VectorsOf],
    terms: Mapping[str, Sequence[str]],
) -> tuple[AsOf, NDArray[np.int64], int]:
    """The tables, where each of their lines is among the logged ones, and how many there are."""
    import ibis
    import pyarrow as pa

    from shortlist.features.offline import catalogue_table, others_of, users_of

    data = prepared.training()
    catalogue: Catalogue = prepared.catalogue
    users = Vocabulary.of(prepared.user_ids()).rows([one.user for one in kept])
    # somebody without events is nobody of the log
    users = np.where(users < 0, -1 - np.arange(len(users)), users).astype(np.int32)
    request = np.repeat(np.arange(len(kept)), [len(one.items) for one in kept])
    items = catalogue.vocabulary.rows([item for one in kept for item in one.items])
    place = np.flatnonzero(items >= 0)
    place = place[np.lexsort((items[place], request[place]))]
    columns: dict[str, NDArray[np.int64] | NDArray[np.int32] | NDArray[np.float32]] = {
        "request": request[place],
        "item": items[place],
    }
    for number, name in enumerate(features.names):
        if name.startswith(("score:", "rank:", "fused")):
            columns[name] = _logged(kept, number)[place]
    log = event_table(data, features.contexts)
    requests = pa.table(
        {
            "request": np.arange(len(kept)),
            "user": users,
            "time": np.array([one.now for one in kept], np.int64),
            **columns_of_requests(features.contexts, [one.context for one in kept], terms),
        }
    )
    remote = {
        one.name: ibis.memtable(
            pa.table(
                {
                    "request": request[place],
                    "item": items[place],
                    one.name: _logged(kept, features.names.index(one.name))[place],
                }
            )
        )
        for one in features.remote
    }
    asked, first = np.unique(users, return_index=True)
    keys = item_keys([kept[place].user for place in first.tolist()])
    if features.groups:  # everybody's events count
        more = np.setdiff1d(np.arange(data.users, dtype=np.int32), asked)
        asked, keys = np.append(asked, more), np.append(keys, data.user_keys[more])
    at = AsOf(
        log=ibis.memtable(log),
        requests=ibis.memtable(requests),
        candidates=ibis.memtable(pa.table(columns)),
        catalogue=ibis.memtable(catalogue_table(catalogue, features.attributes, features.texts)),
        users=users_of(features, data.user_table, asked, keys),
        others=others_of(features, data.others),
        vectors=vectors,
        remote=remote,
    )
    return at, place, len(place)


def _logged(kept: Sequence[Logged], number: int) -> NDArray[np.float32]:
    """What was logged of one feature, of every candidate of every request."""
    return np.array([value for one in kept for value in one.values[number]], np.float32)
