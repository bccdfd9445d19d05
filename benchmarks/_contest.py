"""Two ways to do one thing, in turns in one process, and what they took and found."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from _protocols import Stage
from numpy.typing import NDArray

ASKED = 2_000
"""At most so many requests measure what a model finds."""


@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes:
        name: who it is.
        run: trains what `fresh` made; this is timed.
        quality: figures of what `run` returned.
        fresh: makes what is trained anew, untimed.
    """

    name: str
    run: Callable[[Any], Any]
    quality: Callable[[Any], dict[str, float]]
    fresh: Callable[[], Any] = lambda: None


@dataclass(frozen=True)
class Contest:
    """Ours against a peer.

    Attributes:
        name: what is done.
        words: the conditions, in a sentence.
        unit: what `amount` counts.
        amount: how much of it one run does; speed is amount / seconds.
        ours, theirs: the sides.
    """

    name: str
    words: str
    unit: str
    amount: float
    ours: Side
    theirs: Side


@dataclass(frozen=True)
class Absent:
    """A contest that did not take place, and why."""

    name: str
    why: str


@dataclass
class Took:
    """Seconds of every run of a side, and the quality of its last."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    quality: dict[str, float] = field(default_factory=dict)


def hold(contest: Contest, repeats: int) -> dict[str, Any]:
    """Run both sides in turns; medians, and the ratios of the peer's seconds to ours."""
    took = {contest.ours.name: Took(), contest.theirs.name: Took()}
    for turn in range(repeats):
        # The order changes, so that a machine that slows down favours neither.
        sides = [contest.ours, contest.theirs][:: -1 if turn % 2 else 1]
        for side in sides:
            made = side.fresh()
            wall, cpu = time.perf_counter(), time.process_time()
            done = side.run(made)
            took[side.name].cpu.append(time.process_time() - cpu)
            took[side.name].wall.append(time.perf_counter() - wall)
            if turn == repeats - 1:
                took[side.name].quality = side.quality(done)
    out: dict[str, Any] = {"conditions": contest.words, "unit": contest.unit}
    for name, one in took.items():
        cpu, wall = statistics.median(one.cpu), statistics.median(one.wall)
        out[name] = {
            "cpu_s": cpu,
            "wall_s": wall,
            "per_cpu_s": contest.amount / cpu,
            **one.quality,
        }
    ours, theirs = (took[side.name] for side in (contest.ours, contest.theirs))
    out["peer"] = contest.theirs.name
    out["ratio"] = {
        "cpu": statistics.median(theirs.cpu) / statistics.median(ours.cpu),
        "wall": statistics.median(theirs.wall) / statistics.median(ours.wall),
    }
    return out


def recall(stage: Stage, scores: Callable[[NDArray[np.int64]], NDArray[np.floating]]) -> float:
    """recall@20 of a stage's one right answer, items of the history left out, ties against it.

    Args:
        stage: requests; at most `ASKED` of them, drawn once, are asked.
        scores: `[q, items]` for some requests by number.
    """
    asked = np.sort(np.random.default_rng(0).permutation(len(stage))[:ASKED])
    hits = 0
    for start in range(0, len(asked), 200):
        some = asked[start : start + 200]
        block = np.array(scores(some), np.float64)
        for place, q in enumerate(some.tolist()):
            block[place, stage.history[q]] = -np.inf
            hits += int((block[place] >= block[place, stage.relevant[q][0]]).sum() <= 20)
    return hits / len(asked)


def decayed(stage: Stage, requests: NDArray[np.int64], vectors: NDArray[Any]) -> NDArray[Any]:
    """The mean of the vectors of each history, each weighing 0.8 of the next newer one."""
    out = np.zeros((len(requests), vectors.shape[1]))
    for place, q in enumerate(requests.tolist()):
        newest = stage.history[q][-30:][::-1]
        out[place] = 0.8 ** np.arange(len(newest)) @ vectors[newest]
    return out
