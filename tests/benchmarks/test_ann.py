"""`benchmarks/ann.py` from end to end, on a few thousand vectors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from _ann_data import Data, clustered, recall, trained, true_allowed
from ann import best

from shortlist.testing.index import clustered_vectors

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "ann.py"


def test_recall_counts_the_true_neighbours_that_are_found() -> None:
    found = np.array([[1, 2, 3], [4, 5, -1]])
    assert recall(found, np.array([[3, 2, 9], [4, -1, -1]]), 3) == 3 / 4


def test_the_truth_under_a_filter_is_that_of_the_allowed_vectors() -> None:
    vectors = np.eye(4, dtype=np.float32)
    data = Data("four", vectors, np.array([[4, 3, 2, 1]], np.float32), np.zeros((1, 1), np.int64))
    assert true_allowed(data, np.array([False, True, False, True]), 3).tolist() == [[1, 3, -1]]


def test_vectors_of_a_file_are_asked_for_and_searched_apart(tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", clustered_vectors(500, 8).astype(np.float16))
    for path in (tmp_path, tmp_path / "vectors.npy"):
        data = trained(path, None, 20)
        assert data.vectors.shape == (480, 8)
        assert data.queries.shape == (20, 8)
        assert data.queries.dtype == np.float32
        assert data.truth.shape == (20, 100)


def test_generated_vectors_are_unit_vectors_and_the_same_each_time() -> None:
    one, two = clustered(300, 5), clustered(300, 5)
    np.testing.assert_array_equal(one.vectors, two.vectors)
    np.testing.assert_allclose(np.linalg.norm(one.vectors, axis=1), 1, rtol=1e-5)


def test_the_best_point_is_the_fastest_that_reaches_the_recall() -> None:
    points = [
        {"engine": "shortlist ivf", "k": 10, "recall": share, "qps": rate}
        for share, rate in ((0.9, 300.0), (0.96, 200.0), (0.99, 100.0))
    ]
    assert best(points, 10, "qps", 0.95, True)["qps"] == 200
    assert best(points, 10, "qps", 0.995, True) is None
    assert best(points, 10, "qps", 0.95, False) is None


def test_the_script_compares_ours_with_the_library_and_writes_what_it_found(
    tmp_path: Path,
) -> None:
    told = ["--small", "--n", "2000", "--engines", "HNSW", "--filters", "0", "--threads", "1"]
    done = subprocess.run(
        [sys.executable, SCRIPT, *told, "--json", tmp_path / "out.json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "ours / peer" in done.stdout
    figures = json.loads((tmp_path / "out.json").read_text())["figures"]
    (one,) = figures["sets"]
    assert {"shortlist hnsw", "faiss HNSW,SQfp16"} <= {built["engine"] for built in one["built"]}
    assert max(point["recall"] for point in one["points"]) > 0.95
    assert one["summary"]["overhead"]
