"""`Finding`: one thing that is wrong with the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shortlist.core.errors import ShortlistError

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        severity: `error` when training would fail, `warning` when it would leave things out.
        key: the config key that it is about.
        count: how many rows, items or kinds it concerns.
        examples: a few of them.
        remedy: what is wrong with them and what to do.
    """

    severity: Severity
    key: str
    count: int
    examples: list[str]
    remedy: str

    @classmethod
    def of(cls, key: str, error: ShortlistError) -> Finding:
        """What training would stop at."""
        return cls("error", key, 1, [error.where], f"{error.problem} {error.remedy}".strip())
