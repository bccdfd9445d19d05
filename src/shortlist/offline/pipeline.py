"""The offline DAG, from top to bottom: collect, prepare, fit, index, rank, evaluate, publish.

`train` runs it all. What it needs from the online side (candidates for the ranker's training rows,
answers to evaluate) comes through `open_pipeline`, which the composition root hands in.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from shortlist.config.schema import Config, PopularRetriever
from shortlist.core.errors import DataError, ReleaseError
from shortlist.core.progress import Progress
from shortlist.core.request import Pipeline, Request
from shortlist.features import FeatureSet, default_features
from shortlist.features.statistics import ItemStatistics
from shortlist.index import build_index
from shortlist.offline.data.collect import collect
from shortlist.offline.data.prepare import prepare
from shortlist.offline.data.prepared import Prepared
from shortlist.offline.data.split import newest_part
from shortlist.offline.data.training import TrainingData
from shortlist.offline.evaluate import Evaluation, evaluate
from shortlist.offline.ranking.boosted import fit
from shortlist.offline.ranking.rows import training_rows
from shortlist.offline.replay import Replay
from shortlist.offline.retrieval import fit_retriever
from shortlist.release.artefacts import ItemVectors, save_artefact
from shortlist.release.publish import Draft, Releases
from shortlist.release.trees import Trees
from shortlist.stores.contract import HistoryReader, HistoryStore

OpenPipeline = Callable[[Path, HistoryReader], Pipeline]
"""Opens a release's folder over a history store: the online request path."""


@dataclass(frozen=True)
class TrainReport:
    """What a training did.

    Attributes:
        release: the id of the release that it wrote.
        published: whether that release serves now.
        reason: why not, where it does not.
        evaluation: measured on the holdout; None where the log is too short to hold any out.
        notes: choices and counts worth knowing, in order.
        seconds: how long it took.
    """

    release: str
    published: bool
    reason: str
    evaluation: Evaluation | None
    notes: list[str]
    seconds: float


def train(
    config: Config,
    folder: Path,
    open_pipeline: OpenPipeline,
    history: HistoryStore,
    progress: Progress,
) -> TrainReport:
    """Run the whole DAG for a project and publish a release.

    Args:
        config: the project's configuration.
        folder: the project's folder.
        open_pipeline: the online request path, for training rows and evaluation.
        history: the store that serves; the log's histories are merged into it.
        progress: told of every step.

    Raises:
        DataError: the sources cannot be used; nothing published changes.
        ReleaseError: the release could not be written; nothing published changes.
    """
    started = time.monotonic()
    state = folder / ".shortlist"
    collect(config, folder, progress)
    prepared = prepare(config, folder, progress)
    everything = prepared.training()
    known = everything.before(prepared.split)
    notes: list[str] = []

    trees, features = _fit_ranker(config, prepared, known, open_pipeline, notes, progress)
    evaluation = None
    if len(known) and len(known) < len(everything):
        held = Releases(state / "holdout")
        with held.draft() as draft:
            manifest = _build(config, known, trees, features, draft, {}, progress)
        held.promote(manifest)
        held.prune(1)
        try:
            evaluation = evaluate_holdout(config, folder, open_pipeline, progress)
        except DataError as error:
            notes.append(f"Nothing was evaluated: {error}")
    else:
        notes.append("The log is too short to hold a part of it out: nothing was evaluated.")

    releases = Releases(state / "releases")
    metrics = evaluation.to_dict() if evaluation else {}
    with releases.draft() as draft:
        release = _build(config, everything, trees, features, draft, metrics, progress)
    progress.step("histories")
    history.load(prepared.histories())
    published, reason = True, ""
    try:
        releases.promote(release, config.releases.floor)
    except ReleaseError as error:
        published, reason = False, str(error)
    history.forget_recent(prepared.watermark)
    releases.prune(config.releases.keep)
    seconds = time.monotonic() - started
    return TrainReport(release, published, reason, evaluation, notes, seconds)


def evaluate_holdout(
    config: Config, folder: Path, open_pipeline: OpenPipeline, progress: Progress
) -> Evaluation:
    """Ask the release that was trained without the holdout for the holdout.

    Raises:
        ReleaseError: no training has left one.
    """
    held = Releases(folder / ".shortlist" / "holdout")
    if held.current() is None:
        raise ReleaseError(
            "there is no release trained without the holdout to evaluate.",
            remedy=f"Run `shortlist train {folder}` first.",
            where=str(folder),
        )
    prepared = Prepared.load(folder)
    everything, users = prepared.training(), prepared.user_ids()
    replay = Replay(everything, users, config.serve.history_size)
    pipeline = open_pipeline(held.current_path(), replay)
    return evaluate(
        pipeline,
        everything,
        prepared.split,
        config.evaluate,
        users,
        config.project.seed,
        progress,
        seen_allowed=config.arrange.seen,
    )


def _fit_ranker(
    config: Config,
    prepared: Prepared,
    known: TrainingData,
    open_pipeline: OpenPipeline,
    notes: list[str],
    progress: Progress,
) -> tuple[Trees | None, FeatureSet]:
    """A ranker from requests that come after everything its retrievers were fitted on."""
    nothing = FeatureSet([])
    if config.ranker.kind == "none":
        notes.append("No ranker: candidates stay in fused order, as the configuration says.")
        return None, nothing
    start = newest_part(known.time, config.ranker.window) if len(known) else 0
    early = known.before(start)
    if not len(early) or len(early) == len(known):
        notes.append("No ranker: the log is too short to train one on a later part of it.")
        return None, nothing
    with tempfile.TemporaryDirectory(prefix="shortlist-") as scratch:
        with Releases(Path(scratch)).draft() as draft:
            id = _build(config, early, None, nothing, draft, {}, progress)
        replay = Replay(known, prepared.user_ids(), config.serve.history_size)
        pipeline = open_pipeline(Path(scratch) / id, replay)
        features = _features(config, known, pipeline)
        rows = training_rows(
            pipeline,
            known,
            prepared.impressions_path,
            start,
            config.ranker,
            features,
            prepared.user_ids(),
            config.project.seed,
            progress,
        )
    try:
        trees, report = fit(rows, config.ranker, config.project.seed, progress)
    except DataError as error:
        notes.append(f"No ranker: {error}")
        return None, nothing
    notes.append(str(report))
    return trees, features


def _features(config: Config, data: TrainingData, pipeline: Pipeline) -> FeatureSet:
    items = config.data.items
    sources = pipeline.retrieve([Request(k=1, now=data.until)])[0].sources
    kinds = {name: column.kind for name, column in data.catalogue.columns.items()}
    return default_features(
        items.category if items else "", items.price if items else "", kinds, sources
    )


def _build(
    config: Config,
    data: TrainingData,
    trees: Trees | None,
    features: FeatureSet,
    draft: Draft,
    metrics: dict[str, Any],
    progress: Progress,
) -> str:
    """Fit retrievers on data, index their vectors, and write a release; returns its id."""
    folder, seed = draft.path, config.project.seed
    data.catalogue.save(folder / "catalogue")
    retrievers = dict(config.retrievers)
    if not any(isinstance(retriever, PopularRetriever) for retriever in retrievers.values()):
        retrievers["popular"] = PopularRetriever()  # every release has one, to fill short lists
    category = config.data.items.category if config.data.items else ""
    artefacts, indexes = [], {}
    for name, retriever in retrievers.items():
        fitted = fit_retriever(retriever, data, seed, progress, category=category)
        for kind, artefact in fitted.items():
            if isinstance(artefact, ItemVectors) and not len(artefact.rows):
                progress.note(f"{name} found no item to make a vector of: it is left without.")
                continue
            if isinstance(artefact, ItemVectors):  # the index keeps the vectors themselves too
                place = f"indexes/{name}"
                index, tuning = build_index(artefact, config.index, seed, progress)
                index.save(folder / place)
                indexes[name] = tuning.to_dict()
            else:
                place = f"artefacts/{name}.{kind}"
                save_artefact(artefact, folder / place)
            artefacts.append({"name": name, "kind": kind, "folder": place})
    statistics = ItemStatistics.of(data.item, data.time, data.items, data.until)
    statistics.save(folder / "features")
    ranker = None
    if trees is not None:
        trees.save(folder / "ranker")
        ranker = {"kind": config.ranker.kind, "objective": config.ranker.objective}
    manifest = draft.commit(
        {
            "config": msgspec.to_builtins(config),
            "watermark": data.until,
            "items": data.items,
            "metrics": metrics,
            "artefacts": artefacts,
            "indexes": indexes,
            "ranker": ranker,
            "features": list(features.names) if trees is not None else [],
        }
    )
    return manifest.id
