"""Prometheus metrics, added up over the worker processes of a server.

The Prometheus client decides when it is imported, by `PROMETHEUS_MULTIPROC_DIR`, whether its
values live in files that workers share (`serve.run` sets it) or in memory.
"""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

SHARED = "PROMETHEUS_MULTIPROC_DIR"
LATENCIES = (0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0)
SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64)


class Metrics:
    """What a worker counts."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._seconds = Histogram(
            "shortlist_request_seconds",
            "Time from a request's arrival to its answer.",
            ["route"],
            registry=registry,
            buckets=LATENCIES,
        )
        self._requests = Counter(
            "shortlist_requests", "Requests by status.", ["route", "status"], registry=registry
        )
        self._batch = Histogram(
            "shortlist_batch_size",
            "Requests answered together.",
            registry=registry,
            buckets=SIZES,
        )
        self._release = Gauge(
            "shortlist_release",
            "Workers that answer from a release.",
            ["release"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._events = Counter("shortlist_events", "Events posted.", registry=registry)
        self._failures = Counter(
            "shortlist_reload_failures", "Releases that could not be opened.", registry=registry
        )
        self._routes: dict[tuple[str, int], tuple[Histogram, Counter]] = {}
        self._open = ""
        self.batch = self._batch.observe
        self.reload_failed = self._failures.inc
        self.posted = self._events.inc

    def observe(self, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        found = self._routes.get((route, status))
        if found is None:  # looking labels up costs more than counting
            children = self._seconds.labels(route), self._requests.labels(route, str(status))
            found = self._routes[route, status] = children
        found[0].observe(seconds)
        found[1].inc()

    def release(self, id: str) -> None:
        """This worker answers from a release from now on."""
        if self._open:
            self._release.labels(self._open).set(0)
        self._release.labels(id).set(1)
        self._open = id

    def text(self) -> bytes:
        """All metrics in Prometheus' text format, of all workers."""
        folder = os.environ.get(SHARED)
        if not folder:
            return generate_latest(self._registry)
        _bury_the_dead(Path(folder))
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=folder)
        return generate_latest(registry)


def _bury_the_dead(folder: Path) -> None:
    """Stop counting the gauges of workers that are gone."""
    for file in folder.glob("gauge_live*.db"):
        pid = int(file.stem.rsplit("_", 1)[1])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, str(folder))
