from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.times import DAY, MINUTE
from shortlist.offline.retrieval.deep import packing, validation
from shortlist.offline.retrieval.deep.packing import Histories
from shortlist.offline.retrieval.deep.windows import Windows
from shortlist.testing.retrieval import training_data

LENGTHS = st.lists(st.integers(1, 30), min_size=1, max_size=12)


def histories(lengths: list[int], items: int = 50) -> Histories:
    """Users with so many interactions each; items differ from one to the next."""
    events = [
        (user, (7 * user + n) % items, DAY + n * MINUTE)
        for user, length in enumerate(lengths)
        for n in range(length)
    ]
    return Histories.of(training_data(events, items))


def test_items_are_numbered_by_the_rows_that_occur() -> None:
    made = Histories.of(training_data([(0, 4, DAY), (0, 9, DAY + 1), (2, 4, DAY)], 10))
    assert made.rows.tolist() == [4, 9]
    assert made.place[[4, 9, 0]].tolist() == [0, 1, -1]
    assert made.starts.tolist() == [0, 2]
    assert made.stops.tolist() == [2, 3]
    assert made.item.tolist() == [0, 1, 0]
    assert made.examples == 1


@given(LENGTHS, st.integers(1, 10), st.integers(1, 60), st.integers(0, 3))
def test_every_interaction_but_the_first_is_a_target_once(
    lengths: list[int], reach: int, tokens: int, seed: int
) -> None:
    made = histories(lengths)
    rng = np.random.default_rng(seed)
    begin, size, offsets = packing.chunks(made, reach, tokens, rng)
    targets = np.concatenate(
        [np.arange(b + 1, b + s) for b, s in zip(begin, size, strict=True)] or [np.empty(0)]
    )
    assert sorted(targets.tolist()) == made.targets().tolist()
    assert len(targets) == made.examples
    assert (size <= reach + 1).all()
    assert offsets[-1] == len(begin)
    for start, stop in pairwise(offsets):
        places = (size[start:stop].max() - 1) * (stop - start)
        assert places <= tokens or stop - start == 1


@given(LENGTHS, st.integers(1, 8))
def test_windows_are_what_came_before_padded_on_the_left(lengths: list[int], reach: int) -> None:
    made = histories(lengths)
    at = made.targets()
    first = made.starts[np.searchsorted(made.starts, at, "right") - 1]
    items, times = made.windows(first, at, reach)
    for row in range(len(at)):
        before = made.item[max(first[row], at[row] - reach) : at[row]].tolist()
        assert items[row].tolist() == [-1] * (reach - len(before)) + before
        assert (times[row][items[row] >= 0] < made.time[at[row]]).all()


def test_a_batch_pairs_each_item_with_the_next() -> None:
    made = histories([4, 3])
    inputs, targets = packing.fill(made.item, np.array([0, 4]), np.array([4, 3]))
    assert inputs.tolist() == [made.item[0:3].tolist(), [*made.item[4:6].tolist(), -1]]
    assert targets.tolist() == [made.item[1:4].tolist(), [*made.item[5:7].tolist(), -1]]


def test_what_is_held_out_is_not_learnt_from() -> None:
    made = histories([6] * 40)
    kept, held = made.hold_out(100, seed=0)
    assert len(held) == 8
    assert not set(held.at.tolist()) & set(kept.targets().tolist())
    assert kept.examples == made.examples - 8
    assert set(held.at.tolist()) <= {6 * user + 5 for user in range(40)}


@pytest.mark.parametrize("world", [1, 3])
def test_processes_share_every_batch(world: int) -> None:
    windows = Windows(histories([9] * 5), reach=4, batch=16, seed=0)
    parts = [list(windows.epoch(2, rank, world)) for rank in range(world)]
    assert len({len(part) for part in parts}) == 1
    met = [
        batch["now"].numpy() * 1_000 + batch["targets"].numpy()
        for part in parts
        for _, batch in part
    ]
    assert sum(len(one) for one in met) == windows.examples
    for batches in zip(*parts, strict=True):
        total = sum(float(batch["total"]) for _, batch in batches)
        assert total == pytest.approx(batches[0][0])


def test_ranks_count_unseen_items_and_put_ties_last() -> None:
    scores = np.array([[5, 4, 3, 3, 1]], np.float32)
    item = np.array([0, 3], np.int32)
    ranks = validation.target_ranks(scores, item, np.array([0]), np.array([1]))
    assert ranks.tolist() == [2]  # item 0 is seen; items 1 and 2 are not behind item 3
