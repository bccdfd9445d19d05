"""The offline DAG, from top to bottom: collect, prepare, fit, index, rank, evaluate, publish.

`train` runs it all. What it needs from the online side (candidates for the ranker's training rows,
answers to evaluate) comes through `open_pipeline`, which the composition root hands in.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from shortlist.config.schema import Config, EvaluateSection, PopularRetriever
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
from shortlist.offline.evaluate.requests import ask
from shortlist.offline.ranking.boosted import fit
from shortlist.offline.ranking.rows import training_rows
from shortlist.offline.replay import Replay
from shortlist.offline.retrieval import fit_retriever
from shortlist.offline.retrieval.choose import choose_retrievers
from shortlist.offline.retrieval.fusion import Learned, learn
from shortlist.release.artefacts import ItemVectors, save_artefact
from shortlist.release.fusion import FOLDER as FUSION_FOLDER
from shortlist.release.fusion import Fusion
from shortlist.release.publish import Draft, Releases
from shortlist.release.trees import Trees
from shortlist.stores.contract import HistoryReader, HistoryStore

FUSION_USERS = 5_000
FUSION_REQUESTS = 2
"""Of each user; more of one user's say much the same."""

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

    chosen: dict[str, str] = {}
    if not config.retrievers:
        choice = choose_retrievers(known if len(known) else everything)
        config, chosen = structs.replace(config, retrievers=choice.retrievers), choice.reasons
        for line in choice.lines:
            progress.note(line)
    runs = state / "runs"
    learned = _learn(config, prepared, known, open_pipeline, runs, notes, progress)
    evaluation = None
    if len(known) and len(known) < len(everything):
        held = Releases(state / "holdout")
        with held.draft() as draft:
            trained = build(config, known, draft, progress, learned, chosen=chosen, runs=runs)
        held.promote(trained)
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
        release = build(config, everything, draft, progress, learned, metrics, chosen, runs)
    progress.step("histories")
    history.load(prepared.histories())
    published, reason = True, ""
    try:
        releases.promote(release, config.releases.floor)
    except ReleaseError as error:
        published, reason = False, str(error)
    else:  # the release that serves counts these events itself now
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


@dataclass(frozen=True)
class Models:
    """What is learned on later requests than the retrievers know.

    Attributes:
        fusion: how the sources' lists become one.
        trees: the ranker; None without one.
        features: what it ranks by.
    """

    fusion: Learned = field(default_factory=lambda: Learned(Fusion()))
    trees: Trees | None = None
    features: FeatureSet = field(default_factory=lambda: FeatureSet([]))


def _learn(
    config: Config,
    prepared: Prepared,
    known: TrainingData,
    open_pipeline: OpenPipeline,
    runs: Path,
    notes: list[str],
    progress: Progress,
) -> Models:
    """Fusion and a ranker, from requests after everything that their retrievers were fitted on."""
    if config.ranker.kind == "none":
        notes.append("No ranker: candidates stay in fused order, as the configuration says.")
    start = newest_part(known.time, config.ranker.window) if len(known) else 0
    early = known.before(start)
    if not len(early) or len(early) == len(known):
        notes.append("No ranker: the log is too short to train one on a later part of it.")
        return Models()
    seed, users = config.project.seed, prepared.user_ids()
    with tempfile.TemporaryDirectory(prefix="shortlist-") as scratch:
        with Releases(Path(scratch)).draft() as draft:
            id = build(config, early, draft, progress, runs=runs)
        replay = Replay(known, users, config.serve.history_size)
        pipeline = open_pipeline(Path(scratch) / id, replay)
        fusion = _fusion(config, known, start, pipeline, users, progress)
        notes.append(f"Fusion: {fusion.fusion.reason}")
        if config.ranker.kind == "none":
            return Models(fusion)
        features = _features(config, known, pipeline)
        rows = training_rows(
            pipeline,
            known,
            prepared.impressions_path,
            start,
            config.ranker,
            features,
            users,
            seed,
            progress,
        )
    try:
        trees, report = fit(rows, config.ranker, seed, progress)
    except DataError as error:
        notes.append(f"No ranker: {error}")
        return Models(fusion)
    notes.append(str(report))
    return Models(fusion, trees, features)


def _fusion(
    config: Config,
    known: TrainingData,
    start: int,
    pipeline: Pipeline,
    users: list[str],
    progress: Progress,
) -> Learned:
    """Fusion learned on the requests that evaluation would make of the same window."""
    seen = config.arrange.seen
    every = EvaluateSection(users=FUSION_USERS, requests_per_user=FUSION_REQUESTS)
    asked = ask(known, start, every, config.project.seed, seen)
    requests = [
        Request(user=users[user], now=now, k=1, seen=seen)
        for user, now in zip(asked.user.tolist(), asked.now.tolist(), strict=True)
    ]
    return learn(pipeline, requests, asked.relevant, asked.user, config.project.seed, progress)


def _features(config: Config, data: TrainingData, pipeline: Pipeline) -> FeatureSet:
    items = config.data.items
    sources = pipeline.retrieve([Request(k=1, now=data.until)])[0].sources
    kinds = {name: column.kind for name, column in data.catalogue.columns.items()}
    return default_features(
        items.category if items else "", items.price if items else "", kinds, sources
    )


def build(
    config: Config,
    data: TrainingData,
    draft: Draft,
    progress: Progress,
    models: Models | None = None,
    metrics: Mapping[str, Any] | None = None,
    chosen: Mapping[str, str] | None = None,
    runs: Path | None = None,
) -> str:
    """Fit retrievers on data, index their vectors, and write a release; returns its id.

    Args:
        config: what to fit; its retrievers are not empty.
        data: what the retrievers may know.
        draft: where the release is written.
        progress: told of every step.
        models: fusion and ranker; reciprocal rank fusion and none if not given.
        metrics: for the manifest.
        chosen: why each retriever was chosen, for the manifest.
        runs: where retrievers that train for long keep checkpoints, a folder for each.
    """
    models = models or Models()
    folder, seed = draft.path, config.project.seed
    data.catalogue.save(folder / "catalogue")
    retrievers = dict(config.retrievers)
    if not any(isinstance(retriever, PopularRetriever) for retriever in retrievers.values()):
        retrievers["popular"] = PopularRetriever()  # every release has one, to fill short lists
    category = config.data.items.category if config.data.items else ""
    artefacts, indexes = [], {}
    for name, retriever in retrievers.items():
        run = runs / name if runs else None
        fitted = fit_retriever(retriever, data, seed, progress, category=category, runs=run)
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
    if models.trees is not None:
        models.trees.save(folder / "ranker")
        ranker = {"kind": config.ranker.kind, "objective": config.ranker.objective}
    if models.fusion.trees is not None:
        models.fusion.trees.save(folder / FUSION_FOLDER)
    manifest = draft.commit(
        {
            "config": msgspec.to_builtins(config),
            "watermark": data.until,
            "items": data.items,
            "metrics": metrics or {},
            "artefacts": artefacts,
            "chosen": chosen or {},
            "fusion": models.fusion.fusion,
            "indexes": indexes,
            "ranker": ranker,
            "features": list(models.features.names) if models.trees is not None else [],
        }
    )
    return manifest.id
