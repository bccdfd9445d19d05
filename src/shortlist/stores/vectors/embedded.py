"""`EmbeddedStore`: vectors in a folder, for the processes of one machine.

<folder>/
  rows.sqlite          every record, and which segments there are (`rows`)
  segments/<name>/     rows with their indexes, immutable (`segment`)
  flush.lock, merge.lock
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread, get_native_id
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import RequestError, ShortlistError
from shortlist.stores.vectors import checks
from shortlist.stores.vectors.columns import catalogue, column
from shortlist.stores.vectors.compaction import Compactor
from shortlist.stores.vectors.contract import Health, Hits, Records, StoreSchema
from shortlist.stores.vectors.filters import filter_of
from shortlist.stores.vectors.live import Live
from shortlist.stores.vectors.rows import RowFile
from shortlist.stores.vectors.schema import schema_of
from shortlist.stores.vectors.view import Filters, Searcher, Snapshot

_FILTER_BYTES = 64 << 20
_WAITING = 2_000_000
"""Numbers in the vectors of rows that wait to be flushed: a scan of them takes 0.5 to 1 ms."""
_NICE = {"flush": 5, "merge": 10}
"""A flush is short and keeps searches fast; a merge has time."""


class EmbeddedStore:
    """A vector store in a folder; see `VectorStore`.

    Searches see what is written by every process as soon as the write returns. A thread flushes
    and merges in the background, at low priority.

    Args:
        folder: made where it is not there.
        schema: what records are made of; None for a store that is there.
        maintain: whether this process flushes and merges. Where one process writes and others
            only search, those need not.
        waiting: rows that may wait for a flush; None chooses by the length of the vectors.

    Raises:
        ConfigError, StoreError: see `open_vectors`.
    """

    def __init__(
        self,
        folder: Path,
        schema: StoreSchema | None = None,
        *,
        maintain: bool = True,
        waiting: int | None = None,
    ) -> None:
        self.folder = folder
        self._rows = RowFile(folder / "rows.sqlite", schema and schema_of(schema))
        width = max(field.dim for field in self.schema.fields)
        self._most = waiting or min(max(_WAITING // width, 2_048), 16_384)
        self._wake, self._merge, self._stop = Event(), Event(), Event()
        segments = folder / "segments"
        self._live = Live(self._rows, segments, 2 * self._most, self._wake.set)
        self._compactor = Compactor(self._rows, self._live, segments, self._most)
        self._searcher = Searcher(self.schema, Filters(_FILTER_BYTES, lambda bitmap: bitmap.nbytes))
        self._empty = catalogue({name: column(k, []) for name, k in self.schema.attributes.items()})
        self._warned: set[str] = set()
        self._failed: dict[str, str] = {}
        self._maintain = maintain
        self._threads = [
            Thread(target=self._background, args=work, daemon=True, name=f"vectors-{work[0]}")
            for work in (("flush", self._wake, self._keep_up), ("merge", self._merge, self._merges))
        ]
        self._snapshot()
        for thread in self._threads:
            thread.start()

    @property
    def schema(self) -> StoreSchema:
        """What its records are made of."""
        return self._rows.schema

    def upsert(
        self,
        ids: Sequence[str],
        vectors: Mapping[str, NDArray[np.float32]],
        attributes: Mapping[str, Sequence[Any]] | None = None,
        *,
        encoder: Mapping[str, str] | None = None,
        content: Sequence[str] | None = None,
    ) -> None:
        """Write whole records; see the contract."""
        batch = checks.batch(self.schema, ids, vectors, attributes, encoder, content)
        if batch.ids:
            self._rows.write(batch)
            self._wake.set()

    def delete(self, ids: Sequence[str]) -> int:
        """Remove records; see the contract."""
        return self._rows.delete(list(dict.fromkeys(checks.ids_of(ids))))

    def get(self, ids: Sequence[str], fields: Sequence[str] | None = None) -> Records:
        """The records of ids; see the contract."""
        wanted = list(dict.fromkeys(checks.ids_of(ids)))
        names = checks.fields_of(self.schema, fields)
        rows = self._rows.get(wanted)
        places = {id: place for place, id in enumerate(rows.ids)}
        order = [places[id] for id in wanted if id in places]
        found = self._rows.records(rows, names)
        return Records(
            ids=[rows.ids[place] for place in order],
            missing=[id for id in wanted if id not in places],
            vectors={name: matrix[order] for name, matrix in found.vectors.items()},
            attributes={
                name: [values[place] for place in order]
                for name, values in found.attributes.items()
            },
            encoders=found.encoders,
            content=[found.content[place] for place in order],
        )

    def search(
        self,
        vectors: NDArray[np.float32],
        k: int,
        where: str = "",
        field: str = "",
        *,
        attributes: Sequence[str] = (),
        encoder: str = "",
    ) -> list[Hits]:
        """The k nearest records of each query; see the contract."""
        of = checks.field_of(self.schema, field)
        queries = checks.queries_of(vectors, k, of)
        checks.same_encoder(of, encoder, "encoder")
        carried = checks.attributes_of(self.schema, attributes)
        expression = filter_of(where, self._empty, self.schema.attributes)
        return self._searcher.search(
            self._snapshot(), queries, int(k), of, where, expression, carried
        )

    def count(self, where: str = "") -> int:
        """How many records there are, or a filter allows."""
        expression = filter_of(where, self._empty, self.schema.attributes)
        return self._searcher.count(self._snapshot(), where, expression)

    def iterate(self, batch: int = 1000) -> Iterator[Records]:
        """Every record, in the order of ids; see the contract."""
        if batch < 1:
            raise RequestError(f"is {batch}.", remedy="Ask for 1 or more.", where="batch")
        names = [field.name for field in self.schema.fields]
        last = ""
        while rows := self._rows.page(last, batch):
            last = rows.ids[-1]
            yield self._rows.records(rows, names)

    def compact(self) -> None:
        """Flush what waits and merge what is due, now; see the contract."""
        while not self._compactor.flush(self._progress, wait=True, least=1):
            if not self._snapshot().waiting:
                break  # else another process was faster with segments that were to be taken along
        while self._compactor.merge(self._progress, wait=True):
            pass

    def health(self) -> Health:
        """Damaged segments and failed background work, rows, and how they are held."""
        snapshot = self._snapshot()
        ended = [
            f"The thread {thread.name!r} has ended by an error; open the store again."
            for thread in self._threads
            if not thread.is_alive()
        ]
        return Health(
            problems=[*snapshot.damaged.values(), *self._failed.values(), *ended],
            rows=snapshot.alive,
            details={
                "waiting": snapshot.waiting,
                "segments": [
                    {"name": view.part.name, "rows": view.n, "alive": view.alive}
                    for view in snapshot.segments
                ],
            },
        )

    def close(self) -> None:
        """Stop background work at its next step and close the file."""
        self._stop.set()
        self._wake.set()
        self._merge.set()
        for thread in self._threads:
            thread.join()
        self._rows.close()

    def _snapshot(self) -> Snapshot:
        snapshot = self._live.now()
        for name, problem in snapshot.damaged.items():
            if name not in self._warned:
                self._warned.add(name)
                warnings.warn(problem, RuntimeWarning, stacklevel=3)
                self._wake.set()
        return snapshot

    @property
    def _progress(self) -> _Stoppable:
        return _Stoppable(self._stop)

    def _background(self, name: str, wake: Event, work: Callable[[], None]) -> None:
        with suppress(OSError):  # only Linux has priorities of threads
            os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICE[name])
        # Of this thread too. Threads of OpenMP wait for each other by spinning, which costs many
        # times the work where searches hold the other cores.
        faiss.omp_set_num_threads(1)
        while True:
            wake.wait()
            wake.clear()
            if self._stop.is_set():
                return
            try:
                work()
                self._failed.pop(name, None)
            except _StoppedError:
                return
            except (ShortlistError, OSError, MemoryError) as error:
                self._failed[name] = f"The {name} in the background failed: {error}"

    def _keep_up(self) -> None:
        """Take a new manifest over, and flush when enough rows wait."""
        snapshot = self._live.take_over()
        if self._maintain and (snapshot.waiting >= self._most or snapshot.damaged):
            self._compactor.flush(self._progress, wait=False, least=self._most)
            self._merge.set()

    def _merges(self) -> None:
        while self._compactor.merge(self._progress, wait=False):
            pass


class _StoppedError(Exception):
    """The store was closed while an index was built."""


class _Stoppable:
    """Progress that ends the work when the store is closed."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop

    def step(self, name: str, total: float | None = None) -> None:
        """End the work if the store is closed."""
        if self._stop.is_set():
            raise _StoppedError

    def advance(self, amount: float) -> None:
        """End the work if the store is closed."""
        if self._stop.is_set():
            raise _StoppedError

    def note(self, text: str) -> None:
        """Ignore."""
