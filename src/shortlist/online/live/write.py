"""Writing items while a release serves: check, encode what is new, store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shortlist.core.catalogue import Catalogue
from shortlist.core.times import now
from shortlist.core.vocabulary import UNKNOWN
from shortlist.online.live.items import differing
from shortlist.online.live.texts import ItemEncoder
from shortlist.online.live.values import body_of, check_id
from shortlist.stores.items import Encoded, ItemBody, ItemStore
from shortlist.stores.vectors.reuse import embed


@dataclass
class Stored:
    """What a write did.

    Attributes:
        written: items that are new or differ from what was known.
        unchanged: items that were known just so; nothing was written of them.
        encoded: texts that were encoded.
        reused: texts whose vectors were there.
        encoders: retrievers that can find the items by their texts from now on.
    """

    written: int = 0
    unchanged: int = 0
    encoded: int = 0
    reused: int = 0
    encoders: list[str] = field(default_factory=list)

    def add(self, other: Stored) -> None:
        """Count another write as well."""
        self.written += other.written
        self.unchanged += other.unchanged
        self.encoded += other.encoded
        self.reused += other.reused
        self.encoders = sorted({*self.encoders, *other.encoders})


def write_items(
    store: ItemStore,
    release: Catalogue,
    encoders: Mapping[str, ItemEncoder],
    items: Mapping[str, ItemBody],
) -> Stored:
    """Write items, durable and part of every process's next answer when it returns.

    Doing it again writes nothing and encodes nothing.

    Args:
        store: where written items are.
        release: the items of the release that serves.
        encoders: its encoders of items' texts, by retriever.
        items: bodies by id.

    Raises:
        RequestError: an id is empty or too long.
    """
    for id in items:
        check_id(id)
    changed = _changed(store, release, items)
    done = Stored(written=len(changed), unchanged=len(items) - len(changed))
    encoded = []
    for name, encoder in encoders.items():
        if any(encoder.text(body.attributes) for body in items.values()):
            done.encoders.append(name)
        texts = differing(encoder, release, changed)
        if not texts:
            continue
        version = encoder.encoder.version
        made = embed(store.vectors(version, encoder.encoder.dim), texts, encoder.encoder)
        fresh = made.encoded.tolist()
        done.encoded += len(fresh)
        done.reused += len(texts) - len(fresh)
        encoded.append(
            Encoded(
                version,
                [made.ids[place] for place in fresh],
                made.vectors[made.encoded],
                [made.content[place] for place in fresh],
            )
        )
    if changed:
        store.put(list(changed.items()), now(), encoded)
    return done


def _changed(
    store: ItemStore, release: Catalogue, items: Mapping[str, ItemBody]
) -> dict[str, ItemBody]:
    """Those that differ from what answers are made of now."""
    ids: Sequence[str] = list(items)
    before = store.get(ids)
    changed = {}
    for id, row in zip(ids, release.vocabulary.rows(ids).tolist(), strict=True):
        known = before.get(id)
        if known is not None and (known.sequence > release.taken or row == UNKNOWN):
            same = known.body == items[id]
        else:
            same = row != UNKNOWN and body_of(release, row) == items[id]
        if not same:
            changed[id] = items[id]
    return changed
