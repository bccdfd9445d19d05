"""Items of Parquet files, written in bulk: the daily job."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shortlist.config.schema import ItemsSection
from shortlist.core.catalogue import ColumnKind
from shortlist.core.errors import DataError, RequestError, did_you_mean
from shortlist.core.progress import Progress
from shortlist.core.times import SECOND
from shortlist.online.live.book import Book
from shortlist.online.live.values import check_id
from shortlist.online.live.write import Stored
from shortlist.stores.items import ItemBody

IDS = ("id", "item_id")
TOGETHER = 1_000
"""Items that are written at once; what came before is kept whatever becomes of the rest."""
_SCALES = ((10**11, SECOND), (10**14, 1_000), (10**17, 1))
"""Numbers below count seconds, milliseconds, microseconds, as in an items source."""


def ingest_parquet(
    book: Book, path: Path, section: ItemsSection | None, progress: Progress
) -> Stored:
    """Write the rows of a file; those that are known just so are passed over.

    Running it again encodes and writes nothing; a run that was killed goes on where it was.

    Args:
        book: where to.
        path: a Parquet file with the columns that `[data.items]` names.
        section: that section; None where there is none, and items are only ids.
        progress: told of rows.

    Raises:
        DataError: the file cannot be read, lacks a column, or has a row that is refused; names
            it. What came before is written.
    """
    file = _open(path)
    reader = _Rows(book, file.schema_arrow.names, section, path)
    progress.step(f"ingest {path.name}", file.metadata.num_rows)
    left_out = [name for name in file.schema_arrow.names if name not in reader.columns]
    if left_out:
        progress.note(f"no attributes of the catalogue, left out: {', '.join(left_out)}")
    done, row = Stored(), 0
    try:
        for batch in file.iter_batches(TOGETHER, columns=reader.columns):
            done.add(book.put(reader.items(batch.to_pylist(), row)))
            row += len(batch)
            progress.advance(len(batch))
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            f"the file cannot be read ({error}).", remedy="Write it again.", where=str(path)
        ) from error
    return done


class _Rows:
    """Rows of a file to bodies of items."""

    def __init__(
        self, book: Book, names: Sequence[str], section: ItemsSection | None, path: Path
    ) -> None:
        self._book, self._path = book, path
        self._kinds = book.kinds
        wanted = [section.id] if section is not None else []
        self._id = next((name for name in (*wanted, *IDS) if name in names), "")
        self._available = section.available if section is not None else ""
        self._expires = section.expires if section is not None else ""
        needed = [*self._kinds, self._available, self._expires]
        for name in [self._id or (*wanted, *IDS)[0], *filter(None, needed)]:
            if name not in names:
                raise DataError(
                    f"the file has no column {name!r}.",
                    remedy=did_you_mean(name, names),
                    where=str(path),
                )
        self.columns = list(dict.fromkeys([self._id, *filter(None, needed)]))

    def items(self, rows: Sequence[Mapping[str, object]], first: int) -> dict[str, ItemBody]:
        """Bodies by id; of an id that is there twice, the last."""
        made = {}
        for number, row in enumerate(rows, first + 1):
            try:
                id = _id(row[self._id])
                attributes = {name: _plain(row[name], kind) for name, kind in self._kinds.items()}
                available = row[self._available] if self._available else True
                ends = _plain(row[self._expires], "time") if self._expires else None
                made[id] = self._book.body(attributes, _flag(available), ends)
            except RequestError as error:
                raise DataError(
                    f"row {number}: {error}",
                    remedy="Correct it and run again; what comes before is written.",
                    where=str(self._path),
                ) from None
        return made


def _id(value: object) -> str:
    """An id as text, as an items source gives it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None or value == "":
        raise RequestError("there is no id.", remedy="Give one.", where="id")
    id = str(value)
    check_id(id)
    return id


def _flag(value: object) -> bool:
    """Whether an item is available: booleans, numbers and text, as in an items source."""
    if value is None:
        return True
    if isinstance(value, str):
        return value.lower() not in ("false", "f", "no", "n", "0")
    return bool(value)


def _plain(value: object, kind: ColumnKind) -> object:
    """A value of a file as an item's body takes it."""
    if isinstance(value, float) and math.isnan(value):  # it is missing
        return None
    if isinstance(value, Decimal):
        return float(value)
    if kind == "text" and value is not None and not isinstance(value, list):
        return str(value)
    if kind != "time":
        return value
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        scale = next((s for bound, s in _SCALES if abs(value) < bound), 1)
        return round(value * scale)
    return value


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError:
        raise DataError("there is no such file.", remedy="", where=str(path)) from None
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            f"the file is no Parquet file ({error}).",
            remedy="Write the items as Parquet.",
            where=str(path),
        ) from error
