"""Opening a text encoder from what a release holds of it."""

from __future__ import annotations

import json
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from shortlist.text.analyzer import Analyzer
from shortlist.text.encoding.contract import TextEncoder
from shortlist.text.encoding.onnx import OnnxEncoder
from shortlist.text.encoding.static import StaticEncoder


@runtime_checkable
class SavedStatic(Protocol):
    """`release.artefacts.StaticText` is one."""

    @property
    def tokenizer(self) -> NDArray[np.uint8]:
        """A `tokenizer.json`."""
        ...

    @property
    def table(self) -> NDArray[np.float32]:
        """`float32[subwords, dim]`."""
        ...

    @property
    def weights(self) -> NDArray[np.float32]:
        """`float32[subwords]`."""
        ...

    @property
    def length(self) -> int:
        """How many tokens of a text are read."""
        ...

    @property
    def unit(self) -> int:
        """1 when vectors have length 1."""
        ...

    @property
    def analyzer(self) -> str:
        """`Analyzer.to_dict` as JSON."""
        ...

    @property
    def version(self) -> str:
        """Names the content."""
        ...


@runtime_checkable
class SavedOnnx(Protocol):
    """`release.artefacts.OnnxText` is one."""

    @property
    def tokenizer(self) -> NDArray[np.uint8]:
        """A `tokenizer.json`."""
        ...

    @property
    def model(self) -> NDArray[np.uint8]:
        """An ONNX file."""
        ...

    @property
    def length(self) -> int:
        """How many tokens of a text are read."""
        ...

    @property
    def pad(self) -> int:
        """The id that fills shorter texts up."""
        ...

    @property
    def dim(self) -> int:
        """The length of a vector."""
        ...

    @property
    def version(self) -> str:
        """Names the content."""
        ...


def open_encoder(saved: SavedStatic | SavedOnnx, threads: int = 1) -> TextEncoder:
    """The encoder that was saved.

    Args:
        saved: what a release holds of it.
        threads: of one call of an ONNX model; 0 for all cores.

    Raises:
        ReleaseError: a model cannot be opened, or the analyzer is of another version.
    """
    tokenizer = saved.tokenizer.tobytes()
    if isinstance(saved, SavedStatic):
        return StaticEncoder(
            tokenizer,
            saved.table,
            saved.weights,
            saved.length,
            bool(saved.unit),
            Analyzer.from_dict(json.loads(saved.analyzer)),
            saved.version,
        )
    return OnnxEncoder(
        tokenizer,
        saved.model.tobytes(),
        saved.length,
        saved.pad,
        saved.dim,
        saved.version,
        threads,
    )
