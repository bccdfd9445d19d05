"""Batches of pairs, and which texts of a batch are negatives of which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shortlist.core.jit import kernel
from shortlist.offline.retrieval.text.pairs import Pairs


@dataclass(frozen=True)
class Batch:
    """Pairs that are learned from together.

    Attributes:
        anchors: `int32[b]`, texts that ask.
        texts: `int32[c]`, different texts: all targets, and more to tell them from.
        place: `int64[b]`, where each anchor's target is among them.
        bias: `float32[c]`, what is added to the logit of a text as a negative (logQ correction).
        barred: `bool[b, c]`, texts that are no negative of an anchor.
    """

    anchors: NDArray[np.int32]
    texts: NDArray[np.int32]
    place: NDArray[np.int64]
    bias: NDArray[np.float32]
    barred: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.anchors)

    def part(self, rank: int, world: int) -> Batch:
        """Every `world`-th pair from `rank` on, among their own targets."""
        mine = slice(rank, None, world)
        kept, place = np.unique(self.place[mine], return_inverse=True)
        return Batch(
            self.anchors[mine],
            self.texts[kept],
            place.astype(np.int64),
            self.bias[kept],
            np.ascontiguousarray(self.barred[mine][:, kept]),
        )


class Grouped:
    """Pairs in batches, in a new order in each epoch.

    The negatives of a pair are the targets of other users' pairs in the batch, and texts drawn
    uniformly from the catalogue (mixed negative sampling, Yang et al., WWW 2020). No negatives of
    an anchor are the anchor itself, texts that it is paired with anywhere, and texts of its user's
    other pairs. That a text is popular, and so often in a batch, is corrected for (Yi et al.,
    RecSys 2019). A pair of items is asked in either direction.

    Args:
        pairs: what to learn from.
        items: `int32[m]`, the texts that uniform draws are from.
        texts: how many texts there are.
        size: pairs in a batch.
        uniform: uniform draws for a batch.
        first_query: the number of the first text that is no item.
        seed: of order and draws.
    """

    def __init__(
        self,
        pairs: Pairs,
        items: NDArray[np.int32],
        texts: int,
        size: int,
        uniform: int,
        first_query: int,
        seed: int,
    ) -> None:
        self.pairs = pairs
        self._items, self._size, self._uniform = items, size, uniform
        self._first_query, self._seed = first_query, seed
        self._offsets, self._paired = _neighbours(pairs, texts)
        self._where = np.full(texts, -1, np.int32)
        symmetric = pairs.anchor < first_query
        counts = np.bincount(pairs.target, minlength=texts).astype(np.float64)
        counts += 0.5 * np.bincount(pairs.anchor[symmetric], minlength=texts)
        counts -= 0.5 * np.bincount(pairs.target[symmetric], minlength=texts)
        self._share = counts / max(1, len(pairs))

    def epoch(self, number: int, rounds: int = 1) -> Iterator[Batch]:
        """The batches of an epoch, counted from 0; the same number gives the same batches.

        With several rounds to a pass, an epoch is a round: the part `number % rounds` of the pass
        `number // rounds`.
        """
        done, part_of = divmod(number, rounds)
        rng = np.random.default_rng([self._seed, 0xBA7C, done])
        order = rng.permutation(len(self.pairs))
        turned = (rng.random(len(order)) < 0.5) & (self.pairs.anchor < self._first_query)
        anchor = np.where(turned, self.pairs.target, self.pairs.anchor)
        target = np.where(turned, self.pairs.anchor, self.pairs.target)
        starts = range(0, len(order), self._size)
        for start in starts[
            len(starts) * part_of // rounds : len(starts) * (part_of + 1) // rounds
        ]:
            part = order[start : start + self._size]
            drawn = self._items[rng.integers(0, len(self._items), self._uniform)]
            yield self._batch(anchor[part], target[part], self.pairs.user[part], drawn)

    def with_more(self, batch: Batch, more: NDArray[np.int32]) -> Batch:
        """A batch with further texts to tell targets from: hard negatives, not corrected for."""
        fresh = np.setdiff1d(more, batch.texts).astype(np.int32)
        texts = np.concatenate([batch.texts, fresh])
        barred = np.zeros((len(batch), len(texts)), np.bool_)
        barred[:, : len(batch.texts)] = batch.barred
        self._bar(batch.anchors, texts, batch.place, barred)
        bias = np.concatenate([batch.bias, np.zeros(len(fresh), np.float32)])
        return Batch(batch.anchors, texts, batch.place, bias, barred)

    def paired(self, text: int) -> NDArray[np.int32]:
        """The texts that a text is paired with."""
        return self._paired[self._offsets[text] : self._offsets[text + 1]]

    def _batch(
        self,
        anchor: NDArray[np.int32],
        target: NDArray[np.int32],
        user: NDArray[np.int32],
        drawn: NDArray[np.int32],
    ) -> Batch:
        texts, place = np.unique(np.concatenate([target, drawn]), return_inverse=True)
        place = place[: len(target)].astype(np.int64)
        barred = np.zeros((len(anchor), len(texts)), np.bool_)
        _bar_users(user, place, barred)
        self._bar(anchor, texts, place, barred)
        missed = len(anchor) * np.log1p(-np.minimum(self._share[texts], 1 - 1e-9))
        missed += len(drawn) * np.log1p(-1 / max(2, len(self._items)))
        bias = -np.log(np.maximum(-np.expm1(missed), 1e-9))
        return Batch(anchor, texts.astype(np.int32), place, bias.astype(np.float32), barred)

    def _bar(
        self,
        anchor: NDArray[np.int32],
        texts: NDArray[np.int32],
        place: NDArray[np.int64],
        barred: NDArray[np.bool_],
    ) -> None:
        self._where[texts] = np.arange(len(texts))
        _bar_paired(anchor, place, self._offsets, self._paired, self._where, barred)
        self._where[texts] = -1


def _neighbours(pairs: Pairs, texts: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """What each text is paired with, in either direction."""
    one = np.concatenate([pairs.anchor, pairs.target])
    other = np.concatenate([pairs.target, pairs.anchor])
    order = np.argsort(one, kind="stable")
    offsets = np.zeros(texts + 1, np.int64)
    np.cumsum(np.bincount(one, minlength=texts), out=offsets[1:])
    return offsets, other[order]


@kernel
def _bar_users(
    user: NDArray[np.int32], place: NDArray[np.int64], barred: NDArray[np.bool_]
) -> None:
    for i in range(len(user)):
        for j in range(len(user)):
            if user[i] == user[j] and place[i] != place[j]:
                barred[i, place[j]] = True


@kernel
def _bar_paired(
    anchor: NDArray[np.int32],
    place: NDArray[np.int64],
    offsets: NDArray[np.int64],
    paired: NDArray[np.int32],
    where: NDArray[np.int32],
    barred: NDArray[np.bool_],
) -> None:
    for i in range(len(anchor)):
        own = where[anchor[i]]
        if own >= 0 and own != place[i]:
            barred[i, own] = True
        for p in range(offsets[anchor[i]], offsets[anchor[i] + 1]):
            at = where[paired[p]]
            if at >= 0 and at != place[i]:
                barred[i, at] = True
