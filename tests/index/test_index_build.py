"""Choosing, tuning, saving and opening an index."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.config.schema import IndexSection
from shortlist.core.bitmap import pack
from shortlist.core.errors import ConfigError, DataError, ReleaseError
from shortlist.core.progress import Silent
from shortlist.index.approximate import Settings
from shortlist.index.build import build_index, load_index
from shortlist.index.centroids import lists_for, quantisers_for
from shortlist.index.compare import save_queries, stored_vectors
from shortlist.index.exact import ExactIndex
from shortlist.index.kinds import EXACT_UP_TO, bytes_for, choose
from shortlist.index.tune import filters_for, recall_of, sample_queries, trace, true_scores
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


def test_a_memory_limit_makes_auto_take_what_fits():
    n, dim = 40_000, 64
    assert choose(IndexSection(memory=20), n, dim).kind == "exact"
    tight = choose(IndexSection(memory=10), n, dim)
    assert bytes_for(tight.kind, n, dim, half=tight.half) <= 10_000_000
    assert "fit into 10 MB" in tight.why
    vectors = item_vectors(2_000)
    index, _ = build_index(vectors, IndexSection(), 0, Silent())
    assert index.search(vectors.vectors[:1], 1)[1].dtype == np.float32


def test_a_memory_limit_that_nothing_fits_says_what_is_needed():
    with pytest.raises(ConfigError, match=r"index\.memory: is 5 MB, and 40,000 .* need 6 MB as ex"):
        choose(IndexSection(memory=5), 40_000, 64)
    with pytest.raises(ConfigError, match=r"need \d+ MB as hnsw"):
        choose(IndexSection(kind="hnsw", memory=5), 40_000, 64)


@pytest.mark.parametrize("kind", ["exact", "ivf", "hnsw", "scann"])
def test_the_memory_foretold_is_that_of_the_files(kind, tmp_path):
    index, _ = build_index(item_vectors(20_000, 32), IndexSection(kind=kind, recall=0.5), 0)
    index.save(tmp_path)
    files = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert bytes_for(kind, 20_000, 32) == pytest.approx(files, rel=0.25)


KINDS = ["ivf", "hnsw", "scann"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", [0.8, 0.95])
def test_the_tuned_index_reaches_the_recall_on_queries_it_was_not_tuned_on(kind, target):
    vectors = item_vectors(6_000)
    config = IndexSection(kind=kind, recall=target, at=50)
    index, report = build_index(vectors, config, 0, Silent())
    assert report.kind == index.kind == kind
    assert report.reached
    assert report.recall >= target
    truth = ExactIndex.build(vectors.rows, vectors.vectors)
    fresh = sample_queries(vectors.vectors, 200, np.random.default_rng(99))
    found, _ = index.search(fresh, 50)
    assert recall_of(found, fresh, truth, true_scores(truth, fresh, 50)) >= target - 0.03


@pytest.mark.parametrize("kind", KINDS)
def test_filters_reach_the_recall_too_on_queries_they_were_not_tuned_on(kind):
    vectors = item_vectors(20_000)
    index, report = build_index(vectors, IndexSection(kind=kind, at=50), 0, Silent())
    truth = ExactIndex.build(vectors.rows, vectors.vectors)
    fresh = sample_queries(vectors.vectors, 100, np.random.default_rng(98))
    for name, allow in filters_for(vectors.rows, vectors.vectors, fresh[0]).items():
        found, _ = index.search(fresh, 50, allow)
        best = true_scores(truth, fresh, 50, allow)
        assert recall_of(found, fresh, truth, best) >= 0.95 - 0.03, name
    assert min(report.filtered.values()) >= 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_a_filter_that_takes_a_query_its_own_kind_away_holds_the_recall(kind):
    vectors = item_vectors(30_000, 32)
    index, _ = build_index(vectors, IndexSection(kind=kind), 0, Silent())
    truth = ExactIndex.build(vectors.rows, vectors.vectors)
    random = np.random.default_rng(96)
    recalls = []
    for query in vectors.vectors[:6]:
        allow = pack(vectors.vectors @ query < 0.4)
        near = query + 0.05 * random.normal(size=(10, 32)).astype(np.float32)
        found, _ = index.search(near, 100, allow)
        recalls.append(recall_of(found, near, truth, true_scores(truth, near, 100, allow)))
    assert np.mean(recalls) >= 0.95 - 0.03


@pytest.mark.parametrize("kind", KINDS)
def test_the_curve_holds_the_chosen_setting_and_all_others_that_were_tried(kind):
    index, report = build_index(item_vectors(6_000), IndexSection(kind=kind), 0, Silent())
    chosen = [setting for setting in report.curve if setting.knobs == report.knobs]
    assert [setting.recall for setting in chosen] == [report.recall]
    assert all(setting.queries_per_second > 0 for setting in report.curve)
    assert index.settings == Settings(100, report.knobs, report.spread)


def test_a_trace_rises_with_the_effort_of_each_curve():
    vectors = item_vectors(6_000)
    index, _ = build_index(vectors, IndexSection(kind="ivf"), 0, Silent())
    truth = ExactIndex.build(vectors.rows, vectors.vectors)
    queries = sample_queries(vectors.vectors, 50, np.random.default_rng(1))
    curve = trace(index, truth, queries, 20)
    for k_factor in {setting.knobs["k_factor"] for setting in curve}:
        group = [setting for setting in curve if setting.knobs["k_factor"] == k_factor]
        probes = [setting.knobs["nprobe"] for setting in group]
        assert probes == sorted(probes)
        recalls = [setting.recall for setting in group]
        assert all(b >= a - 0.01 for a, b in pairwise(recalls))


def test_the_same_seed_chooses_the_same_setting():
    one, two = (
        build_index(item_vectors(4_000), IndexSection(kind="ivf"), 3, Silent())[1] for _ in range(2)
    )
    assert (one.knobs, one.spread, one.recall) == (two.knobs, two.spread, two.recall)


def unlike_their_queries(n, dim):
    """Vectors and queries of two towers: each has a direction of its own that all share."""
    random = np.random.default_rng([n, dim])
    vectors = random.normal(size=(n, dim)) * np.exp(0.6 * random.normal(size=(n, 1)))
    vectors = (vectors / np.sqrt(dim) + 0.5 * random.normal(size=dim)).astype(np.float32)
    queries = random.normal(size=(300, dim)) + 2 * random.normal(size=dim)
    return vectors, queries.astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_is_tuned_on_the_queries_that_its_retriever_makes(kind, tmp_path):
    vectors, queries = unlike_their_queries(8_000, 16)
    given = ItemVectors(catalogue(8_000), vectors, queries[:200])
    index, report = build_index(given, IndexSection(kind=kind, at=10), 0)
    truth = ExactIndex.build(given.rows, vectors)
    found, _ = index.search(queries[200:], 10)
    best = true_scores(truth, queries[200:], 10)
    assert report.reached
    assert recall_of(found, queries[200:], truth, best) >= 0.95 - 0.03
    index.save(tmp_path)
    save_queries(tmp_path, given.queries)
    load_index(tmp_path)
    np.testing.assert_array_equal(stored_vectors(tmp_path).queries, given.queries)


@pytest.mark.parametrize("kind", ["ivf", "scann"])
def test_a_curve_that_begins_flat_is_followed_until_it_rises(kind):
    vectors, _ = unlike_their_queries(20_000, 32)
    _, report = build_index(
        ItemVectors(catalogue(20_000), vectors), IndexSection(kind=kind, at=10), 0
    )
    assert report.recall >= 0.9, report.curve


def test_the_recall_is_that_of_the_head_of_a_list_too():
    vectors = clustered_vectors(12_000, 16)
    vectors[np.random.default_rng(0).integers(0, 12_000, 20)] *= 50
    index, report = build_index(
        ItemVectors(catalogue(12_000), vectors), IndexSection(kind="ivf"), 0
    )
    assert report.reached
    fresh = sample_queries(vectors, 100, np.random.default_rng(97))
    truth = ExactIndex.build(catalogue(12_000), vectors)
    for k in (10, 100):
        found, _ = index.search(fresh, k)
        assert recall_of(found, fresh, truth, true_scores(truth, fresh, k)) >= 0.95 - 0.03


@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e3])
def test_the_recall_reported_does_not_depend_on_the_scale_of_the_vectors(scale):
    vectors = clustered_vectors(6_000, 16)
    section = IndexSection(kind="ivf", at=50)
    plain = build_index(ItemVectors(catalogue(6_000), vectors), section, 0)[1]
    scaled = build_index(ItemVectors(catalogue(6_000), vectors * np.float32(scale)), section, 0)[1]
    assert scaled.curve[0].recall == pytest.approx(plain.curve[0].recall, abs=0.03)
    assert scaled.curve[0].recall < 0.9


def test_a_recall_out_of_reach_takes_the_best_and_says_so():
    notes = Notes()
    _, report = build_index(item_vectors(3_000), IndexSection(kind="ivf", recall=1.01), 0, notes)
    assert not report.reached
    assert report.recall == max(setting.recall for setting in report.curve)
    assert "below the 1.01 asked for" in notes.notes[-1]


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


@pytest.fixture(params=["exact", *KINDS])
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


def test_an_older_index_says_train(saved):
    description = json.loads((saved / "index.json").read_text())
    (saved / "index.json").write_text(json.dumps(description | {"format": 1}))
    with pytest.raises(ReleaseError, match=r"format 1, .* reads 2\. Train again"):
        load_index(saved)


def test_parameters_that_cannot_be_are_refused(tmp_path):
    build_index(item_vectors(2_000), IndexSection(kind="ivf"), 0)[0].save(tmp_path)
    description = json.loads((tmp_path / "index.json").read_text())
    for name in ("at", "nprobe", "k_factor", "spread"):
        damaged = description | {"parameters": description["parameters"] | {name: 0}}
        (tmp_path / "index.json").write_text(json.dumps(damaged))
        with pytest.raises(ReleaseError, match=rf"index\.json: parameters\.{name} is 0"):
            load_index(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 2}', '{"format": "x"}'])
def test_a_damaged_description_is_refused(saved, content):
    (saved / "index.json").write_text(content)
    with pytest.raises(ReleaseError, match=r"index\.json: .*unreadable.*train again"):
        load_index(saved)


def test_an_unknown_kind_is_refused(saved):
    description = json.loads((saved / "index.json").read_text())
    (saved / "index.json").write_text(json.dumps(description | {"kind": "tree"}))
    with pytest.raises(ReleaseError, match="'tree'"):
        load_index(saved)


def test_files_of_different_builds_are_refused_even_without_checksums(saved):
    vectors = np.load(saved / "vectors.npy")
    np.save(saved / "vectors.npy", vectors[:-1])
    with pytest.raises(
        ReleaseError, match=r"vectors\.npy: has .* bytes, and the index was written"
    ):
        load_index(saved)
    with pytest.raises(ReleaseError, match="different builds"):
        load_index(saved, check=False)


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
