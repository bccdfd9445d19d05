"""A load generator that is cheap on the processor and honest about latency.

Requests leave at the instants of a Poisson process whether or not earlier ones have been answered
(open loop), and a request's latency counts from the instant it was due to leave: a server that
falls behind cannot slow the generator down and so hide its queue (coordinated omission).
"""

from __future__ import annotations

import asyncio
import json
import random
import selectors
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass

SETTLE = 10.0
"""Seconds that answers may take after the last request has left."""


@dataclass
class Result:
    """One run: requests offered and answered a second, and latencies in milliseconds."""

    offered: float
    requests: int
    answered: float
    failed: int
    p50_ms: float
    p90_ms: float
    p99_ms: float


class Connection(asyncio.Protocol):
    """A keep-alive connection that pipelines nothing: one request at a time."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.due = 0.0
        self.missing = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self, request: bytes, due: float) -> None:
        assert self.transport is not None
        self.due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self.missing == 0:
            end = data.find(b"\r\n\r\n")
            head = data[:end].lower()
            at = head.index(b"content-length:") + 15
            length = int(head[at : head.find(b"\r", at) if b"\r" in head[at:] else None])
            self.missing = end + 4 + length
            if not data.startswith(b"HTTP/1.1 200"):
                self.load.failed += 1
        self.missing -= len(data)
        if self.missing == 0:
            self.load.done(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.load.lost(self)


class Load:
    """Requests at a rate over a pool of connections."""

    def __init__(self, users: int, k: int, seed: int) -> None:
        self.random = random.Random(seed)
        self.users, self.k = users, k
        self.idle: deque[Connection] = deque()
        self.queue: deque[float] = deque()
        self.latencies: list[float] = []
        self.failed = 0

    def request(self) -> bytes:
        body = json.dumps({"user": f"u{self.random.randrange(self.users)}", "k": self.k}).encode()
        return (
            b"POST /v1/recommend HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )

    def done(self, connection: Connection) -> None:
        self.latencies.append(time.perf_counter() - connection.due)
        if self.queue:
            connection.ask(self.request(), self.queue.popleft())
        else:
            self.idle.append(connection)

    def lost(self, connection: Connection) -> None:
        if connection not in self.idle:
            self.failed += 1

    async def run(self, host: str, port: int, rate: float, seconds: float, pool: int) -> Result:
        loop = asyncio.get_running_loop()
        opened = [
            (await loop.create_connection(lambda: Connection(self), host, port))[1]
            for _ in range(pool)
        ]
        self.idle.extend(opened)
        start = due = time.perf_counter()
        while due < start + seconds:
            due += self.random.expovariate(rate)
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            if self.idle:
                self.idle.popleft().ask(self.request(), due)
            else:
                self.queue.append(due)
        deadline = time.perf_counter() + SETTLE
        while len(self.idle) < pool and time.perf_counter() < deadline:
            await asyncio.sleep(0.005)
        took = time.perf_counter() - start
        for connection in opened:
            assert connection.transport is not None
            connection.transport.abort()
        ordered = sorted(self.latencies) or [float("nan")]
        p50, p90, p99 = (1e3 * ordered[int(q * (len(ordered) - 1))] for q in (0.5, 0.9, 0.99))
        count, failed = len(self.latencies), self.failed + len(self.queue)
        return Result(rate, count, count / took, failed, p50, p90, p99)


def main() -> None:
    host, port, rate, seconds, pool, users, k, seed = sys.argv[1:]
    load = Load(int(users), int(k), int(seed))
    running = load.run(host, int(port), float(rate), float(seconds), int(pool))
    # select() waits to the microsecond; epoll() rounds up to whole milliseconds
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    result = loop.run_until_complete(running)
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
