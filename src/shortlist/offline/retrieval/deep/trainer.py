"""The training loop of every deep family."""

from __future__ import annotations

import contextlib
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from shortlist.core.progress import Progress, Silent
from shortlist.offline.retrieval.deep import checkpoint
from shortlist.offline.retrieval.deep.checkpoint import Progressed, Weights
from shortlist.offline.retrieval.deep.events import Events
from shortlist.offline.retrieval.deep.processes import Processes

Batch = dict[str, Tensor]


class Trainable(nn.Module):
    """A model whose `forward(batch)` is its loss."""

    def start_epoch(self, number: int) -> None:
        """Called before each pass, with its number from 0."""


class Learner(Trainable, ABC):
    """A model that learns to find items.

    Attributes:
        own: the name of the table that has a row for each numbered item.
    """

    own: ClassVar[str] = "items.weight"

    @abstractmethod
    def encode(self, items: Tensor, times: Tensor, now: Tensor) -> Tensor:
        """Query vectors `float32[b, d]` of item numbers `int64[b, n]` padded on the left with -1.

        `times` is `int64[b, n]` and `now` `int64[b]`, microseconds. Zeros for a query of no items
        when the model says nothing without them.
        """

    @abstractmethod
    def vectors(self) -> Tensor:
        """The vector of every numbered item, `float32[m, d]`; scores are dot products."""


Model = TypeVar("Model", bound=Trainable)
Measured_contra = TypeVar("Measured_contra", bound=Trainable, contravariant=True)


class Batches(Protocol):
    """Training examples, grouped anew in every epoch."""

    examples: int

    def epoch(self, number: int, rank: int, world: int) -> Iterator[tuple[int, Batch]]:
        """This process' part of each batch, and how many examples the whole batch has.

        The same number gives the same batches, whatever happened before. Every process gets as
        many batches, none of them empty, and a batch's loss is divided by the examples of the
        whole batch per process, so that averaged gradients are those of one process.
        """
        ...


class Validation(Protocol[Measured_contra]):
    """A metric on held-out interactions; larger is better."""

    def __call__(self, model: Measured_contra) -> float:
        """Measure the model."""
        ...


@dataclass(frozen=True)
class Plan:
    """How long and how fast to learn.

    Attributes:
        epochs: at most how many passes; the learning rate falls to a twentieth over them by a
            cosine.
        patience: stop after so many epochs without a better metric.
        learning_rate: of AdamW, after a warm-up over the first 2% of the examples.
        weight_decay: of AdamW.
        clip: gradients longer than this are shortened to it.
        seed: dropout, order and samples.
        reduced: multiply in bfloat16.
        threads: threads of the processor; 0 for PyTorch's choice.
    """

    epochs: int
    patience: int
    learning_rate: float
    seed: int
    reduced: bool
    weight_decay: float = 0.01
    clip: float = 1.0
    threads: int = 0


WARM = 0.02
LEAST = 0.05


def rate(plan: Plan, done: float) -> float:
    """The learning rate after a share `done` of all epochs."""
    falling = LEAST + (1 - LEAST) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return plan.learning_rate * falling * min(1.0, (done + 1e-3) / WARM)


def train(
    name: str,
    model: Model,
    batches: Batches,
    validate: Validation[Model] | None,
    plan: Plan,
    processes: Processes,
    run: Path | None,
    progress: Progress,
) -> Progressed:
    """Train a model in place; it ends with the weights of its best epoch.

    Every epoch starts from its own seed, so that a training that was killed and begun again gives
    the model that it would have given.

    Args:
        name: the retriever, for what is shown.
        model: on the processes' device.
        batches: what it learns from.
        validate: decides which epoch is best and when to stop; without it the last one is best.
        plan: how long and how fast.
        processes: those that train together; each calls this with equal arguments.
        run: the folder of checkpoints and TensorBoard events, which all processes can read; None
            for neither. A training that another process left there is continued.
        progress: a step for each epoch, with loss and examples a second.
    """
    told = progress if processes.first else Silent()
    optimizer = torch.optim.AdamW(
        model.parameters(),
        plan.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=plan.weight_decay,
        fused=True,
    )
    state, best = Progressed(), _copy(model)
    restored = checkpoint.restore(run, model, optimizer) if run else None
    if restored:
        state, best = restored
        told.note(f"{name}: continues after epoch {state.epoch} of {plan.epochs} ({run})")
    processes.wait()
    whole: nn.Module = model
    if processes.world > 1 and not state.done:
        whole = DistributedDataParallel(model)
    events = Events(run if processes.first and not state.done else None, state.epoch)
    rest = plan.epochs - state.epoch
    with _settings(plan, processes), contextlib.closing(events):
        for epoch in range(state.epoch, plan.epochs if rest and not state.done else 0):
            told.step(_title(name, epoch, plan, state), batches.examples)
            started = time.perf_counter()
            loss = _pass(whole, model, batches, optimizer, plan, processes, epoch, told)
            speed = batches.examples / (time.perf_counter() - started)
            metric = _measure(model, validate, processes)
            state.epoch = epoch + 1
            state.curve.append((loss, metric))
            if validate is None or metric > state.best:
                state.best, state.best_epoch, best = metric, epoch + 1, _copy(model)
            late = epoch + 1 - state.best_epoch >= plan.patience
            state.done = late or state.epoch == plan.epochs
            events.write(epoch + 1, loss, metric, speed, rate(plan, (epoch + 1) / plan.epochs))
            told.note(_line(name, epoch, plan, loss, metric if validate else None, speed))
            if run and processes.first:
                checkpoint.save(run, state, model, best, optimizer)
            if state.done:
                break
    model.load_state_dict(best)
    model.eval()
    return state


def _pass(
    whole: nn.Module,
    model: Trainable,
    batches: Batches,
    optimizer: torch.optim.Optimizer,
    plan: Plan,
    processes: Processes,
    epoch: int,
    progress: Progress,
) -> float:
    """One epoch; returns its loss per example."""
    torch.manual_seed((plan.seed * 1_000_003 + epoch) * 1_009 + processes.rank)
    model.start_epoch(epoch)
    model.train()
    total = torch.zeros((), device=processes.device)
    seen = 0
    for examples, batch in batches.epoch(epoch, processes.rank, processes.world):
        done = (epoch + seen / max(1, batches.examples)) / plan.epochs
        for group in optimizer.param_groups:
            group["lr"] = rate(plan, done)
        loss = whole({key: value.to(processes.device) for key, value in batch.items()})
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
        optimizer.step()
        total += loss.detach() * examples
        seen += examples
        progress.advance(examples)
    if processes.world > 1:
        torch.distributed.all_reduce(total)
        total /= processes.world
    return float(total) / max(1, seen)


def _measure(model: Model, validate: Validation[Model] | None, processes: Processes) -> float:
    if validate is None:
        return 0.0
    model.eval()
    with torch.no_grad():
        metric = validate(model) if processes.first else 0.0
    return processes.agree(metric)


def _copy(model: nn.Module) -> Weights:
    return {key: value.detach().clone() for key, value in model.state_dict().items()}


@contextlib.contextmanager
def _settings(plan: Plan, processes: Processes) -> Iterator[None]:
    """PyTorch's global settings as training wants them, put back afterwards."""
    threads, exact = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    devices = [processes.device] if processes.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        if plan.threads:
            torch.set_num_threads(plan.threads)
        if devices:
            torch.use_deterministic_algorithms(True, warn_only=True)
        torch.set_flush_denormal(True)
        try:
            yield
        finally:
            torch.set_flush_denormal(False)
            torch.use_deterministic_algorithms(exact)
            torch.set_num_threads(threads)


def _title(name: str, epoch: int, plan: Plan, state: Progressed) -> str:
    text = f"{name}: epoch {epoch + 1} of at most {plan.epochs}"
    return text + (f", best nDCG@10 {state.best:.4f}" if state.best > 0 else "")


def _line(
    name: str, epoch: int, plan: Plan, loss: float, metric: float | None, speed: float
) -> str:
    text = f"{name}: epoch {epoch + 1}: loss {loss:.4f}, {speed:,.0f} examples/s"
    return text + (f", nDCG@10 {metric:.4f}" if metric is not None else "")
