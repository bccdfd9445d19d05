"""`FeatureSet`: the ranker's input columns in order, with both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shortlist.core.catalogue import ColumnKind
from shortlist.core.errors import ConfigError, ReleaseError, did_you_mean
from shortlist.features.clock import HourOfDay, Weekday
from shortlist.features.contract import AsOf, Feature, View
from shortlist.features.declared import Aggregate, Cross, Declared
from shortlist.features.items import ITEM_DEFAULTS, ItemStatistic
from shortlist.features.prices import LogPrice, RelativePrice
from shortlist.features.remote import Remote
from shortlist.features.retrieval import (
    Fused,
    FusedGap,
    FusedRank,
    SourceCount,
    SourceRank,
    SourceScore,
)
from shortlist.features.similarity import Similarity
from shortlist.features.tastes import Affinity, AffinityIdle
from shortlist.features.users import ACTIVITY, UserActivity, UserIdle, UserItem

if TYPE_CHECKING:
    import ibis.expr.types as ir

CATEGORIES: tuple[ColumnKind, ...] = ("keyword", "keywords")
PRICES: tuple[ColumnKind, ...] = ("number",)


class FeatureSet:
    """Features in the order of the ranker's input."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self.features = tuple(features)
        self.names = tuple(feature.name for feature in self.features)

    def __len__(self) -> int:
        return len(self.features)

    @property
    def attributes(self) -> list[str]:
        """The catalogue attributes that the features read, each once."""
        named: list[str] = []
        for feature in self.features:
            if isinstance(feature, Aggregate):
                named += feature.attributes
            elif (attribute := getattr(feature, "attribute", None)) is not None:
                named.append(attribute)
        return list(dict.fromkeys(named))

    @property
    def texts(self) -> list[str]:
        """Those that the offline side reads as text too."""
        return self._named("item_texts")

    @property
    def user_attributes(self) -> list[str]:
        """The attributes of users that the features read, each once."""
        return self._named("user_attributes")

    @property
    def user_texts(self) -> list[str]:
        """Those that the offline side reads as text too."""
        return self._named("user_texts")

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """Those whose values are counted by, alone or together, which takes everybody's."""
        groups = (one.user_attributes for one in self.counted)
        return [group for group in dict.fromkeys(groups) if group]

    @property
    def contexts(self) -> list[str]:
        """The contexts that the features read, each once."""
        return self._named("contexts")

    @property
    def vectors(self) -> list[str]:
        """The retrievers whose item vectors the features compare, each once."""
        names = [one.vectors for one in self.features if isinstance(one, Similarity)]
        return list(dict.fromkeys(names))

    @property
    def remote(self) -> list[Remote]:
        """The features of Feast."""
        return [one for one in self.features if isinstance(one, Remote)]

    def _named(self, part: str) -> list[str]:
        return list(dict.fromkeys(n for one in self.features for n in getattr(one, part, ())))

    @property
    def counted(self) -> list[Aggregate]:
        """The declared features over everybody's events, which a release holds series of."""
        return [
            feature
            for feature in self.features
            if isinstance(feature, Aggregate) and not feature.by_user
        ]

    def online(self, view: View, out: NDArray[np.float32]) -> None:
        """Write every column of one request's candidates into `out`, `float32[f, n]`."""
        for feature, column in zip(self.features, out, strict=True):
            if not isinstance(feature, Cross):
                feature.online(view, column)
        for feature, column in zip(self.features, out, strict=True):
            if isinstance(feature, Cross):
                left, right = (self.names.index(name) for name in (feature.left, feature.right))
                feature.combine(out[left], out[right], column)

    def join(self, at: AsOf) -> ir.Table:
        """See `features.offline.join`."""
        from shortlist.features.offline import join

        return join(self.features, at)

    def matrix(self, at: AsOf) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """See `features.offline.matrix`."""
        from shortlist.features.offline import matrix

        return matrix(self.features, at)


def default_features(
    category: str, price: str, kinds: Mapping[str, ColumnKind], sources: Sequence[str]
) -> FeatureSet:
    """Every feature that a catalogue and a set of sources allow.

    Args:
        category: the attribute that says what kind of thing an item is; empty for none. One that
            is not a keyword column, or not there, is left out.
        price: the attribute that is a price; empty for none. Left out likewise.
        kinds: the catalogue's columns.
        sources: names of the retrieval sources, in order.
    """
    names = [
        *ITEM_DEFAULTS,
        "user_count",
        *ACTIVITY,
        UserIdle().name,
        UserItem().name,
    ]
    if kinds.get(category) in CATEGORIES:
        names += [f"affinity:{category}", f"affinity_idle:{category}"]
    if kinds.get(price) in PRICES:
        names += [f"price:{price}", f"price_relative:{price}"]
    names += [f"score:{source}" for source in sources]
    names += [f"rank:{source}" for source in sources]
    names += [SourceCount().name, Fused().name, FusedRank().name, FusedGap().name]
    names += [HourOfDay().name, Weekday().name]
    return feature_set(names, kinds)


def with_declared(features: FeatureSet, declared: Sequence[Declared]) -> FeatureSet:
    """The features and the declared ones after them.

    Raises:
        ConfigError: a name is there twice, or a cross names a feature that is not there.
    """
    names = list(features.names)
    for feature in declared:
        if feature.name in names:
            raise ConfigError(
                f"[features.{feature.name}] has the name of a built-in feature.",
                remedy="Choose another.",
                where="shortlist.toml",
            )
        names.append(feature.name)
    for feature in declared:
        if isinstance(feature, Cross):
            for name in (feature.left, feature.right):
                if name not in names:
                    raise ConfigError(
                        f"features.{feature.name}.cross names {name!r}, which is not a feature of "
                        "this catalogue and its retrievers.",
                        remedy=did_you_mean(name, names),
                        where="shortlist.toml",
                    )
    return FeatureSet([*features.features, *declared])


def feature_set(
    names: Sequence[str],
    kinds: Mapping[str, ColumnKind],
    declared: Sequence[Declared] = (),
) -> FeatureSet:
    """The features with these names, in this order: how a release's ranker gets its input back.

    Args:
        names: feature names, as `FeatureSet.names` gave them.
        kinds: the catalogue's columns.
        declared: the declared features of the release's configuration.

    Raises:
        ReleaseError: a name is unknown, or reads an attribute that the catalogue does not have
            in the kind it needs.
    """
    own = {feature.name: feature for feature in declared}
    return FeatureSet([own.get(name) or _feature(name, kinds) for name in names])


def _feature(name: str, kinds: Mapping[str, ColumnKind]) -> Feature:
    plain: dict[str, Feature] = {
        **{statistic: ItemStatistic(statistic) for statistic in ITEM_DEFAULTS},
        **{count: UserActivity(count) for count in ("user_count", *ACTIVITY)},
    }
    others: tuple[Feature, ...] = (UserIdle(), UserItem(), SourceCount())
    others += (Fused(), FusedRank(), FusedGap(), HourOfDay(), Weekday())
    plain |= {feature.name: feature for feature in others}
    if name in plain:
        return plain[name]
    family, _, argument = name.partition(":")
    match family:
        case "score":
            return SourceScore(argument)
        case "rank":
            return SourceRank(argument)
        case "affinity":
            return Affinity(_attribute(name, argument, CATEGORIES, kinds))
        case "affinity_idle":
            return AffinityIdle(_attribute(name, argument, CATEGORIES, kinds))
        case "price":
            return LogPrice(_attribute(name, argument, PRICES, kinds))
        case "price_relative":
            return RelativePrice(_attribute(name, argument, PRICES, kinds))
        case _:
            raise ReleaseError(
                f"the ranker reads a feature {name!r} that this version does not have.",
                remedy=did_you_mean(name, plain) or "Train again with this version.",
                where="manifest.json",
            )


def _attribute(
    name: str, attribute: str, wanted: tuple[ColumnKind, ...], kinds: Mapping[str, ColumnKind]
) -> str:
    if kinds.get(attribute) not in wanted:
        found = f"is a {kinds[attribute]} column" if attribute in kinds else "is not there"
        raise ReleaseError(
            f"the feature {name!r} needs the catalogue attribute {attribute!r} as "
            f"{' or '.join(wanted)}, but it {found}.",
            remedy="Train again: the ranker was trained on another catalogue.",
            where="manifest.json",
        )
    return attribute
