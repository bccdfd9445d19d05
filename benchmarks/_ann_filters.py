"""Filtered search in `ann.py`: each engine under predicates of falling selectivity."""

from __future__ import annotations

import importlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from _ann_data import Data, recall, true_allowed
from numpy.typing import NDArray

from shortlist.config.schema import IndexSection
from shortlist.core.bitmap import pack
from shortlist.index import build_index
from shortlist.index.centroids import lists_for, quantisers_for
from shortlist.release.artefacts import ItemVectors

SHARES = (0.5, 0.1, 0.01, 0.001, 0.0001)
BUCKETS = 10_000
K = 10

Ask = Callable[[NDArray[np.float32], int], NDArray[Any]]
"""Rows of the K nearest of one query `[1, d]` whose bucket is below a number."""


def ours(data: Data, buckets: NDArray[np.int32]) -> dict[str, Ask]:
    rows = np.arange(len(data.vectors), dtype=np.int32)
    asks: dict[str, Ask] = {}
    for kind in ("ivf", "hnsw"):
        config = IndexSection(kind=kind, recall=0.95, at=K)
        index, _ = build_index(ItemVectors(rows, data.vectors), config, 0)
        bitmaps: dict[int, Any] = {}

        def ask(query, below, index=index, bitmaps=bitmaps):
            if below not in bitmaps:  # as the engine keeps those of common predicates
                bitmaps[below] = pack(buckets < below)
            return index.search(query, K, bitmaps[below])[0]

        asks[f"shortlist {kind}"] = ask
    return asks


def raw_faiss(data: Data, buckets: NDArray[np.int32]) -> dict[str, Ask]:
    n, dim = data.vectors.shape
    lists = lists_for(n)
    index = faiss.index_factory(
        dim, f"IVF{lists},PQ{quantisers_for(dim)}x4fs", faiss.METRIC_INNER_PRODUCT
    )
    index.cp.niter = 10
    index.train(np.ascontiguousarray(data.vectors[:: max(1, n // (64 * lists))]))
    index.add(data.vectors)
    refined = faiss.IndexRefineFlat(index, faiss.swig_ptr(data.vectors))
    refined.k_factor = 8
    bitmaps: dict[int, Any] = {}

    def with_probes(probes: Callable[[float], float]) -> Ask:
        def ask(query: NDArray[np.float32], below: int) -> NDArray[Any]:
            faiss.omp_set_num_threads(1)
            if below not in bitmaps:
                bitmaps[below] = pack(buckets < below)
            bits = bitmaps[below]
            inner = faiss.SearchParametersIVF(
                nprobe=int(min(lists, probes(below / BUCKETS))),
                sel=faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits)),
            )
            told = faiss.IndexRefineSearchParameters(k_factor=8.0, base_index_params=inner)
            return refined.search(query, K, params=told)[1]

        return ask

    return {
        "faiss IVF selector, nprobe 16": with_probes(lambda share: 16),
        "faiss IVF selector, nprobe 16/share": with_probes(lambda share: 16 / share),
    }


def hnswlib(data: Data, buckets: NDArray[np.int32]) -> dict[str, Ask]:
    index = importlib.import_module("hnswlib").Index("ip", data.vectors.shape[1])
    index.init_index(len(data.vectors), M=16, ef_construction=100, random_seed=0)
    index.add_items(data.vectors)
    index.set_ef(100)
    plain = buckets.tolist()

    def ask(query: NDArray[np.float32], below: int) -> NDArray[Any]:
        try:
            rows, _ = index.knn_query(
                query, K, num_threads=1, filter=lambda row: plain[row] < below
            )
        except RuntimeError:  # it found fewer than K and returns none
            return np.full((1, K), -1, np.int64)
        return rows.astype(np.int64)

    return {"hnswlib callback, ef 100": ask}


def usearch(data: Data, buckets: NDArray[np.int32]) -> dict[str, Ask]:
    found = importlib.import_module("usearch.index").Index.search
    raise LookupError(
        "usearch takes predicates in C++ and not from Python: its search has "
        + ", ".join(sorted(set(found.__annotations__) - {"return"}))
    )


def lancedb(data: Data, buckets: NDArray[np.int32]) -> dict[str, Ask]:
    import pyarrow as pa

    os.environ.setdefault("LANCE_LOG", "error")
    library = importlib.import_module("lancedb")
    n, dim = data.vectors.shape
    folder = tempfile.mkdtemp(prefix="ann-lance-")
    flat = pa.FixedSizeListArray.from_arrays(pa.array(data.vectors.ravel()), dim)
    table = library.connect(folder).create_table(
        "items",
        pa.table({"vector": flat, "row": np.arange(n), "bucket": buckets}),
    )
    table.create_index(
        metric="dot",
        num_partitions=lists_for(n),
        num_sub_vectors=quantisers_for(dim),
        index_type="IVF_PQ",
        num_bits=4,
    )
    table.create_scalar_index("bucket")

    def ask(query: NDArray[np.float32], below: int) -> NDArray[Any]:
        hits = (
            table.search(query[0])
            .distance_type("dot")
            .where(f"bucket < {below}", prefilter=True)
            .nprobes(32)
            .refine_factor(8)
            .select(["row", "_distance"])
            .limit(K)
            .to_arrow()
        )
        rows = np.full((1, K), -1, np.int64)
        rows[0, : len(hits)] = hits["row"].to_numpy()
        return rows

    return {"LanceDB IVF_PQ, nprobes 32, refine 8": ask}


def milvus_lite(data: Data, buckets: NDArray[np.int32]) -> dict[str, Ask]:
    pymilvus = importlib.import_module("pymilvus")
    importlib.import_module("milvus_lite")
    client = pymilvus.MilvusClient(str(Path(tempfile.mkdtemp(prefix="ann-milvus-")) / "m.db"))
    n, dim = data.vectors.shape
    schema = client.create_schema(auto_id=False)
    schema.add_field("row", pymilvus.DataType.INT64, is_primary=True)
    schema.add_field("bucket", pymilvus.DataType.INT64)
    schema.add_field("vector", pymilvus.DataType.FLOAT_VECTOR, dim=dim)
    told = client.prepare_index_params()
    told.add_index(
        "vector", index_type="HNSW", metric_type="IP", params={"M": 16, "efConstruction": 100}
    )
    client.create_collection("items", schema=schema, index_params=told)
    for start in range(0, n, 5_000):
        client.insert(
            "items",
            [
                {"row": row, "bucket": int(buckets[row]), "vector": data.vectors[row].tolist()}
                for row in range(start, min(start + 5_000, n))
            ],
        )
    client.flush("items")
    client.load_collection("items")

    def ask(query: NDArray[np.float32], below: int) -> NDArray[Any]:
        hits = client.search(
            "items",
            [query[0].tolist()],
            filter=f"bucket < {below}",
            limit=K,
            search_params={"params": {"ef": 100}},
        )[0]
        rows = np.full((1, K), -1, np.int64)
        rows[0, : len(hits)] = [hit["row"] for hit in hits]
        return rows

    return {"Milvus Lite HNSW, ef 100": ask}


PEERS = (ours, raw_faiss, hnswlib, usearch, lancedb, milvus_lite)


def measure(
    data: Data, seconds: float, log: Callable[[str], None]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Recall and milliseconds of single queries on one thread, by engine and selectivity.

    Args:
        data: what is searched.
        seconds: at most about so long for each engine and selectivity.
        log: told what is done.

    Returns:
        The figures, and what could not be run and why.
    """
    buckets = np.random.default_rng(5).permutation(len(data.vectors)).astype(np.int64)
    buckets = (buckets * BUCKETS // len(buckets)).astype(np.int32)
    figures: list[dict[str, Any]] = []
    absent: list[str] = []
    truths = {share: true_allowed(data, buckets < share * BUCKETS, K) for share in SHARES}
    for peer in PEERS:
        log(f"filters: {peer.__name__}")
        try:
            asks = peer(data, buckets)
        except (ImportError, LookupError) as error:
            absent.append(f"{peer.__name__}: {error}")
            continue
        for name, ask in asks.items():
            for share in SHARES:
                below = round(share * BUCKETS)
                ask(data.queries[:1], below)
                found, start = [], time.perf_counter()
                for query in data.queries:
                    found.append(ask(query[None], below))
                    if time.perf_counter() - start > seconds and len(found) >= 20:
                        break
                spent = (time.perf_counter() - start) / len(found)
                figures.append(
                    {
                        "engine": name,
                        "share": share,
                        "recall": recall(np.concatenate(found), truths[share][: len(found)], K),
                        "ms": 1e3 * spent,
                    }
                )
    return figures, absent
