"""The servables of a release: its indexes, its encoders and its ranker.

| name                  | is                                                             |
|-----------------------|----------------------------------------------------------------|
| a retriever's         | the index over its vectors                                     |
| `index`               | that of `serve.tensorflow_index`, else the first retriever's   |
| `<retriever>.encoder` | what makes a vector of a history (an ONNX model) or of a text  |
| `ranker`              | features to a score                                            |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from shortlist.config.schema import ServeSection
from shortlist.core.errors import RequestError
from shortlist.core.vocabulary import Vocabulary
from shortlist.index.contract import Index
from shortlist.online.retrieval.encoded import session_of
from shortlist.online.snapshot import Snapshot
from shortlist.release.artefacts import Encoder, OnnxText, StaticText
from shortlist.release.ranking.batch import NOBODY, Batch
from shortlist.release.ranking.cascade import Cascade
from shortlist.release.ranking.models import Ranker
from shortlist.release.ranking.scorers import Scorer, scorer_of
from shortlist.release.trees import Trees
from shortlist.serve.tensorflow.signature import DEFAULT, Signature, Tensor, check_shape
from shortlist.serve.tensorflow.tensors import Tensors
from shortlist.text.encoding.contract import TextEncoder
from shortlist.text.encoding.saved import open_encoder

ALIAS = "index"
RANKER = "ranker"
ROW = "row"
MOST_QUERIES = 4_096
"""Queries that one call may make of an index."""
NO_ROW, NO_DISTANCE = -1, float(np.finfo(np.float32).min)
ONNX_TYPES = {
    "tensor(float)": "DT_FLOAT",
    "tensor(double)": "DT_DOUBLE",
    "tensor(int32)": "DT_INT32",
    "tensor(int64)": "DT_INT64",
    "tensor(bool)": "DT_BOOL",
}


class Servable(Protocol):
    """A function of tensors; safe to call from several threads."""

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """What it takes and gives, by the signature's name."""
        ...

    def predict(self, signature: str, inputs: Tensors) -> Tensors:
        """Its outputs.

        Raises:
            RequestError: an input has a shape or a value that it cannot take.
        """
        ...


class IndexServable:
    """The nearest vectors of a query: their dot products, larger being nearer, and their rows.

    `serving_default` takes one query `[dim]`, or several `[n, dim]`, and gives distances and
    catalogue rows, `[k]` or `[n, k]`; k is `serve.tensorflow_k`, or the number of vectors if that
    is smaller. `batch` says so in its shapes; `items` gives ids instead of rows. Past the last
    vector found stand row -1 and the lowest float32.
    """

    def __init__(self, index: Index, vocabulary: Vocabulary, k: int) -> None:
        self._index, self._vocabulary = index, vocabulary
        self._k = k = min(k, len(index))
        one, several = Tensor("DT_FLOAT", (-1,)), Tensor("DT_FLOAT", (-1, index.dim))
        near, rows = Tensor("DT_FLOAT", (k,)), Tensor("DT_INT32", (k,))
        many = {"output_1": Tensor("DT_FLOAT", (-1, k)), "output_2": Tensor("DT_INT32", (-1, k))}
        ids = many | {"output_2": Tensor("DT_STRING", (-1, k))}
        self.signatures = {
            DEFAULT: Signature({"input_1": one}, {"output_1": near, "output_2": rows}),
            "batch": Signature({"input_1": several}, many),
            "items": Signature({"input_1": several}, ids),
        }

    def predict(self, signature: str, inputs: Tensors) -> Tensors:
        """See `Servable.predict`."""
        given = inputs["input_1"]
        dim = self._index.dim
        check_shape("input_1", given, [(dim,), (-1, dim)])
        queries = given.reshape(-1, dim)
        if len(queries) > MOST_QUERIES:
            raise RequestError(
                f"{len(queries):,} queries are too many.",
                remedy=f"Give up to {MOST_QUERIES:,} at once.",
                where="input_1",
            )
        rows, distances = self._index.search(np.ascontiguousarray(queries), self._k)
        shape = (*given.shape[:-1], self._k)
        near = np.where(rows < 0, np.float32(NO_DISTANCE), distances)
        found = self._ids(rows) if signature == "items" else rows
        return {"output_1": near.reshape(shape), "output_2": found.reshape(shape)}

    def _ids(self, rows: NDArray[np.int32]) -> NDArray[np.object_]:
        ids = np.full(rows.shape, "", object)
        found = rows >= 0
        ids[found] = self._vocabulary.ids(rows[found])
        return ids


class EncoderServable:
    """A query encoder, by the inputs and outputs of its ONNX model.

    Its session is the one that answers recommendations.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        return session_of(self._encoder)

    @cached_property
    def signatures(self) -> Mapping[str, Signature]:
        """See `Servable.signatures`."""
        inputs = {node.name: _tensor_of(node) for node in self._session.get_inputs()}
        outputs = {node.name: _tensor_of(node) for node in self._session.get_outputs()}
        return {DEFAULT: Signature(inputs, outputs)}

    def predict(self, signature: str, inputs: Tensors) -> Tensors:
        """See `Servable.predict`."""
        wanted = self.signatures[signature]
        for name, tensor in wanted.inputs.items():
            check_shape(name, inputs[name], [tensor.shape])
        names = list(wanted.outputs)
        try:
            found = self._session.run(names, dict(inputs))
        except (
            onnxruntime.capi.onnxruntime_pybind11_state.Fail,
            onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument,
            onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException,
        ) as error:
            raise RequestError(
                f"the model cannot take these inputs: {error}",
                remedy="Give shapes and rows as the metadata says.",
                where="inputs",
            ) from None
        return dict(zip(names, found, strict=True))


class TextServable:
    """An encoder of texts: `text` `[n]` to `vectors` `[n, dim]`, which search its index.

    Its session is the one that answers searches.
    """

    def __init__(self, saved: StaticText | OnnxText) -> None:
        self._saved = saved

    @cached_property
    def _encoder(self) -> TextEncoder:
        return open_encoder(self._saved)

    @cached_property
    def signatures(self) -> Mapping[str, Signature]:
        """See `Servable.signatures`."""
        vectors = Tensor("DT_FLOAT", (-1, self._encoder.dim))
        return {DEFAULT: Signature({"text": Tensor("DT_STRING", (-1,))}, {"vectors": vectors})}

    def predict(self, signature: str, inputs: Tensors) -> Tensors:
        """See `Servable.predict`."""
        texts = inputs["text"]
        check_shape("text", texts, [(-1,)])
        if len(texts) > MOST_QUERIES:
            raise RequestError(
                f"{len(texts):,} texts are too many.",
                remedy=f"Give up to {MOST_QUERIES:,} at once.",
                where="text",
            )
        return {"vectors": self._encoder.encode(texts.tolist())}


class RankerServable:
    """Features, each a column `[n]` by its name, to scores `[n]`: the candidates of one request.

    Models that know single items also take `row`, the catalogue rows. The request is nobody's:
    what a model knows of a user or a history stays out.
    """

    def __init__(self, ranker: Ranker, features: Sequence[str], items: int) -> None:
        self._ranker = ranker
        self._features, self._items = features, items
        model = ranker.model.second if isinstance(ranker.model, Cascade) else ranker.model
        column = Tensor("DT_FLOAT", (-1,))
        inputs = dict.fromkeys(features, column)
        if not isinstance(model, Trees):
            inputs[ROW] = Tensor("DT_INT32", (-1,))
        self.signatures = {DEFAULT: Signature(inputs, {"score": column})}

    @cached_property
    def _score(self) -> Scorer:
        return scorer_of(self._ranker.model)

    def predict(self, signature: str, inputs: Tensors) -> Tensors:
        """See `Servable.predict`."""
        first = next(iter(inputs))
        check_shape(first, inputs[first], [(-1,)])
        n = len(inputs[first])
        for name, column in inputs.items():
            check_shape(name, column, [(n,)])
        rows = inputs.get(ROW, np.zeros(n, np.int32))
        wrong = (rows < 0) | (rows >= self._items)
        if wrong.any():
            raise RequestError(
                f"{rows[wrong][0]} is not a row of the catalogue.",
                remedy=f"Rows are from 0 to {self._items - 1}.",
                where=f"{ROW}[{int(np.argmax(wrong))}]",
            )
        if not n:
            return {"score": np.empty(0, np.float32)}
        batch = Batch(
            np.ascontiguousarray([inputs[name] for name in self._features], np.float32),
            rows,
            np.array([0, n], np.int64),
            np.array([NOBODY], np.uint64),
            [np.empty(0, np.int32)],
        )
        scores, calibration = self._score(batch), self._ranker.calibration
        return {"score": scores if calibration is None else calibration(scores)}


def servables_of(snapshot: Snapshot, serve: ServeSection) -> dict[str, Servable]:
    """The servables of a release by name."""
    found: dict[str, Servable] = {}
    for name, index in snapshot.indexes.items():
        found[name] = IndexServable(index, snapshot.catalogue.vocabulary, serve.tensorflow_k)
    chosen = serve.tensorflow_index or next(iter(snapshot.indexes), "")
    if chosen in found:
        found[ALIAS] = found[chosen]
    for entry in snapshot.manifest.artefacts:
        artefact = snapshot.artefacts.get(entry.folder)
        if isinstance(artefact, Encoder):
            found[f"{entry.name}.encoder"] = EncoderServable(artefact)
        elif isinstance(artefact, StaticText | OnnxText):
            found[f"{entry.name}.encoder"] = TextServable(artefact)
    if snapshot.ranker is not None:
        names = snapshot.features.names
        found[RANKER] = RankerServable(snapshot.ranker, names, len(snapshot.catalogue))
    return found


def _tensor_of(node: Any) -> Tensor:
    """An input or output of an ONNX model; axes that it names are of any length."""
    shape = tuple(size if isinstance(size, int) else -1 for size in node.shape)
    return Tensor(ONNX_TYPES[node.type], shape)
