"""`OnnxEncoder`: a transformer as an ONNX model, with its tokenizer beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from shortlist.core.onnx import open_session
from shortlist.text.encoding.contract import readable

TOGETHER = 32
"""Texts of like length that go through the model together."""


class OnnxEncoder:
    """Tokenises, and runs the model on batches of like length, so that little of it is padding.

    Args:
        tokenizer: a `tokenizer.json`.
        model: an ONNX file that takes `input_ids` and `attention_mask` int64[b, n] (and
            `token_type_ids`, where it wants them) and gives `vectors` float32[b, dim].
        length: how many tokens of a text are read.
        pad: the id that shorter texts are filled up with.
        dim: the length of a vector.
        version: see `TextEncoder`.
        threads: of one call; 0 for all cores.

    Raises:
        ReleaseError: the model cannot be opened.
    """

    def __init__(
        self,
        tokenizer: bytes,
        model: bytes,
        length: int,
        pad: int,
        dim: int,
        version: str,
        threads: int = 1,
    ) -> None:
        self._tokenizer = Tokenizer.from_buffer(tokenizer)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(length)
        self._session = open_session(model, "a text encoder", threads=threads)
        self._typed = "token_type_ids" in {i.name for i in self._session.get_inputs()}
        self._length, self._pad = length, pad
        self.version = version
        self.dim = dim

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `TextEncoder.encode`. A text without any word has zeros."""
        out = np.zeros((len(texts), self.dim), np.float32)
        clean = [readable(text, self._length) for text in texts]
        found = self._tokenizer.encode_batch_fast(clean)
        lists = [encoding.ids for encoding in found]
        some = [i for i, text in enumerate(clean) if text.strip()]
        some.sort(key=lambda i: len(lists[i]))
        for start in range(0, len(some), TOGETHER):
            part = some[start : start + TOGETHER]
            out[part] = self._run([lists[i] for i in part])
        return out

    def _run(self, lists: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        longest = max(map(len, lists))
        ids = np.full((len(lists), longest), self._pad, np.int64)
        mask = np.zeros((len(lists), longest), np.int64)
        for i, tokens in enumerate(lists):
            ids[i, : len(tokens)] = tokens
            mask[i, : len(tokens)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask}
        if self._typed:
            inputs["token_type_ids"] = np.zeros_like(ids)
        (vectors,) = self._session.run(None, inputs)
        return np.asarray(vectors, np.float32)
