"""Drafting, committing, promoting, rolling back and pruning."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortlist.core.errors import ReleaseError
from shortlist.release.publish import Releases
from shortlist.testing.release import FIELDS, fill, names, publish


@pytest.fixture
def releases(tmp_path):
    return Releases(tmp_path / "releases")


def test_a_folder_that_is_not_there_holds_no_release(releases):
    assert releases.list() == []
    assert releases.ids() == []
    assert releases.current() is None
    assert releases.prune(1) == []
    with pytest.raises(ReleaseError, match="nothing is published yet"):
        releases.current_path()
    with pytest.raises(ReleaseError, match="no earlier release"):
        releases.rollback()
    assert not releases.folder.exists()


def test_a_committed_draft_is_a_release_and_not_yet_current(releases):
    id = publish(releases)
    assert [manifest.id for manifest in releases.list()] == [id]
    assert releases.current() is None
    assert names(releases.folder) == {id, ".lock"}
    manifest = releases.verify(id)
    assert manifest.items == 3
    assert manifest.artefacts[0].folder == "artefacts/popular.popular"
    assert set(manifest.files) == {
        "catalogue/data.npy",
        "artefacts/popular.popular/data.npy",
        "indexes/graph/data.npy",
    }
    assert manifest.size == 3 * len(b"content")


def test_releases_are_listed_newest_first_and_ids_sort_by_time(releases):
    made = [publish(releases) for _ in range(5)]
    assert made == sorted(made)
    assert [manifest.id for manifest in releases.list()] == made[::-1]


def test_a_draft_that_fails_leaves_nothing(releases):
    with pytest.raises(ZeroDivisionError), releases.draft() as draft:
        fill(draft.path)
        raise ZeroDivisionError
    with releases.draft() as draft:
        fill(draft.path)  # never committed
    assert names(releases.folder) == {".lock"}


def test_a_field_that_a_manifest_does_not_have_is_refused(releases):
    with (
        pytest.raises(ReleaseError, match=r"no field 'watermarks'\. Did you mean 'watermark'"),
        releases.draft() as draft,
    ):
        draft.commit({"watermarks": 1})
    with pytest.raises(ReleaseError, match=r"`\$\.items`"), releases.draft() as draft:
        draft.commit({"items": "many"})
    assert names(releases.folder) == {".lock"}


def test_a_link_in_a_draft_is_refused(releases, tmp_path):
    with pytest.raises(ReleaseError, match="neither a file nor a folder"), releases.draft() as d:
        fill(d.path)
        (d.path / "catalogue" / "link").symlink_to(tmp_path)
        d.commit(FIELDS)
    assert releases.ids() == []


def test_the_draft_of_a_living_writer_is_left_alone_and_that_of_a_dead_one_is_removed(releases):
    with releases.draft() as one:
        left = releases.folder / ".draft-left-by-a-dead-process"
        fill(left)
        with releases.draft() as other:
            assert not left.exists()
            assert one.path.exists()
            assert other.path.exists()
            assert one.path != other.path


def test_promote_moves_the_pointer(releases):
    one, two = publish(releases), publish(releases)
    releases.promote(two)
    assert releases.current() == two
    assert releases.current_path() == releases.folder / two
    assert (releases.folder / "current").read_text() == f"{two}\n"
    releases.promote(one)
    assert releases.current() == one


def test_rollback_goes_back_through_what_was_current(releases):
    a, b, c = (publish(releases) for _ in range(3))
    for id in (a, c, b, b):
        releases.promote(id)
    assert releases.rollback() == c
    assert releases.current() == c
    assert releases.rollback() == a
    with pytest.raises(ReleaseError, match="no earlier release was current"):
        releases.rollback()
    assert releases.current() == a


def test_rollback_refuses_a_damaged_release_and_changes_nothing(releases):
    a, b = publish(releases), publish(releases)
    releases.promote(a)
    releases.promote(b)
    (releases.folder / a / "catalogue" / "data.npy").write_bytes(b"c0ntent")
    with pytest.raises(ReleaseError, match="checksum differs"):
        releases.rollback()
    assert releases.current() == b


@pytest.mark.parametrize("crashed", ["before current moves", "before previous shrinks"])
def test_a_crash_between_the_pointer_and_its_history_loses_neither(releases, crashed):
    a, b, c = (publish(releases) for _ in range(3))
    for id in (a, b, c):
        releases.promote(id)
    previous, current = releases.folder / "previous", releases.folder / "current"
    if crashed == "before current moves":
        previous.write_text(f"{a}\n{b}\n{c}\n")  # of a promotion of yet another release
    else:
        current.write_text(f"{b}\n")  # of a rollback
    assert releases.rollback() == (b if crashed == "before current moves" else a)


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    releases = Releases(tmp_path_factory.mktemp("releases"))
    for _ in range(4):
        publish(releases)
    return releases


@settings(max_examples=15)
@given(order=st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_rollbacks_retrace_promotions(four, order):
    releases, ids = four, four.ids()
    for pointer in ("current", "previous"):
        (releases.folder / pointer).unlink(missing_ok=True)
    trail = []
    for choice in order:
        releases.promote(ids[choice])
        if trail[-1:] != [ids[choice]]:
            trail.append(ids[choice])
    back = [releases.rollback() for _ in trail[1:]]
    assert back == trail[-2::-1]


def test_prune_keeps_the_newest_and_the_current_and_what_rollback_needs(releases):
    ids = [publish(releases) for _ in range(6)]
    releases.promote(ids[0])
    releases.promote(ids[1])
    assert releases.prune(2) == ids[2:4]
    assert releases.ids() == [ids[0], ids[1], ids[4], ids[5]]
    assert releases.rollback() == ids[0]
    assert names(releases.folder) == {*releases.ids(), "current", "previous", ".lock"}


def test_prune_keeps_what_an_experiment_compares(releases):
    ids = [publish(releases) for _ in range(4)]
    releases.promote(ids[3])
    assert releases.prune(1, [ids[1], ""]) == [ids[0], ids[2]]


def test_prune_to_nothing_keeps_what_serves(releases):
    ids = [publish(releases) for _ in range(3)]
    releases.promote(ids[1])
    assert releases.prune(0) == [ids[0], ids[2]]
    assert releases.current_path().is_dir()


def test_what_an_interrupted_prune_left_is_removed_later(releases):
    id = publish(releases)
    (releases.folder / id).rename(releases.folder / f".gone-{id}")
    publish(releases)
    assert not (releases.folder / f".gone-{id}").exists()


@pytest.mark.parametrize("id", ["nonsense", "../outside", "", ".lock"])
def test_what_is_no_release_cannot_be_promoted(releases, id):
    known = publish(releases)
    with pytest.raises(ReleaseError, match="there is no release"):
        releases.promote(id)
    with pytest.raises(ReleaseError, match=f"Did you mean '{known}'"):
        releases.promote(known[:-1] + "x")
    assert releases.current() is None


def test_a_pointer_to_nonsense_or_to_a_lost_release_is_an_error_that_says_so(releases):
    id = publish(releases)
    releases.promote(id)
    (releases.folder / "current").write_text("../../etc\n")
    with pytest.raises(ReleaseError, match=r"current: .*not the id of a release"):
        releases.current_path()
    (releases.folder / "current").write_text("20200101T000000000000-abcdef\n")
    with pytest.raises(ReleaseError, match="there is no release"):
        releases.current_path()
