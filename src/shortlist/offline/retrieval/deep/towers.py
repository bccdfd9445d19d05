"""Two towers: queries and items in one space, learnt from the batch's own items as negatives.

After Yi et al., "Sampling-bias-corrected neural modeling for large corpus item recommendations"
(RecSys 2019). An item's share of the targets, which the paper estimates from a stream, is counted
from the log here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from shortlist.core.times import HOUR
from shortlist.offline.retrieval.deep import losses
from shortlist.offline.retrieval.deep.entities import Entities
from shortlist.offline.retrieval.deep.pooled import Mixed, Pool, pause
from shortlist.offline.retrieval.deep.sizes import Sizes
from shortlist.offline.retrieval.deep.trainer import Batch, Learner

HIDDEN_ID = 0.1
"""How often an item's own vector is hidden, so that its attributes must speak for it."""

SEARCHED = 50_000
"""At most so many items, drawn anew in each epoch, are searched for hard negatives."""

NEAREST = 20
"""A hard negative is one of so many nearest items."""

CLOCK = 8
"""Length of the vectors of hours and weekdays."""

ROWS = 4_096
"""Items that go through the item tower together when all of them do."""


class ItemTower(nn.Module):
    """An item's own vector, its keywords and words, and its numbers, through two layers.

    Args:
        items: m, how many items have a number (all of the catalogue, where it has attributes).
        sizes: dimensions and dropout.
        entities: features of every item.
        cosine: whether vectors are of length 1.
    """

    def __init__(self, items: int, sizes: Sizes, entities: Entities, cosine: bool) -> None:
        super().__init__()
        self.entities, self.cosine, self.dropout = entities, cosine, sizes.dropout
        self.own = nn.Embedding(items, sizes.dim)
        nn.init.normal_(self.own.weight, std=sizes.dim**-0.5)
        if len(entities.codes):
            self.terms = nn.Embedding(entities.codebook, sizes.dim)
            nn.init.normal_(self.terms.weight, std=sizes.dim**-0.5)
        if entities.width:
            self.numbers = nn.Linear(entities.width, sizes.dim, bias=False)
        self.mixed = Mixed(sizes.dim, 0, sizes.dropout)

    def base(self, rows: Tensor, untold: Tensor) -> Tensor:
        """What both towers read of items, `float32[r, d]`; own vectors are 0 where `untold`."""
        x: Tensor = self.own(rows) * ~untold[:, None]
        if self.entities.empty:
            return x
        known = rows.cpu().numpy()
        if len(self.entities.codes):
            codes, weights, begin = (
                torch.from_numpy(array).to(rows.device) for array in self.entities.bags(known)
            )
            x = x + functional.embedding_bag(
                codes, self.terms.weight, begin, mode="sum", per_sample_weights=weights
            )
        if self.entities.width:
            x = x + self.numbers(torch.from_numpy(self.entities.numbers[known]).to(rows.device))
        return x

    def forward(self, base: Tensor) -> Tensor:
        """Item vectors `float32[r, d]`."""
        vectors: Tensor = self.mixed(base, base[:, :0])
        return functional.normalize(vectors, dim=1) if self.cosine else vectors


class QueryTower(nn.Module):
    """The pooled history, the pause since its end, the hour and the weekday, through two layers."""

    def __init__(self, sizes: Sizes, temperature: float | None) -> None:
        super().__init__()
        self.temperature = temperature
        self.pool = Pool(sizes.reach)
        self.hour, self.weekday = nn.Embedding(24, CLOCK), nn.Embedding(7, CLOCK)
        self.mixed = Mixed(sizes.dim, 1 + 2 * CLOCK, sizes.dropout)

    def forward(self, history: Tensor, known: Tensor, times: Tensor, now: Tensor) -> Tensor:
        """Query vectors `float32[b, d]`; cosine ones are as long as one over the temperature."""
        hours = now.clamp(min=0) // HOUR
        days = hours // 24
        hour = hours - days * 24
        weekday = days - (days // 7) * 7
        clock = torch.cat([pause(times, now), self.hour(hour), self.weekday(weekday)], 1)
        query: Tensor = self.mixed(self.pool(history, known), clock)
        if self.temperature is not None:
            query = functional.normalize(query, dim=1) / self.temperature
        there: Tensor = query * known.any(1, keepdim=True)
        return there


class TwoTower(Learner):
    """Both towers, and the loss over the items of a batch.

    Args:
        sizes: dimensions and dropout; `negatives` is how many hard ones each query adds.
        share: `float32[m]`, each item's share of the targets.
        trained: `bool[m]`, which items occur in the log; others have no vector of their own.
        entities: features of every item.
        temperature: of cosines; None for dot products.
        reduced: multiply in bfloat16 in the loss.
    """

    own = "items.own.weight"

    share: Tensor
    trained: Tensor
    table: Tensor

    def __init__(
        self,
        sizes: Sizes,
        share: Tensor,
        trained: Tensor,
        entities: Entities,
        temperature: float | None,
        reduced: bool,
    ) -> None:
        super().__init__()
        self.sizes, self.reduced = sizes, reduced
        self.items = ItemTower(len(share), sizes, entities, temperature is not None)
        self.queries = QueryTower(sizes, temperature)
        self.register_buffer("share", share, persistent=False)
        self.register_buffer("trained", trained, persistent=False)
        self.register_buffer("table", torch.zeros(len(share), sizes.dim), persistent=False)
        self._searched: tuple[Tensor, Tensor] | None = None

    def start_epoch(self, number: int) -> None:
        """Make the index that hard negatives of this epoch are searched in, from the last one."""
        self._searched = None
        if number and self.sizes.negatives:
            self.eval()
            with torch.no_grad():
                vectors = self.vectors()
            some = torch.randperm(len(vectors))[:SEARCHED].to(vectors.device)
            self._searched = some, vectors[some]

    def forward(self, batch: Batch) -> Tensor:
        """The loss of a batch of windows."""
        items, targets = batch["items"], batch["targets"]
        known = items >= 0
        rows, place = torch.unique(torch.cat([items[known], targets]), return_inverse=True)
        hidden = torch.rand(len(rows), device=rows.device) < HIDDEN_ID
        untold = ~self.trained[rows] | (hidden & (not self.items.entities.empty))
        base = self.items.base(rows, untold)
        history = base.new_zeros((*items.shape, base.shape[1]))
        history[known] = base[place[: int(known.sum())]]
        query = self.queries(history, known, batch["times"], batch["now"])

        hard = self._hard(query.detach(), items, targets)
        candidates, target = torch.unique(torch.cat([targets, hard]), return_inverse=True)
        likely = losses.inclusion_probability(self.share, len(targets))[candidates]
        likely[target[len(targets) :]] = 1.0  # a hard negative is there for certain
        where = torch.searchsorted(rows, candidates).clamp(max=len(rows) - 1)
        fresh = rows[where] != candidates
        told = base[where]
        if bool(fresh.any()):
            more = self.items.base(candidates[fresh], ~self.trained[candidates[fresh]])
            told = told.index_put((fresh,), more)
        return losses.sampled_softmax(
            query,
            self.items(told),
            target[: len(targets)],
            likely,
            float(batch["total"]),
            reduced=self.reduced,
        )

    def _hard(self, query: Tensor, items: Tensor, targets: Tensor) -> Tensor:
        """For each query some of the items nearest to it after the last epoch; not its own."""
        if self._searched is None:
            return targets[:0]
        some, vectors = self._searched
        scores = query @ vectors.T
        near = some[scores.topk(min(NEAREST, len(some)), 1).indices]
        drawn = torch.randint(near.shape[1], (len(near), self.sizes.negatives), device=near.device)
        chosen = near.gather(1, drawn)
        own = (chosen == targets[:, None]) | (chosen[:, :, None] == items[:, None, :]).any(2)
        hard: Tensor = torch.unique(chosen[~own])
        return hard

    def encode(self, items: Tensor, times: Tensor, now: Tensor) -> Tensor:
        """See `Learner.encode`; reads the table that `vectors` has made."""
        known = items >= 0
        query: Tensor = self.queries(self.table[items.clamp(min=0)], known, times, now)
        return query

    def vectors(self) -> Tensor:
        """The vector of every item, and what the query tower reads of each, kept in `table`."""
        rows = torch.arange(len(self.share), device=self.share.device)
        parts, told = [], []
        for part in torch.split(rows, ROWS):
            base = self.items.base(part, ~self.trained[part])
            told.append(base)
            parts.append(self.items(base))
        self.table = torch.cat(told).detach()
        return torch.cat(parts)
