"""Choosing, tuning, saving and opening an index."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.config.schema import IndexSection
from shortlist.core.errors import DataError, ReleaseError
from shortlist.core.progress import Silent
from shortlist.index.build import EXACT_UP_TO, build_index, load_index
from shortlist.index.exact import ExactIndex
from shortlist.index.ivf import lists_for, quantisers_for
from shortlist.index.tune import recall_of, sample_queries, true_scores, tune
from shortlist.release.artefacts import ItemVectors
from shortlist.testing.index import catalogue, clustered_vectors


class Notes(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def item_vectors(n, dim=16):
    return ItemVectors(catalogue(n), clustered_vectors(n, dim))


def test_auto_is_exact_for_a_small_catalogue():
    index, report = build_index(item_vectors(2_000), IndexSection(), 0, Silent())
    assert (index.kind, index.exact) == ("exact", True)
    assert (report.kind, report.n, report.dim, report.recall) == ("exact", 2_000, 16, 1.0)


def test_auto_is_ivf_above_the_limit():
    index, report = build_index(item_vectors(EXACT_UP_TO + 1, 8), IndexSection(), 0, Silent())
    assert (index.kind, index.exact) == ("ivf", False)
    assert report.recall >= report.target


def test_too_few_vectors_for_clusters_make_an_exact_index_and_a_note():
    notes = Notes()
    index, report = build_index(item_vectors(30), IndexSection(kind="ivf"), 0, notes)
    assert index.kind == report.kind == "exact"
    assert notes.notes == ["30 vectors are too few for an ivf index; using exact."]


@pytest.mark.parametrize("target", [0.8, 0.95, 0.99])
def test_the_tuned_index_reaches_the_recall_on_queries_it_was_not_tuned_on(target):
    vectors = item_vectors(6_000)
    config = IndexSection(kind="ivf", recall=target, at=50)
    index, report = build_index(vectors, config, 0, Silent())
    assert report.reached
    assert report.recall >= target
    truth = ExactIndex.build(vectors.rows, vectors.vectors)
    fresh = sample_queries(vectors.vectors, 200, np.random.default_rng(99))
    found, _ = index.search(fresh, 50)
    assert recall_of(found, fresh, truth, true_scores(truth, fresh, 50)) >= target - 0.03


def test_the_curve_holds_the_chosen_setting_and_all_others_that_were_tried():
    index, report = build_index(item_vectors(6_000), IndexSection(kind="ivf"), 0, Silent())
    chosen = [s for s in report.curve if (s.nprobe, s.k_factor) == (report.nprobe, report.k_factor)]
    assert [setting.recall for setting in chosen] == [report.recall]
    assert all(setting.queries_per_second > 0 for setting in report.curve)
    assert (index.nprobe, index.k_factor) == (report.nprobe, report.k_factor)


def test_the_same_seed_chooses_the_same_setting():
    one, two = (
        build_index(item_vectors(4_000), IndexSection(kind="ivf"), 3, Silent())[1] for _ in range(2)
    )
    assert (one.nprobe, one.k_factor, one.recall) == (two.nprobe, two.k_factor, two.recall)


def test_a_recall_out_of_reach_takes_the_best_and_says_so():
    vectors = item_vectors(3_000)
    notes = Notes()
    index, report = build_index(vectors, IndexSection(kind="ivf", recall=1.01), 0, notes)
    assert not report.reached
    assert report.recall == max(setting.recall for setting in report.curve)
    assert "below the 1.01 asked for" in notes.notes[-1]
    truth = ExactIndex.build(vectors.rows, vectors.vectors)
    queries = sample_queries(vectors.vectors, 20, np.random.default_rng(0))
    assert tune(index, truth, queries, 1.01, 10, Silent())[2].recall > 0.9


def test_items_that_tie_count_as_found():
    vectors = np.repeat(clustered_vectors(20, 8), 100, axis=0)
    _, report = build_index(
        ItemVectors(catalogue(2_000), vectors), IndexSection(kind="ivf", at=50), 0, Silent()
    )
    assert report.recall >= 0.95


def test_vectors_that_are_not_finite_are_refused_by_row():
    vectors = clustered_vectors(2_000, 8)
    vectors[1_234, 3] = np.nan
    for kind in ("exact", "ivf"):
        with pytest.raises(DataError, match=r"catalogue row 1234 .* not finite in float"):
            build_index(
                ItemVectors(catalogue(2_000), vectors), IndexSection(kind=kind), 0, Silent()
            )


def test_vectors_too_large_for_half_precision_are_refused():
    vectors = clustered_vectors(2_000, 8) * 1e6
    with pytest.raises(DataError, match=r"not finite in float16.*scale the vectors down"):
        build_index(ItemVectors(catalogue(2_000), vectors), IndexSection(kind="ivf"), 0, Silent())


@pytest.mark.parametrize("rows", [[0, 2, 1], [0, 1, 1], [-1, 0, 1]])
def test_rows_that_do_not_ascend_are_refused(rows):
    vectors = ItemVectors(np.array(rows, np.int32), clustered_vectors(3, 8))
    with pytest.raises(DataError, match="do not ascend"):
        build_index(vectors, IndexSection(), 0, Silent())


@pytest.fixture(params=["exact", "ivf"])
def saved(request, tmp_path):
    index, _ = build_index(item_vectors(2_000), IndexSection(kind=request.param), 0, Silent())
    index.save(tmp_path)
    return tmp_path


def test_a_folder_without_description_is_refused_by_name(tmp_path):
    with pytest.raises(ReleaseError, match=r"index\.json: the index has no description"):
        load_index(tmp_path)


def test_a_newer_index_says_upgrade(saved):
    description = json.loads((saved / "index.json").read_text())
    (saved / "index.json").write_text(json.dumps(description | {"format": 99, "kind": {}}))
    with pytest.raises(ReleaseError, match=r"format 99.*Upgrade"):
        load_index(saved)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": "x"}'])
def test_a_damaged_description_is_refused(saved, content):
    (saved / "index.json").write_text(content)
    with pytest.raises(ReleaseError, match=r"index\.json: .*unreadable.*train again"):
        load_index(saved)


def test_an_unknown_kind_is_refused(saved):
    description = json.loads((saved / "index.json").read_text())
    (saved / "index.json").write_text(json.dumps(description | {"kind": "hnsw"}))
    with pytest.raises(ReleaseError, match="'hnsw'"):
        load_index(saved)


def test_files_of_different_builds_are_refused(saved):
    vectors = np.load(saved / "vectors.npy")
    np.save(saved / "vectors.npy", vectors[:-1])
    with pytest.raises(ReleaseError, match=r"describes 2000 vectors of 16.* holds 1999 of 16"):
        load_index(saved)


@pytest.mark.parametrize(
    ("saved", "name"),
    [("exact", "vectors.npy"), ("ivf", "vectors.npy"), ("ivf", "lists.faiss")],
    indirect=["saved"],
)
@pytest.mark.parametrize("damage", ["missing", "empty", "truncated"])
def test_a_damaged_file_is_refused_by_name(saved, name, damage):
    path = saved / name
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(content[: 0 if damage == "empty" else len(content) // 2])
    with pytest.raises(ReleaseError, match=rf"{name}: .*train again or roll back"):
        load_index(saved)


@given(st.integers(0, 10_000_000))
def test_clusters_are_a_power_of_two_with_enough_vectors_to_train(n):
    lists = lists_for(n)
    assert lists & (lists - 1) == 0
    assert lists == 1 or lists * 39 <= n


def test_a_million_and_a_half_vectors_have_4096_clusters():
    assert lists_for(1_500_000) == 4_096


@given(st.integers(1, 2_000))
def test_sub_quantisers_divide_the_vector_into_at_most_four_numbers(dim):
    quantisers = quantisers_for(dim)
    assert dim % quantisers == 0
    assert 1 <= dim // quantisers <= 4
