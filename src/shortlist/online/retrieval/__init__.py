"""Online sources: one file per artefact type."""

from __future__ import annotations

from shortlist.core.errors import ReleaseError
from shortlist.online.live import Live
from shortlist.online.retrieval.contract import Source
from shortlist.online.retrieval.encoded import EncodedSource
from shortlist.online.retrieval.factors import FactorsSource
from shortlist.online.retrieval.item_to_item import ItemToItemSource
from shortlist.online.retrieval.neighbours import NeighboursSource
from shortlist.online.retrieval.popular import Filler, PopularSource, SegmentSource
from shortlist.online.retrieval.vector import VectorSource
from shortlist.online.snapshot import Snapshot
from shortlist.release.artefacts import Encoder, ItemFactors, ItemToItem, PopularLists, SessionIndex

__all__ = ["Source", "sources_of"]


def sources_of(
    snapshot: Snapshot, live: Live | None = None
) -> tuple[list[Source], list[Source], Filler]:
    """A release's sources: for recommendations, for neighbours of an item, and the filler.

    Sources are in the order of the manifest. A popular artefact that the configuration does not
    list as a retriever only fills. Items written since take part where a source can know them.
    """
    sources: list[Source] = []
    near: list[Source] = []
    filler: Filler | None = None
    # These search the vectors of their retriever by a query of their own.
    asked = {e.name for e in snapshot.manifest.artefacts if e.kind in {"factors", "encoder"}}
    for entry in snapshot.manifest.artefacts:
        artefact = snapshot.artefacts.get(entry.folder)
        name = f"{entry.name}.{entry.kind}"
        if isinstance(artefact, PopularLists):
            filler = filler or Filler(artefact, snapshot.catalogue, live)
            if entry.name in snapshot.retrievers:
                sources.append(PopularSource(entry.name, artefact))
                if artefact.segment:
                    segment = f"{entry.name}.segment"
                    sources.append(SegmentSource(segment, artefact, snapshot.catalogue))
        elif isinstance(artefact, ItemToItem):
            near.append(ItemToItemSource(name, artefact))
        elif isinstance(artefact, SessionIndex):
            near.append(NeighboursSource(name, artefact))
        elif isinstance(artefact, ItemFactors):
            if entry.name in snapshot.indexes:
                near.append(FactorsSource(name, artefact, snapshot.indexes[entry.name]))
        elif isinstance(artefact, Encoder):
            near.append(EncodedSource(name, artefact, snapshot.indexes[entry.name]))
        elif entry.kind == "vector" and entry.name not in asked:
            written = live.vectors.get(entry.name) if live is not None else None
            near.append(VectorSource(name, snapshot.indexes[entry.name], written))
    if filler is None:
        raise ReleaseError(
            "the release holds no popular artefact.",
            remedy="Train again: every release carries one to fill short lists from.",
            where=snapshot.id,
        )
    return sources + near, near, filler
