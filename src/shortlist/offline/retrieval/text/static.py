"""Learning the vectors of subwords from pairs: contrastive, on arrays, without PyTorch."""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.core.progress import Progress
from shortlist.offline.retrieval.text.batches import Batch, Grouped
from shortlist.offline.retrieval.text.measure import corpus_for, ndcg, ranks
from shortlist.offline.retrieval.text.pairs import Pairs
from shortlist.offline.retrieval.text.subwords import Bags
from shortlist.release.artefacts import StaticText
from shortlist.text.analyzer import Analyzer
from shortlist.text.encoding.static import pool

MEASURED = 50_000
"""Items that held-out targets are looked for among while training."""
LEAST = 0.05
"""The share of the learning rate that is left at the end."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn.

    Attributes:
        epochs: at most how many passes.
        patience: stop after so many without a better nDCG@10.
        learning_rate: of row-wise Adagrad at the start; falls by a cosine.
        temperature: similarities are divided by it in the loss.
        hard: negatives of each anchor that are the nearest of a pool to it.
        seed: of order and draws.
        name: of the family, for what is shown.
    """

    epochs: int
    patience: int
    learning_rate: float
    temperature: float
    hard: int
    seed: int
    name: str = "text_encoder"


@dataclass(frozen=True)
class Learned:
    """Trained subword vectors.

    Attributes:
        table: `float32[subwords, dim]`, of the best epoch.
        before, after: nDCG@10 on held-out pairs, of the table that was given and of this one.
        epoch: the best epoch, counted from 1; 0 when what was given is clearly better.
    """

    table: NDArray[np.float32]
    before: float
    after: float
    epoch: int


def learn_table(
    table: NDArray[np.float32],
    weights: NDArray[np.float32],
    bags: Bags,
    grouped: Grouped,
    held: Pairs,
    items: NDArray[np.int32],
    unit: bool,
    schedule: Schedule,
    progress: Progress,
) -> Learned:
    """Move subword vectors so that paired texts are near.

    A softmax over the texts of a batch: of each anchor's similarities to all of them, divided by
    the temperature, the target's should be the highest (van den Oord et al. 2018, InfoNCE). Rows
    are stepped by Adagrad with one accumulator for a row, and only those that the batch touches.

    Args:
        table: `float32[subwords, dim]` to start from; not changed.
        weights: `float32[subwords]`.
        bags: the subwords of every text.
        grouped: pairs in batches.
        held: pairs to measure on; may be empty, then all epochs are made.
        items: `int32[m]`, the texts that are items.
        unit: whether vectors have length 1.
        schedule: how long and how fast.
        progress: a step for each epoch, in pairs.
    """
    model = Table(table.copy(), weights, bags, unit)
    measure = _Measured(held, items, schedule.seed)
    before = measure(model)
    best = before * (1 - 1 / math.sqrt(max(1, len(held))))  # about a standard error
    kept, best_epoch = table, 0
    for epoch in range(schedule.epochs):
        title = f"{schedule.name}: epoch {epoch + 1}"
        progress.step(f"{title} of at most {schedule.epochs}", len(grouped.pairs))
        started = time.perf_counter()
        loss, done = 0.0, 0
        pool_of = _Pool(model, items, epoch, schedule) if schedule.hard else None
        for drawn in grouped.epoch(epoch):
            batch = drawn
            if pool_of is not None:
                batch = grouped.with_more(drawn, pool_of.hardest(drawn))
            share = (epoch + done / len(grouped.pairs)) / schedule.epochs
            rate = LEAST + (1 - LEAST) * 0.5 * (1 + math.cos(math.pi * share))
            loss += model.step(batch, schedule.temperature, schedule.learning_rate * rate)
            done += len(batch)
            progress.advance(len(batch))
        speed = done / (time.perf_counter() - started)
        line = f"{title}: loss {loss / done:.4f}, {speed:,.0f} pairs/s"
        if not len(held):
            kept, best_epoch = model.table, epoch + 1
            progress.note(line)
            continue
        metric = measure(model)
        progress.note(f"{line}, nDCG@10 {metric:.4f}")
        if metric > best:
            best, best_epoch, kept = metric, epoch + 1, model.table.copy()
        if epoch + 1 - best_epoch >= schedule.patience:
            break
    best = best if best_epoch else before
    if len(held):
        progress.note(
            f"{schedule.name}: nDCG@10 of {len(held):,} held-out pairs {before:.4f} before, "
            f"{best:.4f} after epoch {best_epoch}"
        )
    return Learned(kept, before, best, best_epoch)


def saved(
    tokenizer: bytes,
    table: NDArray[np.float32],
    weights: NDArray[np.float32],
    length: int,
    unit: bool,
    analyzer: Analyzer,
) -> StaticText:
    """The artefact of subword vectors, its version a digest of all that it is made of."""
    told = json.dumps(analyzer.to_dict(), sort_keys=True)
    digest = hashlib.sha256(json.dumps([length, unit, told]).encode())
    for part in (tokenizer, table.tobytes(), weights.tobytes()):
        digest.update(part)
    return StaticText(
        tokenizer=np.frombuffer(tokenizer, np.uint8),
        table=table,
        weights=weights,
        length=length,
        unit=int(unit),
        analyzer=told,
        version=f"static-{digest.hexdigest()[:16]}",
    )


class Table:
    """Subword vectors that learn."""

    def __init__(
        self, table: NDArray[np.float32], weights: NDArray[np.float32], bags: Bags, unit: bool
    ) -> None:
        self.table = table
        self._weights, self._bags, self._unit = weights, bags, unit
        self._sums = np.zeros(len(table), np.float32)
        self._gradient = np.zeros_like(table)

    def encode(self, texts: NDArray[np.int32]) -> NDArray[np.float32]:
        """Vectors of some texts, `float32[n, dim]`."""
        bags = take(self._bags, texts)
        out = np.empty((len(texts), self.table.shape[1]), np.float32)
        pool(*bags, self.table, self._weights, self._unit, out)
        return out

    def step(self, batch: Batch, temperature: float, rate: float) -> float:
        """One step; returns the sum of the losses of the batch's pairs before it."""
        texts = np.concatenate([batch.anchors, batch.texts])
        vectors = self.encode(texts)
        asked, found = vectors[: len(batch)], vectors[len(batch) :]
        logits = (asked @ found.T) * np.float32(1 / temperature)
        loss = _softmax(logits, batch.place, batch.bias, batch.barred)
        logits *= np.float32(1 / (temperature * len(batch)))
        toward = np.concatenate([logits @ found, logits.T @ asked])
        offsets, tokens, counts = take(self._bags, texts)
        _descend(
            offsets,
            tokens,
            counts,
            self._weights,
            vectors,
            toward,
            self._unit,
            np.float32(rate),
            self.table,
            self._gradient,
            self._sums,
        )
        return loss


def take(bags: Bags, texts: NDArray[np.int32]) -> Bags:
    """The bags of some texts."""
    return _take(*bags, texts)


class _Measured:
    """nDCG@10 of held-out pairs."""

    def __init__(self, held: Pairs, items: NDArray[np.int32], seed: int) -> None:
        self._held = held
        self._corpus = corpus_for(held, items, MEASURED, seed) if len(held) else items[:0]

    def __call__(self, model: Table) -> float:
        if not len(self._held):
            return 0.0
        vectors = model.encode(self._corpus)
        return ndcg(ranks(model.encode(self._held.anchor), self._held, self._corpus, vectors))


POOL = 8_192
"""Items that hard negatives are looked for among, drawn anew in each epoch."""
PASSED = 4
"""The very nearest may be what was meant: so many of them are passed over."""


class _Pool:
    """Items to find hard negatives among, as the model sees them when an epoch begins."""

    def __init__(
        self, model: Table, items: NDArray[np.int32], epoch: int, schedule: Schedule
    ) -> None:
        rng = np.random.default_rng([schedule.seed, 0x4A5D, epoch])
        self._items = rng.permutation(items)[:POOL]
        self._model, self._hard = model, schedule.hard
        self._vectors = model.encode(self._items)

    def hardest(self, batch: Batch) -> NDArray[np.int32]:
        """The nearest to each anchor, the first few passed over."""
        scores = self._model.encode(batch.anchors) @ self._vectors.T
        deep = min(len(self._items), PASSED + self._hard)
        near = np.argpartition(-scores, deep - 1, axis=1)[:, :deep]
        order = np.argsort(-np.take_along_axis(scores, near, axis=1), axis=1)
        chosen = np.take_along_axis(near, order, axis=1)[:, PASSED:]
        return np.unique(self._items[chosen.ravel()])


@kernel
def _take(
    offsets: NDArray[np.int64],
    tokens: NDArray[np.int32],
    counts: NDArray[np.float32],
    texts: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    ends = np.zeros(len(texts) + 1, np.int64)
    for i in range(len(texts)):
        ends[i + 1] = ends[i] + offsets[texts[i] + 1] - offsets[texts[i]]
    some = np.empty(ends[-1], np.int32)
    how_often = np.empty(ends[-1], np.float32)
    for i in range(len(texts)):
        start = offsets[texts[i]]
        for p in range(ends[i + 1] - ends[i]):
            some[ends[i] + p] = tokens[start + p]
            how_often[ends[i] + p] = counts[start + p]
    return ends, some, how_often


@kernel
def _softmax(
    logits: NDArray[np.float32],
    place: NDArray[np.int64],
    bias: NDArray[np.float32],
    barred: NDArray[np.bool_],
) -> float:
    """Turn logits into their gradient, in place; returns the summed cross-entropy."""
    loss = 0.0
    for i in range(len(logits)):
        own = place[i]
        row = logits[i]
        most = row[own]
        for j in range(len(row)):
            if barred[i, j]:
                row[j] = np.float32(-1e30)
            elif j != own:
                row[j] += bias[j]
            most = max(most, row[j])
        loss -= row[own] - most
        total = np.float32(0)
        for j in range(len(row)):
            row[j] = np.exp(row[j] - most)
            total += row[j]
        loss += np.log(total)
        for j in range(len(row)):
            row[j] /= total
        row[own] -= np.float32(1)
    return loss


@kernel
def _descend(
    offsets: NDArray[np.int64],
    tokens: NDArray[np.int32],
    counts: NDArray[np.float32],
    weights: NDArray[np.float32],
    vectors: NDArray[np.float32],
    toward: NDArray[np.float32],
    unit: bool,
    rate: np.float32,
    table: NDArray[np.float32],
    gradient: NDArray[np.float32],
    sums: NDArray[np.float32],
) -> None:
    """Step the rows of a batch's subwords; `gradient` is zero before and after."""
    dim = table.shape[1]
    for i in range(len(offsets) - 1):
        first, stop = offsets[i], offsets[i + 1]
        if unit:
            squares = _turn(
                tokens[first:stop], counts[first:stop], weights, table, vectors[i], toward[i]
            )
        else:
            squares = np.float32(0)
            for p in range(first, stop):
                squares += (counts[p] * weights[tokens[p]]) ** 2
        scale = np.float32(1) / np.sqrt(max(squares, np.float32(1e-12)))
        for p in range(first, stop):
            c = counts[p] * weights[tokens[p]] * scale
            row = gradient[tokens[p]]
            for d in range(dim):
                row[d] += c * toward[i, d]
    for token in tokens:
        row = gradient[token]
        size = np.float32(0)
        for d in range(dim):
            size += row[d] * row[d]
        if size > 0:  # else it has been stepped already
            sums[token] += size
            step = rate / np.sqrt(sums[token])
            for d in range(dim):
                table[token, d] -= step * row[d]
                row[d] = 0


@kernel
def _turn(
    tokens: NDArray[np.int32],
    counts: NDArray[np.float32],
    weights: NDArray[np.float32],
    table: NDArray[np.float32],
    vector: NDArray[np.float32],
    toward: NDArray[np.float32],
) -> np.float32:
    """Take out of a gradient what lies along a vector of length 1.

    Returns the squared length of the sum that the vector was made of.
    """
    total = np.zeros(len(vector), np.float32)
    for p in range(len(tokens)):
        c = counts[p] * weights[tokens[p]]
        for d in range(len(vector)):
            total[d] += c * table[tokens[p], d]
    squares, along = np.float32(0), np.float32(0)
    for d in range(len(vector)):
        squares += total[d] * total[d]
        along += vector[d] * toward[d]
    for d in range(len(vector)):
        toward[d] -= along * vector[d]
    return squares
