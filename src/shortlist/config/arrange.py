"""`[arrange]` of `shortlist.toml`: what is done to a ranked list before it is shown."""

from __future__ import annotations

from typing import Literal

import msgspec

from shortlist.config.section import Section


class BoostRule(Section, frozen=True):
    """`[[arrange.boosts]]`: items that move up or down.

    A rule works on relevance: the scores of a request's candidates brought to 0 (the lowest) to 1
    (the highest), so that it means the same whatever ranks. Rules apply in their order.

    Attributes:
        where: a filter expression; what it holds for is boosted.
        multiply: what the relevance is multiplied by; below 1 items move down.
        add: what is added to it then.
        since: from when on the rule holds, ISO 8601 text; empty for always.
        until: from when on it no longer does; empty for never.
        name: what `explain` calls the rule; empty for `boosts[0]` and so on.
    """

    where: str
    multiply: float = 1.0
    add: float = 0.0
    since: str = ""
    until: str = ""
    name: str = ""


class PinRule(Section, frozen=True):
    """`[[arrange.pins]]`: a place of recommendations that is given away.

    Either `item` or `where`. A pinned item is shown only where the request may see it: never one
    that is hidden, expired, excluded or filtered out, nor one past a cap of `max_per`. Where two
    pins want one place the first that can be kept has it.

    Attributes:
        position: the place, from 0.
        item: the item's id; it need not be among the candidates.
        where: a filter expression; the best candidate that it holds for is taken.
        since: from when on the rule holds, ISO 8601 text; empty for always.
        until: from when on it no longer does; empty for never.
        name: what `explain` calls the rule; empty for `pins[0]` and so on.
    """

    position: int
    item: str = ""
    where: str = ""
    since: str = ""
    until: str = ""
    name: str = ""


class DiversitySection(Section, frozen=True):
    """`[arrange.diversity]`: lists whose items are unlike each other.

    Attributes:
        method: `mmr` (less like the nearest shown before) or `dpp` (all together span much: greedy
            MAP of a determinantal point process).
        vectors: the retriever whose item vectors say what is alike; empty where attributes do.
        attributes: keyword attributes that say so instead: by the share of values in common.
        strength: from 0.01 (next to nothing but relevance counts) to 1 (only diversity does).
        among: how many of the best candidates are looked at.
    """

    method: Literal["mmr", "dpp"] = "mmr"
    vectors: str = ""
    attributes: list[str] = msgspec.field(default_factory=list)
    strength: float = 0.3
    among: int = 200


class FreshnessSection(Section, frozen=True):
    """`[arrange.freshness]`: a quota of new items.

    Attributes:
        at_least: how many of the first `of` places go to new items, while the caps leave any; of a
            shorter list, as large a share of it, rounded down.
        of: how many places are looked at.
        attribute: a time attribute; items newer than `newer` are new. Empty where `where` says.
        newer: the age from which on an item is no longer new.
        where: a filter expression that says what is new instead.
    """

    at_least: int = 1
    of: int = 10
    attribute: str = ""
    newer: str = "7d"
    where: str = ""


class ExplorationSection(Section, frozen=True):
    """`[arrange.exploration]`: places of recommendations that are drawn by lot.

    Candidates below the list are dealt out to the places, and each place draws one of its own.
    The chance of what was drawn is logged with the impression. Users without an id, for whom
    nothing is logged, see no exploration.

    Attributes:
        positions: the places, from 0.
        method: `epsilon` (the best, but with the chance `epsilon` any) or `softmax` (each by
            the exponential of its relevance).
        epsilon: of `epsilon`: how often any candidate may come.
        temperature: of `softmax`: the difference in relevance, which runs from 0 to 1, that makes
            a candidate 2.7 times as likely as another.
        among: how many candidates below the list are dealt out.
    """

    positions: list[int]
    method: Literal["epsilon", "softmax"] = "epsilon"
    epsilon: float = 0.1
    temperature: float = 0.1
    among: int = 100


class BlendSection(Section, frozen=True):
    """`[arrange.blend]`: recommendations made of the lists of several retrievers.

    Each retriever's list is what it found, best first by the ranker. An item that two of them
    found goes to the one whose turn comes first. Candidates of none of them come last.

    Attributes:
        shares: retriever → its part of the list, as `{ sequence = 3, popular = 1 }`.
        method: `ratio` (turns in a fixed pattern) or `draft` (turns by lot).
    """

    shares: dict[str, float]
    method: Literal["ratio", "draft"] = "ratio"


class ArrangeSection(Section, frozen=True):
    """`[arrange]`: from ranked candidates to the list that is shown.

    Attributes:
        seen: whether items of the user's own history may be shown.
        max_per: at most this many items of one value of a keyword attribute in a list.
        boosts: rules that move items up or down.
        pins: rules that give a place away.
        diversity: lists whose items are unlike each other; without the table, by relevance alone.
        freshness: a quota of new items; without the table there is none.
        exploration: places drawn by lot; without the table there are none.
        blend: lists made of several retrievers' lists; without the table, by score alone.
    """

    seen: bool = False
    max_per: dict[str, int] = msgspec.field(default_factory=dict)
    boosts: list[BoostRule] = msgspec.field(default_factory=list)
    pins: list[PinRule] = msgspec.field(default_factory=list)
    diversity: DiversitySection | None = None
    freshness: FreshnessSection | None = None
    exploration: ExplorationSection | None = None
    blend: BlendSection | None = None
