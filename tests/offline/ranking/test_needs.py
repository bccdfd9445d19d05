"""What is missing for a ranker is said before anything is computed."""

import pytest

from shortlist.config.schema import RankerSection
from shortlist.core.errors import ConfigError
from shortlist.offline.ranking import needs


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (RankerSection(), r"ranker\.library: .*\"boosted\" needs lightgbm.*shortlist\[train\]"),
        (RankerSection(library="xgboost"), "needs xgboost"),
        (RankerSection(kind="glmix"), "needs lightgbm"),
        (RankerSection(kind="attention"), r"ranker\.kind: .*needs torch.*shortlist\[deep\]"),
        (RankerSection(kind="cascade", second="relational"), "needs lightgbm"),
    ],
)
def test_a_package_that_is_missing_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, config: RankerSection, says: str
) -> None:
    needs.check_installed(config)  # everything is here
    monkeypatch.setattr(needs, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=says):
        needs.check_installed(config)


def test_the_second_stage_of_a_cascade_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "find_spec", lambda name: None if name == "torch" else name)
    with pytest.raises(ConfigError, match="needs torch"):
        needs.check_installed(RankerSection(kind="cascade", second="attention"))
    needs.check_installed(RankerSection(kind="cascade"))
    needs.check_installed(RankerSection(kind="none", second="attention"))
