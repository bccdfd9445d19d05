"""A release that is not what was published, or is not fit to serve, never becomes current."""

from __future__ import annotations

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.errors import ReleaseError
from shortlist.release.manifest import read_manifest
from shortlist.release.publish import Releases
from shortlist.testing.release import publish


@pytest.fixture
def releases(tmp_path):
    held = Releases(tmp_path)
    held.promote(publish(held))
    return held


def refused(releases, id, pattern, **kwargs):
    """Promotion fails with a message, and what serves goes on serving."""
    before = releases.current()
    with pytest.raises(ReleaseError, match=pattern):
        releases.promote(id, **kwargs)
    assert releases.current() == before
    releases.verify(before)


@given(data=st.data())
def test_any_flipped_byte_in_any_file_is_detected(tmp_path_factory, data):
    releases = Releases(tmp_path_factory.mktemp("releases"))
    id = publish(releases, content=b"some \x00 content")
    files = sorted(path for path in (releases.folder / id).rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with pytest.raises(ReleaseError):
        releases.verify(id)


def test_a_missing_file_is_named(releases):
    id = publish(releases)
    (releases.folder / id / "indexes/graph/data.npy").unlink()
    refused(releases, id, r"indexes/graph/data\.npy: is missing")


def test_a_file_of_another_size_is_named_even_without_reading_it(releases):
    id = publish(releases)
    (releases.folder / id / "catalogue/data.npy").write_bytes(b"cont")
    refused(releases, id, r"catalogue/data\.npy: has 4 bytes instead of 7")
    with pytest.raises(ReleaseError, match="has 4 bytes"):
        releases.verify(id, deep=False)


def test_only_a_deep_check_reads_the_files(releases):
    id = publish(releases)
    (releases.folder / id / "catalogue/data.npy").write_bytes(b"c0ntent")
    releases.verify(id, deep=False)
    refused(releases, id, r"catalogue/data\.npy: .*checksum differs")


def test_a_file_too_many_is_named(releases):
    id = publish(releases)
    (releases.folder / id / "catalogue/extra").touch()
    refused(releases, id, "catalogue/extra: is not in the manifest")


def test_a_release_under_another_name_is_refused(releases):
    id = publish(releases)
    other = id[:-6] + "ffffff"
    shutil.copytree(releases.folder / id, releases.folder / other)
    refused(releases, other, f"the manifest is that of the release {id}")


@pytest.mark.parametrize(
    ("fields", "pattern"),
    [
        ({"items": 0}, "the catalogue is empty"),
        ({"indexes": {"graph": {"n": 0}}}, "indexes/graph: the index is empty"),
        ({"indexes": {"absent": {"n": 3}}}, "indexes/absent: holds no file"),
        (
            {"artefacts": [{"name": "x", "kind": "vector", "folder": "artefacts/x.vector"}]},
            r"artefacts/x\.vector: holds no file",
        ),
    ],
)
def test_a_release_with_an_empty_part_is_refused(releases, fields, pattern):
    refused(releases, publish(releases, **fields), pattern)


def test_a_release_below_a_floor_is_refused_with_both_figures(releases):
    id = publish(releases)
    refused(
        releases,
        id,
        r"releases\.floor\.ndcg@10: .*ndcg@10 = 0\.2500, below the floor of 0\.3",
        floor={"ndcg@10": 0.3},
    )
    releases.promote(id, {"ndcg@10": 0.25})
    assert releases.current() == id


def test_a_floor_reads_the_metrics_as_evaluate_writes_them(releases):
    ranking = {"ndcg@10": {"value": 0.2, "low": 0.1, "high": 0.4}}
    id = publish(releases, metrics={"users": 9, "ranking": ranking})
    refused(releases, id, "below the floor", floor={"ndcg@10": 0.3})
    releases.promote(id, {"ndcg@10": 0.2})


def test_a_release_that_was_not_measured_fails_a_floor(releases):
    refused(releases, publish(releases), "not evaluated for mrr", floor={"mrr": 0.1})
    nan = publish(releases, metrics={"mrr": None})
    refused(releases, nan, "not evaluated for mrr", floor={"mrr": 0.0})


def test_a_damaged_release_is_left_out_of_the_list(releases):
    good, bad = publish(releases), publish(releases)
    (releases.folder / bad / "manifest.json").write_text("{")
    listed = [manifest.id for manifest in releases.list()]
    assert good in listed
    assert bad not in listed
    assert bad in releases.ids()


def test_reading_a_manifest_tells_missing_from_newer_from_damaged(releases):
    folder = releases.folder / publish(releases)
    path = folder / "manifest.json"
    content = path.read_text()
    path.write_text(json.dumps(json.loads(content) | {"format": 99, "items": {"new": "shape"}}))
    with pytest.raises(ReleaseError, match=r"format 99, and this version reads up to 1.*Upgrade"):
        read_manifest(folder)
    for damaged in ("", content[: len(content) // 2], "[]", content.replace('"items": 3', "")):
        path.write_text(damaged)
        with pytest.raises(ReleaseError, match=r"manifest\.json: the manifest is unreadable"):
            read_manifest(folder)
    path.write_text(content.replace('"items": 3', '"items": 4'))
    with pytest.raises(ReleaseError, match="not what was published"):
        read_manifest(folder)
    path.write_text(content)
    assert read_manifest(folder).items == 3
    path.unlink()
    with pytest.raises(ReleaseError, match="there is no manifest"):
        read_manifest(folder)
    path.write_text(content)
    (folder / "manifest.sha256").unlink()
    with pytest.raises(ReleaseError, match=r"manifest\.sha256: .*missing"):
        read_manifest(folder)
