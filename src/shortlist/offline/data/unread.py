"""What of a source has not been read yet, in parts small enough to commit one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
from xxhash import xxh3_64

from shortlist.offline.data.engine import quote
from shortlist.offline.data.lake import FileState
from shortlist.offline.data.scan import check_parquet, format_of
from shortlist.offline.data.text import checked, csv_dialect

_EDGE = 64 << 10
PART_BYTES = 128 << 20
PART_ROWS = 4_000_000


@dataclass(frozen=True)
class Part:
    """A part of a file.

    Attributes:
        file: the source file.
        path: the file to scan: the source file or a cut-out of it.
        rows: the row range of a Parquet file to scan; None for all of `path`.
        lines_before: what to add to line numbers of `path` to get those of `file`.
        size: bytes of the source file that it covers.
        state: how far the file has been read once this part is committed.
    """

    file: Path
    path: Path
    rows: tuple[int, int] | None
    lines_before: int
    size: int
    state: FileState

    def parquet_scan(self) -> str:
        """The SQL that scans the row range of a Parquet file."""
        assert self.rows is not None
        start, stop = self.rows
        return (
            f"(SELECT * EXCLUDE (file_row_number) FROM read_parquet({quote(self.path)},"
            f" file_row_number=true) WHERE file_row_number >= {start}"
            f" AND file_row_number < {stop})"
        )


def unread_state(file: Path, known: FileState | None, floor: int | None) -> FileState | None:
    """Where reading of a file starts; None when nothing in it is new.

    A file that only grew goes on where reading stopped, an unchanged one that was read half goes
    on too, and one that changed otherwise is read again from the floor on.
    """
    status = file.stat()
    current = FileState(
        size=status.st_size,
        mtime=status.st_mtime_ns,
        fingerprint=fingerprint(file, status.st_size),
    )
    if known is None:
        return current
    if (known.size, known.mtime, known.fingerprint) == (
        current.size,
        current.mtime,
        current.fingerprint,
    ):
        return None if known.done else known
    plain_text = format_of(file) != "parquet" and file.suffix.lower() != ".gz"
    if (
        plain_text
        and known.offset <= current.size
        and fingerprint(file, known.offset) == known.prefix
        and (known.whole_lines or _line_ends_at(file, known.offset))
    ):
        return msgspec.structs.replace(
            known, size=current.size, mtime=current.mtime, fingerprint=current.fingerprint
        )
    return msgspec.structs.replace(current, since=floor)


def parts(file: Path, state: FileState, scratch: Path, *, only_whole_lines: bool) -> Iterator[Part]:
    """The unread parts of a file; each must be scanned before the next one is asked for.

    Args:
        file: the source file.
        state: where reading starts.
        scratch: a folder for cut-outs.
        only_whole_lines: leave a last line without a line end for later: its writer may be
            half-way through it.
    """
    if format_of(file) == "parquet":
        return _row_ranges(file, state)
    return _cut_outs(file, state, scratch / "part", only_whole_lines)


def fingerprint(file: Path, size: int) -> int:
    """A hash of the first and the last 64 KB of a file's first `size` bytes."""
    with file.open("rb") as stream:
        digest = xxh3_64(stream.read(min(size, _EDGE)))
        stream.seek(max(0, size - _EDGE))
        digest.update(stream.read(min(size, _EDGE)))
    return digest.intdigest() >> 1


def _line_ends_at(file: Path, offset: int) -> bool:
    with file.open("rb") as stream:
        stream.seek(offset)
        return stream.read(1) in (b"\n", b"\r")


def _row_ranges(file: Path, state: FileState) -> Iterator[Part]:
    check_parquet(file)
    rows = pq.read_metadata(file).num_rows
    start = state.offset
    while True:
        stop = min(start + PART_ROWS, rows)
        after = msgspec.structs.replace(state, offset=stop, done=stop == rows)
        whole = start == 0 and stop == rows
        size = state.size * (stop - start) // max(rows, 1)
        yield Part(file, file, None if whole else (start, stop), 0, size, after)
        if stop == rows:
            return
        start = stop


def _cut_outs(file: Path, state: FileState, target: Path, only_whole_lines: bool) -> Iterator[Part]:
    is_csv = format_of(file) == "csv"
    is_plain = file.suffix.lower() != ".gz"
    target = target.with_suffix(".csv" if is_csv else ".jsonl")
    pieces = checked(file, state.offset, state.lines)
    offset, lines, carry, ended = state.offset, state.lines, b"", False
    while not ended:
        header = csv_dialect(file).header if is_csv and offset else b""
        written = safe = open_quote = line_ends = 0
        with target.open("w+b") as out:
            out.write(header)
            piece = carry or next(pieces, b"")
            while piece:
                end = _record_end(piece, open_quote, is_csv)
                safe = written + end if end else safe
                open_quote ^= piece.count(b'"') & 1
                line_ends += piece.count(b"\n")
                out.write(piece)
                written += len(piece)
                if written >= PART_BYTES and safe:
                    break
                piece = next(pieces, b"")
            ended = not piece
            stop = written if ended and not only_whole_lines else safe
            out.seek(max(0, len(header) + stop - 1))
            whole_lines = stop == 0 or out.read(1) == b"\n"
            carry = out.read()
            out.truncate(len(header) + stop)
        lines_before = lines - header.count(b"\n")
        offset += stop
        lines += line_ends - carry.count(b"\n")
        after = msgspec.structs.replace(
            state,
            prefix=fingerprint(file, offset) if is_plain else 0,
            offset=offset,
            lines=lines,
            whole_lines=whole_lines,
            done=ended,
        )
        yield Part(file, target, None, lines_before, stop, after)


def _record_end(piece: bytes, open_quote: int, is_csv: bool) -> int:
    """The index just after the last line end in a piece that no quoted field holds; 0 for none."""
    end = piece.rfind(b"\n") + 1
    while is_csv and end and (piece.count(b'"', 0, end) + open_quote) % 2:
        end = piece.rfind(b"\n", 0, end - 1) + 1
    return end
