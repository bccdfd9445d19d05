"""`attention` and `relational`: fit the network by PyTorch, hand it on as ONNX."""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shortlist.config.schema import RankerSection
from shortlist.core.errors import ReleaseError
from shortlist.core.progress import Progress
from shortlist.offline.ranking.networks import TargetAttention
from shortlist.offline.ranking.rows import Rows
from shortlist.offline.ranking.sets import MANY, cut_of, per_request
from shortlist.release.ranking.batch import Batch
from shortlist.release.ranking.glmix import compress
from shortlist.release.ranking.neural import Attention, Graph, Relational, inputs_of
from shortlist.release.ranking.scorers import scorer_of

BATCH = 32
"""Requests of a step."""
RATE = 1e-3
DECAY = 1e-2
PATIENCE = 3
"""Epochs without an improvement before training stops."""
OPSET = 18
TOLERANCE = 1e-3
_LINKS = ("entity", "near", "far", "behaviour", "shared")


def fit_neural(
    rows: Rows, config: RankerSection, seed: int, progress: Progress, graph: Graph | None
) -> Attention | Relational:
    """Fit the network; the number of epochs is the best on the newest requests.

    `lambdarank` trains the softmax over each request's rows (ListNet; Cao et al., ICML 2007), the
    other objectives log loss.

    Raises:
        ReleaseError: the exported network does not give what the trained one gives.
    """
    torch.manual_seed(seed)
    cut = cut_of(rows)
    old, new = rows.part(0, cut), rows.part(cut, rows.requests)
    plain = compress(old.x)
    scale = plain.std(axis=1)
    scale[scale < 1e-6] = 1
    size = int(max(rows.item.max(initial=0), rows.log.max(initial=0))) + 1
    if graph is not None:
        size = max(size, len(graph.offsets) - 1)
    known = np.zeros(size, np.bool_)
    known[old.item] = True
    for start, stop in old.history.tolist():
        known[old.log[start:stop]] = True
    net = TargetAttention(
        torch.from_numpy(known),
        torch.from_numpy(plain.mean(axis=1)),
        torch.from_numpy(scale),
        config.dim,
        config.reach,
        graph.entities if graph else 0,
        int(graph.relation.max(initial=0)) + 1 if graph else 0,
        rows.features.index("fused") if "fused" in rows.features else -1,
    )
    threads = torch.get_num_threads()
    try:  # threads wait for each other at every operation; on few rows, for longer than they work
        torch.set_num_threads(1 if len(rows) < MANY else threads)
        _train(net, old, new, config, seed, progress, graph)
    finally:
        torch.set_num_threads(threads)
    model = _export(net.eval(), config, graph)
    means = rows.x.mean(axis=1)
    made: Attention | Relational
    if graph is None:
        made = Attention(rows.features, model, config.reach, means)
    else:
        made = Relational(rows.features, model, config.reach, means, graph)
    few = new.part(0, min(5, new.requests))
    trained = _scores(net, few, graph)
    difference = float(np.abs(scorer_of(made)(few.batch()) - trained).max())
    if not difference <= TOLERANCE * max(1.0, float(np.abs(trained).max())):
        raise ReleaseError(
            f"the exported network differs from the trained one by {difference:.2g}.",
            remedy="Use the pinned versions of requirements/constraints.txt and train again.",
            where="ONNX export",
        )
    return made


def _train(
    net: TargetAttention,
    old: Rows,
    new: Rows,
    config: RankerSection,
    seed: int,
    progress: Progress,
    graph: Graph | None,
) -> None:
    rng = np.random.default_rng([seed, 0x64696E])
    decayed = [p for name, p in net.named_parameters() if p.ndim > 1]
    others = [p for name, p in net.named_parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}],
        lr=RATE,
    )
    loss = _listwise if config.objective == "lambdarank" else _pointwise
    if net.fused >= 0:
        nn.init.constant_(net.trust, _trust(net, old, loss))
    # The order that training starts from is the fused one. To be kept, an epoch must be better by
    # more than the standard error of the difference (Breiman et al. 1984, section 3.4.3).
    begun = _measured(net, new, graph)
    best, since = float(begun.mean()), 0
    kept = copy.deepcopy(net.state_dict())
    progress.step("network", config.epochs)
    for _ in range(config.epochs):
        net.train()
        order = rng.permutation(old.requests)
        for start in range(0, len(order), BATCH):
            picked = np.sort(order[start : start + BATCH])
            fed, label, weight, stands, request = _fed(config.reach, old, picked, graph)
            optimiser.zero_grad()
            value = loss(net(**fed), label, weight, stands, request, len(picked))
            value.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
        now = _measured(net, new, graph)
        measured = float(now.mean())
        surely = measured - float(begun.mean()) > float((now - begun).std()) / len(now) ** 0.5
        since += 1
        if measured > best and surely:
            best, since = measured, 0
            kept = copy.deepcopy(net.state_dict())
        if since >= PATIENCE:
            break
    net.load_state_dict(kept)


def _trust(net: TargetAttention, old: Rows, loss: Loss) -> float:
    """How much a difference of fused scores is worth: the power of 2 with the least loss."""
    x = torch.from_numpy(old.x[net.fused])
    plain = torch.sign(x) * torch.log1p(torch.abs(x))
    base = (plain - net.center[net.fused]) / net.scale[net.fused]
    label, weight, stands = (
        torch.from_numpy(column) for column in (old.label, old.weight, old.stands)
    )
    request = torch.from_numpy(np.repeat(np.arange(old.requests), np.diff(old.offsets)))
    scales = [2.0**power for power in range(-4, 6)]
    losses = [
        float(loss(base * scale, label, weight, stands, request, old.requests)) for scale in scales
    ]
    return scales[int(np.argmin(losses))]


def _measured(net: TargetAttention, new: Rows, graph: Graph | None) -> NDArray[np.float64]:
    return per_request(_scores(net, new, graph), new.label, new.offsets, new.stands)


def _fed(
    reach: int, rows: Rows, picked: NDArray[np.int64], graph: Graph | None
) -> tuple[dict[str, Tensor], Tensor, Tensor, Tensor, Tensor]:
    """A batch of requests: what the network takes, labels, weights, what rows stand for, request
    numbers."""
    lines = np.concatenate([np.arange(rows.offsets[g], rows.offsets[g + 1]) for g in picked])
    sizes = np.diff(rows.offsets)[picked]
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    histories = [rows.log[a:b] for a, b in rows.history[picked].tolist()]
    part = Batch(rows.x[:, lines], rows.item[lines], bounds, rows.key[picked], histories)
    fed = {name: torch.from_numpy(a) for name, a in inputs_of(reach, graph, part).items()}
    return (
        fed,
        torch.from_numpy(rows.label[lines]),
        torch.from_numpy(rows.weight[lines]),
        torch.from_numpy(rows.stands[lines]),
        fed["request"],
    )


def _scores(net: TargetAttention, rows: Rows, graph: Graph | None) -> NDArray[np.float32]:
    net.eval()
    told: list[NDArray[np.float32]] = []
    with torch.no_grad():
        for start in range(0, rows.requests, 4 * BATCH):
            picked = np.arange(start, min(start + 4 * BATCH, rows.requests))
            fed, *_ = _fed(net.reach, rows, picked, graph)
            told.append(net(**fed).numpy())
    return np.concatenate(told)


Loss = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, int], Tensor]


def _listwise(
    score: Tensor, label: Tensor, weight: Tensor, stands: Tensor, request: Tensor, g: int
) -> Tensor:
    """Cross entropy of each request's weighed positives under the softmax of its scores.

    A negative that was drawn from many counts as many (Jean et al., ACL 2015, section 3).
    """
    score = score + torch.log(stands)
    top = torch.full((g,), -torch.inf).scatter_reduce(0, request, score.detach(), "amax")
    total = torch.zeros(g).scatter_add(0, request, torch.exp(score - top[request]))
    chance = score - top[request] - torch.log(total)[request]
    positives = torch.zeros(g).scatter_add(0, request, label)
    share = label * weight / positives.clamp(min=1)[request]
    return -(share * chance).sum() / g


def _pointwise(
    score: Tensor, label: Tensor, weight: Tensor, stands: Tensor, request: Tensor, g: int
) -> Tensor:
    return nn.functional.binary_cross_entropy_with_logits(score, label, weight)


def _export(net: TargetAttention, config: RankerSection, graph: Graph | None) -> NDArray[np.uint8]:
    """The network as an ONNX file, without what names the machine that trained."""
    n, g, h = 3, 2, min(config.reach, 4)
    fed: dict[str, Tensor] = {
        "x": torch.zeros(n, len(net.center)),
        "items": torch.tensor([0, 1, 0]).clamp(max=len(net.known) - 1),
        "history": torch.full((g, h), -1),
        "request": torch.tensor([0, 0, 1]),
    }
    axes = {"x": {0: "n"}, "items": {0: "n"}, "request": {0: "n"}, "scores": {0: "n"}}
    axes["history"] = {0: "g", 1: "h"}
    if graph is not None:
        for name in _LINKS:
            fed[name] = torch.full((n, graph.paths), 0)
            axes[name] = {0: "n"}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        file = Path(folder) / "ranker.onnx"
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            tuple(fed.values()),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(fed),
            output_names=["scores"],
            dynamic_axes=axes,
        )
        model = onnx.load(file)
    model.graph.ClearField("doc_string")
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    return np.frombuffer(model.SerializeToString(deterministic=True), np.uint8)
