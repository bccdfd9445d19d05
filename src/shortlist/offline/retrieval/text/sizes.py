"""Sizes of static encoders: what the config says, and rules where it says `auto`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shortlist.config.schema import TextEncoderRetriever

UNIFORM = 256
"""Uniform draws for a batch, at least: they cost little, and small batches have few others."""


@dataclass(frozen=True)
class StaticSizes:
    """See the keys of `[retrievers.text_encoder]`."""

    dim: int
    vocabulary: int
    epochs: int
    batch: int
    uniform: int
    rate: float
    temperature: float

    @classmethod
    def of(cls, items: int, pairs: int, config: TextEncoderRetriever) -> StaticSizes:
        """The sizes for a catalogue of so many items, and so many pairs."""
        rules = {
            "dim": 256,
            "vocabulary": int(np.clip(4 * items, 4_000, 32_000)),
            "epochs": int(np.clip(5_000_000 / max(1, pairs), 3, 15)),
            "batch": int(2 ** np.clip(np.floor(np.log2(max(1, pairs) / 32)), 6, 10)),
        }
        whole = {
            name: rule if getattr(config, name) == "auto" else int(getattr(config, name))
            for name, rule in rules.items()
        }
        rate, temperature = config.learning_rate, config.temperature
        return cls(
            **whole,
            uniform=max(whole["batch"], UNIFORM),
            rate=0.05 if rate == "auto" else rate,
            temperature=0.05 if temperature == "auto" else temperature,
        )
