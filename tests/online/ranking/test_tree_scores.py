from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.core.errors import ReleaseError
from shortlist.release.tree_scores import leaves, score
from shortlist.release.tree_shapley import contributions
from shortlist.release.trees import Trees

Node = tuple[int, float, "Node", "Node"] | float
"""(feature, threshold, left, right), or a leaf's value."""


def trees_of(roots: list[Node], features: int = 3) -> Trees:
    nodes, leaves = [], []
    node_offsets, leaf_offsets = [0], [0]

    def walk(node: Node) -> None:
        if isinstance(node, float):
            leaves.append(node)
            return
        feature, threshold, left, right = node
        place, first = len(nodes), len(leaves) - leaf_offsets[-1]
        nodes.append(None)
        walk(left)
        nodes[place] = (feature, threshold, first, len(leaves) - leaf_offsets[-1])
        walk(right)

    for root in roots:
        walk(root)
        node_offsets.append(len(nodes))
        leaf_offsets.append(len(leaves))
    table = np.array(nodes, np.float64).reshape(len(nodes), 4)
    return Trees(
        tuple(f"x{n}" for n in range(features)),
        np.array(node_offsets, np.int64),
        table[:, 0].astype(np.int32),
        table[:, 1].astype(np.float32),
        table[:, 2].astype(np.uint8),
        table[:, 3].astype(np.uint8),
        np.array(leaf_offsets, np.int64),
        np.array(leaves, np.float64),
        np.arange(1, len(leaves) + 1, dtype=np.float32),
    )


def walked(node: Node, row: np.ndarray) -> float:
    while not isinstance(node, float):
        feature, threshold, left, right = node
        node = left if row[feature] <= np.float32(threshold) else right
    return node


def scored(trees: Trees, x: np.ndarray) -> np.ndarray:
    out = np.full(x.shape[1], np.nan, np.float32)
    score(trees, x, out)
    return out


def test_a_row_goes_left_where_its_value_is_at_most_the_threshold() -> None:
    tree: Node = (0, 1.5, (1, 0.0, 10.0, 20.0), 30.0)
    x = np.array([[1.5, 1.5, 1.6], [0.0, 0.1, 0.0], [0, 0, 0]], np.float32)
    assert scored(trees_of([tree]), x).tolist() == [10.0, 20.0, 30.0]


def test_trees_add_up_and_none_add_up_to_zero() -> None:
    x = np.zeros((3, 2), np.float32)
    assert scored(trees_of([(0, 0.0, 1.0, 2.0), 4.0]), x).tolist() == [5.0, 5.0]
    assert scored(trees_of([]), x).tolist() == [0.0, 0.0]


VALUES = st.sampled_from([-1.0, 0.0, 0.5, 2.0])
SHRUBS = st.recursive(
    st.floats(-4, 4, width=16),
    lambda child: st.tuples(st.integers(0, 2), VALUES, child, child),
    max_leaves=40,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(SHRUBS, max_size=4), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_any_tree_scores_any_rows_as_walking_it_does(roots: list[Node], n: int, seed: int) -> None:
    x = np.random.default_rng(seed).choice(np.array([-1, 0, 0.5, 1, 2, 3], np.float32), (3, n))
    expected = [sum(walked(root, x[:, i]) for root in roots) for i in range(n)]
    np.testing.assert_allclose(scored(trees_of(roots), x), expected, rtol=1e-5, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.lists(SHRUBS, min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_the_leaves_of_a_row_add_up_to_its_score(roots: list[Node], seed: int) -> None:
    x = np.random.default_rng(seed).choice(np.array([-1, 0, 0.5, 1, 2, 3], np.float32), (3, 50))
    trees = trees_of(roots)
    found = leaves(trees, x)
    assert (found >= trees.leaf_offsets[:-1, None]).all()
    assert (found < trees.leaf_offsets[1:, None]).all()
    np.testing.assert_allclose(
        trees.leaf[found].sum(axis=0), scored(trees, x), rtol=1e-5, atol=1e-5
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(SHRUBS, min_size=1, max_size=3), st.integers(0, 2**32 - 1))
def test_contributions_add_up_for_any_tree(roots: list[Node], seed: int) -> None:
    x = np.random.default_rng(seed).choice(np.array([-1, 0, 0.5, 1, 2, 3], np.float32), (3, 20))
    trees = trees_of(roots)
    base, terms = contributions(trees, x)
    np.testing.assert_allclose(base + terms.sum(axis=0), scored(trees, x), rtol=1e-5, atol=1e-5)


def test_a_feature_that_no_node_compares_contributes_nothing() -> None:
    tree: Node = (0, 0.5, 1.0, (2, 0.5, 2.0, 4.0))
    base, terms = contributions(trees_of([tree]), np.ones((3, 1), np.float32))
    assert terms[1, 0] == 0
    assert terms[0, 0] > 0 and terms[2, 0] > 0
    assert base == pytest.approx((1 * 1 + 2 * 2 + 3 * 4) / 6)  # leaf i was reached i + 1 times


@pytest.mark.parametrize("size", [32, 33, 64])
def test_a_tree_that_is_one_long_branch_is_scored_to_its_end(size: int) -> None:
    rightward: Node = float(size - 1)
    for leaf in reversed(range(size - 1)):
        rightward = (0, leaf + 0.5, float(leaf), rightward)
    x = np.zeros((3, size), np.float32)
    x[0] = np.arange(size)
    assert scored(trees_of([rightward]), x).tolist() == list(range(size))
    assert leaves(trees_of([rightward]), x)[0].tolist() == list(range(size))


def test_saved_trees_score_alike_and_keep_the_names_of_their_features(tmp_path: Path) -> None:
    trees = trees_of([(0, 0.1, 1.0, (2, -3.0, 2.0, 3.0)), (1, 7.0, 0.25, 0.5)])
    trees.save(tmp_path / "ranker")
    again = Trees.load(tmp_path / "ranker")
    assert again.features == ("x0", "x1", "x2")
    x = np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32)
    assert scored(again, x).tolist() == scored(trees, x).tolist()


def test_trees_of_another_format_say_so(tmp_path: Path) -> None:
    trees_of([1.0]).save(tmp_path)
    about = tmp_path / "trees.json"
    about.write_text(about.read_text().replace('"format": 2', '"format": 9'))
    with pytest.raises(ReleaseError, match=r"trees.json: .* format 9, this version reads 2"):
        Trees.load(tmp_path)
