"""Skew: the features that requests were ranked by, against those that training computes for them.

Serving logs a share of its feature vectors; `offline.feature_skew` joins the same requests.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import StoreError
from shortlist.core.times import DAY, now

FOLDER = "features"
"""Below `.shortlist`: the log, in parts `<began>-<process>.jsonl`, each of one process and day."""
PART = 64 << 20
"""Bytes after which a part ends."""
KEPT = 30 * DAY
"""How long a part stays: what is compared is requests of releases that are there still."""
ROWS = 20
"""Candidates of one request that are logged: the first in fused order."""
CLOSE = 1e-4
"""Relative (and absolute) difference up to which two values are one."""
RETRIEVED = ("score", "rank", "sources", "fused")
"""Families of features that are what retrieval said; training takes them as serving logged them."""


class Logged(msgspec.Struct, frozen=True, gc=False):
    """One request.

    Attributes:
        release: what answered.
        user: who asked.
        now: as of when, microseconds.
        items: ids of candidates.
        values: of each feature of the release in order, of each candidate.
        context: what was asked in.
    """

    release: str
    user: str
    now: int
    items: list[str]
    values: list[list[float]]
    context: dict[str, str] = {}


class FeatureLog:
    """Writes a share of what is ranked, as JSON lines.

    A part ends with the UTC day, or when it has `size` bytes; with the next one's first line,
    parts that began `KEPT` ago are removed, whoever wrote them.

    Args:
        folder: made at the first line.
        share: of requests, 0 to 1.
        size: bytes of a part, but for the line that passes them.
        clock: the time, microseconds.
    """

    def __init__(
        self, folder: Path, share: float, size: int = PART, clock: Callable[[], int] = now
    ) -> None:
        self.folder, self._share = folder, share
        self._most, self._clock = size, clock
        self._rng = np.random.default_rng()
        self._descriptor, self._size, self._day = -1, 0, -1
        self._encode = msgspec.json.Encoder().encode

    def wanted(self) -> bool:
        """Whether the next request is to be logged."""
        return self._share > 0 and self._rng.random() < self._share

    def write(self, logged: Logged) -> None:
        """Append a request. When it cannot be written it is dropped, and the log says so."""
        line, instant = self._encode(logged) + b"\n", self._clock()
        try:
            if self._descriptor < 0 or self._size >= self._most or instant // DAY != self._day:
                self._begin(instant)
            os.write(self._descriptor, line)
            self._size += len(line)
        except OSError as error:
            logging.getLogger(__name__).warning("features were not logged: %s", error)

    def _begin(self, instant: int) -> None:
        """Begin a part."""
        self.close()
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob("*.jsonl"):
            began = path.name.partition("-")[0]
            if began.isdecimal() and int(began) <= instant - KEPT:
                path.unlink(missing_ok=True)
        path = self.folder / f"{instant}-{os.getpid()}.jsonl"
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._size, self._day = 0, instant // DAY

    def close(self) -> None:
        """Close the part; the next line begins another."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def read_log(folder: Path) -> list[Logged]:
    """Every logged request of every part, by time; a line that was cut short is left out.

    Raises:
        StoreError: a line is not of the log.
    """
    found = []
    decode = msgspec.json.Decoder(Logged).decode
    for path in sorted(folder.glob("*.jsonl")):
        lines = path.read_bytes().split(b"\n")[:-1]
        for number, line in enumerate(lines, 1):
            try:
                found.append(decode(line))
            except msgspec.DecodeError as error:
                raise StoreError(
                    f"line {number} is not a logged request ({error}).",
                    remedy="Remove the line, or the file.",
                    where=str(path),
                ) from error
    return sorted(found, key=lambda logged: logged.now)


@dataclass(frozen=True)
class Skew:
    """One feature.

    Attributes:
        name: the feature.
        different: the share of values that differ by more than `CLOSE`.
        gap: the mean absolute difference.
        worst: the largest.
    """

    name: str
    different: float
    gap: float
    worst: float


def compare(
    names: Sequence[str], served: NDArray[np.float32], computed: NDArray[np.float32]
) -> list[Skew]:
    """The skew of each feature but what retrieval said, the most different first.

    Args:
        names: of the features.
        served, computed: `float32[f, n]`, of the same requests and candidates.
    """
    told = []
    for name, left, right in zip(names, served, computed, strict=True):
        if name.partition(":")[0].partition("_")[0] in RETRIEVED:
            continue
        gap = np.abs(left.astype(np.float64) - right)
        apart = gap > CLOSE * np.maximum(np.abs(right), 1)
        told.append(Skew(name, float(apart.mean()), float(gap.mean()), float(gap.max())))
    return sorted(told, key=lambda skew: (-skew.different, -skew.gap))
