"""Features that an existing Feast repository holds: `value = "feast"`.

Online they come from Feast's own feature server over HTTP, so that a process that serves needs
nothing of Feast's; offline from its offline store, as of each request (`features.feast_history`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from shortlist.config.feast import FeastSection
from shortlist.core.errors import FeatureError, StoreError
from shortlist.features.contract import AsOf, View
from shortlist.features.feast_server import FeastServer

if TYPE_CHECKING:
    import ibis.expr.types as ir

Who = Literal["item", "user"]
PAUSE = 1.0
"""Seconds that a server which did not answer is not asked again: every request would wait."""
ROOM = 2_000_000
"""Entities whose values are kept at most."""


@dataclass(frozen=True)
class Remote:
    """A feature of Feast, of the candidate or of the user.

    Attributes:
        name: the feature's name.
        ref: `view:feature`.
        who: whose it is.
        default: where Feast has no value, or cannot be asked and `closed` is not set.
        closed: whether a request fails when Feast cannot be asked.
        keep: seconds that a value is kept before it is asked for again.
    """

    name: str
    ref: str
    who: Who
    default: float = 0.0
    closed: bool = False
    keep: float = 0.0

    def offline(self, at: AsOf) -> ir.Table:
        """(request, item) or (request): what the offline store said strictly before the request."""
        return at.remote[self.name]

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """What was fetched for the batch; the default for a request as of an earlier instant, of
        which the online store knows nothing."""
        told = view.remote.get(self.name)
        if told is None:
            out.fill(self.default)
        else:
            out[:] = np.where(np.isnan(told), self.default, told)


class Fetched:
    """Values of one kind of entity, kept for as long as their features say.

    Args:
        features: all of one `who`.
        server: what is asked.
        key: the join key.
    """

    def __init__(self, features: Sequence[Remote], server: FeastServer, key: str) -> None:
        self._features, self._server, self._key = tuple(features), server, key
        self._keep = min(feature.keep for feature in features)
        self._kept: dict[str, tuple[float, NDArray[np.float32]]] = {}
        self._silent_until = 0.0

    def __call__(self, ids: Sequence[str]) -> NDArray[np.float32] | None:
        """The features of entities, `float32[features, n]`, NaN where Feast has none; None where it
        cannot be asked.

        Raises:
            FeatureError: it cannot be asked, and a feature is closed.
        """
        clock = time.monotonic()
        wanted = [id for id in dict.fromkeys(ids) if self._age(id, clock) >= self._keep]
        fresh: dict[str, NDArray[np.float32]] = {}
        if wanted:
            asked = self._ask(wanted, clock)
            if asked is None:
                return None
            fresh = dict(zip(wanted, asked.T, strict=True))
            if self._keep > 0:
                if len(self._kept) + len(fresh) > ROOM:
                    self._kept.clear()
                self._kept.update((id, (clock, told)) for id, told in fresh.items())
        found = [fresh[id] if id in fresh else self._kept[id][1] for id in ids]
        return np.array(found, np.float32).reshape(len(ids), len(self._features)).T

    def _age(self, id: str, clock: float) -> float:
        kept = self._kept.get(id)
        return np.inf if kept is None else clock - kept[0]

    def _ask(self, ids: Sequence[str], clock: float) -> NDArray[np.float32] | None:
        try:
            if clock < self._silent_until:
                raise StoreError(
                    "it did not answer a moment ago.",
                    remedy="Start `feast serve`, or correct feast.url.",
                    where=self._server.url,
                )
            return self._server.ask(self._key, ids, [feature.ref for feature in self._features])
        except StoreError as error:
            # closed or not: the requests of a batch that failed are asked again one by one
            first = clock >= self._silent_until
            if first:
                self._silent_until = clock + PAUSE
            closed = [feature.name for feature in self._features if feature.closed]
            if closed:
                raise FeatureError(
                    f"Feast cannot be asked for the feature {closed[0]!r}: {error.problem}",
                    remedy=f'{error.remedy} Or set features.{closed[0]}.missing = "open".',
                    where=error.where,
                ) from error
            if first:
                logging.getLogger(__name__).warning("features are their defaults: %s", error)
            return None


class Feast:
    """The features of Feast that a release's ranker reads.

    Args:
        features: at least one.
        section: `[feast]`.
    """

    def __init__(self, features: Sequence[Remote], section: FeastSection) -> None:
        server = FeastServer(section.url, section.timeout)
        self._features = {who: [f for f in features if f.who == who] for who in ("item", "user")}
        keys = {"item": section.item, "user": section.user}
        self._fetch = {
            who: Fetched(mine, server, keys[who]) for who, mine in self._features.items() if mine
        }

    def items(self, ids: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        """Feature → value of each item, `float32[n]`, NaN where there is none; empty where Feast
        cannot be asked.

        Raises:
            FeatureError: it cannot be asked, and a feature is closed.
        """
        return self._told("item", ids)

    def users(self, ids: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        """Feature → value of each user, likewise."""
        return self._told("user", ids)

    @property
    def asks_items(self) -> bool:
        """Whether any feature is of items."""
        return "item" in self._fetch

    def _told(self, who: str, ids: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        if who not in self._fetch or not any(ids):
            return {}
        told = self._fetch[who](ids)
        if told is None:
            return {}
        return {one.name: values for one, values in zip(self._features[who], told, strict=True)}
