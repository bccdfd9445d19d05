"""A Sentence-Transformers model that learns from pairs of texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shortlist.offline.retrieval.deep.trainer import Batch as Tensors
from shortlist.offline.retrieval.deep.trainer import Trainable
from shortlist.offline.retrieval.text.batches import Batch, Grouped
from shortlist.offline.retrieval.text.measure import corpus_for, ndcg, ranks
from shortlist.offline.retrieval.text.pairs import Pairs
from shortlist.offline.retrieval.text.tokens import Tokens

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

TOGETHER = 32
"""Texts of like length that go through the model together."""
LARGE = 100_000
"""The token vectors of a vocabulary from this size on stay as they are: the log has a small part
of it, and moving that alone would pull it out of line with the rest."""
ROUND = 20_000
"""Pairs between two checkpoints, about; a pass over more of them is several epochs."""
POOL = 2_048
"""Items that hard negatives are looked for among, drawn anew in each epoch."""
PASSED = 4
"""The very nearest may be what was meant: so many of them are passed over."""


class TextLearner(Trainable):
    """A text encoder and its loss.

    Args:
        model: what encodes.
        tokens: of every text.
        unit: whether vectors are made to have length 1.
        temperature: similarities are divided by it in the loss.
    """

    def __init__(
        self, model: SentenceTransformer, tokens: Tokens, unit: bool, temperature: float
    ) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature
        self._tokens, self._unit = tokens, unit
        self._types = "token_type_ids" in model.tokenizer.model_input_names
        self._freeze()

    @property
    def typed(self) -> bool:
        """Whether the model wants `token_type_ids`."""
        return self._types

    def lengths(self, texts: NDArray[np.int32]) -> NDArray[np.int64]:
        """How many tokens each of some texts has."""
        return self._tokens.lengths[texts]

    def vectors(self, ids: Tensor, mask: Tensor, types: Tensor | None = None) -> Tensor:
        """Vectors `float32[n, d]` of tokens, `int64[n, longest]`."""
        features = {"input_ids": ids, "attention_mask": mask}
        if self._types:
            features["token_type_ids"] = torch.zeros_like(ids) if types is None else types
        found: Tensor = self.model(features)["sentence_embedding"]
        return nn.functional.normalize(found, dim=1) if self._unit else found

    def of(self, texts: NDArray[np.int32]) -> Tensor:
        """Vectors of texts by number, `float32[n, d]`, in batches of like length."""
        order = np.argsort(self._tokens.lengths[texts], kind="stable")
        device = next(self.parameters()).device
        parts = []
        for start in range(0, len(order), TOGETHER):
            ids, mask = self._tokens.padded(texts[order[start : start + TOGETHER]])
            parts.append(
                self.vectors(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device))
            )
        back = torch.from_numpy(np.argsort(order, kind="stable")).to(device)
        return torch.cat(parts)[back]

    def forward(self, batch: Tensors) -> Tensor:
        """The softmax loss of a batch: each anchor's target among the batch's texts."""
        asked = self.of(batch["anchors"].cpu().numpy().astype(np.int32))
        found = self.of(batch["texts"].cpu().numpy().astype(np.int32))
        logits = asked @ found.T / self.temperature
        at = torch.arange(len(logits), device=logits.device), batch["place"]
        own = logits[at]
        logits = (logits + batch["bias"]).masked_fill(batch["barred"], -1e9)
        logits = logits.index_put(at, own)
        loss = nn.functional.cross_entropy(logits, batch["place"], reduction="sum")
        return loss / batch["total"]

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Only what learns: the rest comes with the model."""
        learns = {name for name, value in self.named_parameters() if value.requires_grad}
        whole: Mapping[str, Tensor] = super().state_dict(*args, **kwargs)
        return {name: value for name, value in whole.items() if name in learns}

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """What `state_dict` gave."""
        return super().load_state_dict(state_dict, strict=False)

    def _freeze(self) -> None:
        """Let learn what a vector depends on, but not the vectors of a large vocabulary."""
        for module in self.model.modules():
            if isinstance(module, nn.Embedding) and module.num_embeddings >= LARGE:
                module.weight.requires_grad_(False)
        training = self.model.training
        self.model.eval()
        example = torch.ones((1, 3), dtype=torch.int64)
        self.vectors(example, example).sum().backward()
        self.model.train(training)
        for parameter in self.model.parameters():
            parameter.requires_grad_(parameter.requires_grad and parameter.grad is not None)
            parameter.grad = None


class Rounds:
    """Batches as the training loop takes them; see `deep.trainer.Batches`."""

    def __init__(
        self, grouped: Grouped, items: NDArray[np.int32], model: TextLearner, hard: int, seed: int
    ) -> None:
        self._grouped, self._items, self._model = grouped, items, model
        self._hard, self._seed = hard, seed
        self.rounds = max(1, len(grouped.pairs) // ROUND)
        self.examples = -(-len(grouped.pairs) // self.rounds)

    def epoch(self, number: int, rank: int, world: int) -> Iterator[tuple[int, Tensors]]:
        """See `Batches.epoch`. Every process has negatives of its own part of a batch only."""
        pool = self._items[:0]
        if self._hard:
            rng = np.random.default_rng([self._seed, 0x4A5E, number])
            pool = rng.permutation(self._items)[:POOL]
            near = self._encode(pool)
        for whole in self._grouped.epoch(number, self.rounds):
            alone = len(whole) < world
            batch = whole if alone else whole.part(rank, world)
            if len(pool):
                batch = self._grouped.with_more(batch, self._hardest(batch, pool, near))
            yield (
                len(whole),
                {
                    "anchors": torch.from_numpy(batch.anchors),
                    "texts": torch.from_numpy(batch.texts),
                    "place": torch.from_numpy(batch.place),
                    "bias": torch.from_numpy(batch.bias),
                    "barred": torch.from_numpy(batch.barred),
                    "total": torch.tensor(len(whole) / (1 if alone else world)),
                },
            )

    def _hardest(
        self, batch: Batch, pool: NDArray[np.int32], near: NDArray[np.float32]
    ) -> NDArray[np.int32]:
        scores = self._encode(batch.anchors) @ near.T
        order = np.argsort(-scores, axis=1, kind="stable")
        return np.unique(pool[order[:, PASSED : PASSED + self._hard].ravel()])

    def _encode(self, texts: NDArray[np.int32]) -> NDArray[np.float32]:
        training = self._model.training
        self._model.eval()
        with torch.no_grad():
            found = self._model.of(texts).float().cpu().numpy()
        self._model.train(training)
        return found


class HeldOutPairs:
    """nDCG@10 of held-out pairs among a sample of the items."""

    def __init__(self, held: Pairs, items: NDArray[np.int32], most: int, seed: int) -> None:
        self._held = held
        self._corpus = corpus_for(held, items, most, seed)

    def __call__(self, model: TextLearner) -> float:
        """nDCG@10, 0 to 1."""
        model.eval()
        with torch.no_grad():
            asked = model.of(self._held.anchor).float().cpu().numpy()
            found = model.of(self._corpus).float().cpu().numpy()
        return ndcg(ranks(asked, self._held, self._corpus, found))
