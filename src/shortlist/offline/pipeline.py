"""The offline DAG, from top to bottom: collect, prepare, fit, index, rank, evaluate, publish.

`train` runs it all. What it needs from the online side (candidates for the ranker's training rows,
answers to evaluate) comes through `open_pipeline`, which the composition root hands in.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from shortlist.config.schema import Config, PopularRetriever
from shortlist.core.errors import DataError, ReleaseError
from shortlist.core.progress import Progress
from shortlist.core.users import USERS
from shortlist.features.contexts import save_terms
from shortlist.features.counters import SERIES, Log, Series
from shortlist.features.profile import PROFILE
from shortlist.features.statistics import ItemStatistics
from shortlist.index import build_index
from shortlist.index.compare import save_queries
from shortlist.offline.data.check_features import unfit
from shortlist.offline.data.collect import collect
from shortlist.offline.data.prepare import prepare
from shortlist.offline.data.prepared import Prepared
from shortlist.offline.data.training import TrainingData
from shortlist.offline.evaluate import Evaluation, evaluate
from shortlist.offline.learning import Learner, Models, OpenPipeline, drop_ranker
from shortlist.offline.ranking.needs import check_installed
from shortlist.offline.ranking.worth import Worth
from shortlist.offline.replay import Replay
from shortlist.offline.retrieval import fit_retriever
from shortlist.offline.retrieval.choose import choose_retrievers
from shortlist.offline.retrieval.memory import Fits
from shortlist.offline.search.build import build_search
from shortlist.offline.search.documents import analyzer_of
from shortlist.offline.search.ranker import OpenSearch, learn_search_ranker
from shortlist.offline.search.understanding import check_files
from shortlist.release.artefacts import ItemVectors, save_artefact
from shortlist.release.fusion import FOLDER as FUSION_FOLDER
from shortlist.release.manifest import read_manifest
from shortlist.release.publish import Draft, Releases
from shortlist.release.trees import Trees
from shortlist.stores.contract import HistoryStore


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
    open_search: OpenSearch | None = None,
) -> TrainReport:
    """Run the whole DAG for a project and publish a release.

    Args:
        config: the project's configuration.
        folder: the project's folder.
        open_pipeline: the online request path, for training rows and evaluation.
        history: the store that serves; the log's histories are merged into it.
        progress: told of every step.
        open_search: the online search, for a ranker from the query log; None for none.

    Raises:
        ConfigError: a package that the ranker's kind needs is not installed.
        DataError: the sources cannot be used; nothing published changes.
        ReleaseError: the release could not be written; nothing published changes.
    """
    started = time.monotonic()
    state = folder / ".shortlist"
    check_files(config, folder)
    check_installed(config.ranker)
    collect(config, folder, progress)
    prepared = prepare(config, folder, progress)
    everything = prepared.training()
    _check_columns(config, everything)
    known = everything.before(prepared.split)
    notes: list[str] = []

    chosen: dict[str, str] = {}
    if not config.retrievers:
        choice = choose_retrievers(known if len(known) else everything)
        config, chosen = structs.replace(config, retrievers=choice.retrievers), choice.reasons
        for line in choice.lines:
            progress.note(line)
    fits = Fits(state / "runs")
    learner = Learner(config, folder, prepared, known, open_pipeline, build, fits, progress)
    learned = learner.learn(Releases(state / "releases"), notes)
    evaluation = None
    held = Releases(state / "holdout")
    if len(known) and len(known) < len(everything):
        with held.draft() as draft:
            trained = build(config, known, draft, progress, learned, chosen=chosen, fits=fits)
        held.promote(trained)
        held.prune(1)
        evaluation = _evaluated(config, folder, open_pipeline, notes, progress)
    else:
        notes.append("The log is too short to hold a part of it out: nothing was evaluated.")
    worth = _worth(learned, evaluation, config, notes, progress)
    if worth is not None and worth.is_worse and config.ranker.when_worse == "skip":
        learned = learned.without_ranker()
        if evaluation is not None:
            drop_ranker(held)
            evaluation = evaluate_holdout(config, folder, open_pipeline, progress)

    search_ranker = None
    if open_search is not None:
        search_ranker = learn_search_ranker(
            config,
            folder,
            everything,
            prepared.user_ids(),
            open_search,
            build,
            progress,
            notes,
        )
    releases = Releases(state / "releases")
    metrics = evaluation.to_dict() if evaluation else {}
    with releases.draft() as draft:
        release = build(
            config,
            everything,
            draft,
            progress,
            learned,
            metrics,
            chosen,
            fits,
            project=folder,
            search_ranker=search_ranker,
            worth=worth,
        )
    progress.step("histories")
    history.load(prepared.histories())
    reason = _promoted(config, releases, release, worth)
    if not reason:  # the release that serves counts these events itself now
        history.forget_recent(prepared.watermark)
    compared = [
        variant.release
        for experiment in config.experiments.values()
        for variant in experiment.variants.values()
    ]
    releases.prune(config.releases.keep, compared)
    seconds = time.monotonic() - started
    return TrainReport(release, not reason, reason, evaluation, notes, seconds)


def _check_columns(config: Config, data: TrainingData) -> None:
    """Find out before anything is fitted that a feature or a rule cannot read its column."""
    kinds = {name: column.kind for name, column in data.catalogue.columns.items()}
    own = data.user_table.kinds if data.user_table is not None else {}
    for _, error in unfit(config, kinds, own):
        raise error


def _evaluated(
    config: Config,
    folder: Path,
    open_pipeline: OpenPipeline,
    notes: list[str],
    progress: Progress,
) -> Evaluation | None:
    """`evaluate_holdout`; None, and a note, where the holdout has nothing to ask for."""
    try:
        return evaluate_holdout(config, folder, open_pipeline, progress)
    except DataError as error:
        notes.append(f"Nothing was evaluated: {error}")
        return None


def _worth(
    learned: Models,
    evaluation: Evaluation | None,
    config: Config,
    notes: list[str],
    progress: Progress,
) -> Worth | None:
    """What the ranker brings, told; None without one."""
    if learned.report is None:
        return None
    worth = Worth.of(learned.report, evaluation)
    text = str(worth)
    if worth.is_worse:
        left = " It is left out." if config.ranker.when_worse == "skip" else ""
        text = f"The ranker is worse than none: {worth}{left}"
        progress.note(text)
    notes.append(text)
    return worth


def _promoted(config: Config, releases: Releases, release: str, worth: Worth | None) -> str:
    """Make a release current; why not, where it is not."""
    try:
        if worth is not None and worth.is_worse and config.ranker.when_worse == "stop":
            raise ReleaseError(
                f"the ranker is worse than none: {worth}",
                remedy="Choose another ranker.kind or ranker.when_worse.",
                where="ranker.when_worse",
            )
        releases.promote(release, config.releases.floor)
    except ReleaseError as error:
        return str(error)
    return ""


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
        ranked=read_manifest(held.current_path()).ranker is not None,
    )


def build(
    config: Config,
    data: TrainingData,
    draft: Draft,
    progress: Progress,
    models: Models | None = None,
    metrics: Mapping[str, Any] | None = None,
    chosen: Mapping[str, str] | None = None,
    fits: Fits | None = None,
    *,
    project: Path | None = None,
    search_ranker: Trees | None = None,
    worth: Worth | None = None,
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
        fits: what is kept of fits beside the release; the builds of one training share it.
        project: the project's folder, for a release that answers searches; None for one that
            does not.
        search_ranker: what its searches are ranked by; None for the default fusion.
        worth: what the ranker brings, for the manifest.
    """
    models, fits = models or Models(), fits or Fits()
    folder, seed = draft.path, config.project.seed
    data.catalogue.save(folder / "catalogue")
    retrievers = dict(config.retrievers)
    if not any(isinstance(retriever, PopularRetriever) for retriever in retrievers.values()):
        retrievers["popular"] = PopularRetriever()  # every release has one, to fill short lists
    category = config.data.items.category if config.data.items else ""
    artefacts, indexes = [], {}
    for name, retriever in retrievers.items():
        run, memory = fits.of(name)
        fitted = fit_retriever(
            retriever, data, seed, progress, category, run, memory, analyzer_of(config.text)
        )
        for kind, artefact in fitted.items():
            if isinstance(artefact, ItemVectors) and not len(artefact.rows):
                progress.note(f"{name} found no item to make a vector of: it is left without.")
                continue
            if isinstance(artefact, ItemVectors):  # the index keeps the vectors themselves too
                place = f"indexes/{name}"
                index, tuning = build_index(artefact, config.index, seed, progress)
                index.save(folder / place)
                if artefact.queries is not None:
                    save_queries(folder / place, artefact.queries)
                indexes[name] = tuning.to_dict()
            else:
                place = f"artefacts/{name}.{kind}"
                save_artefact(artefact, folder / place)
            artefacts.append({"name": name, "kind": kind, "folder": place})
    _save_features(data, models, folder)
    searched = None
    if project is not None:
        searched = build_search(config, data, project, folder, progress, search_ranker)
    ranker = None
    if models.ranker is not None:
        models.ranker.save(folder / "ranker")
        ranker = {
            "kind": config.ranker.kind,
            "objective": config.ranker.objective,
            "until": models.until,
            **(worth.to_dict() if worth is not None else {}),
        }
    if models.fusion.trees is not None:
        models.fusion.trees.save(folder / FUSION_FOLDER)
    manifest = draft.commit(
        {
            "config": msgspec.to_builtins(config),
            "watermark": data.until,
            "items": data.items,
            "search": searched,
            "metrics": metrics or {},
            "artefacts": artefacts,
            "chosen": chosen or {},
            "fusion": models.fusion.fusion,
            "indexes": indexes,
            "ranker": ranker,
            "features": list(models.features.names) if models.ranker is not None else [],
        }
    )
    return manifest.id


def _save_features(data: TrainingData, models: Models, folder: Path) -> None:
    """What features read when serving."""
    statistics = ItemStatistics.of(data.item, data.time, data.items, data.until)
    statistics.save(folder / "features")
    if data.user_table is not None:
        data.user_table.save(folder / USERS)
    counted = models.features.counted if models.ranker is not None else []
    if counted:
        names = models.features.contexts
        contexts = data.context.codes_of(names)
        log = Log(data.item, data.owners(), data.time, data.kind_codes(), contexts)
        more = log
        if data.others is not None:
            others = data.others
            contexts = others.context.codes_of(names)
            users = data.user_keys[others.user]
            more = log.joined(Log(others.item, users, others.time, others.kind, contexts))
        for feature in counted:
            events = more if feature.beyond else log
            series = Series.of(feature, events, data.catalogue, data.until, data.user_table)
            series.save(folder / SERIES / feature.name)
    if models.ranker is not None and models.features.contexts:
        save_terms(folder, data.context.terms)
    if models.profile is not None:
        models.profile.save(folder / PROFILE)
