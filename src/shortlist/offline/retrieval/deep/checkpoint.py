"""Checkpoints of a training: one NumPy file, complete or absent, never pickled."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

FORMAT = 1
"""Part of every fingerprint: raise it when the same settings start to mean another training."""

KEPT = 6
"""Runs of a retriever whose folders are kept; a `shortlist train` makes three."""

_FILE = "checkpoint.npz"


def fingerprint(settings: object, arrays: list[NDArray[Any]]) -> str:
    """A name for "this training on this data": 16 hexadecimal digits."""
    digest = hashlib.sha256(json.dumps([FORMAT, settings], sort_keys=True, default=str).encode())
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]


def run_folder(runs: Path, name: str) -> Path:
    """The folder of a run, made; the oldest of the others go when there are too many."""
    folder = runs / name
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    others = sorted((f for f in runs.iterdir() if f.is_dir()), key=lambda f: f.stat().st_mtime)
    for old in others[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


@dataclass
class Progressed:
    """How far a training is.

    Attributes:
        epoch: epochs done.
        best: the best validation metric so far.
        best_epoch: the epoch that it came from, counted from 1; 0 for none.
        done: whether it is over.
        curve: of each epoch the loss and the metric.
    """

    epoch: int = 0
    best: float = -1.0
    best_epoch: int = 0
    done: bool = False
    curve: list[tuple[float, float]] = field(default_factory=list)


Weights = dict[str, Tensor]


def save(
    folder: Path,
    state: Progressed,
    model: nn.Module,
    best: Weights,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write a checkpoint over the last one, atomically."""
    arrays = {"state": np.frombuffer(json.dumps(asdict(state)).encode(), np.uint8)}
    for prefix, weights in (("model", model.state_dict()), ("best", best)):
        arrays |= {f"{prefix}/{k}": v.detach().cpu().numpy() for k, v in weights.items()}
    if not state.done:
        for number, values in optimizer.state_dict()["state"].items():
            for key, value in values.items():
                arrays[f"optimizer/{number}/{key}"] = torch.as_tensor(value).cpu().numpy()
    beside = folder / f".{_FILE}.new"
    with beside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(folder / _FILE)


def restore(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[Progressed, Weights] | None:
    """Continue from a folder's checkpoint, where there is one: model and optimizer are set."""
    path = folder / _FILE
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as file:
        arrays: dict[str, NDArray[Any]] = dict(file)
    told = json.loads(arrays.pop("state").tobytes())
    told["curve"] = [(loss, metric) for loss, metric in told["curve"]]
    weights: dict[str, Weights] = {"model": {}, "best": {}}
    moments: dict[int, Weights] = {}
    for name, array in arrays.items():
        kind, _, rest = name.partition("/")
        if kind == "optimizer":
            number, _, key = rest.partition("/")
            moments.setdefault(int(number), {})[key] = torch.from_numpy(array)
        else:
            weights[kind][rest] = torch.from_numpy(array)
    model.load_state_dict(weights["model"])
    if moments:
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": moments, "param_groups": groups})
    return Progressed(**told), weights["best"]
