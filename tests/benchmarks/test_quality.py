"""The protocols of `benchmarks/quality.py` on tiny logs, and the script from end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from _protocols import Stage, leave_one_out, log_of, read_log, session, strong_generalisation
from _published import KNOWN, PUBLISHED, SOURCES, known_as
from quality import LENGTH, Line, markov, measure

from shortlist.core.errors import DataError
from shortlist.core.times import DAY, MINUTE
from shortlist.offline.data.training import TrainingData

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "quality.py"


def log(*sequences: list[int], items: int = 6, gap: int = MINUTE) -> TrainingData:
    """One user for each sequence of items, a minute between events, a day between users."""
    user = np.repeat(np.arange(len(sequences)), [len(s) for s in sequences])
    item = np.array([i for s in sequences for i in s])
    time = np.concatenate(
        [(u + 1) * DAY + gap * np.arange(len(s)) for u, s in enumerate(sequences)]
    )
    return log_of(user, item, time, [f"i{n}" for n in range(items)])


def events(data: TrainingData) -> list[tuple[int, int]]:
    return list(zip(data.user.tolist(), data.item.tolist(), strict=True))


def answered(stage: Stage, rows: list[list[int]], scores: list[list[float]]) -> Line:
    """A line with the figures of the given lists."""
    line = Line("")
    given = np.full((len(stage), LENGTH), -1, np.int32)
    said = np.full((len(stage), LENGTH), -np.inf)
    for q, (some, values) in enumerate(zip(rows, scores, strict=True)):
        given[q, : len(some)], said[q, : len(some)] = some, values
    measure(line, (given, said), stage, "leave-one-out")
    return line


def test_leave_one_out_asks_for_the_last_and_validates_on_the_one_before() -> None:
    exam = leave_one_out(log([0, 1, 2, 3], [4, 5], [3, 2, 1]), True, 0)
    test, validation = exam.test, exam.validation
    assert test.user.tolist() == validation.user.tolist() == [0, 2]  # two events are too few
    assert [test.relevant[q].tolist() for q in range(2)] == [[3], [1]]
    assert [test.history[q].tolist() for q in range(2)] == [[0, 1, 2], [3, 2]]
    assert [validation.relevant[q].tolist() for q in range(2)] == [[2], [2]]
    assert [validation.history[q].tolist() for q in range(2)] == [[0, 1], [3]]
    assert events(test.known) == [(0, 0), (0, 1), (0, 2), (1, 4), (1, 5), (2, 3), (2, 2)]
    assert events(validation.known) == [(0, 0), (0, 1), (1, 4), (1, 5), (2, 3)]


def test_the_counter_of_next_items_is_right_by_hand() -> None:
    """After 1 comes 2 three times and 3 once; the user who is at 1 goes on to 3: second place."""
    exam = leave_one_out(log([1, 2, 0], [1, 2, 0], [1, 2, 0], [1, 3, 0], [5, 1, 3]), True, 0)
    line = Line("")
    measure(line, markov(exam.test), exam.test, "leave-one-out")
    rows, _ = markov(exam.test)
    assert rows[4, :2].tolist() == [2, 3]
    assert line.users["ndcg@10"][4] == pytest.approx(1 / np.log2(3))
    assert line.users["recall@10"][4] == 1.0


def test_a_tie_with_the_right_answer_counts_as_ranked_above_it() -> None:
    exam = leave_one_out(log([0, 1, 2]), True, 0)
    first = answered(exam.test, [[2, 3, 4]], [[3.0, 2.0, 1.0]])
    tied = answered(exam.test, [[2, 3, 4]], [[2.0, 2.0, 1.0]])
    assert first.seeds[0]["ndcg@10"] == 1.0
    assert tied.seeds[0]["ndcg@10"] == pytest.approx(1 / np.log2(3))
    every = answered(exam.test, [list(range(2, 5))], [[1.0] * 3])
    assert every.seeds[0]["ndcg@10"] == pytest.approx(0.5)  # third of three
    assert every.seeds[0]["coverage@10"] == 0.5  # three of six items


def test_strong_generalisation_learns_nothing_of_those_it_asks() -> None:
    data = log(*[[n % 6, (n + 1) % 6, (n + 2) % 6, (n + 3) % 6, (n + 4) % 6] for n in range(40)])
    exam = strong_generalisation(data, True, 0)
    asked = {*exam.test.user.tolist(), *exam.validation.user.tolist()}
    assert len(exam.test.user) == len(exam.validation.user) == 4
    assert len(asked) == 8
    assert not asked & set(exam.test.known.user.tolist())
    for stage in (exam.test, exam.validation):
        for q in range(len(stage)):
            shown, hidden = set(stage.history[q].tolist()), set(stage.relevant[q].tolist())
            assert (len(shown), len(hidden)) == (4, 1)  # a fifth of five items
            assert not shown & hidden


def test_sessions_are_asked_step_by_step_and_may_repeat() -> None:
    data = log(*[[0, 1, 2]] * 9, [3, 4, 3])
    exam = session(data, True, 0)
    assert exam.test.user.tolist() == [9, 9]  # the newest of ten, at two steps
    assert [exam.test.history[q].tolist() for q in range(2)] == [[3], [3, 4]]
    assert [exam.test.relevant[q].tolist() for q in range(2)] == [[4], [3]]
    assert exam.test.seen
    assert 3 not in exam.test.known.item
    assert 9 not in exam.validation.known.user
    assert 8 not in exam.validation.known.user


def test_an_order_without_a_clock_is_read_and_keeps_its_order(tmp_path: Path) -> None:
    table = pa.table({"user_id": ["b", "a", "b"], "item_id": [7, 8, 9], "position": [1, 0, 0]})
    pq.write_table(table, tmp_path / "log.parquet")
    data, clock = read_log(tmp_path / "log.parquet")
    assert not clock
    ids = data.catalogue.vocabulary.ids(data.item)
    assert sorted(zip(data.user.tolist(), ids, strict=True)) == [(0, "7"), (0, "9"), (1, "8")]
    assert ids[:2] == ["9", "7"]  # the user's first event first


def test_a_file_without_users_is_refused_by_name(tmp_path: Path) -> None:
    pq.write_table(pa.table({"who": [1], "item_id": [2]}), tmp_path / "log.parquet")
    with pytest.raises(DataError, match=r"log.parquet.*who, item_id"):
        read_log(tmp_path / "log.parquet")


def test_every_published_line_names_its_source_and_every_known_file_has_lines() -> None:
    assert set(KNOWN) <= set(PUBLISHED)
    assert {source for lines in PUBLISHED.values() for _, source, _ in lines} <= set(SOURCES)
    assert known_as(22_363, 12_101, "leave-one-out") == "Beauty"
    assert known_as(22_363, 12_101, "temporal") == ""


def test_a_small_run_prints_the_counters_and_writes_what_it_found(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--small", "--json", str(tmp_path / "out.json")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "(Markov counter)" in done.stdout
    told = json.loads((tmp_path / "out.json").read_text())
    models = told["models"]
    assert {"default recipe", "(decayed transitions, fixed)", "popular"} <= models.keys()
    assert models["default recipe"]["metrics"]["ndcg@10"]["mean"] > 0.3
    assert (
        models["default recipe"]["metrics"]["ndcg@10"]["mean"]
        > (models["popular"]["metrics"]["ndcg@10"]["mean"])
    )
    assert models["default recipe"]["training"]["cpu_s"] > 0
    best_alone = max(v for way, v in told["validation"].items() if way.startswith("source:"))
    assert max(told["validation"].values()) >= best_alone
    assert "Leave one out" in told["protocol"]["words"]
