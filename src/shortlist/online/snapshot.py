"""`Snapshot`: a release, opened. A reader holds one from the start of a request to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shortlist.core.catalogue import Catalogue
from shortlist.core.errors import ReleaseError
from shortlist.features import FeatureSet, feature_set
from shortlist.features.statistics import ItemStatistics
from shortlist.index import load_index
from shortlist.index.contract import Index
from shortlist.release.artefacts import Artefact, load_artefact
from shortlist.release.fusion import FOLDER
from shortlist.release.manifest import Manifest, read_manifest
from shortlist.release.trees import Trees


@dataclass(frozen=True)
class Snapshot:
    """Everything a release holds, memory-mapped.

    Attributes:
        id: the release.
        manifest: what it says of itself.
        catalogue: its items.
        retrievers: the retrievers that its configuration lists.
        artefacts: folder → artefact; vectors are in `indexes` instead.
        indexes: retriever → index over its vectors.
        statistics: item event counts.
        features: the ranker's input, where there is a ranker.
        trees: the ranker; None where candidates stay in fused order.
        fusion_trees: of a boosted fusion.
    """

    id: str
    manifest: Manifest
    catalogue: Catalogue
    retrievers: frozenset[str]
    artefacts: Mapping[str, Artefact]
    indexes: Mapping[str, Index]
    statistics: ItemStatistics
    features: FeatureSet
    trees: Trees | None
    fusion_trees: Trees | None

    @classmethod
    def open(cls, folder: Path) -> Snapshot:
        """Open a release's folder.

        Raises:
            ReleaseError: a file is missing or the release is of another format.
        """
        manifest = read_manifest(folder)
        try:
            catalogue = Catalogue.load(folder / "catalogue")
            kinds = {name: column.kind for name, column in catalogue.columns.items()}
            return cls(
                id=manifest.id,
                manifest=manifest,
                catalogue=catalogue,
                retrievers=frozenset(manifest.config.get("retrievers", {})),
                artefacts={
                    entry.folder: load_artefact(entry.kind, folder / entry.folder)
                    for entry in manifest.artefacts
                    if entry.kind != "vector"
                },
                indexes={name: load_index(folder / "indexes" / name) for name in manifest.indexes},
                statistics=ItemStatistics.load(folder / "features"),
                features=feature_set(manifest.features, kinds),
                trees=Trees.load(folder / "ranker") if manifest.ranker else None,
                fusion_trees=(
                    Trees.load(folder / FOLDER) if manifest.fusion.method == "boosted" else None
                ),
            )
        except FileNotFoundError as error:
            raise ReleaseError(
                f"the release {manifest.id} lacks a file.",
                remedy="Publish another release, or train again.",
                where=str(error.filename),
            ) from error
