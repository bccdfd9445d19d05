"""`shortlist index tune` on a published release with vectors of two retrievers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from shortlist.cli.app import app
from shortlist.config.schema import IndexSection
from shortlist.core.catalogue import Catalogue
from shortlist.core.vocabulary import Vocabulary
from shortlist.index import build_index
from shortlist.release.artefacts import ItemVectors
from shortlist.release.publish import Releases
from shortlist.testing import shop
from shortlist.testing.index import catalogue, clustered_vectors

N = 2_000
run = CliRunner().invoke


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose release has vectors of 2,000 items by one retriever, of 50 by another."""
    home = tmp_path_factory.mktemp("project")
    (home / "shortlist.toml").write_text(shop.CONFIG)
    releases = Releases(home / ".shortlist" / "releases")
    with releases.draft() as draft:
        ids = Vocabulary.of([f"i{row:04}" for row in range(N)])
        always = np.full(N, np.iinfo(np.int64).max)
        Catalogue(ids, {}, np.ones(N, np.bool_), always).save(draft.path / "catalogue")
        indexes = {}
        for name, n in (("sequence", N), ("factors", 50)):
            vectors = ItemVectors(catalogue(n), clustered_vectors(n, 16))
            index, report = build_index(vectors, IndexSection(), 0)
            index.save(draft.path / "indexes" / name)
            indexes[name] = report.to_dict()
        manifest = draft.commit({"config": {}, "watermark": 0, "items": N, "indexes": indexes})
    releases.promote(manifest.id)
    return home


def test_it_prints_and_draws_the_curve_of_every_kind(project: Path, tmp_path: Path) -> None:
    told = [str(project), "--retriever", "sequence", "--at", "20", "--plot", str(tmp_path / "out")]
    result = run(app, ["index", "tune", *told])
    assert result.exit_code == 0, result.output
    for word in ("exact", "ivf", "hnsw", "scann", "nprobe", "beam", "leaves", "chosen"):
        assert word in result.stdout
    assert "training builds exact: up to 50,000 vectors are scanned." in result.stdout
    assert (tmp_path / "out" / "recall.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "out" / "recall.html").read_text()
    assert page.startswith("<!doctype html>")
    assert page.count("<svg") == 1
    assert "recall@20 of 2,000 vectors of 16" in page
    assert "src=" not in page  # it needs no other file


def test_as_json_it_says_everything(project: Path) -> None:
    told = [str(project), "--retriever", "sequence", "--recall", "0.9", "--at", "20", "--json"]
    result = run(app, ["index", "tune", *told])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert (answer["n"], answer["dim"], answer["target"]) == (N, 16, 0.9)
    assert [one["kind"] for one in answer["kinds"]] == ["exact", "ivf", "hnsw", "scann"]
    for one in answer["kinds"]:
        assert one["reached"]
        assert one["chosen"]["recall"] >= 0.9
        assert all(point["queries_per_second"] > 0 for point in one["curve"])


def test_few_vectors_have_only_the_exact_kind(project: Path) -> None:
    result = run(app, ["index", "tune", str(project), "--retriever", "factors", "--json"])
    assert result.exit_code == 0, result.output
    assert [one["kind"] for one in json.loads(result.stdout)["kinds"]] == ["exact"]


def test_it_asks_whose_vectors_and_knows_who_has_none(project: Path) -> None:
    result = run(app, ["index", "tune", str(project)])
    assert result.exit_code == 1
    assert "Name one of sequence, factors." in result.stderr
    result = run(app, ["index", "tune", str(project), "--retriever", "sequense"])
    assert result.exit_code == 1
    assert "Did you mean 'sequence'?" in result.stderr


def test_a_project_without_a_release_says_so(tmp_path: Path) -> None:
    (tmp_path / "shortlist.toml").write_text(shop.CONFIG)
    result = run(app, ["index", "tune", str(tmp_path)])
    assert result.exit_code == 1
    assert "error:" in result.stderr
