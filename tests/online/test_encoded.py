"""The encoder that serves gives what the model that was trained gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from shortlist.core.bitmap import full, pack
from shortlist.core.errors import ReleaseError
from shortlist.core.request import Request
from shortlist.core.times import DAY, HOUR
from shortlist.index.exact import ExactIndex
from shortlist.offline.retrieval.deep.entities import Entities
from shortlist.offline.retrieval.deep.export import Served, export
from shortlist.offline.retrieval.deep.pooled import Pooled
from shortlist.offline.retrieval.deep.sizes import Sizes
from shortlist.offline.retrieval.deep.towers import TwoTower
from shortlist.offline.retrieval.deep.trainer import Learner
from shortlist.offline.retrieval.deep.transformer import Transformer
from shortlist.online.marks import Marks
from shortlist.online.query import Query
from shortlist.online.retrieval.encoded import EncodedSource
from shortlist.release.artefacts import Encoder

ITEMS = 40
NUMBERED = 30
REACH = 12
NOW = 20_000 * DAY + 5 * HOUR
NOTHING = np.empty(0, np.int32)
ROWS = np.sort(np.random.default_rng(0).permutation(ITEMS)[:NUMBERED]).astype(np.int32)
SIZES = Sizes(16, 2, 2, REACH, 0.1, 1, 64, 1)


def place() -> np.ndarray:
    numbers = np.full(ITEMS, -1, np.int64)
    numbers[ROWS] = np.arange(NUMBERED)
    return numbers


def learner(kind: str) -> Learner:
    torch.manual_seed(3)
    share = torch.full((NUMBERED,), 1 / NUMBERED)
    if kind == "transformer":
        return Transformer(NUMBERED, SIZES, share, reduced=False)
    if kind == "pooled":
        return Pooled(NUMBERED, SIZES, share, NOW - HOUR, reduced=False)
    known = torch.ones(NUMBERED, dtype=torch.bool)
    return TwoTower(SIZES, share, known, Entities.none(NUMBERED), None, reduced=False)


def query(seeds: list[int], *, banned: Sequence[int] = (), allow=None, item=None) -> Query:
    """A request of somebody who took the seeds, newest first, an hour apart."""
    newest = np.array(seeds, np.int32)
    times = NOW - HOUR * (1 + np.arange(len(seeds)))
    return Query(
        Request(item=item),
        now=NOW,
        limit=10,
        allow=full(ITEMS) if allow is None else allow,
        filtered=allow is not None,
        banned=np.array(banned, np.int32),
        seeds=newest,
        history_rows=newest[::-1],
        history_times=np.ascontiguousarray(times[::-1]),
    )


def by_torch(model: Learner, asked: Query, k: int) -> tuple[list[int], np.ndarray]:
    """The best rows by the trained model itself, without ONNX, index or source."""
    rows = asked.seeds[:REACH][::-1].astype(np.int64)[None]
    times = asked.history_times[-REACH:].astype(np.int64)[None]
    if asked.request.item is not None:
        times = np.array([[asked.now]])
    inputs: list[Tensor] = [torch.from_numpy(rows.copy()), torch.from_numpy(times.copy())]
    with torch.no_grad():
        vector = Served(model, place()).eval()(*inputs, torch.tensor([asked.now]))
        scores = (vector @ model.vectors().T)[0].numpy().copy()
    gone = ~np.unpackbits(asked.allow, count=ITEMS, bitorder="little").astype(bool)
    gone[asked.banned] = True
    scores[gone[ROWS]] = -np.inf
    best = np.argsort(-scores, kind="stable")[:k]
    return ROWS[best].tolist(), scores[best]


@pytest.fixture(params=["transformer", "pooled", "two_tower"])
def served(request: pytest.FixtureRequest) -> tuple[Learner, EncodedSource]:
    model = learner(request.param).eval()
    with torch.no_grad():
        vectors = model.vectors().numpy()
    encoder = export(model, place(), REACH, times=request.param != "transformer")
    return model, EncodedSource("encoder", encoder, ExactIndex.build(ROWS, vectors))


HISTORIES = [
    ROWS[:5].tolist(),
    ROWS[:1].tolist(),
    [*ROWS[:8].tolist(), *ROWS[:9].tolist()],  # longer than the reach
    [int(ROWS[3]), *np.flatnonzero(place() < 0)[:2].tolist(), int(ROWS[7])],  # two without number
]


@pytest.mark.parametrize("history", HISTORIES, ids=["five", "one", "long", "unknown"])
def test_online_finds_what_the_trained_model_ranks_first(
    served: tuple[Learner, EncodedSource], history: list[int]
) -> None:
    model, source = served
    asked = query(history, banned=history[:2])
    ((rows, scores),) = source.search([asked], 10, Marks(ITEMS))
    expected, values = by_torch(model, asked, 10)
    assert rows.tolist() == expected
    np.testing.assert_allclose(scores, values, atol=1e-4)


def test_a_batch_equals_its_singles(served: tuple[Learner, EncodedSource]) -> None:
    _, source = served
    asked = [query(history) for history in HISTORIES]
    together = source.search(asked, 5, Marks(ITEMS))
    for one, (rows, scores) in zip(asked, together, strict=True):
        ((alone, values),) = source.search([one], 5, Marks(ITEMS))
        assert rows.tolist() == alone.tolist()
        np.testing.assert_allclose(scores, values, atol=1e-5)


def test_an_item_is_a_history_of_one_taken_now(served: tuple[Learner, EncodedSource]) -> None:
    model, source = served
    seed = int(ROWS[4])
    asked = query([seed], banned=[seed], item="x")
    asked.history_times = np.empty(0, np.int64)
    ((rows, _),) = source.search([asked], 6, Marks(ITEMS))
    assert rows.tolist() == by_torch(model, asked, 6)[0]


def test_filters_and_bans_hold(served: tuple[Learner, EncodedSource]) -> None:
    model, source = served
    allow = pack(np.arange(ITEMS) % 3 == 0)
    asked = query(ROWS[:4].tolist(), allow=allow, banned=[0, 3, 6])
    ((rows, _),) = source.search([asked], 10, Marks(ITEMS))
    assert not len(np.flatnonzero(rows % 3))
    assert not set(rows.tolist()) & {0, 3, 6}
    allowed = sum(1 for row in ROWS.tolist() if row % 3 == 0 and row not in (0, 3, 6))
    assert rows.tolist() == by_torch(model, asked, min(10, allowed))[0]


def test_nobody_and_nothing_known_find_nothing(served: tuple[Learner, EncodedSource]) -> None:
    _, source = served
    unknown = np.flatnonzero(place() < 0)[:2].tolist()
    found = source.search([query([]), query(unknown)], 5, Marks(ITEMS))
    assert [len(rows) for rows, _ in found] == [0, 0]


def test_a_damaged_model_is_told() -> None:
    index = ExactIndex.build(ROWS, np.ones((NUMBERED, 4), np.float32))
    with pytest.raises(ReleaseError, match="encoder"):
        EncodedSource("encoder", Encoder(np.arange(9, dtype=np.uint8), 5, 0), index)
