"""What `[arrange.freshness]` means over one release."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.config.arrange import FreshnessSection
from shortlist.core.bitmap import Bitmap, held
from shortlist.core.catalogue import NO_TIME, Catalogue
from shortlist.core.errors import ConfigError, RequestError
from shortlist.core.jit import kernel
from shortlist.core.parser import parse
from shortlist.core.times import parse_span
from shortlist.online.arrange.fill import Slate
from shortlist.online.arrange.rules import bitmap_of
from shortlist.online.live import Live

_ROOM = 1_024


class Freshness:
    """Tells which candidates are new, and how many must come.

    Args:
        catalogue: the items.
        section: what is new, and the quota; None without one.

    Raises:
        ConfigError: the release has no such attribute, or it is not one of times.
    """

    def __init__(self, catalogue: Catalogue, section: FreshnessSection | None) -> None:
        self._section = section
        self._times: NDArray[np.int64] | None = None
        self._known: Bitmap = np.empty(0, np.uint8)
        self._where: Bitmap = self._known
        self._span = 0
        if section is None:
            return
        if not section.attribute:
            self._known = bitmap_of(catalogue, section.where, "arrange.freshness.where")
            self._where = self._known
            return
        key = "arrange.freshness.attribute"
        try:
            column = catalogue.column(section.attribute, field=key)
        except RequestError as error:
            raise ConfigError(error.problem, remedy=error.remedy, where=key) from None
        if column.kind != "time":
            raise ConfigError(
                f"{section.attribute!r} is a {column.kind} attribute.",
                remedy="Name one of times, or write an expression as `where`.",
                where=key,
            )
        self._times, self._span = np.array(column.arrays["values"]), parse_span(section.newer)

    def follow(self, live: Live) -> None:
        """Take the items over that were written at the last refresh."""
        if self._section is None:
            return
        if self._times is None:
            self._where = live.matching(self._known, parse(self._section.where))
            return
        if live.size > len(self._times):
            more = np.full(live.size - len(self._times) + _ROOM, NO_TIME, np.int64)
            self._times = np.concatenate([self._times, more])
        for row, body in live.changed.items():
            value = body.attributes.get(self._section.attribute)
            self._times[row] = value if isinstance(value, int) else NO_TIME

    def of(self, slate: Slate, now: int) -> tuple[NDArray[np.bool_], int, int]:
        """What `fill` needs: which candidates are new, the quota, and of how many places."""
        if self._section is None:
            return np.zeros(len(slate.rows), np.bool_), 0, 0
        if self._times is None:
            fresh = held(self._where, slate.rows)
        else:
            fresh = _newer(self._times, slate.rows, now - self._span)
        of = min(self._section.of, len(slate.places))
        return fresh, self._section.at_least * of // self._section.of, of


@kernel
def _newer(times: NDArray[np.int64], rows: NDArray[np.int32], than: int) -> NDArray[np.bool_]:
    out = np.zeros(len(rows), np.bool_)
    for i in range(len(rows)):
        if rows[i] < len(times):
            out[i] = times[rows[i]] != NO_TIME and times[rows[i]] > than
    return out
