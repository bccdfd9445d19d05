"""`VectorService`: what the HTTP and the gRPC side of one worker share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import numpy as np
from litestar import Litestar
from numpy.typing import NDArray

from shortlist.core.errors import RequestError
from shortlist.serve.errors import NotReadyError
from shortlist.serve.metrics import Metrics
from shortlist.serve.vectors.columns import Record, check_number, columns_of
from shortlist.stores.vectors.contract import Health, Hits, Records, VectorStore

T = TypeVar("T")
READERS = 4
MOST_QUERIES = 1_000


class VectorService:
    """A worker's store, asked from threads: a write waits for the disk, and a backend may be away.

    Args:
        open_store: opens the store.
    """

    def __init__(self, open_store: Callable[[], VectorStore]) -> None:
        self.metrics = Metrics()
        self._open_store = open_store
        self._store: VectorStore | None = None
        self._readers = ThreadPoolExecutor(READERS, "reader")
        self._writer = ThreadPoolExecutor(1, "writer")

    @property
    def store(self) -> VectorStore:
        """The store.

        Raises:
            NotReadyError: it is not open.
        """
        if self._store is None:
            raise NotReadyError("the store is not open.", remedy="Try again in a moment.")
        return self._store

    async def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        where: str,
        field: str,
        attributes: Sequence[str],
        encoder: str,
        name: str,
    ) -> list[Hits]:
        """See `VectorStore.search`; `name` is what the request calls the queries."""
        check_number(len(queries), name, MOST_QUERIES)
        search = partial(
            self.store.search, queries, k, where, field, attributes=attributes, encoder=encoder
        )
        try:
            return await self._read(search)
        except RequestError as error:
            if error.where != "vectors":
                raise
            raise RequestError(error.problem, remedy=error.remedy, where=name) from None

    async def get(self, ids: Sequence[str], fields: Sequence[str] | None) -> Records:
        """See `VectorStore.get`."""
        check_number(len(ids), "ids")
        return await self._read(partial(self.store.get, ids, fields))

    async def count(self, where: str) -> int:
        """See `VectorStore.count`."""
        return await self._read(partial(self.store.count, where))

    async def health(self) -> Health:
        """See `VectorStore.health`."""
        return await self._read(self.store.health)

    async def upsert(self, records: Sequence[Record], encoder: Mapping[str, str]) -> int:
        """Write records, durable when it returns; how many."""
        store = self.store

        def write() -> int:
            made = columns_of(store.schema, records)
            if made.ids:
                store.upsert(
                    made.ids, made.vectors, made.attributes, encoder=encoder, content=made.content
                )
            return len(made.ids)

        return await self._write(write)

    async def delete(self, ids: Sequence[str]) -> int:
        """See `VectorStore.delete`."""
        check_number(len(ids), "ids")
        return await self._write(partial(self.store.delete, ids))

    async def _read(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, call)

    async def _write(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, call)

    @asynccontextmanager
    async def lifespan(self, app: Litestar) -> AsyncIterator[None]:
        """Open the store before the first request arrives; close it when the server stops."""
        self._store = await asyncio.to_thread(self._open_store)
        try:
            yield
        finally:
            self._writer.shutdown()
            self._readers.shutdown()
            self._store.close()
            self._store = None
