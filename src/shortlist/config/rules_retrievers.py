"""The rules of `[retrievers]`."""

from __future__ import annotations

import re

from shortlist.config.checks import attribute, between, span
from shortlist.config.schema import (
    Config,
    FactorsRetriever,
    ItemGraphRetriever,
    PopularRetriever,
    Retriever,
    SequenceRetriever,
    TextEncoderRetriever,
    TransitionsRetriever,
    TwoTowerRetriever,
)
from shortlist.config.toml import key_text, value_text
from shortlist.core.errors import ConfigError, did_you_mean

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_RETRIEVER_RANGES: dict[str, tuple[float, float]] = {
    "dim": (1, 4_096),
    "walks": (1, 10_000),
    "walk_length": (2, 10_000),
    "window": (1, 1_000),
    "negatives": (1, 1_000),
    "epochs": (1, 10_000),
    "neighbours": (0, 10_000),
    "reach": (1, 1_000),
    "distance": (0, 10),
    "back": (0, 10),
    "power": (0, 4),
    "target_power": (-2, 2),
    "damping": (0.01, 4),
    "decay": (0.01, 1),
    "history": (1, 10_000),
    "recent": (1, 1_000_000),
    "nearest": (1, 100_000),
    "rarity": (0, 4),
    "length_power": (0, 4),
    "agreement": (0.1, 4),
    "regularisation": (0, 1e6),
    "support": (1, 2_000),
    "unseen": (0, 100),
    "frequencies": (0, 4_096),
    "ideal": (0, 1_000),
    "blocks": (1, 24),
    "heads": (1, 64),
    "dropout": (0, 0.9),
    "patience": (1, 1_000),
    "learning_rate": (1e-6, 1),
    "batch": (1, 1_000_000),
    "samples": (1, 1_000_000),
    "temperature": (0.001, 10),
    "hard": (0, 100),
    "length": (1, 8_192),
    "vocabulary": (100, 1_000_000),
}


def check_retrievers(config: Config) -> None:
    """Check `retrievers`."""
    for name, retriever in config.retrievers.items():
        path = f"retrievers.{key_text(name)}"
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{path} is not a name that a folder of a release can have.",
                remedy="Use letters, digits, `_` and `-`.",
            )
        _check_ranges(path, retriever)
        if isinstance(retriever, ItemGraphRetriever):
            between(f"{path}.neighbours", retriever.neighbours, 1, 10_000)
            for column in retriever.attributes if retriever.attributes != "auto" else []:
                attribute(config, f"{path}.attributes", column, value=True)
        if isinstance(retriever, FactorsRetriever):
            between(f"{path}.dim", retriever.dim, 1, 128)
        if isinstance(retriever, TwoTowerRetriever) and retriever.query == "text":
            _check_query_tower(config, path)
        if isinstance(retriever, TextEncoderRetriever):
            _check_text_encoder(config, path, retriever)
        if isinstance(retriever, SequenceRetriever):
            _check_heads(path, retriever)
        if isinstance(retriever, TransitionsRetriever) and retriever.half_life != "none":
            span(f"{path}.half_life", retriever.half_life, auto=True)
        if isinstance(retriever, PopularRetriever):
            span(f"{path}.half_life", retriever.half_life)
            if retriever.segment:
                attribute(config, f"{path}.segment", retriever.segment, value=True)


def _check_ranges(path: str, retriever: Retriever) -> None:
    for key in retriever.__struct_fields__:
        if key in _RETRIEVER_RANGES and getattr(retriever, key) != "auto":
            low, high = _RETRIEVER_RANGES[key]
            if key == "epochs" and isinstance(retriever, TextEncoderRetriever):
                low = 0
            between(f"{path}.{key}", getattr(retriever, key), low, high)


def _check_query_tower(config: Config, path: str) -> None:
    if config.data.queries is None:
        raise ConfigError(
            f'{path}.query = "text" needs queries to learn from.',
            remedy="Add [data.queries] with its path, or write a [retrievers.text_encoder].",
        )
    if config.data.items is None or not config.data.items.text:
        raise ConfigError(
            f'{path}.query = "text" needs texts of items.',
            remedy="Name columns in data.items.text.",
        )


def _check_text_encoder(config: Config, path: str, retriever: TextEncoderRetriever) -> None:
    if not retriever.model.strip():
        raise ConfigError(
            f'{path}.model = "" is empty.',
            remedy='Write "static", or the name or folder of a Sentence-Transformers model.',
        )
    items = config.data.items
    known = [*items.text, *items.attributes] if items else []
    for number, column in enumerate(retriever.text):
        if column not in known:
            raise ConfigError(
                f"{path}.text[{number}] = {value_text(column)} is not one of data.items.text or "
                "data.items.attributes.",
                remedy=did_you_mean(column, known) or "Add it to data.items.text.",
            )


def _check_heads(path: str, retriever: SequenceRetriever) -> None:
    dim, heads = retriever.dim, retriever.heads
    if heads != "auto" and (dim == "auto" or dim % heads):
        raise ConfigError(
            f"{path}.heads = {heads} does not divide {path}.dim = {value_text(dim)}.",
            remedy="Set both, so that it does, or leave heads at auto.",
        )
