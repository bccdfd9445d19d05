"""The network of `attention` and `relational`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

HIDDEN = 32
CLIP = 5.0


class TargetAttention(nn.Module):
    """Scores candidates by features and by what of the history is like them.

    Target attention (DIN; Zhou et al., KDD 2018, section 4.3): every item of the history is
    weighed by a small network of it, of the candidate and of their product; the weights are not
    normalised, so that their sum says how much of the history is about the candidate. The first
    layer of that network is linear, so its parts on the item alone and on the candidate alone are
    computed once for each, and only the product is computed for every pair.

    Args:
        items: how many catalogue rows there are.
        known: `bool[items]`, rows that training saw; the others share one vector.
        center, scale: `float32[f]`, of sign(x) · log(1 + |x|).
        dim: components of an item's vector.
        reach: how many places of a history there are.
        entities, relations: of the graph; 0 for none.
        fused: the column of the fused score, -1 for none. The score is that plus what the network
            adds to it, and the network begins by adding nothing.
    """

    known: Tensor
    center: Tensor
    scale: Tensor

    def __init__(
        self,
        known: Tensor,
        center: Tensor,
        scale: Tensor,
        dim: int,
        reach: int,
        entities: int = 0,
        relations: int = 0,
        fused: int = -1,
    ) -> None:
        super().__init__()
        self.register_buffer("known", known)
        self.register_buffer("center", center)
        self.register_buffer("scale", scale)
        self.reach = reach
        # Row 0 is an item that is not known.
        self.item = nn.Embedding(len(known) + 1, dim)
        self.age = nn.Embedding(reach, dim)
        self.of_item = nn.Linear(dim, HIDDEN)
        self.of_candidate = nn.Linear(dim, HIDDEN, bias=False)
        self.of_product = nn.Linear(dim, HIDDEN, bias=False)
        self.weigh = nn.Linear(HIDDEN, 1)
        wide = len(center) + 3 * dim
        self.graph = entities > 0
        if self.graph:
            self.entity = nn.Embedding(entities, dim)
            self.relation = nn.Embedding(relations, dim)
            self.of_link = nn.Linear(2 * dim, HIDDEN)
            self.weigh_link = nn.Linear(HIDDEN, 1)
            wide += dim + 1
        self.out = nn.Sequential(
            nn.Linear(wide, 2 * HIDDEN),
            nn.PReLU(2 * HIDDEN),
            nn.Linear(2 * HIDDEN, HIDDEN),
            nn.PReLU(HIDDEN),
            nn.Linear(HIDDEN, 1),
        )
        self.plain = nn.Linear(len(center), 1)
        self.fused = fused
        self.trust = nn.Parameter(torch.ones(()))
        for layer in (self.item, self.age, *([self.entity, self.relation] if self.graph else [])):
            nn.init.normal_(layer.weight, std=0.05)
        last = self.out[-1]
        assert isinstance(last, nn.Linear)
        for added in (last, self.plain):
            nn.init.zeros_(added.weight)
            nn.init.zeros_(added.bias)

    def forward(
        self,
        x: Tensor,
        items: Tensor,
        history: Tensor,
        request: Tensor,
        entity: Tensor | None = None,
        near: Tensor | None = None,
        far: Tensor | None = None,
        behaviour: Tensor | None = None,
        shared: Tensor | None = None,
    ) -> Tensor:
        """Scores `float32[n]`; inputs as `release.ranking.neural` describes them."""
        dense = torch.sign(x) * torch.log1p(torch.abs(x))
        dense = (dense - self.center) / self.scale
        base = dense[:, self.fused : self.fused + 1] if self.fused >= 0 else torch.zeros(1, 1)
        dense = torch.clamp(dense, -CLIP, CLIP)
        candidate = self.item(self._number(items))
        there = (history >= 0).unsqueeze(-1).float()
        # Places count from the newest, which is the last column.
        ages = torch.flip(torch.arange(history.shape[1], device=x.device), [0])
        past = (self.item(self._number(history)) + self.age(ages)) * there
        own = past.index_select(0, request)  # plain indexing is slow to differentiate
        of_past = self.of_item(past).index_select(0, request)
        hidden = of_past + self.of_candidate(candidate).unsqueeze(1)
        hidden = torch.relu(hidden + self.of_product(own * candidate.unsqueeze(1)))
        weight = self.weigh(hidden) * there.index_select(0, request)
        interest = (weight * own).sum(1)
        parts = [dense, candidate, interest, interest * candidate]
        if self.graph:
            assert entity is not None and near is not None and far is not None
            assert behaviour is not None and shared is not None
            parts += self._links(candidate, entity, near, far, behaviour, shared)
        told: Tensor = self.trust * base + self.plain(dense) + self.out(torch.cat(parts, 1))
        return told.squeeze(1)

    def _links(
        self,
        candidate: Tensor,
        entity: Tensor,
        near: Tensor,
        far: Tensor,
        behaviour: Tensor,
        shared: Tensor,
    ) -> list[Tensor]:
        """Relation-aware attention over the links of each candidate (ATBRG, section 4.3)."""
        there = (entity >= 0).unsqueeze(-1).float()
        relation = self.relation(near.clamp(min=0)) + self.relation(far.clamp(min=0))
        node = self.entity(entity.clamp(min=0)) + relation
        node = node + self.item(self._number(behaviour))
        node = node * torch.log1p(shared.float()).unsqueeze(-1)
        both = torch.cat([node, node * candidate.unsqueeze(1)], 2)
        logit = self.weigh_link(torch.relu(self.of_link(both))) - 1e4 * (1 - there)
        weight = torch.softmax(logit, 1) * there
        return [(weight * node).sum(1), torch.log1p(there.sum(1))]

    def _number(self, rows: Tensor) -> Tensor:
        """Rows as places of the embedding: 0 for one that is not there or not known."""
        last = len(self.known) - 1
        near = rows.clamp(min=0, max=last)
        there = (rows >= 0) & (rows <= last) & self.known[near]
        return torch.where(there, near + 1, torch.zeros_like(rows))
