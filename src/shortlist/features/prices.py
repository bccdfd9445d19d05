"""Prices: how much, and how much against what the user usually looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.features.contract import HISTORY, AsOf, View

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class LogPrice:
    """`price:<attribute>`: log(1 + price); -1 without one. Negative prices count as 0."""

    attribute: str
    default: float = -1.0

    @property
    def name(self) -> str:
        """The feature's name."""
        return f"price:{self.attribute}"

    def offline(self, at: AsOf) -> ir.Table:
        """(item)."""
        table = log_prices(at, self.attribute)
        return table.select("item", **{self.name: table.log_price})

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """One logarithm per candidate."""
        _log_price(_values(view, self.attribute), view.rows, 0.0, self.default, out)


@dataclass(frozen=True)
class RelativePrice:
    """`price_relative:<attribute>`: log(1 + price) minus that of the history's median price.

    Items without a price are left out of the median; 0 where either price is missing.
    """

    attribute: str
    default: float = 0.0

    @property
    def name(self) -> str:
        """The feature's name."""
        return f"price_relative:{self.attribute}"

    def offline(self, at: AsOf) -> ir.Table:
        """(request, item)."""
        medians = log_median(at, self.attribute)
        table = at.candidates.select("request", "item")
        table = table.join(log_prices(at, self.attribute), "item").join(medians, "request")
        return table.select("request", "item", **{self.name: table.log_price - table.log_median})

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """The median once, then one logarithm per candidate."""
        values = _values(view, self.attribute)
        middle = _log_median(values, view.history_rows)
        if np.isnan(middle):
            out.fill(self.default)
        else:
            _log_price(values, view.rows, middle, self.default, out)


def _values(view: View, attribute: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = view.catalogue.columns[attribute].arrays["values"]
    return values


def log_prices(at: AsOf, attribute: str) -> ir.Table:
    """(item, price, log_price) of the items that have a price, negative ones as 0."""
    import ibis

    table = at.catalogue
    price = table[f"attribute:{attribute}"]
    price = ibis.ifelse(price.isnan() | price.isinf(), None, price)
    table = table.select("item", price=price).drop_null("price")
    price = ibis.greatest(table.price, 0.0)
    return table.select("item", price=price, log_price=(price + 1.0).ln())


def log_median(at: AsOf, attribute: str) -> ir.Table:
    """(request, log_median): log(1 + median price) of the user's history.

    Engines disagree on medians over window frames, so the history is joined instead: events in
    blocks of `HISTORY`, of which a request needs at most two.
    """
    import ibis

    from shortlist.features.windows import sequenced_requests, user_log

    events = user_log(at).join(log_prices(at, attribute), "item")
    events = events.select(
        "user",
        "price",
        place=events.sequence,
        block=(events.sequence / HISTORY).floor().cast("int64"),
    )
    requests = sequenced_requests(at)
    newest = (requests.sequence / HISTORY).floor().cast("int64")
    requests = ibis.union(requests.mutate(block=newest), requests.mutate(block=newest - 1))
    pairs = requests.join(events, ["user", "block"])
    pairs = pairs.filter((pairs.place <= pairs.sequence) & (pairs.place > pairs.sequence - HISTORY))
    return pairs.group_by("request").agg(log_median=(pairs.price.median() + 1.0).ln())


@kernel
def _log_price(
    values: NDArray[np.float64],
    rows: NDArray[np.int32],
    minus: float,
    default: float,
    out: NDArray[np.float32],
) -> None:
    for i in range(len(rows)):
        price = values[rows[i]]
        out[i] = np.log1p(max(price, 0.0)) - minus if np.isfinite(price) else default


@kernel
def _log_median(values: NDArray[np.float64], history: NDArray[np.int32]) -> float:
    """log(1 + median price) of a history; NaN where no item of it has a price."""
    prices = np.empty(len(history))
    n = 0
    for row in history:
        price = values[row]
        if np.isfinite(price):
            prices[n] = max(price, 0.0)
            n += 1
    if n == 0:
        return np.nan
    prices = np.sort(prices[:n])
    return float(np.log1p((prices[(n - 1) // 2] + prices[n // 2]) / 2))
