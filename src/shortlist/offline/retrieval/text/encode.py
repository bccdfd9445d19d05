"""The vectors of a catalogue, part by part: what a killed run has done is not done again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist.core.progress import Progress
from shortlist.offline.data.files import replacing

PART = 2_048
"""Items of a part; of like length, so that little of a batch is padding."""

Encode = Callable[[NDArray[np.int32]], NDArray[np.float32]]
"""Vectors of items by number."""


def encode_items(
    encode: Encode,
    items: NDArray[np.int32],
    lengths: NDArray[np.int64],
    dim: int,
    version: str,
    folder: Path | None,
    progress: Progress,
) -> NDArray[np.float32]:
    """The vectors of items, `float32[m, dim]`.

    Args:
        encode: gives vectors.
        items: `int32[m]`.
        lengths: `int64[m]`, how many tokens each has.
        dim: of a vector.
        version: of the encoder: parts of another one are not taken.
        folder: where finished parts are kept until all are done; None for nowhere.
        progress: a step, in items.
    """
    order = np.argsort(lengths, kind="stable")
    out = np.empty((len(items), dim), np.float32)
    progress.step("text_encoder: encoding the catalogue", len(items))
    started, fresh = time.perf_counter(), 0
    kept = []
    for start in range(0, len(items), PART):
        part = order[start : start + PART]
        path = folder / f"vectors-{version}-{start:09d}.npy" if folder else None
        if path is not None:
            kept.append(path)
        vectors = _finished(path, (len(part), dim))
        if vectors is None:
            vectors = encode(items[part])
            fresh += len(part)
            if path is not None:
                with replacing(path) as beside, beside.open("wb") as file:
                    np.save(file, vectors)
        out[part] = vectors
        progress.advance(len(part))
    for path in kept:
        path.unlink(missing_ok=True)
    speed = fresh / max(1e-9, time.perf_counter() - started)
    if fresh < len(items):
        progress.note(f"text_encoder: {len(items) - fresh:,} items were encoded before")
    if fresh:
        progress.note(f"text_encoder: encoded {fresh:,} items, {speed:,.0f} a second")
    return out


def _finished(path: Path | None, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    if path is None or not path.exists():
        return None
    vectors = np.load(path, allow_pickle=False)
    return vectors if vectors.shape == shape else None
