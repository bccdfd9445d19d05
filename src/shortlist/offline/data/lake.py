"""The lake: Parquet files by month of event time, and the manifest that says which of them count.

The manifest is the only commit point. A Parquet file that it does not name was left by a run that
was killed, and is removed when the next run starts.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from shortlist.core.errors import DataError
from shortlist.offline.data.files import write_json

FORMAT = 2


class LakeFile(msgspec.Struct, frozen=True):
    """One committed Parquet file.

    Attributes:
        path: relative to the lake.
        rows: its events.
        oldest, newest: bounds of their times, microseconds.
    """

    path: str
    rows: int
    oldest: int
    newest: int


class FileState(msgspec.Struct, frozen=True):
    """How far a source file was read.

    Attributes:
        size, mtime: of the file when it was read; bytes and nanoseconds.
        fingerprint: of its content up to `size`.
        prefix: of its content up to `offset` (text formats).
        offset: where reading goes on: decompressed bytes in text formats, rows in Parquet.
        lines: line ends before the offset.
        whole_lines: whether a line end stands right before the offset.
        done: whether all of it was read.
        since: only later events were taken from it (it had changed); None for all.
    """

    size: int
    mtime: int
    fingerprint: int
    prefix: int = 0
    offset: int = 0
    lines: int = 0
    whole_lines: bool = True
    done: bool = False
    since: int | None = None


class SourceState(msgspec.Struct):
    """How far a source was read.

    Attributes:
        columns: the columns that were read, by config key.
        watermark: the newest event time taken from it (never ahead of the clock); None: nothing.
        reading: a run is under way, or was killed; the next one goes on with its `floor`.
        floor: events up to this instant are too late for the run under way; None for none.
        complete: a run over the whole source has finished once.
        files: by path, relative to the project folder where they are named so.
    """

    columns: dict[str, str]
    watermark: int | None = None
    reading: bool = False
    floor: int | None = None
    complete: bool = False
    files: dict[str, FileState] = msgspec.field(default_factory=dict)

    def check_columns(self, columns: dict[str, str], name: str) -> None:
        """Check that the source is still read the way it was.

        Raises:
            DataError: another column is configured now than what the lake was filled from.
        """
        for key in self.columns.keys() | columns.keys():
            before, after = self.columns.get(key, ""), columns.get(key, "")
            if before != after:
                raise DataError(
                    f"the lake holds {name} with {key} = {before!r}, the config now has {after!r}.",
                    remedy="Remove .shortlist/lake to collect everything again.",
                    where=f"data.events.{key.partition('.')[0]}",
                )


class Manifest(msgspec.Struct):
    """What the lake holds and how far each source was read."""

    format: int = FORMAT
    commits: int = 0
    watermark: int | None = None
    files: list[LakeFile] = msgspec.field(default_factory=list)
    sources: dict[str, SourceState] = msgspec.field(default_factory=dict)


class Lake:
    """The lake of a project folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / ".shortlist" / "lake"
        self.events = self.folder / "events"
        self._manifest = self.folder / "manifest.json"

    def manifest(self) -> Manifest:
        """The committed manifest; an empty one before the first commit.

        Raises:
            DataError: it is damaged or from a newer version.
        """
        if not self._manifest.exists():
            return Manifest()
        try:
            manifest = msgspec.json.decode(self._manifest.read_bytes(), type=Manifest)
        except msgspec.MsgspecError as error:
            raise DataError(
                f"the manifest is damaged ({error}).",
                remedy=f"Remove {self.folder} and collect again.",
                where=str(self._manifest),
            ) from error
        if manifest.format != FORMAT:
            raise DataError(
                f"the lake has format {manifest.format}, this version reads {FORMAT}.",
                remedy=f"Use the version that wrote it, or remove {self.folder} to collect again.",
                where=str(self._manifest),
            )
        return manifest

    def commit(self, manifest: Manifest) -> None:
        """Make a manifest the lake's, atomically."""
        write_json(self._manifest, manifest)

    def paths(self) -> list[Path]:
        """The committed files, sorted."""
        return sorted(self.folder / file.path for file in self.manifest().files)

    def remove_orphans(self) -> None:
        """Remove Parquet files that were never committed. Only under `locked`."""
        committed = set(self.paths())
        for path in self.events.rglob("*.parquet"):
            if path not in committed:
                path.unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lake against other processes; the lock goes when the process does.

        Raises:
            DataError: another process holds it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DataError(
                    "another process is collecting into this project.",
                    remedy="Wait until it has finished.",
                    where=str(self.folder),
                ) from error
            yield
