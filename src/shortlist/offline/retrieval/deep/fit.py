"""From a log to an encoder and item vectors: what every deep family does around its model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from shortlist.config.schema import SequenceRetriever, TwoTowerRetriever
from shortlist.core.progress import Progress
from shortlist.features.contract import HISTORY
from shortlist.index.tune import QUERIES
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval.deep import checkpoint, sizes
from shortlist.offline.retrieval.deep.entities import Entities
from shortlist.offline.retrieval.deep.export import export
from shortlist.offline.retrieval.deep.packing import Histories
from shortlist.offline.retrieval.deep.pooled import Pooled
from shortlist.offline.retrieval.deep.processes import Processes, fast_bfloat16, join
from shortlist.offline.retrieval.deep.sizes import Sizes, by_rule
from shortlist.offline.retrieval.deep.towers import TwoTower
from shortlist.offline.retrieval.deep.trainer import Batches, Learner, Plan, train
from shortlist.offline.retrieval.deep.transformer import Stretches, Transformer
from shortlist.offline.retrieval.deep.validation import HeldOut
from shortlist.offline.retrieval.deep.windows import Windows
from shortlist.offline.retrieval.memory import Memory
from shortlist.release.artefacts import Artefact, ItemVectors

HELD = 1_000
"""At most so many users give up their last interaction, to measure on."""

AGAIN, SLOWER = 0.25, 0.5
"""A model that has learnt a part of the log before learns for a quarter of the passes, at half the
rate."""

RATE = 0.001
"""Of AdamW, by rule."""

FEWEST = 10
"""With fewer of them there is nothing to tell epochs apart by."""


@dataclass(frozen=True)
class Start:
    """What a model is made from.

    Attributes:
        histories: what it learns from, without what is held out.
        processes: who trains, on what.
        reduced: whether to multiply in bfloat16.
    """

    histories: Histories
    processes: Processes
    reduced: bool


def learn(
    name: str,
    histories: Histories,
    config: SequenceRetriever | TwoTowerRetriever,
    chosen: Sizes,
    build: Callable[[Start], tuple[Learner, Batches]],
    known: list[NDArray[Any]],
    *,
    times: bool,
    seed: int,
    progress: Progress,
    runs: Path | None,
    memory: Memory | None,
) -> dict[str, Artefact]:
    """Hold some interactions out, train, and turn the best epoch into artefacts.

    Args:
        name: of the family, for what is shown.
        histories: all there is to learn from.
        config: the retriever's table; part of the fingerprint of a run.
        chosen: sizes.
        build: makes the model, on the device, and its batches.
        known: other arrays that the model is made from; part of the fingerprint.
        times: whether the encoder takes times.
        seed: everything random.
        progress: told of epochs.
        runs: where runs are kept.
        memory: where to start from, and where to leave the weights.

    Returns:
        `encoder` and `vector`; only `vector`, of no items, when there is nothing to learn from.
    """
    if not histories.examples:
        nothing = np.zeros((0, chosen.dim), np.float32)
        return {"vector": ItemVectors(np.empty(0, np.int32), nothing)}
    processes = join()
    start = Start(histories, processes, fast_bfloat16(processes.device))
    fastest = RATE if config.learning_rate == "auto" else config.learning_rate
    held, epochs = None, chosen.epochs
    model, batches = _made(build, start, seed)
    if memory is not None and recall(model, memory, histories.rows):
        # Its last interactions may be known to it, so there is nothing to measure epochs by.
        epochs, fastest = max(1, round(epochs * AGAIN)), fastest * SLOWER
        progress.note(f"{name} starts from what it knew of a part of this log.")
    else:
        kept, some = histories.hold_out(HELD, seed)
        if len(some) >= FEWEST:
            held, start = some, replace(start, histories=kept)
            model, batches = _made(build, start, seed)
    run = None
    if runs is not None:
        learnt = start.histories
        arrays: list[NDArray[Any]] = [
            learnt.item,
            learnt.time,
            learnt.starts,
            learnt.stops,
            learnt.rows,
            *known,
        ]
        if memory is not None:
            arrays += [memory.rows, *memory.weights.values()]
        settings = [name, msgspec.to_builtins(config), asdict(chosen), seed]
        run = checkpoint.run_folder(runs, checkpoint.fingerprint(settings, arrays))
    model.to(processes.device)
    validate = HeldOut(start.histories, held, chosen.reach, processes.device) if held else None
    plan = Plan(epochs, config.patience, fastest, seed, start.reduced)
    progress.note(f"{name}: {_told(chosen, epochs, histories, start)}")
    state = train(name, model, batches, validate, plan, processes, run, progress)
    if held:
        progress.note(
            f"{name}: epoch {state.best_epoch} of {state.epoch} is the best, nDCG@10 "
            f"{state.best:.4f} on the last interaction of {len(held):,} users"
        )
    if memory is not None:
        memory.rows = histories.rows
        memory.weights = {key: value.cpu().numpy() for key, value in model.state_dict().items()}
    with torch.no_grad():
        vectors = model.vectors().float().cpu().numpy()
        queries = _queries(model, histories, chosen.reach, seed, processes.device)
    encoder = export(model, histories.place, chosen.reach, times=times)
    return {"encoder": encoder, "vector": ItemVectors(histories.rows, vectors, queries)}


def _queries(
    model: Learner, histories: Histories, reach: int, seed: int, device: torch.device
) -> NDArray[np.float32]:
    """What the model makes of some histories, each as it was at one of its interactions."""
    random = np.random.default_rng([seed, len(histories.starts)])
    longer = np.flatnonzero(histories.stops - histories.starts > 1)
    users = np.sort(random.permutation(longer)[:QUERIES])
    first = histories.starts[users]
    at = random.integers(first + 1, histories.stops[users])
    arrays = (*histories.windows(first, at, reach), histories.time[at])
    tensors = [torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays]
    return np.asarray(model.encode(*tensors).float().cpu().numpy(), np.float32)


def _made(
    build: Callable[[Start], tuple[Learner, Batches]], start: Start, seed: int
) -> tuple[Learner, Batches]:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return build(start)


def recall(model: Learner, memory: Memory, rows: NDArray[np.int32]) -> bool:
    """Set a model's weights to remembered ones; an item that is new to them keeps its own.

    Args:
        model: as it was made.
        memory: of an earlier fit of the same family.
        rows: `int32[m]`, ascending: the catalogue rows of the model's items.

    Returns:
        Whether there was anything to remember that fits the model; if not, it stays as it was.
    """
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    known = {key: torch.from_numpy(value) for key, value in memory.weights.items()}
    if known.keys() != weights.keys() or any(
        known[key].shape[1:] != weights[key].shape[1:] for key in known
    ):
        return False
    both, here, there = np.intersect1d(rows, memory.rows, return_indices=True)
    for key, value in known.items():
        if key == model.own:
            weights[key][torch.from_numpy(here)] = value[torch.from_numpy(there)]
        elif not value.ndim:
            weights[key] = value
        else:  # of unequal length where histories became longer: the places that both have
            most = min(len(value), len(weights[key]))
            weights[key][:most] = value[:most]
    model.load_state_dict(weights)
    return bool(len(both))


def fit_sequence(
    data: TrainingData,
    config: SequenceRetriever,
    seed: int,
    progress: Progress,
    runs: Path | None,
    memory: Memory | None,
) -> dict[str, Artefact]:
    """See `sequence.fit`; `data` holds frequent items and users only."""
    histories = Histories.of(data)
    chosen = sequence_sizes(histories, config)
    pooled = config.encoder == "pooled"

    def build(start: Start) -> tuple[Learner, Batches]:
        share = torch.from_numpy(start.histories.share())
        items = len(histories.rows)
        if pooled:
            windows = Windows(start.histories, chosen.reach, chosen.batch, seed)
            return Pooled(items, chosen, share, histories.until, start.reduced), windows
        model = Transformer(items, chosen, share, start.reduced)
        return model, Stretches(start.histories, chosen, seed)

    return learn(
        f"sequence ({config.encoder})",
        histories,
        config,
        chosen,
        build,
        [np.array([histories.until])],
        times=pooled,
        seed=seed,
        progress=progress,
        runs=runs,
        memory=memory,
    )


def sequence_sizes(histories: Histories, config: SequenceRetriever) -> Sizes:
    """Sizes as the config says, and by rule where it says 0."""
    pooled = config.encoder == "pooled"
    dim = by_rule(config.dim, sizes.dim_for(histories))
    # A transformer learns from every place of a stretch at once, a pooled encoder from one.
    shown = 5_000_000 if pooled else 6_000_000
    rule = sizes.epochs_for(histories, shown, 5 if pooled else 12, 60)
    full = {"auto": sizes.full_softmax_fits(histories), "full": True, "sampled": False}
    return Sizes(
        dim=dim,
        blocks=config.blocks,
        heads=by_rule(config.heads, 2 if dim % 2 == 0 and dim >= 64 else 1),
        reach=min(
            by_rule(config.reach, sizes.reach_for(histories, HISTORY)), HISTORY if pooled else 1_000
        ),
        dropout=by_rule(config.dropout, sizes.dropout_for(histories)),
        epochs=by_rule(config.epochs, rule),
        batch=by_rule(config.batch, sizes.batch_for(histories, 1_024 if pooled else 3_072)),
        negatives=0 if full[config.loss] else config.samples,
    )


def _told(chosen: Sizes, epochs: int, histories: Histories, start: Start) -> str:
    loss = f"{chosen.negatives:,} samples" if chosen.negatives else "full softmax"
    return (
        f"{histories.examples:,} examples, {len(histories.rows):,} items, {chosen.dim} dimensions, "
        f"the last {chosen.reach} items, dropout {chosen.dropout:g}, {loss}, at most "
        f"{epochs} epochs, {start.processes.world} x {start.processes.device.type}"
        + (", bfloat16" if start.reduced else "")
    )


def fit_two_tower(
    data: TrainingData,
    config: TwoTowerRetriever,
    seed: int,
    progress: Progress,
    runs: Path | None,
    memory: Memory | None,
) -> dict[str, Artefact]:
    """See `two_tower.fit`; `data` holds frequent items and users only."""
    entities = Entities.of(data.catalogue, text=config.text)
    histories = Histories.of(data, every=not entities.empty)
    if entities.empty:
        entities = Entities.none(len(histories.rows))
    chosen = two_tower_sizes(histories, config)
    occurs = np.bincount(data.item, minlength=data.items)[histories.rows] > 0
    progress.note(_saved(histories, entities, chosen.reach))

    def build(start: Start) -> tuple[Learner, Batches]:
        model = TwoTower(
            chosen,
            torch.from_numpy(start.histories.share()),
            torch.from_numpy(occurs),
            entities,
            config.temperature if config.similarity == "cosine" else None,
            start.reduced,
        )
        return model, Windows(start.histories, chosen.reach, chosen.batch, seed)

    return learn(
        "two_tower",
        histories,
        config,
        chosen,
        build,
        [entities.offsets, entities.codes, entities.numbers],
        times=True,
        seed=seed,
        progress=progress,
        runs=runs,
        memory=memory,
    )


def two_tower_sizes(histories: Histories, config: TwoTowerRetriever) -> Sizes:
    """Sizes as the config says, and by rule where it says `auto`."""
    return Sizes(
        dim=by_rule(config.dim, min(64, sizes.dim_for(histories))),
        blocks=0,
        heads=0,
        reach=min(by_rule(config.reach, sizes.reach_for(histories, 50)), HISTORY),
        dropout=by_rule(config.dropout, sizes.dropout_for(histories)),
        epochs=by_rule(config.epochs, sizes.epochs_for(histories, 4_000_000, 4, 25)),
        batch=by_rule(config.batch, sizes.batch_for(histories, 2_048)),
        negatives=config.hard,
    )


def _saved(histories: Histories, entities: Entities, reach: int) -> str:
    """What looking entities up saves against a copy of them in every example."""
    at = histories.targets()
    window = reach * (histories.item.itemsize + histories.time.itemsize)
    copied = len(at) * window + entities.bytes_in(histories.item[at])
    stored = histories.item.nbytes + histories.time.nbytes + entities.bytes
    return (
        f"two_tower: {len(at):,} examples look histories and items up in {_megabytes(stored)}; "
        f"copied into each they would take {_megabytes(copied)}"
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
