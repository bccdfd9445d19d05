"""What a release remembers of its features: a sample of their values, and what the ranker makes of
them. `shortlist features` compares it with the release before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import ReleaseError
from shortlist.core.vocabulary import open_array
from shortlist.features.contract import Feature

FORMAT = 1
PROFILE = "features/profile"
"""Where a release holds it."""
SAMPLE = 2_000
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
LEAST = 1e-4
"""A bin without values counts as this share."""


@dataclass(frozen=True)
class Profile:
    """Features of the rows that a ranker was trained on.

    Attributes:
        names: of the features.
        sample: `float32[f, n]`, n at most `SAMPLE`, rows drawn at random.
        importance: the share of each feature, as the ranker's report has it.
    """

    names: tuple[str, ...]
    sample: NDArray[np.float32]
    importance: Mapping[str, float]

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        x: NDArray[np.float32],
        importance: Mapping[str, float],
        seed: int,
    ) -> Profile:
        """The profile of a matrix `float32[f, n]`."""
        drawn = np.random.default_rng([seed, 0x70726F66]).permutation(x.shape[1])[:SAMPLE]
        return cls(tuple(names), np.ascontiguousarray(x[:, np.sort(drawn)]), dict(importance))

    def save(self, folder: Path) -> None:
        """Write it into a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "sample.npy", self.sample)
        about = {"format": FORMAT, "names": self.names, "importance": self.importance}
        (folder / "profile.json").write_text(json.dumps(about))

    @classmethod
    def load(cls, folder: Path) -> Profile | None:
        """A saved profile; None where a release holds none.

        Raises:
            ReleaseError: it was written in another format.
        """
        path = folder / "profile.json"
        if not path.exists():
            return None
        about = json.loads(path.read_text())
        if about["format"] != FORMAT:
            raise ReleaseError(
                f"a profile of features has format {about['format']}, this version reads {FORMAT}.",
                remedy="Train again, or use the version that wrote it.",
                where=str(path),
            )
        return cls(tuple(about["names"]), open_array(folder / "sample.npy"), about["importance"])


@dataclass(frozen=True)
class FeatureReport:
    """One feature of a release.

    Attributes:
        name: the feature.
        coverage: the share of rows with another value than the default.
        quantiles: at `QUANTILES`.
        psi, ks: the drift since the release before; None where it did not have the feature.
        importance: the share of the ranker's gain, or of what shuffling costs.
    """

    name: str
    coverage: float
    quantiles: tuple[float, ...]
    psi: float | None
    ks: float | None
    importance: float


def report(
    features: Sequence[Feature], profile: Profile, before: Profile | None
) -> list[FeatureReport]:
    """Every feature of a release, against the release before."""
    made = []
    for feature in features:
        values = profile.sample[profile.names.index(feature.name)]
        old = None
        if before is not None and feature.name in before.names:
            old = before.sample[before.names.index(feature.name)]
        comparable = old is not None and len(old) > 0 and len(values) > 0
        made.append(
            FeatureReport(
                name=feature.name,
                coverage=float(np.mean(values != np.float32(feature.default))),
                quantiles=tuple(np.quantile(values, QUANTILES).tolist()),
                psi=psi(old, values) if comparable and old is not None else None,
                ks=ks(old, values) if comparable and old is not None else None,
                importance=profile.importance.get(feature.name, 0.0),
            )
        )
    return made


def psi(old: NDArray[np.float32], new: NDArray[np.float32]) -> float:
    """The population stability index, Σ (p - q) · ln(p / q), over the tenths of the old values.

    Below 0.1 little has changed, above 0.25 much (Siddiqi, Credit Risk Scorecards, 2006).
    """
    edges = np.unique(np.quantile(old, np.arange(1, 10) / 10))
    shares = []
    for values in (old, new):
        # left: an edge belongs to the bin that ends at it, so a value that most rows have is one
        counts = np.bincount(np.searchsorted(edges, values, "left"), minlength=len(edges) + 1)
        shares.append(np.maximum(counts / len(values), LEAST))
    q, p = shares
    return float(((p - q) * np.log(p / q)).sum())


def ks(old: NDArray[np.float32], new: NDArray[np.float32]) -> float:
    """The Kolmogorov-Smirnov distance: how far the two distribution functions are apart at most."""
    places = np.unique(np.concatenate([old, new]))
    parts = [np.searchsorted(np.sort(v), places, "right") / len(v) for v in (old, new)]
    return float(np.abs(parts[0] - parts[1]).max())
