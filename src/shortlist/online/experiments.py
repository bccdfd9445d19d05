"""Experiments: which variant a user gets, and what it changes.

Assignment is a hash of the salt and the user's id (XXH3), as a point in [0, 1). Variants lie on
that line one after the other, each as long as its share. So every process and every release agrees,
two experiments of different salts are independent, and whoever has a variant keeps it when another
at the end of the line grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shortlist.config.arrange import ArrangeSection
from shortlist.config.experiments import ExperimentSection, VariantSection
from shortlist.config.toml import dotted
from shortlist.core.request import Request
from shortlist.online.lots import lot_of

ARRANGE = "arrange"
"""The table of rules outside experiments."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """How a request is answered.

    Attributes:
        variants: experiment → the variant that the user has; empty outside all experiments.
        release: the release that answers; empty for the current one.
        ranked: whether the ranker scores.
        arrange: the table of rules that arrange; one of `Experiments.arrangements`, or `arrange`.
    """

    variants: Mapping[str, str] = field(default_factory=dict)
    release: str = ""
    ranked: bool = True
    arrange: str = ARRANGE


NONE = Treatment()


class Experiments:
    """The experiments of a configuration."""

    def __init__(self, experiments: Mapping[str, ExperimentSection]) -> None:
        self._experiments = dict(experiments)

    @property
    def releases(self) -> frozenset[str]:
        """The releases that variants name."""
        sections = [s for e in self._experiments.values() for s in e.variants.values()]
        return frozenset(section.release for section in sections if section.release)

    @property
    def arrangements(self) -> dict[str, ArrangeSection]:
        """Table → rules that a variant has in the place of `[arrange]`."""
        return {
            _table(name, variant): section.arrange
            for name, experiment in self._experiments.items()
            for variant, section in experiment.variants.items()
            if section.arrange is not None
        }

    def of(self, request: Request) -> Treatment:
        """How a request is answered: as its user's variants say.

        Requests without a user, and for the neighbours of an item, are in no experiment.
        """
        if not self._experiments or not request.user or request.item is not None:
            return NONE
        variants = {}
        release, ranked, arrange = "", True, ARRANGE
        for name, experiment in self._experiments.items():
            variant = _variant(experiment, name, request.user)
            if variant:
                variants[name] = variant
                section: VariantSection = experiment.variants[variant]
                release = section.release or release
                ranked = ranked and section.ranker != "none"
                arrange = _table(name, variant) if section.arrange else arrange
        return Treatment(variants, release, ranked, arrange)


def _table(experiment: str, variant: str) -> str:
    return dotted(("experiments", experiment, "variants", variant, "arrange"))


def _variant(experiment: ExperimentSection, name: str, user: str) -> str:
    """The variant that a user has; empty for none."""
    point = lot_of(f"{experiment.salt or name}\0{user}")
    for variant, section in experiment.variants.items():
        point -= section.share
        if point < 0:
            return variant
    return ""
