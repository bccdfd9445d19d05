"""Drift between releases and skew between serving and training, on numbers worked out by hand."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from shortlist.core.errors import StoreError
from shortlist.core.times import DAY
from shortlist.features import default_features
from shortlist.features.profile import Profile, ks, psi, report
from shortlist.features.skew import FeatureLog, Logged, compare, read_log


def test_nothing_drifts_from_itself() -> None:
    values = np.random.default_rng(0).normal(size=500).astype(np.float32)
    assert psi(values, values) == 0
    assert ks(values, values) == 0


def test_drift_of_two_values_is_the_textbook_sum() -> None:
    old = np.repeat(np.float32([0, 1]), [50, 50])
    new = np.repeat(np.float32([0, 1]), [80, 20])
    assert psi(old, new) == pytest.approx(0.3 * math.log(0.8 / 0.5) - 0.3 * math.log(0.2 / 0.5))
    assert ks(old, new) == pytest.approx(0.3)


def test_values_that_were_never_there_are_far_away() -> None:
    assert psi(np.zeros(100, np.float32), np.ones(100, np.float32)) > 5
    assert ks(np.zeros(100, np.float32), np.ones(100, np.float32)) == 1


def test_a_profile_keeps_a_sample_that_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    features = default_features("", "", {}, []).features
    x = np.random.default_rng(1).normal(size=(len(features), 5_000)).astype(np.float32)
    x[0, :4_000] = features[0].default
    names = [feature.name for feature in features]
    made = Profile.of(names, x, {names[0]: 0.75}, 7)
    made.save(tmp_path)
    again = Profile.load(tmp_path)
    assert again is not None
    assert again.sample.shape == (len(names), 2_000)
    np.testing.assert_array_equal(again.sample, Profile.of(names, x, {}, 7).sample)
    first, *_ = report(features, again, None)
    assert (first.importance, first.psi, first.ks) == (0.75, None, None)
    assert first.coverage == pytest.approx(0.2, abs=0.05)
    assert Profile.load(tmp_path / "elsewhere") is None


def test_skew_is_the_share_and_the_size_of_what_differs() -> None:
    names = ("score:a", "week", "idle")
    served = np.float32([[1, 1, 1, 1], [1, 2, 3, 4], [5, 5, 5, 5]])
    computed = np.float32([[0, 0, 0, 0], [1, 2, 3, 8], [5, 5, 5, 5.00001]])
    week, idle = compare(names, served, computed)
    assert (week.name, week.different, week.gap, week.worst) == ("week", 0.25, 1.0, 4.0)
    assert (idle.name, idle.different) == ("idle", 0.0)


def test_a_share_of_requests_is_logged_and_read_back(tmp_path: Path) -> None:
    log = FeatureLog(tmp_path, 0.3)
    assert 200 < sum(log.wanted() for _ in range(1_000)) < 400
    assert not FeatureLog(tmp_path, 0.0).wanted()
    for now in (20, 10):
        log.write(Logged("r", "책", now, ["a", "b"], [[1.5, 2.0]]))
    log.close()
    assert [one.now for one in read_log(tmp_path)] == [10, 20]
    assert read_log(tmp_path)[0].values == [[1.5, 2.0]]
    (tmp_path / "0-cut.jsonl").write_bytes(b'{"release":"r"')  # a process was killed
    assert len(read_log(tmp_path)) == 2
    (tmp_path / "0-other.jsonl").write_bytes(b"nonsense\n")
    with pytest.raises(StoreError, match="line 1 is not a logged request"):
        read_log(tmp_path)


def test_the_log_is_in_parts_by_size_and_day_and_old_parts_go(tmp_path: Path) -> None:
    one = Logged("r", "u", 0, ["a"], [[1.0]])
    line = len(msgspec.json.encode(one)) + 1
    instant = 100 * DAY
    log = FeatureLog(tmp_path, 1.0, size=2 * line, clock=lambda: instant)
    for _ in range(5):
        log.write(one)
        instant += 1
    sizes = [path.stat().st_size for path in sorted(tmp_path.glob("*.jsonl"))]
    assert sizes == [2 * line, 2 * line, line]
    instant = 101 * DAY
    log.write(one)
    other = FeatureLog(tmp_path, 1.0, clock=lambda: instant)
    instant += 1
    other.write(one)
    assert len(list(tmp_path.glob("*.jsonl"))) == 5
    assert len(read_log(tmp_path)) == 7
    instant = 130 * DAY + 3
    other.write(one)  # the first day's parts began 30 days ago, but for the last of them
    assert len(read_log(tmp_path)) == 4
    log.close()
    other.close()
