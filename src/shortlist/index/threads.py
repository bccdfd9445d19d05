"""Sharing the queries of a batch among threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

Part = Callable[[slice, int], None]
"""Answers some of the queries, with so many threads for each search of a library."""


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="index")


def in_parts(part: Part, queries: int, threads: int) -> None:
    """Call `part` on consecutive slices of the queries, one for each thread.

    The kernels and faiss let go of the interpreter lock, so threads of one process suffice. A
    single query stays on the caller's thread; a library may use all of them inside it.
    """
    if threads <= 1 or queries <= 1:
        part(slice(0, queries), threads)
        return
    count = min(threads, queries)
    bounds = [queries * i // count for i in range(count + 1)]
    slices = [slice(bounds[i], bounds[i + 1]) for i in range(count)]
    for _ in _pool(threads).map(lambda some: part(some, 1), slices):
        pass  # raises what a part raised
