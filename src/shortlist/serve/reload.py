"""Opens the engine, and keeps it at the newest release while requests are answered."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from weakref import ref

from shortlist.core.errors import FeatureError, ShortlistError
from shortlist.core.request import Request
from shortlist.online.engine import Engine
from shortlist.online.snapshot import Snapshot
from shortlist.serve.errors import NotReadyError
from shortlist.serve.metrics import Metrics

log = logging.getLogger(__name__)
HELD = 8
"""So many of the releases that answered are remembered."""


class Keeper:
    """Holds a worker's engine.

    Args:
        open_engine: opens it; raises a ShortlistError while there is no release.
        seconds: how often to look for a newer release.
        metrics: told which release is open.
    """

    def __init__(self, open_engine: Callable[[], Engine], seconds: float, metrics: Metrics) -> None:
        self._open_engine = open_engine
        self._seconds = seconds
        self._metrics = metrics
        self._engine: Engine | None = None
        self._problem = ""
        self._held: dict[str, ref[Snapshot]] = {}

    @property
    def engine(self) -> Engine:
        """The engine.

        Raises:
            NotReadyError: it is not open yet.
        """
        if self._engine is None:
            raise NotReadyError(
                f"no release is open yet: {self._problem}",
                remedy="Try again in a moment; without a release, publish one.",
            )
        return self._engine

    @property
    def problem(self) -> str:
        """Why the newest release could not be opened; empty where it could."""
        return self._problem

    @property
    def held(self) -> Mapping[str, bool]:
        """The last releases that answered, newest last, and whether their files are still open."""
        return {id: snapshot() is not None for id, snapshot in self._held.items()}

    async def look(self) -> None:
        """Open the engine or, once it is open, a newer release; what is open answers meanwhile."""
        try:
            if self._engine is None:
                self._engine = await asyncio.to_thread(self._open_warm)
            elif not await asyncio.to_thread(self._engine.refresh):
                return
        except ShortlistError as error:
            self._failed(error)
            return
        self._problem = ""
        self._hold(self._engine.pipeline.snapshot)
        self._metrics.release(self._engine.release)
        log.info("answering from release %s", self._engine.release)

    async def keep_looking(self) -> None:
        """Look again and again, for ever."""
        while True:
            await asyncio.sleep(self._seconds)
            await self.look()

    def _open_warm(self) -> Engine:
        """Open the engine and have it answer, so that every kernel is compiled."""
        engine = self._open_engine()
        with suppress(FeatureError):  # told to whoever asks; events that end it have to be let in
            engine.answer([Request(k=10), Request(user="warm", k=10)])
        gc.collect()
        gc.freeze()  # what is open stays: full collections need not walk it again
        return engine

    def _hold(self, snapshot: Snapshot) -> None:
        self._held.pop(snapshot.id, None)
        self._held[snapshot.id] = ref(snapshot)
        for id in list(self._held)[:-HELD]:
            del self._held[id]

    def _failed(self, error: ShortlistError) -> None:
        if str(error) != self._problem:
            log.warning("%s", error)
            self._metrics.reload_failed()
        self._problem = str(error)

    def close(self) -> None:
        """Close the engine."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None
