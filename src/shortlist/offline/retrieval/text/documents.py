"""The text of every item."""

from __future__ import annotations

from collections.abc import Sequence

from shortlist.core.catalogue import Catalogue, Column
from shortlist.core.errors import ConfigError, did_you_mean
from shortlist.text.encoding.documents import joined, words

READABLE = ("text", "keyword", "keywords")


def text_columns(catalogue: Catalogue, wanted: Sequence[str], where: str) -> list[str]:
    """The columns that an item's text is made of.

    Args:
        catalogue: the items.
        wanted: names; empty for all columns of text, in their order.
        where: the config key that `wanted` comes from, for messages.

    Raises:
        ConfigError: a column is not there, or holds nothing that can be read.
    """
    if not wanted:
        return [name for name, column in catalogue.columns.items() if column.kind == "text"]
    known = [n for n, column in catalogue.columns.items() if column.kind in READABLE]
    for name in wanted:
        if name not in known:
            raise ConfigError(
                f"{where} names {name!r}, which is no text or keyword column of the catalogue.",
                remedy=did_you_mean(name, known) or "Name columns in data.items.text first.",
            )
    return list(wanted)


def texts_of(catalogue: Catalogue, columns: Sequence[str]) -> list[str]:
    """One text of each item: its columns one after another, a line each; empty where it has none.

    Keywords are read as words.
    """
    parts = [_values(catalogue.columns[name], len(catalogue)) for name in columns]
    return [joined(of_item) for of_item in zip(*parts, strict=True)] or ([""] * len(catalogue))


def _values(column: Column, items: int) -> list[str]:
    return [words(column.value(row)) for row in range(items)]
