"""The kinds of rankers, and how a release keeps one: a folder of arrays beside `model.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from shortlist.core.errors import ReleaseError
from shortlist.core.vocabulary import open_array
from shortlist.release.ranking.calibration import Calibration
from shortlist.release.ranking.cascade import Cascade
from shortlist.release.ranking.glmix import Effects, Glmix
from shortlist.release.ranking.neural import Attention, Graph, Relational
from shortlist.release.trees import Trees

FORMAT = 2
Second = Trees | Glmix | Attention | Relational
Model = Second | Cascade
KINDS: dict[str, type[Any]] = {
    "boosted": Trees,
    "glmix": Glmix,
    "attention": Attention,
    "relational": Relational,
    "cascade": Cascade,
}
_PARTS: dict[str, type[Any]] = {"effects": Effects, "graph": Graph}
_ABOUT = "model.json"


@dataclass(frozen=True)
class Ranker:
    """A ranker.

    Attributes:
        model: what scores.
        calibration: what a score means; None where scores are left as they are.
    """

    model: Model
    calibration: Calibration | None = None

    def save(self, folder: Path) -> None:
        """Write the ranker into a folder, which is made."""
        _save(self.model, folder)
        if self.calibration is not None:
            (folder / "calibration.json").write_bytes(msgspec.json.encode(self.calibration))

    @classmethod
    def load(cls, folder: Path) -> Ranker:
        """Open a saved ranker, its arrays memory-mapped.

        Raises:
            ReleaseError: the folder was written in another format.
        """
        path = folder / "calibration.json"
        calibration = None
        if path.exists():
            calibration = msgspec.json.decode(path.read_bytes(), type=Calibration)
        return cls(_load(folder), calibration)


def _save(value: Any, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {**KINDS, **_PARTS}
    kind = next(name for name, one in kinds.items() if isinstance(value, one))
    values: dict[str, Any] = {}
    if isinstance(value, Trees):
        value.save(folder)
    else:
        for field in fields(value):
            content = getattr(value, field.name)
            if isinstance(content, np.ndarray):
                np.save(folder / f"{field.name}.npy", content)
            elif is_dataclass(content):
                _save(content, folder / field.name)
            else:
                values[field.name] = content
    about = {"format": FORMAT, "kind": kind, "values": values}
    (folder / _ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False))


def _load(folder: Path) -> Any:
    path = folder / _ABOUT
    about = json.loads(path.read_text())
    kinds = {**KINDS, **_PARTS}
    if about.get("format") != FORMAT or about.get("kind") not in kinds:
        raise ReleaseError(
            f"the ranker is of kind {about.get('kind')!r} in format {about.get('format')}; this "
            f"version reads format {FORMAT} of {', '.join(KINDS)}.",
            remedy="Train again, or open the release with the version that wrote it.",
            where=str(path),
        )
    kind = kinds[about["kind"]]
    if kind is Trees:
        return Trees.load(folder)
    values = dict(about["values"])
    for name in _names(kind):
        if name in values:
            values[name] = tuple(values[name]) if name == "features" else values[name]
        elif (folder / name).is_dir():
            values[name] = _load(folder / name)
        else:
            values[name] = open_array(folder / f"{name}.npy")
    return kind(**values)


def _names(kind: type[Any]) -> list[str]:
    return [field.name for field in fields(kind)]
