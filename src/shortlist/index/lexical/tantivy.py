"""`TantivyIndex`: BM25 by tantivy, in process, memory-mapped.

All fields lie in one tantivy field, each as often as it weighs, so that tantivy's BM25 over it is
BM25F. Texts never reach tantivy: terms go in separated by spaces and are split there again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import tantivy
from numpy.typing import NDArray
from tantivy import Occur, Query

from shortlist.core.catalogue import ColumnKind
from shortlist.core.errors import StoreError
from shortlist.core.expression import Expression
from shortlist.index.lexical.contract import NO_HITS, Document, Hits, Wanted
from shortlist.index.lexical.filters import PRESENT, FilterCompiler

ABOUT = "about.json"
FORMAT = 1
TERMS = "terms"
KEY = "key"
HEAP = 128 << 20
SMALL_HEAP = 16 << 20
EXPANSIONS = 64
"""At most so many words, the most frequent ones, that a prefix stands for."""
LONGEST = 60_000
"""Bytes of a term; tantivy refuses longer ones."""


class TantivyIndex:
    """A full-text index in a folder. `build` or `create` makes one, `open` opens it.

    It can be searched from any number of threads and processes; changes are made by one at a
    time, and seen by all of them from when they return.
    """

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / ABOUT).read_text())
        if about["format"] != FORMAT:
            raise StoreError(
                f"the full-text index has format {about['format']}, this version reads {FORMAT}.",
                remedy="Index again, or use the version that wrote it.",
                where=str(folder),
            )
        self.folder = folder
        self.weights: dict[str, int] = about["weights"]
        self._kinds: dict[str, ColumnKind] = about["attributes"]
        self._names = {name: f"a{n}" for n, name in enumerate(self._kinds)}
        try:
            self._index = tantivy.Index.open(str(folder))
        except ValueError as error:
            raise StoreError(
                f"the full-text index cannot be opened: {error}",
                remedy="Index again.",
                where=str(folder),
            ) from error
        self._index.config_reader("manual", 0)
        analyzer = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
        self._index.register_tokenizer("terms", analyzer)
        self._schema = self._index.schema
        self._filter = FilterCompiler(
            self._schema,
            {name: (self._names[name], kind) for name, kind in self._kinds.items()},
            lambda field: [term for term, _ in self._searcher.terms_with_prefix(field, "")],
        )
        self._lock = Lock()
        self._seen = self._stamp()
        self._index.reload()
        self._searcher = self._index.searcher()

    @classmethod
    def create(
        cls,
        folder: Path,
        weights: Mapping[str, int],
        attributes: Mapping[str, ColumnKind] | None = None,
    ) -> TantivyIndex:
        """An empty index in a folder, which is made.

        Args:
            folder: where it lives.
            weights: field → how often its terms count, 1 or more.
            attributes: what can be filtered by.
        """
        folder.mkdir(parents=True, exist_ok=True)
        kinds = dict(attributes or {})
        builder = tantivy.SchemaBuilder()
        builder.add_unsigned_field(KEY, indexed=True, fast=True)
        builder.add_text_field(TERMS, tokenizer_name="terms")
        builder.add_text_field(PRESENT, tokenizer_name="raw", index_option="basic")
        for n, kind in enumerate(kinds.values()):
            if kind == "number":
                builder.add_float_field(f"a{n}", indexed=True, fast=True)
            elif kind == "time":
                builder.add_integer_field(f"a{n}", indexed=True, fast=True)
            else:
                builder.add_text_field(f"a{n}", tokenizer_name="raw", index_option="basic")
        tantivy.Index(builder.build(), path=str(folder))
        about = {"format": FORMAT, "weights": dict(weights), "attributes": kinds}
        (folder / ABOUT).write_text(json.dumps(about))
        return cls(folder)

    @classmethod
    def build(
        cls,
        folder: Path,
        weights: Mapping[str, int],
        documents: Iterable[Document],
        attributes: Mapping[str, ColumnKind] | None = None,
    ) -> TantivyIndex:
        """An index of documents with distinct keys, in one segment: the same ones, the same index.

        Args:
            folder: where it lives; made.
            weights: as in `create`.
            documents: what it holds.
            attributes: as in `create`.
        """
        index = cls.create(folder, weights, attributes)
        writer = index._index.writer(HEAP, 1)
        for document in documents:
            writer.add_document(index._native(document))
        writer.commit()
        writer.wait_merging_threads()
        index._reload()
        return index

    @classmethod
    def open(cls, folder: Path) -> TantivyIndex:
        """Open the index of a folder.

        Raises:
            StoreError: it is of another format or damaged.
        """
        return cls(folder)

    def __len__(self) -> int:
        return int(self._fresh().num_docs)

    def search(
        self,
        wanted: Wanted,
        k: int,
        where: Expression | None = None,
        only: NDArray[np.uint64] | None = None,
    ) -> Hits:
        """See `LexicalIndex.search`."""
        if wanted.empty or k < 1 or (only is not None and not len(only)):
            return NO_HITS
        searcher = self._fresh()
        parts = self._wanted(wanted, searcher)
        if where is not None:
            parts.append((Occur.Must, Query.const_score_query(self._filter(where), 0.0)))
        if only is not None:
            chosen = Query.term_set_query(self._schema, KEY, only.tolist())
            parts.append((Occur.Must, Query.const_score_query(chosen, 0.0)))
        found = searcher.search(Query.boolean_query(parts), k, count=False).hits
        if not found:
            return NO_HITS
        keys = np.array(searcher.fast_field_values(KEY, [place for _, place in found]), np.uint64)
        scores = np.array([score for score, _ in found], np.float32)
        order = np.lexsort((keys, -scores))
        return keys[order], scores[order]

    def upsert(self, documents: Iterable[Document]) -> int:
        """See `LiveIndex.upsert`."""
        count = 0
        with self._writing() as writer:
            for document in documents:
                self._drop(writer, document.key)
                writer.add_document(self._native(document))
                count += 1
        return count

    def delete(self, keys: Sequence[int]) -> None:
        """See `LiveIndex.delete`."""
        with self._writing() as writer:
            for key in keys:
                self._drop(writer, key)

    def close(self) -> None:
        """See `LexicalIndex.close`; maps end with the last search."""

    @contextmanager
    def _writing(self) -> Iterator[tantivy.IndexWriter]:
        """Hold the one writer of the folder, and commit; nothing changes if the block fails."""
        with self._lock:
            handle = os.open(self.folder / ".writing", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                writer = self._index.writer(SMALL_HEAP, 1)
                try:
                    yield writer
                except BaseException:
                    writer.rollback()
                    raise
                else:
                    writer.commit()
                finally:
                    writer.wait_merging_threads()
                self._reload()
            finally:
                os.close(handle)

    def _drop(self, writer: tantivy.IndexWriter, key: int) -> None:
        # deletion by term takes a whole number for a signed one, and finds nothing
        writer.delete_documents_by_query(Query.term_query(self._schema, KEY, key))

    def _reload(self) -> None:
        stamp = self._stamp()
        self._index.reload()
        self._searcher, self._seen = self._index.searcher(), stamp

    def _fresh(self) -> tantivy.Searcher:
        """A searcher over the newest commit of any process."""
        if self._stamp() != self._seen:
            with self._lock:
                if self._stamp() != self._seen:
                    self._reload()
        return self._searcher

    def _stamp(self) -> tuple[int, int]:
        """What tells one commit from the next: tantivy replaces this file at each."""
        told = (self.folder / "meta.json").stat()
        return told.st_ino, told.st_mtime_ns

    def _wanted(self, wanted: Wanted, searcher: tantivy.Searcher) -> list[tuple[Occur, Query]]:
        parts: list[tuple[Occur, Query]] = []
        if wanted.terms:
            scored = [
                (Occur.Should, Query.boost_query(self._term(term), weight))
                for term, weight in wanted.terms.items()
            ]
            parts.append((Occur.Must, Query.boolean_query(scored)))
        for phrase in wanted.phrases:
            words: list[str | tuple[int, str]] = [_plain(term) for term in phrase]
            whole = (
                Query.phrase_query(self._schema, TERMS, words)
                if len(phrase) > 1
                else self._term(phrase[0])
            )
            parts.append((Occur.Must, whole))
        if wanted.prefix:
            begun = searcher.terms_with_prefix(TERMS, _plain(wanted.prefix), limit=EXPANSIONS)
            known = [word for word, _ in begun] + [_plain(term) for term in wanted.begun]
            parts.append((Occur.Must, Query.term_set_query(self._schema, TERMS, known)))
        return parts

    def _term(self, term: str) -> Query:
        return Query.term_query(self._schema, TERMS, _plain(term))

    def _native(self, document: Document) -> tantivy.Document:
        native = tantivy.Document()
        native.add_unsigned(KEY, document.key)
        for field, weight in self.weights.items():
            terms = document.fields.get(field)
            if terms:
                text = _joined(terms)
                for _ in range(weight):  # tantivy leaves a gap between: no phrase spans two
                    native.add_text(TERMS, text)
        for name, kind in self._kinds.items():
            value: Any = document.attributes.get(name)
            if value is None or value == []:
                continue
            field = self._names[name]
            native.add_text(PRESENT, field)
            if kind == "number":
                native.add_float(field, float(value))
            elif kind == "time":
                native.add_integer(field, int(value))
            else:
                for term in value if isinstance(value, list) else [value]:
                    native.add_text(field, term)
        return native


def _joined(terms: Sequence[str]) -> str:
    """Terms with spaces between them, which tokenizing takes apart into the same terms."""
    text = " ".join(terms)
    if text.isascii() and len(text) < LONGEST // 4 and text.split() == list(terms):
        return text
    return " ".join(map(_plain, terms))


def _plain(term: str) -> str:
    """A term that no tokenizer splits, drops or refuses; analysed terms are such already."""
    if term.isalnum() and len(term) < LONGEST // 4:
        return term
    joined = "".join(term.split()) or "_"
    encoded = joined.encode("utf-8", "replace")
    return encoded[:LONGEST].decode("utf-8", "ignore")
