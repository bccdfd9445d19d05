"""Progress of long work on stderr: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)


class RichProgress:
    """A `core.progress.Progress` that a person watches; use it as a context manager.

    A step ends when the next begins. Notes stand above the bars.

    Args:
        console: where to draw; stderr when None, so that stdout holds nothing but the result.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bars = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._task: TaskID | None = None
        self._start = time.monotonic()

    def __enter__(self) -> RichProgress:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            if kind is None:
                self._finish()
            self._bars.stop()

    def step(self, name: str, total: float | None = None) -> None:
        """A step begins and the last one ends."""
        if self._console.is_terminal:
            self._finish()
            self._task = self._bars.add_task(name, total=total)
        else:
            self._line(name)

    def advance(self, amount: float) -> None:
        """Move the bar of the current step."""
        if self._task is not None:
            self._bars.advance(self._task, amount)

    def note(self, text: str) -> None:
        """A line above the bars."""
        if self._console.is_terminal:
            self._console.print(f"  {text}", markup=False, highlight=False)
        else:
            self._line(f"  {text}")

    def _line(self, text: str) -> None:
        elapsed = time.monotonic() - self._start
        self._console.out(f"{elapsed:7.1f}s  {text}", highlight=False)

    def _finish(self) -> None:
        """Fill the bar of the current step, whatever its total turned out to be."""
        if self._task is None:
            return
        task = self._bars.tasks[self._bars.task_ids.index(self._task)]
        total = task.total or max(task.completed, 1)
        self._bars.update(self._task, total=total, completed=total)
        self._task = None
