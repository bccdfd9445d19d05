"""Every kind of ranker keeps the contract."""

from shortlist.config.schema import RankerSection
from shortlist.testing.rankers import RankerContract

SMALL = {"trees": 40, "leaves": 8, "learning_rate": 0.1, "prior_global": 1.0}
OWN = {"prior_user": 10.0, "prior_item": 10.0, **SMALL}


class TestLightGBMLambdarank(RankerContract):
    config = RankerSection(calibration="isotonic", **SMALL)


class TestLightGBMBinary(RankerContract):
    config = RankerSection(objective="binary", calibration="platt", **SMALL)


class TestXGBoostLambdarank(RankerContract):
    config = RankerSection(library="xgboost", calibration="isotonic", **SMALL)


class TestXGBoostBinary(RankerContract):
    config = RankerSection(library="xgboost", objective="binary", calibration="platt", **SMALL)


class TestGlmix(RankerContract):
    config = RankerSection(kind="glmix", calibration="platt", interactions=10, **OWN)


class TestCascadeOfGlmix(RankerContract):
    config = RankerSection(kind="cascade", keep=12, calibration="isotonic", **OWN)


class TestCascadeOfTrees(RankerContract):
    config = RankerSection(
        kind="cascade", second="boosted", keep=12, calibration="isotonic", **SMALL
    )


class TestAttention(RankerContract):
    config = RankerSection(
        kind="attention", objective="binary", calibration="platt", dim=4, reach=5, **SMALL
    )


class TestRelational(RankerContract):
    requests = 320
    config = RankerSection(kind="relational", calibration="platt", dim=4, reach=5, **SMALL)
