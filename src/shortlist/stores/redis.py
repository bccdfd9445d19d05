"""Histories in Redis, shared by many machines.

One string for each user, whose bytes are the `EVENT` records as they are in memory; a script
merges new events into it, so an append is atomic and needs one round trip. Recent events are a
sorted set by time. How much a crash of Redis itself may lose is its own setting (`appendonly`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from shortlist.core.keys import encode, item_key, item_keys
from shortlist.stores.contract import EVENT, POSTED, Events, Posted
from shortlist.stores.merge import NO_EVENTS, Told, by_user, merge, owned, until
from shortlist.stores.server import Server

HISTORY = b"shortlist:history:"
RECENT = b"shortlist:recent"
POSTED_KEY = b"shortlist:posted"
NOTED_KEY = b"shortlist:noted"
LOAD_ROWS = 2_000
"""Histories sent in one pipeline of `load`."""

MERGE = """
local width, capacity = 20, tonumber(ARGV[1])
local history, fresh, owner = redis.call('GET', KEYS[1]) or '', ARGV[2], ARGV[3]

-- -1, 0, 1 as the record at `at` of `text` is before, equal to or after (time, item, kind)
local function compare(text, at, ilow, ihigh, tlow, thigh, kind)
  local il, ih, tl, th, k = struct.unpack('<I4I4I4i4I4', text, at)
  if th ~= thigh then return th < thigh and -1 or 1 end
  if tl ~= tlow then return tl < tlow and -1 or 1 end
  if ih ~= ihigh then return ih < ihigh and -1 or 1 end
  if il ~= ilow then return il < ilow and -1 or 1 end
  if k ~= kind then return k < kind and -1 or 1 end
  return 0
end

-- newest first, so that what is put in is never what a later one pushes out
local added = 0
for from = #fresh - width + 1, 1, -width do
  local il, ih, tl, th, kind = struct.unpack('<I4I4I4i4I4', fresh, from)
  local at, order = #history, -1
  while at > 0 do
    order = compare(history, at - width + 1, il, ih, tl, th, kind)
    if order <= 0 then break end
    at = at - width
  end
  local full = #history >= capacity * width
  if not (at > 0 and order == 0) and not (full and at == 0) then
    local record = string.sub(fresh, from, from + width - 1)
    local first = full and width + 1 or 1
    history = string.sub(history, first, at) .. record .. string.sub(history, at + 1)
    added = added + 1
    if owner ~= '' then
      redis.call('ZADD', KEYS[2], string.format('%.0f', th * 4294967296 + tl), record .. owner)
      local context = ARGV[4 + (from - 1) / width] or ''
      if context == '' then
        redis.call('XADD', KEYS[3], '*', 'e', record .. owner)
      else
        redis.call('XADD', KEYS[3], '*', 'e', record .. owner, 'c', context)
      end
    end
  end
end
if added > 0 then redis.call('SET', KEYS[1], history) end
return added
"""


class RedisHistory:
    """Histories in Redis.

    Args:
        url: where Redis is; its database belongs to one project.
        capacity: how many events of a user are kept.

    Raises:
        StoreError: nobody answers at the URL.
    """

    def __init__(self, url: str, capacity: int = 500) -> None:
        self.capacity = capacity
        self._server = Server(url)
        self._redis = self._server.client
        self._merge = self._redis.register_script(MERGE)

    def read(self, users: Sequence[str], before: NDArray[np.int64] | None = None) -> list[Events]:
        """The events of each user in one round trip, oldest first; see the contract."""
        if not users:
            return []
        with self._server.errors():
            blobs = self._redis.mget([_key(user) for user in users])
        instants = [None] * len(users) if before is None else before.tolist()
        return [
            until(NO_EVENTS if not blob else np.frombuffer(blob, EVENT), instant)[-self.capacity :]
            for blob, instant in zip(blobs, instants, strict=True)
        ]

    def append(self, users: Sequence[str], events: Events, contexts: Sequence[str] = ()) -> int:
        """Add events, all or none of them; see the contract."""
        return self._send(by_user(users, events).items(), Told(users, events, contexts))

    def note(self, users: Sequence[str], events: Events, contexts: Sequence[str] = ()) -> None:
        """Remember events for `noted` in one round trip; see the contract."""
        told = owned(events, item_keys(users))
        with self._server.errors():
            pipeline = self._redis.pipeline(transaction=True)
            texts = contexts or [""] * len(told)
            for event, context in zip(told, texts, strict=True):
                fields = {b"e": event.tobytes()}
                pipeline.xadd(NOTED_KEY, fields | ({b"c": context} if context else {}))
            pipeline.execute()

    def load(self, histories: Iterable[tuple[Sequence[str], NDArray[np.int64], Events]]) -> None:
        """Merge whole histories, some thousands in a round trip; see the contract."""
        rows = _rows(histories)
        while chunk := list(islice(rows, LOAD_ROWS)):
            self._send(chunk)

    def _send(self, rows: Iterable[tuple[str, Events]], told: Told | None = None) -> int:
        """Merge histories in one transaction; how many events were added. They are remembered for
        `since` and `posted` where their contexts are told."""
        with self._server.errors():
            pipeline = self._redis.pipeline(transaction=True)
            for user, fresh in rows:
                ordered, _ = merge(NO_EVENTS, fresh, self.capacity)
                owner = b"" if told is None else item_key(user).to_bytes(8, "little")
                own = {} if told is None else told.of(user, ordered)
                texts = [own.get(n, "") for n in range(len(ordered))] if own else []
                keys = [_key(user), RECENT, POSTED_KEY]
                self._merge(keys, [self.capacity, ordered.tobytes(), owner, *texts], pipeline)
            return sum(pipeline.execute())

    def since(self, time: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Appended events at or after a time; see the contract."""
        with self._server.errors():
            members = self._redis.zrange(RECENT, time, "+inf", byscore=True)
        events = np.frombuffer(b"".join(members), POSTED)
        return events["item"].copy(), events["time"].copy()

    def posted(self, after: str = "") -> Posted:
        """What was appended since an earlier call; see the contract."""
        return self._told(POSTED_KEY, after)

    def noted(self, after: str = "") -> Posted:
        """What was noted since an earlier call; see the contract."""
        return self._told(NOTED_KEY, after)

    def _told(self, stream: bytes, after: str) -> Posted:
        with self._server.errors():
            found = self._redis.xrange(stream, f"({after}" if after else "-", "+")
        events = np.frombuffer(b"".join(entry[b"e"] for _, entry in found), POSTED)
        told = {n: entry[b"c"].decode() for n, (_, entry) in enumerate(found) if b"c" in entry}
        return Posted.of(events, found[-1][0].decode() if found else after, told)

    def forget_recent(self, before: int) -> None:
        """Drop what `since` remembers from before a time."""
        with self._server.errors():
            for key in (POSTED_KEY, NOTED_KEY):
                self._trim(key, before)
            self._redis.zremrangebyscore(RECENT, "-inf", f"({before}")

    def _trim(self, stream: bytes, before: int) -> None:
        found = self._redis.xrange(stream)
        old = [id for id, entry in found if np.frombuffer(entry[b"e"], POSTED)["time"] < before]
        for start in range(0, len(old), LOAD_ROWS):
            self._redis.xdel(stream, *old[start : start + LOAD_ROWS])

    def close(self) -> None:
        """Close the connections."""
        self._server.close()


def _key(user: str) -> bytes:
    return HISTORY + encode(user)


def _rows(
    histories: Iterable[tuple[Sequence[str], NDArray[np.int64], Events]],
) -> Iterator[tuple[str, Events]]:
    for users, offsets, events in histories:
        bounds = offsets.tolist()
        for place, user in enumerate(users):
            yield user, events[bounds[place] : bounds[place + 1]]
