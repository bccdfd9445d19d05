"""Interactions from a file, and the four ways to hold a part of them out.

A `Stage` is one exam: what may be learned from, and requests with their histories and answers.
Every protocol gives two, validation and test; the test's relevant items are in neither the
validation stage nor anything that a choice is made on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from shortlist.config.schema import EvaluateSection
from shortlist.core.catalogue import Catalogue
from shortlist.core.errors import DataError
from shortlist.core.times import DAY, MINUTE, SECOND
from shortlist.core.vocabulary import Vocabulary
from shortlist.offline.data.split import newest_part
from shortlist.offline.data.training import TrainingData
from shortlist.offline.evaluate.ragged import Ragged
from shortlist.offline.evaluate.requests import ask
from shortlist.stores.contract import EVENT, Events

USERS = ("user_id", "user", "userid", "uid", "visitorid", "session_id", "sessionid")
ITEMS = ("item_id", "item", "itemid", "iid", "movie_id", "movieid", "product_id")
TIMES = ("timestamp", "time", "ts", "date", "created_at")
ORDERS = ("position", "order", "index")
GAP = 30 * MINUTE
HELD_OUT = 10_000
REQUESTS = 20_000


@dataclass(frozen=True)
class Stage:
    """One exam.

    Attributes:
        known: what may be learned from.
        user: `int64[q]`, who makes each request.
        now: `int64[q]`.
        history: what the pipeline is told of each request's user, oldest first.
        times: the times of `history.values`.
        relevant: the right answers.
        seen: whether items of the history may be answered.
    """

    known: TrainingData
    user: NDArray[np.int64]
    now: NDArray[np.int64]
    history: Ragged
    times: NDArray[np.int64]
    relevant: Ragged
    seen: bool = False

    def __len__(self) -> int:
        return len(self.now)


@dataclass(frozen=True)
class Exam:
    """A protocol applied to a log: its two stages and its rules in words."""

    validation: Stage
    test: Stage
    words: str


class Histories:
    """A `HistoryReader` of a stage: the user `"7"` is the one who makes its request 7."""

    def __init__(self, stage: Stage) -> None:
        self._offsets = stage.history.offsets
        self._events = np.zeros(len(stage.history.values), EVENT)
        self._events["item"] = stage.known.catalogue.vocabulary.keys()[stage.history.values]
        self._events["time"] = stage.times

    def read(self, users: Sequence[str], before: NDArray[np.int64] | None = None) -> list[Events]:
        places = [int(user) for user in users]
        return [self._events[self._offsets[q] : self._offsets[q + 1]] for q in places]

    def since(self, time: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        return np.empty(0, np.uint64), np.empty(0, np.int64)


def read_log(path: Path) -> tuple[TrainingData, bool]:
    """The interactions of a Parquet or CSV file, and whether their times are a clock's."""
    table = pyarrow.csv.read_csv(path) if path.suffix == ".csv" else pq.read_table(path)
    columns = {name.lower(): name for name in table.column_names}

    def named(candidates: Sequence[str]) -> str:
        return next((columns[name] for name in candidates if name in columns), "")

    user, item, time, order = (named(names) for names in (USERS, ITEMS, TIMES, ORDERS))
    if not user or not item:
        raise DataError(
            f"no column of {path.name} is plainly the user and the item.",
            remedy=f"Name them user_id and item_id; there are {', '.join(table.column_names)}.",
            where=str(path),
        )
    users, _ = _codes(table[user])
    items, ids = _codes(table[item])
    if time:
        times = _microseconds(table[time])
        return log_of(users, items, times, ids), True
    places = table[order].to_numpy() if order else np.arange(len(table))
    return log_of(users, items, _steps(users, places), ids), False


def log_of(
    user: NDArray[np.integer],
    item: NDArray[np.integer],
    time: NDArray[np.integer],
    ids: Sequence[str],
) -> TrainingData:
    """Training data of columns in any order; sessions end at pauses of more than 30 minutes."""
    sort = np.lexsort((item, time, user))
    user, item, time = user[sort], item[sort], time[sort].astype(np.int64)
    ends = np.ones(len(user), np.bool_)
    ends[1:] = (user[1:] != user[:-1]) | (np.diff(time) > GAP)
    forever = np.full(len(ids), np.iinfo(np.int64).max)
    return TrainingData(
        catalogue=Catalogue(Vocabulary.of(ids), {}, np.ones(len(ids), np.bool_), forever),
        users=int(user.max(initial=-1)) + 1,
        user=user.astype(np.int32),
        item=item.astype(np.int32),
        time=time,
        weight=np.ones(len(user), np.float32),
        session=np.cumsum(ends),
        until=int(time.max(initial=0)) + 1,
    )


def _codes(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], list[str]]:
    encoded = pc.cast(column, pa.string()).combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist()


def _microseconds(column: pa.ChunkedArray) -> NDArray[np.int64]:
    if pa.types.is_temporal(column.type):
        return column.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    values = column.to_numpy().astype(np.float64)
    largest = np.abs(values).max()
    unit = SECOND if largest < 1e11 else SECOND // 1_000 if largest < 1e14 else 1
    return (values * unit).astype(np.int64)


def _steps(user: NDArray[np.int32], order: NDArray[np.integer]) -> NDArray[np.int64]:
    """Times for a log that has only an order: each user's events a second apart."""
    sort = np.lexsort((order, user))
    ranks = np.empty(len(user), np.int64)
    starts = np.searchsorted(user[sort], np.arange(user.max() + 1))
    ranks[sort] = np.arange(len(user)) - starts[user[sort]]
    return 1_000 * DAY + ranks * SECOND


def kept(data: TrainingData, keep: NDArray[np.bool_], until: int = 0) -> TrainingData:
    """Some of the events; the log then ends at `until`, or where it did."""
    return replace(
        data,
        user=data.user[keep],
        item=data.item[keep],
        time=data.time[keep],
        weight=data.weight[keep],
        session=data.session[keep],
        until=until or data.until,
    )


def leave_one_out(data: TrainingData, clock: bool, seed: int) -> Exam:
    """Each user's last event is the test, the one before it validation."""
    counts = np.bincount(data.user, minlength=data.users)
    starts = np.concatenate([[0], np.cumsum(counts)])
    left = starts[data.user + 1] - 1 - np.arange(len(data))  # 0 for a user's last event

    def stage(hold: int) -> Stage:
        users = np.flatnonzero(counts >= 3)
        target = starts[users + 1] - 1 - hold
        lengths = target - starts[users]
        rows = _ranges(starts[users], lengths)
        held = (left <= hold) & (counts[data.user] >= 3)
        return Stage(
            kept(data, ~held),
            users,
            data.time[target] + 1,
            Ragged(np.concatenate([[0], np.cumsum(lengths)]), data.item[rows]),
            data.time[rows],
            Ragged(np.arange(len(users) + 1), data.item[target]),
        )

    return Exam(
        stage(1),
        stage(0),
        "Leave one out: each user's last event is the test, the one before it validation. "
        "Everything before the last event is learned from for the test, and before the last two "
        "for validation. Items of the history are not ranked.",
    )


def temporal(data: TrainingData, clock: bool, seed: int) -> Exam:
    """Events after an instant are the test, those before it and after another are validation."""
    if not clock:
        raise DataError(
            "the file has an order but no times, so it cannot be split at an instant.",
            remedy="Use --protocol leave-one-out.",
        )

    def stage(log: TrainingData) -> Stage:
        split = newest_part(log.time, "auto")
        asked = ask(log, split, EvaluateSection(users=5_000, requests_per_user=5), seed)
        starts = np.searchsorted(log.user, asked.user)
        rows = _ranges(starts, asked.history.lengths)
        return Stage(
            log.before(split),
            asked.user.astype(np.int64),
            asked.now,
            Ragged(asked.history.offsets, log.item[rows]),
            log.time[rows],
            asked.relevant,
        )

    test = stage(data)
    return Exam(
        stage(test.known),
        test,
        "Temporal: the newest tenth of the log is the test, the newest tenth before it "
        "validation. Up to 5,000 users make up to 5 requests each at held-out events, with what "
        "they did before; relevant is all that they do from then on that is new to them.",
    )


def strong_generalisation(data: TrainingData, clock: bool, seed: int) -> Exam:
    """Held-out users show 80% of their items and are asked for the rest."""
    rng = np.random.default_rng([seed, 0x57])
    users = np.unique(data.user)
    held = rng.permutation(users)[: 2 * min(HELD_OUT, len(users) // 10)]
    known = kept(data, ~np.isin(data.user, held))

    def stage(who: NDArray[np.integer]) -> Stage:
        made, shown, times, wanted = [], [], [], []
        for user in np.sort(who).tolist():
            start, stop = np.searchsorted(data.user, [user, user + 1])
            item, first = np.unique(data.item[start:stop], return_index=True)
            hide = rng.permutation(len(item))[: round(0.2 * len(item))]
            if len(hide) and len(hide) < len(item):
                keep = np.sort(np.delete(first, hide))
                made.append(user)
                shown.append(data.item[start:stop][keep])
                times.append(data.time[start:stop][keep])
                wanted.append(item[hide])
        return Stage(
            known,
            np.array(made, np.int64),
            np.full(len(made), data.until),
            Ragged.of(shown),
            np.concatenate(times) if times else np.empty(0, np.int64),
            Ragged.of(wanted),
        )

    half = len(held) // 2
    return Exam(
        stage(held[:half]),
        stage(held[half:]),
        f"Strong generalisation: {half} users are held out for the test and as many for "
        "validation; nothing of them is learned from. Each shows a random 80% of their items and "
        "is asked for the others. Recall is divided by min(k, relevant) (Liang et al. 2018).",
    )


def session(data: TrainingData, clock: bool, seed: int) -> Exam:
    """The next item at every step of held-out sessions, from the session so far."""
    names, starts, lengths = np.unique(data.session, return_index=True, return_counts=True)
    newest = np.maximum.reduceat(data.time, starts)
    order = np.argsort(newest, kind="stable")
    if not clock:
        order = np.random.default_rng([seed, 0x5E]).permutation(len(names))
    tenth = max(1, len(names) // 10)

    def stage(held: NDArray[np.integer], later: NDArray[np.integer]) -> Stage:
        known = kept(data, ~np.isin(data.session, names[np.concatenate([held, later])]))
        wanted = lengths[held] - 1  # every event but the first is asked for
        steps = np.repeat(held, wanted)
        place = _ranges(np.zeros(len(held), np.int64), wanted)
        if len(steps) > REQUESTS:
            rng = np.random.default_rng([seed, 0x5F])
            some = np.sort(rng.choice(len(steps), REQUESTS, replace=False))
            steps, place = steps[some], place[some]
        rows = _ranges(starts[steps], place + 1)
        target = starts[steps] + place + 1
        return Stage(
            known,
            steps.astype(np.int64),
            data.time[target],
            Ragged(np.concatenate([[0], np.cumsum(place + 1)]), data.item[rows]),
            data.time[rows],
            Ragged(np.arange(len(steps) + 1), data.item[target]),
            seen=True,
        )

    test, validation = order[-tenth:], order[-2 * tenth : -tenth]
    return Exam(
        stage(validation, test),
        stage(test, np.empty(0, np.int64)),
        "Session: the newest tenth of the sessions (a random tenth where there is no clock) is "
        "the test, the tenth before it validation. At every step but the first the next item is "
        "asked for, from the items of the session so far, which may come again.",
    )


PROTOCOLS: dict[str, Callable[[TrainingData, bool, int], Exam]] = {
    "leave-one-out": leave_one_out,
    "temporal": temporal,
    "strong-generalisation": strong_generalisation,
    "session": session,
}
SEQUENTIAL = ("leave-one-out", "session")


def _ranges(starts: NDArray[np.integer], lengths: NDArray[np.integer]) -> NDArray[np.int64]:
    """`starts[i], starts[i] + 1, …` of each length, one after another."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
