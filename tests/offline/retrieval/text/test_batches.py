"""Which texts belong together, and which are negatives."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.times import DAY, MINUTE
from shortlist.offline.retrieval.text.batches import Grouped
from shortlist.offline.retrieval.text.measure import ndcg, ranks, recall
from shortlist.offline.retrieval.text.pairs import Pairs, session_pairs
from shortlist.testing.retrieval import training_data


def pairs_of(*triples: tuple[int, int, int]) -> Pairs:
    return Pairs(*(np.array(column, np.int32) for column in zip(*triples, strict=True)))


def test_neighbours_in_a_session_are_pairs() -> None:
    events = [(0, 1, DAY), (0, 2, DAY + MINUTE), (0, 2, DAY + 2 * MINUTE), (0, 3, DAY + 9 * MINUTE)]
    later = [(0, 4, DAY + 60 * MINUTE), (1, 5, DAY), (1, 6, DAY + MINUTE)]
    data = training_data(events + later, 8)
    found = session_pairs(data, 1)
    together = list(
        zip(found.anchor.tolist(), found.target.tolist(), found.user.tolist(), strict=True)
    )
    assert together == [(1, 2, 0), (2, 3, 0), (5, 6, 1)]
    assert (1, 3) not in zip(found.anchor.tolist(), found.target.tolist(), strict=True)
    wide = session_pairs(data, 3)
    assert (1, 3) in zip(wide.anchor.tolist(), wide.target.tolist(), strict=True)


def test_held_out_pairs_are_of_users_that_nothing_is_learned_from() -> None:
    rng = np.random.default_rng(0)
    pairs = Pairs(*(rng.integers(0, high, 600).astype(np.int32) for high in (50, 50, 120)))
    kept, held = pairs.hold_out(0)
    assert 40 <= len(held) <= 60
    assert not set(kept.user.tolist()) & set(held.user.tolist())


triples = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 4)).filter(
        lambda t: t[0] != t[1]
    ),
    min_size=1,
    max_size=40,
)


@given(triples, st.integers(1, 16), st.integers(0, 6))
def test_negatives_are_other_users_and_never_what_belongs_together(
    told: list[tuple[int, int, int]], size: int, uniform: int
) -> None:
    pairs = pairs_of(*told)
    items = np.arange(10, dtype=np.int32)
    grouped = Grouped(pairs, items, 10, size, uniform, 10, seed=0)
    together = {(a, t) for a, t, _ in told} | {(t, a) for a, t, _ in told}
    seen = 0
    for batch in grouped.epoch(3):
        seen += len(batch)
        assert len(np.unique(batch.texts)) == len(batch.texts)
        for i, anchor in enumerate(batch.anchors.tolist()):
            target = int(batch.texts[batch.place[i]])
            assert (anchor, target) in together
            assert not batch.barred[i, batch.place[i]]
            for j, text in enumerate(batch.texts.tolist()):
                if j != batch.place[i] and (text == anchor or (anchor, text) in together):
                    assert batch.barred[i, j]
        more = grouped.with_more(batch, items)
        assert set(more.texts.tolist()) == set(range(10))
        np.testing.assert_array_equal(more.barred[:, : len(batch.texts)], batch.barred)
    assert seen == len(pairs)


@given(triples, st.integers(1, 5))
def test_rounds_are_a_pass_in_parts(told: list[tuple[int, int, int]], rounds: int) -> None:
    grouped = Grouped(pairs_of(*told), np.arange(10, dtype=np.int32), 10, 4, 0, 10, seed=1)
    whole = [batch.anchors.tolist() for batch in grouped.epoch(0)]
    parts = [b.anchors.tolist() for r in range(rounds) for b in grouped.epoch(r, rounds)]
    assert parts == whole


def test_a_query_is_never_what_is_looked_for() -> None:
    pairs = pairs_of(*((10 + n % 5, n % 10, n) for n in range(60)))
    grouped = Grouped(pairs, np.arange(10, dtype=np.int32), 15, 16, 4, 10, seed=0)
    for batch in grouped.epoch(0):
        assert (batch.anchors >= 10).all()
        assert (batch.texts < 10).all()


def test_the_share_of_a_process_holds_its_own_pairs() -> None:
    pairs = pairs_of(*((n % 7, 7 + n % 3, n) for n in range(20)))
    (batch,) = Grouped(pairs, np.arange(10, dtype=np.int32), 10, 20, 0, 0, seed=0).epoch(0)
    parts = [batch.part(rank, 3) for rank in range(3)]
    assert sum(map(len, parts)) == 20
    for rank, part in enumerate(parts):
        np.testing.assert_array_equal(part.texts[part.place], batch.texts[batch.place[rank::3]])


def test_ranks_count_what_scores_at_least_as_much_without_the_anchor() -> None:
    vectors = np.array([[1, 0], [0.9, 0], [0.5, 0], [0.5, 0]], np.float32)
    corpus = np.arange(4, dtype=np.int32)
    held = pairs_of((0, 1, 0), (0, 2, 0))
    found = ranks(vectors[held.anchor], held, corpus, vectors)
    assert found.tolist() == [0, 2]  # the tie counts against it
    assert recall(found, 1) == 0.5
    assert ndcg(found) == (1 + 0.5) / 2
