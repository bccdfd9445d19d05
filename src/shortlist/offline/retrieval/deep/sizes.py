"""Sizes of deep models by rule: from how much there is to learn from, not per data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from shortlist.offline.retrieval.deep.packing import Histories

T = TypeVar("T", int, float)

FULL_SOFTMAX = 2e10
"""Targets of an epoch x items, up to which the loss is over the whole catalogue."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of a model and its batches.

    Attributes:
        dim: length of the vectors.
        blocks, heads: of a transformer.
        reach: how many of the newest items of a history it takes.
        dropout: the share of components dropped while training.
        epochs: at most how many passes.
        batch: examples (places, for a transformer) in a batch.
        negatives: items drawn for a sampled softmax; 0 for the full one.
    """

    dim: int
    blocks: int
    heads: int
    reach: int
    dropout: float
    epochs: int
    batch: int
    negatives: int


def dim_for(histories: Histories) -> int:
    """32, 64 or 128, by the number of interactions."""
    n = int(histories.lengths.sum())
    return 128 if n >= 50_000 else 64 if n >= 5_000 else 32


def dropout_for(histories: Histories) -> float:
    """Half for short histories (8 items), a fifth for long ones (80 and more).

    Short histories come with few interactions for each item's vector, which are then learnt by
    heart; the same model on long ones has enough to learn from.
    """
    mean = float(histories.lengths.mean()) if len(histories.starts) else 1.0
    return float(np.clip(0.5 - 0.09 * np.log2(max(mean, 1.0) / 8), 0.2, 0.5).round(2))


def reach_for(histories: Histories, most: int) -> int:
    """What holds 95 of 100 histories whole, from 20 up to `most`."""
    if not len(histories.starts):
        return min(20, most)
    return int(np.clip(np.quantile(histories.lengths, 0.95), 20, most))


def epochs_for(histories: Histories, examples: int, least: int, most: int) -> int:
    """As many passes as show the model so many examples."""
    return int(np.clip(examples / max(1, histories.examples), least, most))


def batch_for(histories: Histories, most: int) -> int:
    """About a hundred batches to a pass, of a quarter of `most` up to `most` examples."""
    return int(np.clip(histories.examples / 100, most // 4, most))


def full_softmax_fits(histories: Histories) -> bool:
    """Whether an epoch of the softmax over the whole catalogue is affordable."""
    return histories.examples * len(histories.rows) <= FULL_SOFTMAX


def by_rule(said: T | Literal["auto"], rule: T) -> T:
    """What the config says, or the rule's where it says `auto`."""
    return rule if said == "auto" else said
