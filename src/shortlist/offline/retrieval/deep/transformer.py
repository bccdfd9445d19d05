"""The transformer encoder: SASRec (Kang and McAuley, ICDM 2018) with the modern recipe.

Pre-norm blocks, item vectors shared between input and output, and a softmax over the catalogue in
place of one sampled negative ("Turning Dross Into Gold Loss", Klenitskiy and Vasilev, RecSys 2023;
eSASRec, RecSys 2025). Positions count from the start of what the model is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from shortlist.offline.retrieval.deep import losses, packing
from shortlist.offline.retrieval.deep.dropout import dropout
from shortlist.offline.retrieval.deep.packing import Histories
from shortlist.offline.retrieval.deep.sizes import Sizes
from shortlist.offline.retrieval.deep.trainer import Batch, Learner


class Block(nn.Module):
    """Self-attention and a feed-forward layer, each on a normalised input and added to it."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.before_attention, self.before_layer = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.projections = nn.Linear(dim, 3 * dim, bias=False)
        self.joined = nn.Linear(dim, dim, bias=False)
        self.wider, self.narrower = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """`float[b, n, d]` to the same; without a mask each place sees itself and those before."""
        b, n, d = x.shape
        heads = self.projections(self.before_attention(x)).view(b, n, 3, self.heads, -1)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        if x.device.type == "cpu" and mask is None:
            seen = causal_attention(query, key, value)
        else:
            seen = functional.scaled_dot_product_attention(
                query, key, value, mask, is_causal=mask is None
            )
        x = x + self._drop(self.joined(seen.transpose(1, 2).reshape(b, n, d)))
        return x + self._drop(self.narrower(functional.gelu(self.wider(self.before_layer(x)))))

    def _drop(self, x: Tensor) -> Tensor:
        return dropout(x, self.dropout, self.training)


def causal_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Causal attention, `[b, h, n, d]`, as three multiplications.

    PyTorch's fused kernel computes its gradient in bfloat16 four times slower than these on
    processors (2.13; 22 against 6 ms for 30 x 2 x 100 x 64).
    """
    b, h, n, d = query.shape
    query, key, value = (part.reshape(b * h, n, d) for part in (query * d**-0.5, key, value))
    later = torch.full((n, n), -torch.inf, dtype=query.dtype).triu(1)
    weights = torch.softmax(torch.baddbmm(later, query, key.transpose(1, 2)), -1)
    return (weights @ value).view(b, h, n, d)


class Transformer(Learner):
    """Encodes a history by its last place.

    Args:
        items: m, how many items have a number.
        sizes: dimensions and dropout.
        share: `float32[m]`, each item's share of the targets, for sampled losses.
        reduced: multiply in bfloat16 while training.
    """

    share: Tensor

    def __init__(self, items: int, sizes: Sizes, share: Tensor, reduced: bool) -> None:
        super().__init__()
        self.sizes, self.reduced = sizes, reduced
        self.items = nn.Embedding(items, sizes.dim)
        self.positions = nn.Embedding(sizes.reach, sizes.dim)
        self.blocks = nn.ModuleList(
            Block(sizes.dim, sizes.heads, sizes.dropout) for _ in range(sizes.blocks)
        )
        self.last = nn.LayerNorm(sizes.dim)
        self.register_buffer("share", share, persistent=False)
        nn.init.normal_(self.items.weight, std=0.5 * sizes.dim**-0.5)
        nn.init.normal_(self.positions.weight, std=0.02)

    def forward(self, batch: Batch) -> Tensor:
        """The loss of a batch: `inputs` and `targets` int64[b, n], `total` examples."""
        inputs, targets = batch["inputs"], batch["targets"]
        at = torch.arange(inputs.shape[1], device=inputs.device)
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.reduced):
            # Padding comes after everything that is learnt from, so the mask need not know of it.
            hidden = self._blocks(self._embed(inputs, at), None)
        there = targets >= 0
        rows, wanted = hidden[there].float(), targets[there]
        total = float(batch["total"])
        if not self.sizes.negatives:
            weights = self.items.weight
            return losses.full_softmax(rows, weights, wanted, total, reduced=self.reduced)
        return losses.softmax_with_samples(
            rows, self.items, wanted, self.share, self.sizes.negatives, total, self.reduced
        )

    def encode(self, items: Tensor, times: Tensor, now: Tensor) -> Tensor:
        """See `Learner.encode`; unknown items are passed over wherever they are."""
        known = items >= 0
        at = (known.long().cumsum(1) - 1).clamp(min=0, max=self.sizes.reach - 1)
        order = torch.arange(items.shape[1], device=items.device)
        itself = order[:, None] == order[None, :]  # so that no row of the mask is empty
        mask = ((order[:, None] >= order[None, :]) & known[:, None, :]) | itself
        hidden = self._blocks(self._embed(items, at), mask[:, None])
        # In floats: ONNX Runtime 1.31 takes the largest of 64-bit integers wrongly.
        last = (known.float() * (order + 1)).amax(1).long()
        place = (last - 1).clamp(min=0)[:, None, None].expand(-1, 1, self.sizes.dim)
        return hidden.gather(1, place)[:, 0] * (last > 0)[:, None]

    def vectors(self) -> Tensor:
        """The item embeddings."""
        return self.items.weight.detach()

    def _embed(self, items: Tensor, at: Tensor) -> Tensor:
        x = 2 * self.items(items.clamp(min=0)) + self.positions(at)
        return dropout(x, self.sizes.dropout, self.training)

    def _blocks(self, x: Tensor, mask: Tensor | None) -> Tensor:
        for block in self.blocks:
            x = block(x, mask)
        normal: Tensor = self.last(x)
        return normal


class Stretches:
    """Batches of stretches of histories, of like length; see `packing.chunks`."""

    def __init__(self, histories: Histories, sizes: Sizes, seed: int) -> None:
        self._histories, self._sizes, self._seed = histories, sizes, seed
        self.examples = histories.examples

    def epoch(self, number: int, rank: int, world: int) -> Iterator[tuple[int, Batch]]:
        """See `Batches.epoch`."""
        rng = np.random.default_rng([self._seed, 0x57E7, number])
        sizes = self._sizes
        begin, size, offsets = packing.chunks(self._histories, sizes.reach, sizes.batch, rng)
        for start, stop in pairwise(offsets):
            part = np.arange(start, stop)
            examples = int(size[part].sum() - len(part))
            # A batch of fewer rows than processes is learnt from by all of them alike.
            alone = len(part) < world
            mine = part if alone else part[rank::world]
            inputs, targets = packing.fill(self._histories.item, begin[mine], size[mine])
            yield (
                examples,
                {
                    "inputs": torch.from_numpy(inputs),
                    "targets": torch.from_numpy(targets),
                    "total": torch.tensor(examples / (1 if alone else world)),
                },
            )
