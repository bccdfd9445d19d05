"""How past sessions vote for items: what a `SessionIndex` means, for serving and for choosing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shortlist.core.bitmap import Bitmap, holds
from shortlist.core.jit import kernel
from shortlist.release.artefacts import SessionIndex

Votes = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Catalogue rows, each once, and their scores above 0; in no order."""
Matches = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]
"""Of each voter its first match; of each match the next one of its session (-1: none), where it is
in the session, and what it counts."""


class SessionVotes:
    """Scores sessions by the items they share with a history, and lets the nearest vote.

    Holds buffers, so it is one thread's.
    """

    def __init__(self, index: SessionIndex) -> None:
        self._index = index
        sessions = len(index.session_offsets) - 1
        lengths = np.diff(index.session_offsets)
        after = np.arange(1, index.window + 1) ** -index.distance
        near = np.concatenate([index.back * after[::-1], [0.0], after])
        self._near = near.astype(np.float32)
        self._length = (np.maximum(lengths, 1) ** -index.length_power).astype(np.float32)
        longest = int(np.diff(index.item_offsets).max(initial=0))
        self._matches = np.zeros(sessions, np.float32)
        self._newest = np.empty(sessions, np.int32)
        self._touched = np.empty(min(sessions, longest * index.reach), np.int32)
        self._slot = np.full(sessions, -1, np.int32)
        self._local = np.zeros(int(lengths.max(initial=0)), np.float32)
        self._sums = np.zeros(len(index.rarity), np.float32)
        self._found = np.empty(len(index.rarity), np.int32)

    def __call__(
        self, seeds: NDArray[np.int32], allow: Bitmap, stamp: NDArray[np.int32], token: int
    ) -> Votes:
        """The votes for a history.

        Args:
            seeds: `int32[s]` catalogue rows, newest first.
            allow: bitmap over catalogue rows; others get no vote.
            stamp: `int32[items]`; a row whose stamp is `token` gets no vote. Rows that get one are
                stamped `token + 1`.
            token: above every other stamp.
        """
        index = self._index
        seeds = seeds[: index.reach]
        items = (index.item_offsets, index.item_sessions, index.item_positions, index.rarity)
        n = _match(*items, seeds, index.decay, self._matches, self._newest, self._touched)
        voters, worth = _nearest(self._touched[:n], self._matches, self._length, index.nearest)
        if index.scoring == "context":
            matches = _in_context(*items, seeds, index.decay, voters, self._slot)
        else:
            matches = _at_newest(voters, worth, self._newest)
        return _vote(
            index.session_offsets,
            index.session_items,
            self._near,
            index.agreement,
            voters,
            matches,
            allow,
            stamp,
            token,
            index.target_rarity,
            self._local,
            self._sums,
            self._found,
        )


@kernel
def _match(
    item_offsets: NDArray[np.int64],
    item_sessions: NDArray[np.int32],
    item_positions: NDArray[np.int32],
    rarity: NDArray[np.float32],
    seeds: NDArray[np.int32],
    decay: float,
    matches: NDArray[np.float32],
    newest: NDArray[np.int32],
    touched: NDArray[np.int32],
) -> int:
    """Score the sessions of the seeds; how many there are. `newest` is the newest seed's place."""
    n = 0
    weight = 1.0
    for seed in seeds:
        add = np.float32(max(weight * rarity[seed], 1e-30))
        for e in range(item_offsets[seed], item_offsets[seed + 1]):
            session = item_sessions[e]
            if matches[session] == 0:
                touched[n] = session
                newest[session] = item_positions[e]
                n += 1
            matches[session] += add
        weight *= decay
    return n


@kernel
def _nearest(
    touched: NDArray[np.int32],
    matches: NDArray[np.float32],
    length: NDArray[np.float32],
    nearest: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The sessions that vote and what they are worth, leaving `matches` as zeros.

    Of sessions that are equally near the most recent ones vote.
    """
    worth = np.empty(len(touched), np.float32)
    for t in range(len(touched)):
        worth[t] = matches[touched[t]] * length[touched[t]]
        matches[touched[t]] = 0
    least, oldest = _least(worth, touched, nearest)
    voters = np.empty(min(len(touched), nearest), np.int32)
    kept = np.empty(len(voters), np.float32)
    n = 0
    for t in range(len(touched)):
        if worth[t] > least or (worth[t] == least and touched[t] >= oldest):
            voters[n] = touched[t]
            kept[n] = worth[t]
            n += 1
    return voters, kept


@kernel
def _least(
    worth: NDArray[np.float32], touched: NDArray[np.int32], nearest: int
) -> tuple[float, int]:
    """What a session must be worth to vote, and of those worth just that, the oldest to vote."""
    if len(touched) <= nearest:
        return 0.0, 0
    least = np.partition(worth, len(worth) - nearest)[len(worth) - nearest]
    even = np.sort(touched[worth == least])
    votes = nearest - (worth > least).sum()
    return float(least), int(even[len(even) - votes])


@kernel
def _at_newest(
    voters: NDArray[np.int32], worth: NDArray[np.float32], newest: NDArray[np.int32]
) -> Matches:
    """One match for each voter, of what the session is worth."""
    head = np.arange(len(voters)).astype(np.int32)
    return head, np.full(len(voters), -1, np.int32), newest[voters], worth


@kernel
def _in_context(
    item_offsets: NDArray[np.int64],
    item_sessions: NDArray[np.int32],
    item_positions: NDArray[np.int32],
    rarity: NDArray[np.float32],
    seeds: NDArray[np.int32],
    decay: float,
    voters: NDArray[np.int32],
    slot: NDArray[np.int32],
) -> Matches:
    """Every match of every voter, of what its seed counts. `slot` is -1 before and after."""
    most = 0
    for seed in seeds:
        most += item_offsets[seed + 1] - item_offsets[seed]
    head = np.full(len(voters), -1, np.int32)
    following = np.empty(most, np.int32)
    place = np.empty(most, np.int32)
    counts = np.empty(most, np.float32)
    for v in range(len(voters)):
        slot[voters[v]] = v
    n = 0
    weight = 1.0
    for seed in seeds:
        add = np.float32(max(weight * rarity[seed], 1e-30))
        for e in range(item_offsets[seed], item_offsets[seed + 1]):
            v = slot[item_sessions[e]]
            if v >= 0:
                following[n] = head[v]
                place[n] = item_positions[e]
                counts[n] = add
                head[v] = n
                n += 1
        weight *= decay
    for v in range(len(voters)):
        slot[voters[v]] = -1
    return head, following, place, counts


@kernel
def _vote(
    session_offsets: NDArray[np.int64],
    session_items: NDArray[np.int32],
    near: NDArray[np.float32],
    agreement: float,
    voters: NDArray[np.int32],
    matches: Matches,
    allow: Bitmap,
    stamp: NDArray[np.int32],
    token: int,
    scale: NDArray[np.float32],
    local: NDArray[np.float32],
    sums: NDArray[np.float32],
    found: NDArray[np.int32],
) -> Votes:
    """Add up the votes, leaving `local` and `sums` as zeros.

    `near` is what a match counts from `window` places before it to as many after it.
    """
    head, following, place, counts = matches
    window = len(near) // 2
    n = 0
    for v in range(len(voters)):
        first = session_offsets[voters[v]]
        length = session_offsets[voters[v] + 1] - first
        low, high = length, np.int64(0)
        match = head[v]
        while match >= 0:
            start = max(0, place[match] - window)
            stop = min(length, place[match] + window + 1)
            part, weights = local[start:stop], near[start - place[match] + window :]
            for p in range(len(part)):
                part[p] += counts[match] * weights[p]
            low, high = min(low, start), max(high, stop)
            match = following[match]
        _raise(local[low:high], agreement)
        for p in range(low, high):
            vote = local[p]
            local[p] = 0
            row = session_items[first + p]
            if vote == 0 or stamp[row] == token:
                continue
            if stamp[row] < token:
                if not holds(allow, row):
                    continue
                stamp[row] = token + 1
                found[n] = row
                n += 1
            sums[row] += vote
    return _collect(found[:n], sums, scale)


@kernel
def _raise(votes: NDArray[np.float32], power: float) -> None:
    """Raise votes to a power in place; the usual powers without a logarithm."""
    if power == 2:
        for p in range(len(votes)):
            votes[p] *= votes[p]
    elif power == 1.5:
        for p in range(len(votes)):
            votes[p] *= np.sqrt(votes[p])
    elif power != 1:
        for p in range(len(votes)):
            votes[p] = votes[p] ** power


@kernel
def _collect(
    found: NDArray[np.int32], sums: NDArray[np.float32], scale: NDArray[np.float32]
) -> Votes:
    """Take the sums above 0 out, leaving zeros."""
    rows = np.empty(len(found), np.int32)
    scores = np.empty(len(found), np.float32)
    kept = 0
    for row in found:
        if sums[row] > 0:
            rows[kept] = row
            scores[kept] = sums[row] * scale[row]
            kept += 1
        sums[row] = 0
    return rows[:kept], scores[:kept]
