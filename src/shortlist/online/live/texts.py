"""Which of a release's retrievers can make a vector of an item by its text, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shortlist.core.catalogue import Catalogue, Value
from shortlist.online.snapshot import Snapshot
from shortlist.text.encoding.contract import TextEncoder
from shortlist.text.encoding.documents import joined, words
from shortlist.text.encoding.saved import SavedOnnx, SavedStatic, open_encoder

READS_ITEMS = "text_encoder"
"""The kind of retriever whose encoder reads the texts of items; others encode only queries."""


@dataclass(frozen=True)
class ItemEncoder:
    """A retriever's text encoder, and what it reads of an item.

    Attributes:
        columns: the attributes and texts that the item's text is made of.
        encoder: from texts into the space of the retriever's vectors.
    """

    columns: Sequence[str]
    encoder: TextEncoder

    def text(self, attributes: Mapping[str, Value]) -> str:
        """The text of an item; empty where it has none."""
        return joined(words(attributes.get(name)) for name in self.columns)

    def text_of(self, catalogue: Catalogue, row: int) -> str:
        """The text of an item of a catalogue."""
        return joined(words(catalogue.columns[name].value(row)) for name in self.columns)


def item_encoders(snapshot: Snapshot) -> dict[str, ItemEncoder]:
    """Retriever → encoder, of those whose vectors are made of nothing but an item's text."""
    found: dict[str, ItemEncoder] = {}
    for entry in snapshot.manifest.artefacts:
        artefact = snapshot.artefacts.get(entry.folder)
        if not isinstance(artefact, SavedStatic | SavedOnnx) or entry.name not in snapshot.indexes:
            continue
        config = snapshot.manifest.config.get("retrievers", {}).get(entry.name, {})
        if config.get("kind", entry.name) != READS_ITEMS:
            continue
        columns = snapshot.catalogue.columns
        texts = [name for name, column in columns.items() if column.kind == "text"]
        found[entry.name] = ItemEncoder(config.get("text") or texts, open_encoder(artefact))
    return found
