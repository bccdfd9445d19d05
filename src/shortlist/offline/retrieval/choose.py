"""Which retrievers fit a log, where `shortlist.toml` names none, and why.

Rules go by counts that any log has; each says in words what it looked at. What a retriever is
worth beside the others is not decided here but by fusion, on held-out requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from shortlist.config.schema import (
    FactorsRetriever,
    ItemGraphRetriever,
    LinearRetriever,
    NeighboursRetriever,
    PopularRetriever,
    Retriever,
    SequenceRetriever,
    TextEncoderRetriever,
    TransitionsRetriever,
)
from shortlist.core.catalogue import Catalogue
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval.deep import NEEDED
from shortlist.offline.retrieval.side_information import SideInformation

LINEAR_ITEMS = 20_000
"""Items up to which the linear model is solved in closed form in minutes."""
RECENT, RECENT_HISTORY = 0.8, 50
"""The decay of the linear model that goes by what came last, and how many items it looks at."""
LONG = 20
"""Interactions of an average user from which on their order is worth a neural encoder."""
COLD = 0.05
"""The share of items nobody took from which it is worth finding them by their attributes."""
TEXTS = 0.5
"""The share of items with a text from which on texts are worth learning from."""
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
        cold: the share of the items that may be shown that nobody took.
        attributes: attributes that tell items apart, by which such items can be found.
        texts: the share of the items that may be shown that have a text.
    """

    events: int
    users: int
    items: int
    history: float
    session: float
    repeated: float
    deep: bool = False
    cold: float = 0.0
    attributes: tuple[str, ...] = ()
    texts: float = 0.0

    @classmethod
    def of(cls, data: TrainingData) -> Shape:
        """The shape of a log."""
        counts = np.bincount(data.user, minlength=1)
        users = int((counts > 0).sum())
        sessions = len(np.unique(data.session))
        taken = np.bincount(data.item, minlength=data.items) > 0
        shown = data.catalogue.available & (data.catalogue.expires >= data.until)
        return cls(
            events=len(data),
            users=users,
            items=len(np.unique(data.item)),
            history=len(data) / max(users, 1),
            session=len(data) / max(sessions, 1),
            repeated=float((counts > 1).sum() / max(users, 1)),
            deep=all(find_spec(name) is not None for name in NEEDED),
            cold=float((shown & ~taken).sum() / max(int(shown.sum()), 1)),
            attributes=SideInformation.of(data.catalogue, "auto", taken).names,
            texts=float((shown & _with_text(data.catalogue)).sum() / max(int(shown.sum()), 1)),
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
        f"{shape.items:,} items have interactions; up to {LINEAR_ITEMS:,} a linear model of "
        "whole histories is solved exactly."
    )


def _recent(shape: Shape) -> tuple[Retriever, str] | None:
    if shape.repeated == 0 or shape.items > LINEAR_ITEMS:
        return None
    return LinearRetriever(decay=RECENT, history=RECENT_HISTORY), (
        "and another, of the next item, in which older items count less."
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
    back = shape.history >= 1.2 * shape.session
    cold = bool(shape.attributes) and shape.cold >= COLD
    if shape.session < 1.5 or not (back or cold):
        return None
    reasons = []
    if back:
        reasons.append(
            f"users come back: {shape.session:.1f} interactions to a session, {shape.history:.1f} "
            "in all, so what goes together in a session can be told from what one user happens to "
            "like."
        )
    if cold:
        reasons.append(
            f"nobody took {shape.cold:.0%} of the items yet; {_listed(shape.attributes)} place "
            "them among those that somebody did."
        )
    return ItemGraphRetriever(), " And ".join(reasons)


def _listed(names: tuple[str, ...]) -> str:
    """The first few names, and how many more there are."""
    more = [f"{len(names) - 3} more"] if len(names) > 4 else []
    *most, last = [*names[: 3 if more else 4], *more]
    return f"{', '.join(most)} and {last}" if most else last


def _text_encoder(shape: Shape) -> tuple[Retriever, str] | None:
    if shape.texts < TEXTS or shape.cold < COLD:
        return None
    return TextEncoderRetriever(), (
        f"{shape.texts:.0%} of the items have a text, by which the {shape.cold:.0%} that nobody "
        "took yet are found, and searches are answered by meaning too."
    )


def _with_text(catalogue: Catalogue) -> NDArray[np.bool_]:
    """Which items have a text, `bool[n]`."""
    found = np.zeros(len(catalogue), np.bool_)
    for column in catalogue.columns.values():
        if column.kind == "text":
            found |= np.diff(column.arrays["offsets"]) > 0
    return found


def _popular(shape: Shape) -> tuple[Retriever, str] | None:
    return PopularRetriever(), "somebody without a history sees what others take."


_RULES: list[tuple[str, Rule]] = [
    ("transitions", _transitions),
    ("neighbours", _neighbours),
    ("linear", _linear),
    ("recent", _recent),
    ("factors", _factors),
    ("sequence", _sequence),
    ("item_graph", _item_graph),
    ("text_encoder", _text_encoder),
    ("popular", _popular),
]
