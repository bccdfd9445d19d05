"""`neighbours`: an index of past sessions, which vote for what they went on with.

VMIS-kNN (Kersbergen, Sprangers and Schelter, "Serenade: low-latency session-based recommendation
in e-commerce at scale", SIGMOD 2022, section 3) with the position weights of STAN (Garg, Gupta,
Malhotra, Vig and Shroff, "Sequence and time aware neighborhood for session-based
recommendations", SIGIR 2019, section 3): an item counts by how near the match it was. That is the
`newest` scoring; `context` takes every match in, and raises what a place counts to a power.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import NeighboursRetriever
from shortlist.core.bitmap import full
from shortlist.core.jit import kernel
from shortlist.core.progress import Progress
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval.histories import has_sessions, histories, sessions
from shortlist.offline.retrieval.validation import (
    FEWEST,
    TOP,
    LastOut,
    choose,
    leave_last_out,
)
from shortlist.release.artefacts import Artefact, SessionIndex
from shortlist.release.session_votes import SessionVotes

DEFAULTS: dict[str, Any] = {"scoring": "newest", "agreement": 1.0}
"""What `auto` stays at where there are few users to ask."""

_AGREEMENTS = [1.0, 1.5, 2.0]
_CLEARLY = 1.02
"""`context` must be this much better; on some thousand users the two differ by 1.5% by chance."""
_RARITY = {"newest": 0.5, "context": 0.25}


def fit(
    data: TrainingData, config: NeighboursRetriever, seed: int, progress: Progress
) -> dict[str, Artefact]:
    """Sessions, and of each item its most recent ones.

    A log whose sessions mostly hold one event has whole histories instead. Sessions of one item
    are left out: they have nothing to vote for. The scoring, where it is left at `auto`, is chosen
    on the last items of a sample of users, by an index that does not hold them.

    Args:
        data: the interactions.
        config: how sessions are matched and how they vote.
        seed: of the sample.
        progress: a step for the choice and one for the index; notes what a session is and what was
            chosen.

    Returns:
        `sessions`: a `SessionIndex`.
    """
    data = data.frequent()
    within = config.within
    if within == "auto":
        within = "session" if has_sessions(data) else "history"
        progress.note(f"neighbours: a past session is a {within}.")
    asked = {name: getattr(config, name) for name in DEFAULTS}
    settings = {name: DEFAULTS[name] if asked[name] == "auto" else asked[name] for name in asked}
    open_ = [name for name in asked if asked[name] == "auto"]
    if open_ and asked["scoring"] != "newest":
        settings = _chosen(data, config, within, settings, open_, seed, progress)
    progress.step("neighbours: sessions")
    return {"sessions": _index(data, config, within, settings)}


def _chosen(
    data: TrainingData,
    config: NeighboursRetriever,
    within: str,
    start: dict[str, Any],
    names: list[str],
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    held = leave_last_out(data, seed)
    progress.step("neighbours: scoring")
    if len(held) < FEWEST:
        progress.note(
            f"neighbours: {len(held)} users have a last item to choose the scoring by, fewer than "
            f"{FEWEST}; kept {_said(start)}."
        )
        return start
    index = _index(held.data, config, within, start)
    popularity = np.bincount(held.data.item, minlength=data.items)

    def measure(settings: Mapping[str, Any]) -> float:
        rarity = _rarity(popularity, config, settings["scoring"])
        return _ndcg(replace(index, rarity=rarity, **_scoring(settings)), held)

    grid = {"agreement": _AGREEMENTS} if "agreement" in names else {}
    best, value, first = choose({**start, "scoring": "context"}, grid, measure, passes=1)
    other = f"agreement {start['agreement']}"
    if "scoring" in names:
        newest = {**start, "scoring": "newest"}
        other, first = "newest", measure(newest)
        if value <= first * _CLEARLY:
            best, value, other, first = newest, first, "context", value
    progress.note(
        f"neighbours: chose {_said(best)} on the last items of {len(held):,} users "
        f"(nDCG@10 {value:.4f}; {other} {first:.4f})."
    )
    return best


def _said(settings: Mapping[str, Any]) -> str:
    known = _scoring(settings)
    agreement = f", agreement {known['agreement']}" if known["scoring"] == "context" else ""
    return f"scoring {known['scoring']}{agreement}"


def _scoring(settings: Mapping[str, Any]) -> dict[str, Any]:
    """As the artefact has it; the newest match agrees with nothing."""
    scoring = settings["scoring"]
    agreement = float(settings["agreement"]) if scoring == "context" else 1.0
    return {"scoring": scoring, "agreement": agreement}


def _rarity(
    popularity: NDArray[np.int64], config: NeighboursRetriever, scoring: str
) -> NDArray[np.float32]:
    power = _RARITY[scoring] if config.rarity == "auto" else config.rarity
    return (np.maximum(popularity, 1.0) ** -power).astype(np.float32)


def _ndcg(index: SessionIndex, held: LastOut) -> float:
    """nDCG@10 of finding each target, items of the history left out.

    The sessions of who is asked are in the index, as they are when it serves. They hold nothing
    but the history, so they have no vote that counts. Ties count against the target.
    """
    votes = SessionVotes(index)
    items = len(index.rarity)
    allow, stamp = full(items), np.zeros(items, np.int32)
    total = 0.0
    for u in range(len(held)):
        history = held.items[held.offsets[u] : held.offsets[u + 1]]
        token = 2 * u + 2
        stamp[history] = token
        rows, scores = votes(history[::-1], allow, stamp, token)
        goal = scores[rows == held.targets[u]]
        if len(goal):
            rank = int((scores >= goal[0]).sum()) - 1
            total += 1 / np.log2(rank + 2) if rank < TOP else 0
    return total / max(1, len(held))


def _index(
    data: TrainingData, config: NeighboursRetriever, within: str, settings: Mapping[str, Any]
) -> SessionIndex:
    runs = (sessions if within == "session" else histories)(data)
    lengths = np.diff(runs.offsets)
    kept = lengths[runs.owner] > 1
    items, newest = runs.items[kept], runs.times[runs.offsets[1:] - 1][lengths > 1]
    offsets = np.concatenate([[0], np.cumsum(lengths[lengths > 1])]).astype(np.int64)
    # Sessions in order of their end, so that of an item the last ones are the most recent.
    order = np.argsort(newest, kind="stable")
    items, offsets = _reordered(items, offsets, order)
    item_offsets, item_sessions, positions = _recent(items, offsets, data.items, config.recent)
    popularity = np.bincount(data.item, minlength=data.items)
    target_rarity = np.maximum(popularity, 1.0) ** -config.target_power
    return SessionIndex(
        item_offsets,
        item_sessions,
        positions,
        offsets,
        items,
        _rarity(popularity, config, settings["scoring"]),
        target_rarity.astype(np.float32),
        config.decay,
        config.history,
        config.nearest,
        config.distance,
        config.window,
        config.back,
        config.length_power,
        **_scoring(settings),
    )


@kernel
def _reordered(
    items: NDArray[np.int32], offsets: NDArray[np.int64], order: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    out = np.empty_like(items)
    cuts = np.zeros(len(order) + 1, np.int64)
    for s in range(len(order)):
        part = items[offsets[order[s]] : offsets[order[s] + 1]]
        cuts[s + 1] = cuts[s] + len(part)
        out[cuts[s] : cuts[s + 1]] = part
    return out, cuts


@kernel
def _recent(
    items: NDArray[np.int32], offsets: NDArray[np.int64], n: int, most: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Of each item its most recent sessions, newest first, and where in them it is last."""
    counts = np.zeros(n, np.int64)
    latest = np.full(n, -1, np.int64)
    for s in range(len(offsets) - 1):
        for p in range(offsets[s], offsets[s + 1]):
            if latest[items[p]] != s:
                latest[items[p]] = s
                counts[items[p]] += 1
    starts = np.zeros(n + 1, np.int64)
    for i in range(n):
        starts[i + 1] = starts[i] + min(most, counts[i])
    found = np.empty(starts[n], np.int32)
    positions = np.empty(starts[n], np.int32)
    filled = starts[:-1].copy()
    latest[:] = -1
    for s in range(len(offsets) - 2, -1, -1):
        for p in range(offsets[s + 1] - 1, offsets[s] - 1, -1):
            i = items[p]
            if latest[i] != s:
                latest[i] = s
                if filled[i] < starts[i + 1]:
                    found[filled[i]] = s
                    positions[filled[i]] = p - offsets[s]
                    filled[i] += 1
    return starts, found, positions
