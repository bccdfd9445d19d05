"""Which retrievers fit a log, where `shortlist.toml` names none, and why.

Rules go by counts that any log has; each says in words what it looked at. What a retriever is
worth beside the others is not decided here but by fusion, on held-out requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from shortlist.config.schema import (
    FactorsRetriever,
    ItemGraphRetriever,
    LinearRetriever,
    NeighboursRetriever,
    PopularRetriever,
    Retriever,
    SequenceRetriever,
    TransitionsRetriever,
)
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval.deep import NEEDED

LINEAR_ITEMS = 20_000
"""Items up to which the linear model is solved in closed form in minutes."""
LONG = 20
"""Interactions of an average user from which on their order is worth a neural encoder."""
ENCODER_EVENTS = 500_000
"""Interactions below which a neural encoder takes minutes to add little to the counters."""


@dataclass(frozen=True)
class Shape:
    """What the rules look at.

    Attributes:
        events, users, items: interactions, users and items that have any.
        history: interactions of an average user.
        session: interactions of an average session.
        repeated: the share of users with more than one interaction.
        deep: whether what neural families need to train is installed.
    """

    events: int
    users: int
    items: int
    history: float
    session: float
    repeated: float
    deep: bool = False

    @classmethod
    def of(cls, data: TrainingData) -> Shape:
        """The shape of a log."""
        counts = np.bincount(data.user, minlength=1)
        users = int((counts > 0).sum())
        sessions = len(np.unique(data.session))
        return cls(
            events=len(data),
            users=users,
            items=len(np.unique(data.item)),
            history=len(data) / max(users, 1),
            session=len(data) / max(sessions, 1),
            repeated=float((counts > 1).sum() / max(users, 1)),
            deep=all(find_spec(name) is not None for name in NEEDED),
        )


@dataclass(frozen=True)
class Choice:
    """Retrievers by name, in the order that fusion meets them, and the reason for each."""

    retrievers: dict[str, Retriever]
    reasons: dict[str, str]

    @property
    def lines(self) -> list[str]:
        """One line for each retriever, to be read."""
        return [f"Chose {name}: {why}" for name, why in self.reasons.items()]


def choose_retrievers(data: TrainingData) -> Choice:
    """The retrievers for a log."""
    return choose_for(Shape.of(data))


def choose_for(shape: Shape) -> Choice:
    """The retrievers for a log of a shape."""
    chosen: dict[str, Retriever] = {}
    reasons: dict[str, str] = {}
    for name, rule in _RULES:
        found = rule(shape)
        if found is not None:
            chosen[name], reasons[name] = found
    return Choice(chosen, reasons)


Rule = Callable[[Shape], tuple[Retriever, str] | None]


def _transitions(shape: Shape) -> tuple[Retriever, str] | None:
    if shape.repeated == 0:
        return None
    return TransitionsRetriever(), (
        f"{shape.repeated:.0%} of the users did more than one thing, so what follows what can be "
        "counted."
    )


def _neighbours(shape: Shape) -> tuple[Retriever, str] | None:
    if shape.repeated == 0:
        return None
    kind = "sessions" if shape.session >= 1.5 else "histories"
    return NeighboursRetriever(), (
        f"{kind} are {max(shape.session, shape.history if kind == 'histories' else 0):.1f} "
        "interactions long on average, enough to find others like them."
    )


def _linear(shape: Shape) -> tuple[Retriever, str] | None:
    if shape.repeated == 0 or shape.items > LINEAR_ITEMS:
        return None
    return LinearRetriever(), (
        f"{shape.items:,} items have interactions; up to {LINEAR_ITEMS:,} a linear model over all "
        "of them is solved exactly."
    )


def _factors(shape: Shape) -> tuple[Retriever, str] | None:
    if shape.repeated == 0 or shape.items <= LINEAR_ITEMS or shape.history < 2:
        return None
    return FactorsRetriever(), (
        f"{shape.items:,} items are too many for a linear model over all of them; factors cost "
        "the same for each."
    )


def _sequence(shape: Shape) -> tuple[Retriever, str] | None:
    if not shape.deep or shape.history < LONG or shape.events < ENCODER_EVENTS:
        return None
    return SequenceRetriever(), (
        f"users have {shape.history:.0f} interactions on average, enough to learn from their "
        "order, and PyTorch is installed."
    )


def _item_graph(shape: Shape) -> tuple[Retriever, str] | None:
    if shape.session < 1.5 or shape.history < 1.2 * shape.session:
        return None
    return ItemGraphRetriever(), (
        f"users come back: {shape.session:.1f} interactions to a session, {shape.history:.1f} in "
        "all, so what goes together in a session can be told from what one user happens to like."
    )


def _popular(shape: Shape) -> tuple[Retriever, str] | None:
    return PopularRetriever(), "somebody without a history sees what others take."


_RULES: list[tuple[str, Rule]] = [
    ("transitions", _transitions),
    ("neighbours", _neighbours),
    ("linear", _linear),
    ("factors", _factors),
    ("sequence", _sequence),
    ("item_graph", _item_graph),
    ("popular", _popular),
]
