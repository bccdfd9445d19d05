"""`MilvusIndex`: BM25 by Milvus' full-text function, for more documents than one machine serves.

Milvus analyses what it is given, so every term goes in as a word that its standard tokenizer
leaves alone. Phrases and prefixes are filters over those words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import ColumnKind, Value
from shortlist.core.errors import StoreError
from shortlist.core.expression import Expression
from shortlist.index.lexical.contract import K1, NO_HITS, B, Document, Hits, Wanted
from shortlist.index.lexical.milvus_filters import milvus_filter

if TYPE_CHECKING:
    from pymilvus import MilvusClient

BATCH = 1_000
MOST_BYTES = 65_535
"""What a VARCHAR of Milvus holds; the words of a longer document are cut there."""
LONGEST_TERM = 256
"""Values of keywords are cut to so many bytes."""
_WORD = re.compile(r"[a-z0-9]{1,64}")
_CODED = "zx"
_GAP = " . "
"""Between fields: no phrase spans it, and it is no word."""


class MilvusIndex:
    """A full-text index in a collection of Milvus.

    Args:
        uri: `http://host:19530` (or `https://user:password@…`), or the path of a file, which
            Milvus Lite then serves in this process.
        collection: its name; made if it is not there.
        weights: field → how often its terms count, 1 or more.
        attributes: what can be filtered by.

    Raises:
        StoreError: Milvus cannot be reached or refuses; names the address.
    """

    def __init__(
        self,
        uri: str,
        collection: str,
        weights: Mapping[str, int],
        attributes: Mapping[str, ColumnKind] | None = None,
    ) -> None:
        try:
            from pymilvus import MilvusClient, MilvusException
        except ImportError:
            raise StoreError(
                "Milvus needs its client.",
                remedy="Run `pip install 'shortlist[milvus]'`.",
                where=uri,
            ) from None
        self._uri, self._collection = uri, collection
        self._weights = dict(weights)
        kinds = dict(attributes or {})
        self._attributes = {name: (f"a{n}", kind) for n, (name, kind) in enumerate(kinds.items())}
        self._fault = MilvusException
        try:
            self._client: MilvusClient = MilvusClient(uri)
            if not self._client.has_collection(collection):
                self._make()
            self._client.load_collection(collection)
        except MilvusException as error:
            raise self._error(error) from error

    def __len__(self) -> int:
        try:
            (counted,) = self._client.query(
                self._collection, filter="", output_fields=["count(*)"], consistency_level="Strong"
            )
        except self._fault as error:
            raise self._error(error) from error
        return int(counted["count(*)"])

    def search(
        self,
        wanted: Wanted,
        k: int,
        where: Expression | None = None,
        only: NDArray[np.uint64] | None = None,
    ) -> Hits:
        """See `LexicalIndex.search`. Milvus weighs no terms: a weight rounds to repetitions."""
        if wanted.empty or k < 1 or (only is not None and not len(only)):
            return NO_HITS
        filters = [f'words like "% {_phrase(phrase)} %"' for phrase in wanted.phrases]
        if wanted.prefix:
            begun = [f'words like "% {encode(term)} %"' for term in wanted.begun]
            filters.append(" or ".join([f'words like "% {encode(wanted.prefix)}%"', *begun]))
        if where is not None:
            filters.append(milvus_filter(where, self._attributes))
        if only is not None:
            filters.append(f"key in {only.view(np.int64).tolist()}")
        told = " and ".join(f"({text})" for text in filters)
        try:
            pairs = self._ranked(wanted, k, told) if wanted.terms else self._held(k, told)
        except self._fault as error:
            raise self._error(error) from error
        keys = np.array([key for key, _ in pairs], np.int64).view(np.uint64)
        scores = np.array([score for _, score in pairs], np.float32)
        order = np.lexsort((keys, -scores))
        return keys[order], scores[order]

    def upsert(self, documents: Iterable[Document]) -> int:
        """See `LiveIndex.upsert`. Every batch of 1,000 becomes visible by itself."""
        count = 0
        try:
            for batch in _batches(documents):
                # an upsert of Milvus may keep attributes that the new document lacks
                self._client.delete(self._collection, ids=[_signed(d.key) for d in batch])
                self._client.insert(self._collection, [self._row(d) for d in batch])
                count += len(batch)
        except self._fault as error:
            raise self._error(error) from error
        return count

    def delete(self, keys: Sequence[int]) -> None:
        """See `LiveIndex.delete`."""
        try:
            if keys:
                self._client.delete(self._collection, ids=[_signed(key) for key in keys])
        except self._fault as error:
            raise self._error(error) from error

    def close(self) -> None:
        """See `LexicalIndex.close`."""
        self._client.close()

    def _ranked(self, wanted: Wanted, k: int, told: str) -> list[tuple[int, float]]:
        least = min(wanted.terms.values())
        words = [
            word
            for term, weight in wanted.terms.items()
            for word in [encode(term)] * min(round(weight / least), 10)
        ]
        (found,) = self._client.search(
            self._collection,
            [" ".join(words)],
            anns_field="bm25",
            limit=k,
            filter=told,
            consistency_level="Strong",
        )
        # Milvus Lite gives distances, Milvus scores: the sign differs, best is first in both.
        return [(int(hit["key"]), abs(float(hit["distance"]))) for hit in found]

    def _held(self, k: int, told: str) -> list[tuple[int, float]]:
        found = self._client.query(
            self._collection,
            filter=told,
            output_fields=["key"],
            limit=k,
            consistency_level="Strong",
        )
        return [(int(row["key"]), 1.0) for row in found]

    def _make(self) -> None:
        from pymilvus import DataType, Function, FunctionType

        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("key", DataType.INT64, is_primary=True)
        schema.add_field(
            "words",
            DataType.VARCHAR,
            max_length=MOST_BYTES,
            enable_analyzer=True,
            analyzer_params={"tokenizer": "standard"},
        )
        schema.add_field("bm25", DataType.SPARSE_FLOAT_VECTOR)
        for field, kind in self._attributes.values():
            if kind == "keywords":
                schema.add_field(
                    field,
                    DataType.ARRAY,
                    element_type=DataType.VARCHAR,
                    max_capacity=4_096,
                    max_length=LONGEST_TERM,
                )
            elif kind == "keyword":
                schema.add_field(field, DataType.VARCHAR, max_length=LONGEST_TERM, nullable=True)
            else:
                number = DataType.DOUBLE if kind == "number" else DataType.INT64
                schema.add_field(field, number, nullable=True)
        schema.add_function(
            Function(
                name="bm25",
                function_type=FunctionType.BM25,
                input_field_names=["words"],
                output_field_names="bm25",
            )
        )
        indexes = self._client.prepare_index_params()
        indexes.add_index(
            "bm25",
            index_type="SPARSE_INVERTED_INDEX",
            metric_type="BM25",
            params={"bm25_k1": K1, "bm25_b": B},
        )
        self._client.create_collection(self._collection, schema=schema, index_params=indexes)

    def _row(self, document: Document) -> dict[str, Any]:
        texts = []
        for field, weight in self._weights.items():
            words = " ".join(map(encode, document.fields.get(field, ())))
            texts += [words] * weight if words else []
        row: dict[str, Any] = {
            "key": _signed(document.key),
            "words": _cut(f" {_GAP.join(texts)} ", MOST_BYTES),
        }
        for name, (field, kind) in self._attributes.items():
            row[field] = _native(document.attributes.get(name), kind)
        return row

    def _error(self, error: Exception) -> StoreError:
        return StoreError(
            f"Milvus failed: {error}",
            remedy="Check that it runs and is reachable.",
            where=self._uri,
        )


def encode(term: str) -> str:
    """A term as one word that Milvus' tokenizer keeps; different terms, different words."""
    if _WORD.fullmatch(term) and not term.startswith(_CODED):
        return term
    return _CODED + term.encode("utf-8", "surrogatepass").hex()


def _phrase(phrase: Sequence[str]) -> str:
    return " ".join(map(encode, phrase))


def _signed(key: int) -> int:
    return key - (1 << 64) if key >= 1 << 63 else key


def _cut(text: str, most: int) -> str:
    """A text of at most so many bytes."""
    data = text.encode("utf-8", "replace")
    return text if len(data) <= most else data[:most].decode("utf-8", "ignore")


def _native(value: Value, kind: ColumnKind) -> Any:
    if kind == "keywords":
        return [_cut(term, LONGEST_TERM) for term in value] if isinstance(value, list) else []
    return _cut(value, LONGEST_TERM) if isinstance(value, str) else value


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    for document in documents:
        batch.append(document)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
