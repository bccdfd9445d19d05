"""`Segment`: rows in files that never change, with an index over each vector field.

    segments/<name>/
      segment.json       format, n, columns, and bytes and XXH3 of every other file
      sequences.npy      int64[n], ascending
      column<i>.<part>.npy   the ids (a text column), then the attributes (`core.catalogue.Column`)
      field<i>/          the index over field i (`shortlist.index`)

The manifest holds the XXH3 of `segment.json`. XXH3 finds damage; it is no defence against someone
who can write the files.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128, xxh3_128_hexdigest

from shortlist.core.bitmap import Bitmap
from shortlist.core.catalogue import Column, ColumnKind
from shortlist.core.errors import ReleaseError, StoreError
from shortlist.core.progress import Progress
from shortlist.core.vocabulary import open_array
from shortlist.index.build import load_index
from shortlist.index.contract import Index
from shortlist.index.exact import ExactIndex
from shortlist.index.files import read_description
from shortlist.stores.vectors.contract import StoreSchema
from shortlist.stores.vectors.lists import Family, Halves, Lists, Member, Source, build_lists
from shortlist.stores.vectors.manifest import Sequences
from shortlist.stores.vectors.metric import Floats

FORMAT = 1
_BLOCK = 1 << 22


class _ColumnFiles(msgspec.Struct, frozen=True):
    kind: ColumnKind
    arrays: list[str]
    terms: list[str]


class _Description(msgspec.Struct, frozen=True):
    format: int
    n: int
    columns: list[_ColumnFiles]
    files: dict[str, tuple[int, str]]
    families: list[Family | None] = []


@dataclass(frozen=True)
class Held:
    """The vectors of a field that a segment is made of.

    Attributes:
        vectors: `[n, width]`, as indexes hold them: float16 for lists, float32 for a scan.
        near: lists of the family that the new ones belong to; None for none.
        sources: the lists that rows are in already.
    """

    vectors: Halves | Floats
    near: Member | None = None
    sources: Sequence[Source] = ()


@dataclass(frozen=True)
class Content:
    """What a segment is made of.

    Attributes:
        sequences: `int64[n]`, ascending.
        ids: a text column.
        attributes: a column of each attribute.
        held: vectors of each field.
    """

    sequences: Sequences
    ids: Column
    attributes: Mapping[str, Column]
    held: Mapping[str, Held]


class Segment:
    """A segment, memory-mapped; see the module."""

    def __init__(
        self,
        name: str,
        sequences: Sequences,
        ids: Column,
        columns: Mapping[str, Column],
        indexes: Mapping[str, Index],
        members: Mapping[str, Member],
    ) -> None:
        self.name = name
        self.sequences = sequences
        self.size = len(sequences)
        self._ids = ids
        self._columns = columns
        self._indexes = indexes
        self._members = members

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of index of each field."""
        return {name: index.kind for name, index in self._indexes.items()}

    @classmethod
    def load(cls, folder: Path, digest: str, schema: StoreSchema, *, verify: bool) -> Segment:
        """Open a segment.

        Args:
            folder: where it is; its last part is the segment's name.
            digest: the checksum of its description, from the manifest.
            schema: what records are made of.
            verify: read every file and compare its checksum; without, only sizes are compared.

        Raises:
            StoreError: a file is missing, cut short or changed; names it.
        """
        description = _describe(folder, digest)
        for path, (size, checksum) in description.files.items():
            _verify(folder / path, size, checksum if verify else "")
        try:
            columns = [
                Column(
                    entry.kind,
                    {part: open_array(folder / f"column{i}.{part}.npy") for part in entry.arrays},
                    tuple(entry.terms),
                )
                for i, entry in enumerate(description.columns)
            ]
            indexes, members = {}, {}
            families = description.families or [None] * len(schema.fields)
            for i, (field, family) in enumerate(zip(schema.fields, families, strict=True)):
                inner = folder / f"field{i}"
                if family is None:
                    indexes[field.name] = load_index(inner, check=False)
                else:
                    lists = Lists.load(inner, read_description(inner))
                    lists.trained = family.trained
                    members[field.name] = Member(family, inner / "lists.faiss", lists.settings)
                    indexes[field.name] = lists
            sequences = open_array(folder / "sequences.npy")
        except (OSError, ValueError, ReleaseError) as error:
            raise _damaged(folder, f"cannot be opened: {error}") from error
        attributes = dict(zip(schema.attributes, columns[1:], strict=True))
        return cls(folder.name, sequences, columns[0], attributes, indexes, members)

    def ids(self, rows: NDArray[Any]) -> list[str]:
        """The ids at rows."""
        return [str(self._ids.value(row)) for row in rows.tolist()]

    @property
    def id_column(self) -> Column:
        """The ids of all rows."""
        return self._ids

    def member(self, field: str) -> Member | None:
        """The lists of a field and their family; None where it is scanned."""
        return self._members.get(field)

    def lists(self, field: str) -> Lists | None:
        """The index of a field where it is of a family."""
        index = self._indexes[field]
        return index if isinstance(index, Lists) else None

    def held(self, field: str, rows: NDArray[Any]) -> Floats:
        """The vectors at rows as the index holds them, perhaps at half precision."""
        return self._indexes[field].vectors_of(rows.astype(np.int32))

    def column(self, name: str, n: int) -> Column:
        """An attribute of all rows, which are n."""
        return self._columns[name]

    def search(
        self, field: str, queries: Floats, k: int, n: int, allow: Bitmap | None
    ) -> tuple[NDArray[np.int32], Floats]:
        """The k rows with the largest products; see `Block.search`."""
        return self._indexes[field].search(queries, min(k, n), allow)


def write_segment(folder: Path, content: Content, schema: StoreSchema, progress: Progress) -> str:
    """Build the indexes and write a segment, on the disk when it returns; its digest.

    Args:
        folder: its final place, which is not there yet; the last part is the segment's name.
        content: at least one row.
        schema: what records are made of.
        progress: told of the builds.
    """
    beside = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    n = len(content.sequences)
    families = []
    for i, field in enumerate(schema.fields):
        held = content.held[field.name]
        index: Index
        family = None
        if held.vectors.dtype == np.float16:
            halves = held.vectors.astype(np.float16, copy=False)
            index, family = build_lists(halves, held.near, held.sources, progress, field)
        else:
            index = ExactIndex.build(np.arange(n, dtype=np.int32), held.vectors)
        index.save(beside / f"field{i}")
        families.append(family)
    np.save(beside / "sequences.npy", content.sequences)
    described = []
    for i, column in enumerate([content.ids, *content.attributes.values()]):
        for part, array in column.arrays.items():
            np.save(beside / f"column{i}.{part}.npy", array)
        described.append(_ColumnFiles(column.kind, list(column.arrays), list(column.terms)))
    files = {}
    for path in sorted(p for p in beside.rglob("*") if p.is_file()):
        files[path.relative_to(beside).as_posix()] = (path.stat().st_size, _checksum(path))
        _sync(path)
    encoded = msgspec.json.encode(_Description(FORMAT, n, described, files, families))
    (beside / "segment.json").write_bytes(encoded)
    _sync(beside / "segment.json")
    for inner in [path for path in beside.iterdir() if path.is_dir()]:
        _sync(inner)
    _sync(beside)
    beside.rename(folder)
    _sync(folder.parent)
    return str(xxh3_128_hexdigest(encoded))


def _describe(folder: Path, digest: str) -> _Description:
    path = folder / "segment.json"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _damaged(path, f"cannot be read ({error.strerror})") from error
    if xxh3_128_hexdigest(data) != digest:
        raise _damaged(path, "is not what was written")
    description = msgspec.json.decode(data, type=_Description)
    if description.format > FORMAT:
        raise StoreError(
            f"has format {description.format}, and this version reads up to {FORMAT}.",
            remedy="Upgrade shortlist.",
            where=str(path),
        )
    return description


def _verify(path: Path, size: int, checksum: str) -> None:
    try:
        found = path.stat().st_size
        if found != size:
            raise _damaged(path, f"has {found} bytes instead of {size}")
        if checksum and _checksum(path) != checksum:
            raise _damaged(path, "is not what was written")
    except OSError as error:
        raise _damaged(path, f"cannot be read ({error.strerror})") from error


def _damaged(path: Path, how: str) -> StoreError:
    return StoreError(
        f"{how}.",
        remedy="Its rows are served from rows.sqlite until the segment is built again.",
        where=str(path),
    )


def _checksum(path: Path) -> str:
    digest = xxh3_128()
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return str(digest.hexdigest())


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
