"""What every text encoder promises, and what is done to a text before any of them reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

CHARACTERS = 16
"""Of a text at most so many characters are read for each token that the encoder takes."""


class TextEncoder(Protocol):
    """Turns texts into vectors; queries and items alike. Safe to call from several threads.

    Attributes:
        version: names what the encoder was made from: vectors of equal versions are of one space.
        dim: the length of a vector.
    """

    version: str
    dim: int

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """A vector of each text, `float32[n, dim]`; zeros where nothing in it is known.

        Similarity is the dot product. A batch gives what its singles give, up to rounding.
        """
        ...


def readable(text: str, tokens: int) -> str:
    """The part of a text that an encoder of so many tokens reads, as valid Unicode.

    Halves of surrogate pairs, which no tokenizer takes, are left out.
    """
    head = text[: CHARACTERS * tokens]
    return head if head.isascii() else head.encode("utf-8", "ignore").decode()
