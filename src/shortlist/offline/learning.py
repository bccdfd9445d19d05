"""What is learned on later requests than the retrievers know: fusion, then the ranker.

Retrievers are fitted on what is before a window; requests are taken from it. The ranker's rows
carry the fused score, and fusion learns from the same window: each request is therefore fused by
what was learned without its user.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shortlist.config.features import declared as declared_features
from shortlist.config.features import wants_defaults
from shortlist.config.schema import Config, EvaluateSection
from shortlist.core.errors import ConfigError, DataError, ReleaseError, did_you_mean
from shortlist.core.progress import Progress
from shortlist.core.request import Pipeline, Request
from shortlist.features import FeatureSet, default_features, with_declared
from shortlist.features.declared import declare
from shortlist.features.feast_history import history_of
from shortlist.features.profile import Profile
from shortlist.features.remote import Remote
from shortlist.offline.data.engine import engine
from shortlist.offline.data.knowledge import read_knowledge
from shortlist.offline.data.prepared import Prepared
from shortlist.offline.data.split import newest_part
from shortlist.offline.data.training import TrainingData
from shortlist.offline.evaluate.requests import ask
from shortlist.offline.ranking.cross_fitted import CrossFitted
from shortlist.offline.ranking.fit import FitReport, fit
from shortlist.offline.ranking.graph import graph_of
from shortlist.offline.ranking.rows import Rows, training_rows
from shortlist.offline.replay import Replay
from shortlist.offline.retrieval.fusion import Learned, learn
from shortlist.offline.retrieval.memory import Fits
from shortlist.release.fusion import FOLDER as FUSION_FOLDER
from shortlist.release.fusion import Fusion
from shortlist.release.manifest import read_manifest
from shortlist.release.publish import Draft, Releases
from shortlist.release.ranking.models import Model, Ranker
from shortlist.release.ranking.neural import Graph
from shortlist.release.trees import Trees
from shortlist.stores.contract import HistoryReader

if TYPE_CHECKING:
    import ibis.expr.types as ir

FUSION_USERS = 5_000
FUSION_REQUESTS = 2
"""Of each user; more of one user's say much the same."""

OpenPipeline = Callable[[Path, HistoryReader], Pipeline]
"""Opens a release's folder over a history store: the online request path."""

_CARRIED = ("config", "watermark", "items", "artefacts", "indexes", "chosen")


@dataclass(frozen=True)
class Models:
    """What is learned.

    Attributes:
        fusion: how the sources' lists become one.
        ranker: None without one.
        features: what it ranks by.
        until: the ranker knows nothing from this instant on, microseconds.
        profile: of what it was trained on.
        report: of the ranker's training.
    """

    fusion: Learned = field(default_factory=lambda: Learned(Fusion()))
    ranker: Ranker | None = None
    features: FeatureSet = field(default_factory=lambda: FeatureSet([]))
    until: int = 0
    profile: Profile | None = None
    report: FitReport | None = None

    def without_ranker(self) -> Models:
        """Fusion alone."""
        return Models(self.fusion)


@dataclass(frozen=True)
class Learner:
    """Learns from one log.

    Attributes:
        config: the project's configuration.
        folder: the project's folder.
        prepared: users and impressions.
        known: the log; retrievers are fitted on the older part of it.
        open_pipeline: the online request path.
        build: `offline.pipeline.build`.
        fits: what is kept of fits beside a release.
        progress: told of every step.
    """

    config: Config
    folder: Path
    prepared: Prepared
    known: TrainingData
    open_pipeline: OpenPipeline
    build: Callable[..., str]
    fits: Fits
    progress: Progress

    def learn(self, releases: Releases, notes: list[str]) -> Models:
        """Fusion and a ranker.

        Args:
            releases: where the release that serves is; its ranker may be started from.
            notes: given what is worth knowing.
        """
        ranker = self.config.ranker
        if ranker.kind == "none":
            notes.append("No ranker: candidates stay in fused order, as the configuration says.")
        start = newest_part(self.known.time, ranker.window) if len(self.known) else 0
        early = self.known.before(start)
        if not len(early) or len(early) == len(self.known):
            notes.append("No ranker: the log is too short to train one on a later part of it.")
            return Models()
        with self.fused(early) as (fusion, pipeline):
            notes.append(f"Fusion: {fusion.fusion.reason}")
            if ranker.kind == "none":
                return Models(fusion)
            features, rows = self.rows(pipeline, start)
        seed, previous = self.config.project.seed, _serving(releases, self.known.until)
        try:
            fitted, report = fit(rows, ranker, seed, self.progress, previous, self.graph)
        except DataError as error:
            notes.append(f"No ranker: {error.problem} {error.remedy}")
            return Models(fusion)
        notes.append(str(report))
        profile = Profile.of(rows.features, rows.x, report.importance, seed)
        return Models(fusion, fitted, features, self.known.until, profile, report)

    @contextmanager
    def fused(self, early: TrainingData) -> Iterator[tuple[Learned, Pipeline]]:
        """Fusion learned after `early`, and a pipeline of retrievers that know only `early`,
        which answers everybody by what was learned without them.
        """
        users = self.prepared.user_ids()
        with tempfile.TemporaryDirectory(prefix="shortlist-") as scratch:
            folder = Path(scratch)
            with Releases(folder).draft() as draft:
                id = self.build(self.config, early, draft, self.progress, fits=self.fits)
            replay = Replay(self.known, users, self.config.serve.history_size)
            pipeline = self.open_pipeline(folder / id, replay)
            fusion = self._fusion(early.until, pipeline, users)
            whole = self._open(folder, id, fusion.fusion, fusion.trees, replay)
            parts = [
                (fold.users, self._open(folder, id, fold.fusion, fold.trees, replay))
                for fold in fusion.folds
            ]
            yield fusion, CrossFitted(parts, whole) if parts else whole

    def rows(self, pipeline: Pipeline, start: int) -> tuple[FeatureSet, Rows]:
        """The features that there are, and the ranker's training rows from `start` on."""
        features = self._features(pipeline)
        rows = training_rows(
            pipeline,
            self.known,
            self.prepared.impressions_path,
            start,
            self.config.ranker,
            features,
            self.prepared.user_ids(),
            self.config.project.seed,
            self.progress,
            self._ask_feast if self.config.feast is not None else None,
        )
        return features, rows

    def _ask_feast(self, features: Sequence[Remote], **asked: Any) -> Mapping[str, ir.Table]:
        """See `features.feast_history.history_of`."""
        section = self.config.feast
        assert section is not None
        self.progress.step("features of Feast as of each request")
        return history_of(features, section, self.folder, **asked)

    def graph(self) -> Graph:
        """What `[data.knowledge]` knows of the items.

        Raises:
            DataError: the source cannot be read.
        """
        section = self.config.data.knowledge
        assert section is not None  # `config.rules` asks for it
        self.progress.step("knowledge graph")
        with engine(self.folder / ".shortlist" / "scratch-knowledge") as duck:
            triples = read_knowledge(duck, section, self.folder)
        return graph_of(triples, section.items, self.known.catalogue.vocabulary)

    def _fusion(self, start: int, pipeline: Pipeline, users: list[str]) -> Learned:
        """Fusion learned on the requests that evaluation would make of the same window."""
        seen, seed = self.config.arrange.seen, self.config.project.seed
        every = EvaluateSection(users=FUSION_USERS, requests_per_user=FUSION_REQUESTS)
        asked = ask(self.known, start, every, seed, seen)
        requests = [
            Request(user=users[user], now=now, k=1, seen=seen)
            for user, now in zip(asked.user.tolist(), asked.now.tolist(), strict=True)
        ]
        return learn(pipeline, requests, asked.relevant, asked.user, seed, self.progress, users)

    def _open(
        self, folder: Path, id: str, fusion: Fusion, trees: Trees | None, replay: Replay
    ) -> Pipeline:
        """A release of a scratch folder with another fusion; its files are shared."""
        before = read_manifest(folder / id)
        with Releases(folder).draft() as draft:
            link_release(folder / id, draft)
            if trees is not None:
                trees.save(draft.path / FUSION_FOLDER)
            kept = {name: getattr(before, name) for name in _CARRIED}
            made = draft.commit({**kept, "fusion": fusion})
        return self.open_pipeline(folder / made.id, replay)

    def _features(self, pipeline: Pipeline) -> FeatureSet:
        items = self.config.data.items
        sources = pipeline.retrieve([Request(k=1, now=self.known.until)])[0].sources
        columns = self.known.catalogue.columns
        kinds = {name: column.kind for name, column in columns.items()}
        table = self.known.user_table
        declared = declare(
            declared_features(self.config.features),
            self.config.data.events.weights,
            kinds,
            table.kinds if table is not None else None,
            self.config.data.events.impression,
        )
        built_in = FeatureSet([])
        if wants_defaults(self.config.features):
            category, price = (items.category, items.price) if items else ("", "")
            built_in = default_features(category, price, kinds, sources)
        features = with_declared(built_in, declared)
        for name in features.vectors:
            if name not in pipeline.vectors:
                raise ConfigError(
                    f"a feature compares vectors of {name!r}, and that retriever has none.",
                    remedy=did_you_mean(name, pipeline.vectors)
                    or "Name a retriever that makes vectors of items.",
                    where="features",
                )
        return features


def drop_ranker(releases: Releases) -> None:
    """Make the current release one without its ranker; its other files are shared."""
    source = releases.current_path()
    before = read_manifest(source)
    with releases.draft() as draft:
        link_release(source, draft, without="ranker/")
        made = draft.commit({name: getattr(before, name) for name in (*_CARRIED, "fusion")})
    releases.promote(made.id)
    releases.prune(1)


def link_release(source: Path, draft: Draft, without: str = "") -> None:
    """Give a draft the files of a release, without copying them.

    Args:
        source: the folder of the release.
        draft: what gets them.
        without: what the names of files that are left out begin with; empty for none.
    """
    for path in read_manifest(source).files:
        if without and path.startswith(without):
            continue
        (draft.path / path).parent.mkdir(parents=True, exist_ok=True)
        os.link(source / path, draft.path / path)


def _serving(releases: Releases, until: int) -> Model | None:
    """The ranker of the release that serves, if it knows nothing from `until` on."""
    try:
        path = releases.current_path()
        told = read_manifest(path).ranker
        if told is None or told.get("until", until + 1) > until:
            return None
        return Ranker.load(path / "ranker").model
    except (ReleaseError, FileNotFoundError):
        return None
