"""CSV and JSON lines as bytes: dialect, encoding, and cutting into parts at record ends."""

from __future__ import annotations

import codecs
import csv
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, cast

import duckdb
import msgspec

from shortlist.core.errors import DataError

_PIECE = 4 << 20
_MARKS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


@dataclass(frozen=True)
class Dialect:
    """A CSV file's header.

    Attributes:
        delimiter: one of comma, semicolon, tab and bar.
        columns: the names.
        header: the header's bytes, its line end included.
    """

    delimiter: str
    columns: tuple[str, ...]
    header: bytes


def open_bytes(file: Path) -> BinaryIO:
    """A file's bytes, decompressed when its name ends in .gz."""
    if file.suffix.lower() == ".gz":
        return cast(BinaryIO, gzip.open(file, "rb"))
    return file.open("rb")


def csv_dialect(file: Path) -> Dialect:
    """Read a CSV file's header.

    Raises:
        DataError: the file is empty, or two columns have one name.
    """
    with open_bytes(file) as stream:
        header = stream.readline()
        while header.count(b'"') % 2 and (more := stream.readline()):
            header += more
    return _dialect(str(file), header)


@lru_cache(maxsize=64)
def _dialect(where: str, header: bytes) -> Dialect:
    if not header.strip():
        raise DataError(
            "the file is empty.", remedy="Its first line must name the columns.", where=where
        )
    text = _decoded(header, where, 1).removeprefix("\ufeff")
    delimiter = max(",;\t|", key=text.count)
    names = tuple(next(csv.reader([text.rstrip("\r\n")], delimiter=delimiter)))
    for name in names:
        if names.count(name) > 1 or not name:
            raise DataError(
                f"the header names column {name!r} twice." if name else "a column has no name.",
                remedy="Give each column a name of its own.",
                where=where,
            )
    return Dialect(delimiter, names, header)


def check_encoding(file: Path) -> None:
    """Check that a text file is UTF-8.

    Raises:
        DataError: it is not; the message names the line and says how to convert.
    """
    for _ in checked(file, 0, 0):
        pass


def checked(file: Path, offset: int, line: int) -> Iterator[bytes]:
    """A text file's bytes from an offset on, in pieces, checked to be UTF-8.

    Args:
        file: the file.
        offset: where to begin, in decompressed bytes; at the start of a character.
        line: the number of line ends before the offset, for messages.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with open_bytes(file) as stream:
            stream.seek(offset)
            while piece := stream.read(_PIECE):
                if offset == 0 and piece[:2] in _MARKS:
                    raise _wrong_encoding(str(file), 1, _MARKS[piece[:2]])
                try:
                    decoder.decode(piece)
                except UnicodeDecodeError as error:
                    at = line + 1 + error.object[: error.start].count(b"\n")
                    raise _wrong_encoding(str(file), at, "ISO-8859-1") from error
                yield piece
                offset += len(piece)
                line += piece.count(b"\n")
    except (EOFError, gzip.BadGzipFile) as error:
        raise DataError(
            f"the compressed file is damaged ({error}).",
            remedy="It may have been cut off while being copied; write it again.",
            where=str(file),
        ) from error


def explain_broken(
    error: duckdb.Error, where: str, scanned: Path, lines_before: int = 0
) -> DataError:
    """What DuckDB says about a damaged file, with the file's own line number and a remedy.

    Args:
        error: what DuckDB raised.
        where: the file's name for the message.
        scanned: the file that DuckDB read, which may be a part of it.
        lines_before: lines of the file before that part.
    """
    text = str(error)
    found = re.search(r"CSV Error on Line: (\d+)\s*Original Line: ?(.*)", text)
    if found:
        widths = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text)
        line = int(found[1]) + lines_before
        problem = f"line {line} is broken: {found[2][:80]!r}"
        if widths:
            problem += f" has {widths[2]} fields, the header has {widths[1]}"
        return DataError(
            problem + ".",
            remedy='Correct or remove the line; quote fields that hold the delimiter ("a,b").',
            where=where,
        )
    if "Malformed JSON" in text:
        line, reason = _broken_object(scanned)
        return DataError(
            f"line {line + lines_before} is no JSON object ({reason}).",
            remedy="Correct or remove the line; each line must be one whole object.",
            where=where,
        )
    reason = text.splitlines()[0].rstrip(". ")
    return DataError(
        f"the file cannot be read ({reason}).",
        remedy="It may be damaged: write it again. Or the disk is full.",
        where=where,
    )


def _broken_object(file: Path) -> tuple[int, str]:
    """The first line that is no JSON object, and why; DuckDB's own numbers are off by one."""
    with open_bytes(file) as stream:
        for number, line in enumerate(stream, 1):
            try:
                if line.strip():
                    msgspec.json.decode(line, type=dict[str, object])
            except msgspec.MsgspecError as error:
                return number, str(error)
    return 0, "which one is not known"


def _decoded(raw: bytes, where: str, line: int) -> str:
    if raw[:2] in _MARKS:
        raise _wrong_encoding(where, line, _MARKS[raw[:2]])
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise _wrong_encoding(where, line, "ISO-8859-1") from error


def _wrong_encoding(where: str, line: int, guess: str) -> DataError:
    return DataError(
        f"line {line} is not UTF-8.",
        remedy=f"Convert the file: iconv -f {guess} -t UTF-8 {Path(where).name} > utf8-"
        f"{Path(where).name} (with the encoding that it was written in).",
        where=where,
    )
