"""Documents, queries and relevance judgements in the BEIR layout, as folders really have them.

    corpus.parquet | corpus.jsonl(.gz) | corpus/*    _id, title (or none), text
    queries.parquet | queries.jsonl(.gz) | queries/*  _id, text
    qrels/test.tsv | qrels/test-*.parquet | qrels.test.txt | qrels.tsv …
        query, document, grade; or TREC's query, iteration, document, grade; with a header or none

Ids may be numbers; further columns (`metadata`) are passed over; texts may be missing.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from shortlist.core.errors import DataError

Relevance = dict[str, dict[str, int]]
"""Query → document → grade."""
IDS = ("_id", "id", "doc_id", "docid", "query_id", "query-id", "corpus-id", "qid")
TEXTS = ("text", "contents", "body", "query")
KINDS = (".parquet", ".jsonl", ".json", ".tsv", ".csv", ".txt", ".qrels")


@dataclass(frozen=True)
class Documents:
    """What is searched, one value for each document."""

    ids: list[str]
    titles: list[str]
    texts: list[str]


def documents(folder: Path) -> Documents:
    """The documents of a folder; the first of those that share an id."""
    found: dict[str, tuple[str, str]] = {}
    for file in _files(folder, "corpus"):
        for row in _rows(file):
            id, title = _value(row, IDS, file, needed=True), _value(row, ("title",), file)
            found.setdefault(id, (title, _value(row, TEXTS, file)))
    return Documents(
        list(found), [title for title, _ in found.values()], [text for _, text in found.values()]
    )


def queries(folder: Path) -> dict[str, str]:
    """Query → its text."""
    return {
        _value(row, IDS, file, needed=True): _value(row, TEXTS, file)
        for file in _files(folder, "queries")
        for row in _rows(file)
    }


def qrels(folder: Path, split: str) -> Relevance:
    """The documents of each query that are relevant, those of grade 0 left out.

    A judgement that comes twice has the higher grade.
    """
    told: Relevance = {}
    for file in _files(folder, "qrels", split):
        for query, document, grade in _judgements(file):
            if grade > 0:
                grades = told.setdefault(query, {})
                grades[document] = max(grade, grades.get(document, 0))
    return told


def _files(folder: Path, name: str, split: str = "") -> list[Path]:
    """The files called so, and those in a folder called so; of a split those that name it, if any.

    Raises:
        DataError: there is none.
    """
    here = sorted(folder.glob(f"{name}*"))
    inside = [
        file for path in here for file in (sorted(path.iterdir()) if path.is_dir() else [path])
    ]
    files = [path for path in inside if path.is_file() and _kind(path)]
    chosen = files
    if split:
        words = {path: set(re.split(r"[._-]+", path.name.split(_kind(path))[0])) for path in files}
        chosen = [path for path in files if split in words[path]]
        chosen = chosen or [path for path in files if words[path] <= {name}]
    if not chosen:
        told = ", ".join(str(path.relative_to(folder)) for path in files)
        raise DataError(
            f"there are no {name}{f' of the split {split!r}' if split else ''}"
            f"{f', only {told}' if told else ''}.",
            remedy=f"Put {name}/{split}.tsv there." if split else f"Put {name}.jsonl there.",
            where=str(folder),
        )
    return chosen


def _kind(path: Path) -> str:
    """What kind of file it is, by the end of its name; empty for none that can be read."""
    name = path.name.removesuffix(".gz")
    return next((kind for kind in KINDS if name.endswith(kind)), "")


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file as dictionaries."""
    kind = _kind(file)
    if kind == ".parquet":
        yield from pq.read_table(file).to_pylist()
        return
    with _open(file) as lines:
        if kind in (".tsv", ".csv"):
            table: Iterable[list[str]] = csv.reader(
                lines, delimiter="\t" if kind == ".tsv" else ","
            )
            names = next(iter(table), [])
            if not set(names) & set(IDS):  # no header
                table = chain([names], table)
                names = ["_id", "title", "text"] if len(names) == 3 else ["_id", "text"]
            yield from (dict(zip(names, row, strict=False)) for row in table if row)
            return
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise DataError(
                        f"the line is not JSON: {error}.",
                        remedy="Write one object on a line.",
                        where=f"{file}:{number}",
                    ) from None
                yield row


def _judgements(file: Path) -> Iterator[tuple[str, str, int]]:
    """Query, document and grade of each line."""
    if _kind(file) in (".parquet", ".jsonl", ".json"):
        for row in _rows(file):
            values = list(row.values())
            yield str(values[0]), str(values[1]), int(values[2])
        return
    with _open(file) as lines:
        for number, line in enumerate(lines, start=1):
            parts = line.replace(",", "\t").split() if _kind(file) == ".csv" else line.split()
            if not parts:
                continue
            try:
                grade = int(float(parts[-1]))
                query, document = (parts[0], parts[2] if len(parts) == 4 else parts[1])
                if len(parts) not in (3, 4):
                    raise ValueError
            except ValueError:
                if number == 1:
                    continue  # the header
                raise DataError(
                    f"{line.strip()[:60]!r} is no judgement.",
                    remedy="Write a query, a document and a whole number, or as TREC does.",
                    where=f"{file}:{number}",
                ) from None
            yield query, document, grade


def _open(file: Path) -> Any:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8-sig", newline="")
    return file.open(encoding="utf-8-sig", newline="")


def _value(row: dict[str, Any], names: tuple[str, ...], file: Path, *, needed: bool = False) -> str:
    """The first of some columns that a row has, as text; empty for none."""
    for name in names:
        if row.get(name) is not None:
            return str(row[name])
    if needed:
        raise DataError(
            f"a row has no id: {str(row)[:80]}",
            remedy=f"Call the column of ids one of {', '.join(names)}.",
            where=str(file),
        )
    return ""
