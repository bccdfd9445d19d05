"""Features: one object with both sides, as-of join offline and lookup online."""

from shortlist.features.contract import HISTORY, AsOf, Feature, View
from shortlist.features.sets import FeatureSet, default_features, feature_set, with_declared
from shortlist.features.statistics import ItemStatistics, floor_hour

__all__ = [
    "HISTORY",
    "AsOf",
    "Feature",
    "FeatureSet",
    "ItemStatistics",
    "View",
    "default_features",
    "feature_set",
    "floor_hour",
    "with_declared",
]
