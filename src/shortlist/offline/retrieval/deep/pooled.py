"""The pooled encoder: Covington, Adams and Sargin, "Deep neural networks for YouTube
recommendations" (RecSys 2016), section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from shortlist.core.times import DAY, HOUR
from shortlist.offline.retrieval.deep import losses
from shortlist.offline.retrieval.deep.dropout import dropout
from shortlist.offline.retrieval.deep.sizes import Sizes
from shortlist.offline.retrieval.deep.trainer import Batch, Learner

CLOCK = 2
"""Time features: the pause since the last interaction, and the example's age."""


class Pool(nn.Module):
    """The weighted mean of a window; weights are learnt for each step back, and begin equal."""

    def __init__(self, reach: int) -> None:
        super().__init__()
        self.back = nn.Parameter(torch.zeros(reach))

    def forward(self, vectors: Tensor, known: Tensor) -> Tensor:
        """Means `float32[b, d]` of `float32[b, n, d]` where `bool[b, n]`; zeros where nowhere.

        Steps back count known places only.
        """
        steps = known.long()
        after = steps.sum(1, keepdim=True) - steps.cumsum(1)
        weight = torch.exp(self.back)[after.clamp(max=len(self.back) - 1)] * known
        total = weight.sum(1, keepdim=True).clamp(min=1e-9)
        return ((weight / total)[:, None, :] @ vectors)[:, 0]


class Mixed(nn.Module):
    """The pooled history and other features through two layers, added to the pooled history."""

    def __init__(self, dim: int, more: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.normal = nn.LayerNorm(dim)
        self.wider, self.narrower = nn.Linear(dim + more, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, pooled: Tensor, more: Tensor) -> Tensor:
        """`float32[b, d]` from `float32[b, d]` and `float32[b, more]`."""
        inner = functional.gelu(self.wider(torch.cat([self.normal(pooled), more], 1)))
        inner = dropout(inner, self.dropout, self.training)
        mixed: Tensor = pooled + self.narrower(inner)
        return mixed


def pause(times: Tensor, now: Tensor) -> Tensor:
    """The logarithm of the hours since the newest interaction, `float32[b, 1]`, about 0 to 2."""
    hours = (now - times[:, -1]).float() / HOUR  # the last place is the newest
    return torch.log1p(hours.clamp(0, 100_000))[:, None] / 5


class Pooled(Learner):
    """A mean of the last items and the clock, through two layers.

    The example's age (section 3.3 of the paper) is how long before the end of the log it
    happened, and 0 when serving: the model learns what was fashionable when, and answers for now.

    Args:
        items: m, how many items have a number.
        sizes: dimensions and dropout.
        share: `float32[m]`, each item's share of the targets, for sampled losses.
        until: the end of the log, microseconds.
        reduced: multiply in bfloat16 while training.
    """

    share: Tensor
    until: Tensor

    def __init__(self, items: int, sizes: Sizes, share: Tensor, until: int, reduced: bool) -> None:
        super().__init__()
        self.sizes, self.reduced = sizes, reduced
        self.items = nn.Embedding(items, sizes.dim)
        self.pool = Pool(sizes.reach)
        self.mixed = Mixed(sizes.dim, CLOCK, sizes.dropout)
        self.register_buffer("share", share, persistent=False)
        self.register_buffer("until", torch.tensor(until), persistent=False)
        nn.init.normal_(self.items.weight, std=sizes.dim**-0.5)

    def forward(self, batch: Batch) -> Tensor:
        """The loss of a batch of windows."""
        query = self.encode(batch["items"], batch["times"], batch["now"])
        query = dropout(query, self.sizes.dropout, self.training)
        targets, total = batch["targets"], float(batch["total"])
        weights = self.items.weight
        if not self.sizes.negatives:
            return losses.full_softmax(query, weights, targets, total, reduced=self.reduced)
        return losses.softmax_with_samples(
            query, self.items, targets, self.share, self.sizes.negatives, total, self.reduced
        )

    def encode(self, items: Tensor, times: Tensor, now: Tensor) -> Tensor:
        """See `Learner.encode`."""
        known = items >= 0
        pooled = self.pool(self.items(items.clamp(min=0)), known)
        age = (self.until - now).float() / DAY
        clock = torch.cat([pause(times, now), torch.log1p(age.clamp(min=0))[:, None] / 5], 1)
        query: Tensor = self.mixed(pooled, clock) * known.any(1, keepdim=True)
        return query

    def vectors(self) -> Tensor:
        """The item embeddings."""
        return self.items.weight.detach()
