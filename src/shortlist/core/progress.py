"""How long work reports progress without knowing who shows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """Receives the steps of long work; the CLI draws bars from it."""

    def step(self, name: str, total: float | None = None) -> None:
        """A step begins; `total` is its size in whatever unit `advance` counts."""
        ...

    def advance(self, amount: float) -> None:
        """The current step moved on."""
        ...

    def note(self, text: str) -> None:
        """A line worth reading: a count, a choice and its reason, a warning."""
        ...


class Silent:
    """Progress that nobody watches."""

    def step(self, name: str, total: float | None = None) -> None:
        """Ignore."""

    def advance(self, amount: float) -> None:
        """Ignore."""

    def note(self, text: str) -> None:
        """Ignore."""


@contextmanager
def stage(progress: Progress, name: str, total: float | None = None) -> Iterator[Progress]:
    """A named step as a block."""
    progress.step(name, total)
    yield progress
