"""Which items a request may see: available, not expired, not hidden, matching `where`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, clear_rows, count, pack
from shortlist.core.cache import BudgetedCache
from shortlist.core.catalogue import Catalogue
from shortlist.core.expression import matches
from shortlist.core.parser import parse
from shortlist.online.live import Live
from shortlist.stores.contract import AvailabilityStore


class Filters:
    """The bitmaps of one release.

    Args:
        catalogue: the items.
        availability: what is hidden while serving; asked for its version at every request, so a
            change holds from the moment it is acknowledged.
        cache: bytes that the bitmaps of filter expressions may take.
        live: items written since; their rows are part of the bitmaps.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        availability: AvailabilityStore,
        cache: int,
        live: Live | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._live = live
        self._availability = availability
        self._expiries: NDArray[np.int64] = np.unique(catalogue.expires)
        self._hidden_version: int | None = None
        self._hidden: NDArray[np.int32] = np.empty(0, np.int32)
        self._epoch: tuple[int, ...] | None = None
        self._visible: Bitmap = np.empty(0, np.uint8)
        self._visible_count = 0
        self._matching: BudgetedCache[str, Bitmap] = BudgetedCache(cache, lambda b: b.nbytes)
        self._newer: BudgetedCache[tuple[str, int], Bitmap] = BudgetedCache(
            cache, lambda b: b.nbytes
        )

    def visible(self, now: int) -> Bitmap:
        """Items that may be shown at an instant to anybody; do not write into it."""
        version = self._availability.version()
        live = self._live if self._live is not None and self._live.version else None
        # The set only changes when a version does or when `now` passes an expiry.
        epoch: tuple[int, ...] = (version, int(np.searchsorted(self._expiries, now, "right")))
        if live is not None:
            epoch += live.epoch(now)
        if version != self._hidden_version or (live is not None and epoch != self._epoch):
            catalogue = self._catalogue if live is None else live.catalogue
            rows = catalogue.vocabulary.rows_of_keys(self._availability.hidden())
            self._hidden, self._hidden_version = rows[rows >= 0], version
        if epoch != self._epoch:
            bitmap = pack(self._catalogue.available & (self._catalogue.expires > now))
            if live is not None:
                bitmap = live.visible(bitmap, now)
            clear_rows(bitmap, self._hidden)
            self._visible, self._epoch = bitmap, epoch
            self._visible_count = count(bitmap)
        return self._visible

    def visible_share(self) -> float:
        """The share of the catalogue that the last `visible` let through."""
        return self._visible_count / max(len(self._catalogue), 1)

    def allow(self, where: str, now: int) -> Bitmap:
        """Items that may be shown at an instant and match an expression (empty: all).

        Raises:
            RequestError: the expression is faulty.
        """
        visible = self.visible(now)
        if not where:
            return visible
        matching = self._matching.get(where, lambda: pack(matches(parse(where), self._catalogue)))
        live = self._live
        if live is not None and live.version:
            newer = (where, live.version)
            matching = self._newer.get(newer, lambda: live.matching(matching, parse(where)))
        return np.bitwise_and(visible, matching)

    def check(self, where: str) -> None:
        """Raise the RequestError that an expression deserves, if it deserves one."""
        if where:
            self._matching.get(where, lambda: pack(matches(parse(where), self._catalogue)))

    def size(self, allow: Bitmap) -> int:
        """How many items a bitmap lets through."""
        return count(allow)
