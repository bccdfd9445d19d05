"""Tiny logs with obvious answers, and the contract of `offline.retrieval.fit_retriever`.

Every family subclasses `RetrieverContract` and passes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from shortlist.config.schema import Retriever
from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.progress import Silent
from shortlist.core.times import DAY, MINUTE
from shortlist.core.vocabulary import Vocabulary
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import fit_retriever
from shortlist.release.artefacts import (
    KINDS,
    Artefact,
    Encoder,
    ItemFactors,
    ItemToItem,
    ItemVectors,
    OnnxText,
    PopularLists,
    SessionIndex,
    StaticText,
)
from shortlist.text.encoding.saved import open_encoder

GAP = 30 * MINUTE
NEVER = np.iinfo(np.int64).max


def training_data(
    events: Sequence[tuple[int, int, int]],
    items: int,
    columns: Mapping[str, Column] | None = None,
    until: int | None = None,
) -> TrainingData:
    """A log of (user row, item row, time) events of weight 1, in any order.

    Sessions end at pauses of more than 30 minutes. `until` is just after the last event unless
    given.
    """
    log = np.array(sorted((u, t, i) for u, i, t in events), np.int64).reshape(-1, 3)
    user, time, item = log[:, 0], log[:, 1], log[:, 2]
    ends = np.ones(len(log), np.bool_)
    ends[1:] = (user[1:] != user[:-1]) | (time[1:] - time[:-1] > GAP)
    return TrainingData(
        catalogue=Catalogue(
            Vocabulary.of([f"item-{row}" for row in range(items)]),
            columns or {},
            np.ones(items, np.bool_),
            np.full(items, NEVER),
        ),
        users=int(user.max(initial=-1)) + 1,
        user=user.astype(np.int32),
        item=item.astype(np.int32),
        time=time,
        weight=np.ones(len(log), np.float32),
        session=np.cumsum(ends),
        until=int(time.max(initial=0)) + 1 if until is None else until,
    )


def two_tastes(users: int = 60, items: int = 20, seed: int = 0) -> TrainingData:
    """Half of the users take only even items, the others only odd ones, ten in a session.

    Neighbours of an item, and the items nearest to it, have its parity.
    """
    random = np.random.default_rng([seed, users, items])
    events = []
    for user in range(users):
        taken = random.permutation(np.arange(user % 2, items, 2))[:10]
        events += [(user, int(item), DAY + n * MINUTE) for n, item in enumerate(taken)]
    return training_data(events, items)


def ring(items: int = 30, users: int = 90) -> TrainingData:
    """Every session is six items in a row around a ring: next to an item are its neighbours."""
    events = [
        (user, (user + step) % items, DAY + step * MINUTE)
        for user in range(users)
        for step in range(6)
    ]
    return training_data(events, items)


class RetrieverContract:
    """What every family promises. Subclasses give the config."""

    def config(self) -> Retriever:
        """A configuration that fits the tiny logs in well under a second."""
        raise NotImplementedError

    def fit(self, data: TrainingData, seed: int = 0) -> dict[str, Artefact]:
        """The artefacts of the subclass' configuration."""
        return fit_retriever(self.config(), data, seed, Silent())

    @pytest.mark.parametrize("make", [two_tastes, ring])
    def test_artefacts_are_keyed_by_their_kind_and_sound(
        self, make: Callable[[], TrainingData]
    ) -> None:
        """Types match the keys, rows are in the catalogue, numbers are finite and in order."""
        data = make()
        artefacts = self.fit(data)
        assert artefacts
        for kind, artefact in artefacts.items():
            assert isinstance(artefact, KINDS[kind])
            assert_sound(artefact, data.items)

    def test_the_same_seed_gives_the_same_bytes(self) -> None:
        """Fitting twice is fitting once."""
        assert_same(self.fit(two_tastes(), seed=7), self.fit(two_tastes(), seed=7))

    def test_what_comes_after_the_cut_is_not_known(self) -> None:
        """A log cut at an instant is fitted like one that had ended there."""
        cut = 10 * DAY
        early = [(u, (u * 3 + n) % 12, DAY + n * MINUTE) for u in range(20) for n in range(6)]
        late = [(u, (u * 5 + n) % 12, cut + n * MINUTE) for u in range(20) for n in range(6)]
        whole = training_data(early + late, 12).before(cut)
        ended = training_data(early, 12, until=cut)
        assert_same(self.fit(whole), self.fit(ended))

    @pytest.mark.parametrize(
        "events",
        [[], [(0, 2, DAY)], [(0, 2, DAY), (0, 2, DAY + MINUTE)], [(0, 1, DAY), (1, 2, DAY)]],
        ids=["empty", "one event", "one item twice", "no item near another"],
    )
    def test_a_log_with_nothing_to_learn_still_gives_artefacts(
        self, events: list[tuple[int, int, int]]
    ) -> None:
        """They are sound and hold next to nothing."""
        for artefact in self.fit(training_data(events, 4)).values():
            assert_sound(artefact, 4)

    def test_one_user_is_enough(self) -> None:
        """A log of a single user fits."""
        data = training_data([(0, n % 5, DAY + n * MINUTE) for n in range(20)], 5)
        for artefact in self.fit(data).values():
            assert_sound(artefact, 5)


def assert_same(one: dict[str, Artefact], other: dict[str, Artefact]) -> None:
    """Both hold the same kinds with equal arrays."""
    assert one.keys() == other.keys()
    for kind, artefact in one.items():
        for name, value in vars(artefact).items():
            np.testing.assert_array_equal(value, getattr(other[kind], name), err_msg=name)


def assert_sound(artefact: Artefact, items: int) -> None:
    """An artefact keeps the promises of its type for a catalogue of so many items."""
    if isinstance(artefact, PopularLists):
        assert sorted(artefact.order.tolist()) == list(range(items))
        assert (np.diff(artefact.scores) <= 0).all()
        assert (artefact.scores >= 0).all()
        for start, stop in zip(
            artefact.segment_offsets[:-1], artefact.segment_offsets[1:], strict=True
        ):
            rows = artefact.segment_order[start:stop]
            assert len(np.unique(rows)) == len(rows)
            assert (np.diff(artefact.segment_scores[start:stop]) <= 0).all()
    elif isinstance(artefact, ItemToItem):
        assert artefact.neighbours.shape == artefact.scores.shape
        assert len(artefact.neighbours) == items
        for row, (near, scores) in enumerate(
            zip(artefact.neighbours, artefact.scores, strict=True)
        ):
            there = near[near >= 0]
            assert row not in there
            assert len(np.unique(there)) == len(there)
            assert (near[len(there) :] == -1).all()
            assert (scores[len(there) :] == 0).all()
            assert (scores[: len(there)] != 0).all()
            assert np.isfinite(scores).all()
            assert (np.diff(scores[: len(there)]) <= 0).all()
            assert (there < items).all()
    elif isinstance(artefact, SessionIndex):
        sessions = len(artefact.session_offsets) - 1
        assert len(artefact.item_offsets) == items + 1
        assert (np.diff(artefact.item_offsets) >= 0).all()
        assert (np.diff(artefact.session_offsets) >= 2).all()
        assert ((artefact.session_items >= 0) & (artefact.session_items < items)).all()
        for item in range(items):
            here = slice(artefact.item_offsets[item], artefact.item_offsets[item + 1])
            there = artefact.item_sessions[here]
            assert (np.diff(there) < 0).all()
            assert (there < sessions).all()
            places = artefact.session_offsets[there] + artefact.item_positions[here]
            assert (artefact.session_items[places] == item).all()
        assert (artefact.rarity > 0).all()
        assert (artefact.target_rarity > 0).all()
        assert artefact.scoring in {"newest", "context"}
    elif isinstance(artefact, ItemFactors):
        assert artefact.gram.ndim == 1
        assert np.isfinite(artefact.gram).all()
        assert (artefact.gram >= 0).all()
    elif isinstance(artefact, Encoder):
        _assert_model(artefact)
    elif isinstance(artefact, StaticText | OnnxText):
        _assert_encodes(artefact)
    else:
        assert isinstance(artefact, ItemVectors)
        assert (np.diff(artefact.rows) > 0).all()
        assert ((artefact.rows >= 0) & (artefact.rows < items)).all()
        assert len(artefact.vectors) == len(artefact.rows)
        assert np.isfinite(artefact.vectors).all()


def _assert_encodes(artefact: StaticText | OnnxText) -> None:
    encoder = open_encoder(artefact)
    assert encoder.version == artefact.version
    vectors = encoder.encode(["one two", "", "\ud800 \x00 \U0001f600"])
    assert vectors.shape == (3, encoder.dim)
    assert np.isfinite(vectors).all()
    assert not vectors[1].any()


def _assert_model(encoder: Encoder) -> None:
    assert encoder.reach >= 1
    assert encoder.times in (0, 1)
    assert encoder.model.dtype == np.uint8
    assert len(encoder.model)
