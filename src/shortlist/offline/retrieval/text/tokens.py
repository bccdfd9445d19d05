"""The tokens of every text, made once; batches of them filled up to the longest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from shortlist.core.progress import Progress
from shortlist.text.encoding.contract import readable

TOGETHER = 4_096


@dataclass(frozen=True)
class Tokens:
    """Token ids of texts, special tokens included.

    Attributes:
        offsets: `int64[texts + 1]`.
        ids: `int32[n]`.
        known: `bool[texts]`, whether a text says anything.
        pad: what shorter texts are filled up with.
    """

    offsets: NDArray[np.int64]
    ids: NDArray[np.int32]
    known: NDArray[np.bool_]
    pad: int

    @classmethod
    def of(
        cls, tokenizer: bytes, texts: Sequence[str], length: int, pad: int, progress: Progress
    ) -> Tokens:
        """Tokenise texts, as `OnnxEncoder` does; advances by texts."""
        progress.step("text_encoder: tokens", len(texts))
        reader = Tokenizer.from_buffer(tokenizer)
        lists: list[NDArray[np.int32]] = []
        known = np.zeros(len(texts), np.bool_)
        for start in range(0, len(texts), TOGETHER):
            part = [readable(text, length) for text in texts[start : start + TOGETHER]]
            lists += [np.array(e.ids, np.int32) for e in reader.encode_batch_fast(part)]
            known[start : start + len(part)] = [bool(text.strip()) for text in part]
            progress.advance(len(part))
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(ids) for ids in lists], out=offsets[1:])
        return cls(offsets, np.concatenate([*lists, np.empty(0, np.int32)]), known, pad)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many tokens each text has."""
        return np.diff(self.offsets)

    def padded(self, texts: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids and attention mask of some texts, `int64[n, longest]` each."""
        lengths = self.lengths[texts]
        ids = np.full((len(texts), int(lengths.max(initial=1))), self.pad, np.int64)
        mask = np.arange(ids.shape[1]) < lengths[:, None]
        ids[mask] = np.concatenate(
            [self.ids[self.offsets[text] : self.offsets[text + 1]] for text in texts]
        )
        return ids, mask.astype(np.int64)
