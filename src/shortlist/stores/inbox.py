"""The inbox: events on their way from servers to the log, JSON lines that `collect` takes in.

Each process appends to files of its own and starts a new one when one is large. A reader takes
files in by byte offset; a line is there once its newline is.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from threading import Event as Signal
from threading import Lock, Thread

import msgspec

from shortlist.core.errors import StoreError
from shortlist.core.event import Event
from shortlist.core.times import now

BUFFER = 64 * 1024
"""Bytes of deferred lines after which they are written."""
INTERVAL = 1.0
"""Seconds after which deferred lines are written at the latest."""
FILE_SIZE = 256 * 1024 * 1024
"""Bytes after which a new file is begun."""


class Inbox:
    """Appends events to a folder; safe to use from several threads and processes.

    Args:
        folder: the inbox, made if it is not there.
        file_size: bytes after which a new file is begun.
    """

    def __init__(self, folder: Path, *, file_size: int = FILE_SIZE) -> None:
        self.folder = folder
        self._file_size = file_size
        self._encoder = msgspec.json.Encoder()
        self._lock = Lock()
        self._deferred = bytearray()
        self._descriptor = -1
        self._written = 0
        self._closing = Signal()
        self._writer: Thread | None = None

    def write(self, events: Iterable[Event]) -> None:
        """Append events; when it returns the operating system has them, so a kill loses none.

        Raises:
            StoreError: the folder or the file cannot be written.
        """
        lines = self._encoder.encode_lines(events)
        with self._lock:
            self._append(lines)

    def defer(self, events: Iterable[Event]) -> None:
        """Append events within a second: for impressions, of which a kill may lose that second.

        Never raises: when they cannot be written they are dropped, and the log says so.
        """
        lines = self._encoder.encode_lines(events)
        with self._lock:
            self._deferred += lines
            if self._writer is None and not self._closing.is_set():
                self._writer = Thread(target=self._keep_writing, name="inbox", daemon=True)
                self._writer.start()
            if len(self._deferred) >= BUFFER:
                self._write_deferred()

    def flush(self) -> None:
        """Write what is deferred."""
        with self._lock:
            self._write_deferred()

    def close(self) -> None:
        """Write what is deferred and close the file."""
        self._closing.set()
        if self._writer is not None:
            self._writer.join()
        with self._lock:
            self._write_deferred()
            self._end_file()

    def _keep_writing(self) -> None:
        while not self._closing.wait(INTERVAL):
            self.flush()

    def _write_deferred(self) -> None:
        """Write what is deferred, or drop it; the lock is held."""
        try:
            self._append(bytes(self._deferred))
        except StoreError as error:
            logging.getLogger(__name__).warning("impressions are lost: %s", error)
        self._deferred.clear()

    def _append(self, lines: bytes) -> None:
        """Write lines; the lock is held."""
        if not lines:
            return
        waiting = memoryview(lines)
        try:
            if self._descriptor < 0 or self._written >= self._file_size:
                self._begin_file()
            while waiting:  # one call, unless the disk is filling up
                count = os.write(self._descriptor, waiting)
                self._written += count
                waiting = waiting[count:]
        except OSError as error:
            self._end_file()  # a line that was cut short stays the last of its file
            raise StoreError(
                f"events cannot be written ({error.strerror}).",
                remedy="Make room on the disk and check that the folder can be written.",
                where=str(self.folder),
            ) from error

    def _begin_file(self) -> None:
        self._end_file()
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{now()}-{os.getpid()}.jsonl"
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._written = 0

    def _end_file(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
