"""`Snapshot`: a release, opened. A reader holds one from the start of a request to its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shortlist.core.catalogue import Catalogue
from shortlist.core.errors import ReleaseError
from shortlist.core.users import USERS, UserTable
from shortlist.features import FeatureSet, feature_set
from shortlist.features.contexts import load_terms
from shortlist.features.counters import SERIES, Series
from shortlist.features.declared import declared_in
from shortlist.features.statistics import ItemStatistics
from shortlist.index import load_index
from shortlist.index.contract import Index
from shortlist.online.search.parts import SearchParts
from shortlist.release.artefacts import Artefact, load_artefact
from shortlist.release.fusion import FOLDER
from shortlist.release.manifest import Manifest, read_manifest
from shortlist.release.ranking.models import Ranker
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
        series: of the declared features over everybody's events, by name.
        users: what is known of users; None without `[data.users]`.
        terms: context → its values in order, of those that features read.
        ranker: None where candidates stay in fused order.
        fusion_trees: of a boosted fusion.
        search: what queries are answered by; None for a catalogue without words.
    """

    id: str
    manifest: Manifest
    catalogue: Catalogue
    retrievers: frozenset[str]
    artefacts: Mapping[str, Artefact]
    indexes: Mapping[str, Index]
    statistics: ItemStatistics
    features: FeatureSet
    ranker: Ranker | None
    fusion_trees: Trees | None
    search: SearchParts | None = None
    series: Mapping[str, Series] = field(default_factory=dict)
    users: UserTable | None = None
    terms: Mapping[str, Sequence[str]] = field(default_factory=dict)

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
            named = manifest.config.get("data", {}).get("users") or {}
            users = UserTable.load(folder / USERS) if named.get("attributes") else None
            known = users.kinds if users is not None else None
            own = declared_in(manifest.config, kinds, known) if manifest.features else []
            features = feature_set(manifest.features, kinds, own)
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
                features=features,
                ranker=Ranker.load(folder / "ranker") if manifest.ranker else None,
                fusion_trees=(
                    Trees.load(folder / FOLDER) if manifest.fusion.method == "boosted" else None
                ),
                search=SearchParts.open(folder, manifest.search) if manifest.search else None,
                series={
                    feature.name: Series.load(folder / SERIES / feature.name)
                    for feature in features.counted
                },
                users=users,
                terms=load_terms(folder) if features.contexts else {},
            )
        except FileNotFoundError as error:
            raise ReleaseError(
                f"the release {manifest.id} lacks a file.",
                remedy="Publish another release, or train again.",
                where=str(error.filename),
            ) from error
