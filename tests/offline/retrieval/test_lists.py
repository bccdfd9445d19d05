"""Keeping the best of a row."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shortlist.offline.retrieval.lists import strongest, top_of_block

VALUES = st.lists(st.sampled_from([0.0, 1e-30, 0.25, 0.5, 1.0, 1.0001, 3e4]), max_size=40)


@given(VALUES, st.integers(1, 12))
def test_the_strongest_are_those_that_sorting_finds(values: list[float], most: int) -> None:
    strength = np.array(values, np.float32)
    order = np.argsort(-strength, kind="stable")[:most]
    expected = np.sort(order[strength[order] > 0])
    picked = np.empty(len(strength), np.int32)
    kept = strongest(strength, most, picked)
    assert picked[:kept].tolist() == expected.tolist()


@given(st.integers(0, 1_000), st.integers(1, 8))
def test_a_block_keeps_the_largest_of_each_row_best_first(seed: int, length: int) -> None:
    rng = np.random.default_rng(seed)
    block = np.round(rng.normal(size=(3, 9)), 1).astype(np.float32)
    neighbours, scores = np.full((9, length), -1, np.int32), np.zeros((9, length), np.float32)
    lost = top_of_block(block, 4, neighbours, scores)
    missing = 0.0
    for row, item in zip(block, range(4, 7), strict=True):
        able = [j for j in np.argsort(-np.abs(row), kind="stable") if j != item and row[j]]
        best = sorted(able[:length], key=lambda j: (-row[j], j))
        assert neighbours[item, : len(best)].tolist() == best
        assert scores[item, : len(best)].tolist() == [row[j] for j in best]
        missing += sum(float(row[j]) ** 2 for j in able[length:])
    assert abs(lost - missing) < 1e-3
    assert (neighbours[:4] == -1).all()
