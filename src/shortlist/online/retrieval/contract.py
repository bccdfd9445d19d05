"""What every online source promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shortlist.online.marks import Marks
from shortlist.online.query import Query

Found = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Catalogue rows and their scores, best first."""


class Source(Protocol):
    """Finds candidates for requests, over one artefact of the release."""

    name: str

    def search(self, queries: Sequence[Query], k: int, marks: Marks) -> list[Found]:
        """For each query at most k rows that it allows and does not ban, best first.

        Fewer than k only when the artefact reaches no more of them.
        """
        ...


NOTHING: Found = (np.empty(0, np.int32), np.empty(0, np.float32))
