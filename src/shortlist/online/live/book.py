"""`Book`: the items that are written while a release serves, as its engine sees them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shortlist.core.catalogue import ColumnKind, Value
from shortlist.core.times import now
from shortlist.core.vocabulary import UNKNOWN
from shortlist.index.lexical.forward import Forward
from shortlist.online.live.items import Live
from shortlist.online.live.texts import item_encoders
from shortlist.online.live.values import body_of, item_body
from shortlist.online.live.write import Stored, write_items
from shortlist.online.snapshot import Snapshot
from shortlist.stores.items import ItemBody, ItemStore, items_file
from shortlist.text.analyzer import Analyzer


class Book:
    """Written items beside one release. Safe to call from several threads.

    Args:
        store: the items, of all processes.
        snapshot: the release.
    """

    def __init__(self, store: ItemStore, snapshot: Snapshot) -> None:
        self._store, self._snapshot = store, snapshot
        self._release = snapshot.catalogue
        self._encoders = item_encoders(snapshot)

    @classmethod
    def store(cls, state: Path) -> ItemStore:
        """The written items of a project.

        Args:
            state: its `.shortlist/state`.
        """
        return ItemStore(items_file(state))

    @property
    def kinds(self) -> dict[str, ColumnKind]:
        """The attributes and texts that an item has."""
        return {name: column.kind for name, column in self._release.columns.items()}

    def live(self, words: tuple[Forward, Analyzer] | None = None) -> Live:
        """What was written since the release, for a pipeline of its own.

        Args:
            words: the release's words and their analyzer, for searches.
        """
        return Live(self._snapshot, self._store, self._encoders, words)

    def body(
        self, attributes: Mapping[str, object], available: object = True, expires: object = None
    ) -> ItemBody:
        """The body of an item of this catalogue; see `values.item_body`."""
        return item_body(self._release, attributes, available, expires)

    def put(self, items: Mapping[str, ItemBody]) -> Stored:
        """Write items; see `write.write_items`."""
        return write_items(self._store, self._release, self._encoders, items)

    def get(self, id: str) -> ItemBody | None:
        """An item as it is now, whether it may be shown or not; None where there is none."""
        written = self._store.get([id]).get(id)
        row = int(self._release.vocabulary.rows([id])[0])
        if written is not None and (written.sequence > self._release.taken or row == UNKNOWN):
            return written.body
        return None if row == UNKNOWN else body_of(self._release, row)

    def attributes(self, body: ItemBody) -> dict[str, Value]:
        """Every attribute and text of an item, those that are missing as `Catalogue.item` does."""
        missing: dict[str, Value] = {"text": "", "keywords": []}
        return {
            name: body.attributes.get(name, missing.get(column.kind))
            for name, column in self._release.columns.items()
        }

    def notes(self, id: str, body: ItemBody, hidden: bool) -> list[str]:
        """What somebody who wrote an item should know of where it can be found."""
        told = []
        if hidden:
            told.append("The item is hidden; POST /v1/items/{id}:restore shows it again.")
        if not body.available:
            told.append("The item is not available, so no answer shows it.")
        if body.expires <= now():
            told.append("The item has expired, so no answer shows it.")
        texts = [encoder.text(body.attributes) for encoder in self._encoders.values()]
        known = self._release.vocabulary.rows([id])[0] != UNKNOWN
        if not any(texts) and not known:
            why = (
                "The item has no text to make a vector of"
                if texts
                else "No retriever of this release makes vectors of items by their texts "
                "(text_encoder does)"
            )
            told.append(
                f"{why}: filters, search by words and lists that are short find it, and the next "
                "training takes it in."
            )
        return told
