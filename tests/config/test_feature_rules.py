import pytest

from shortlist.config.features import declared, wants_defaults
from shortlist.config.load import parse_config
from shortlist.core.errors import ConfigError

BASE = """
[project]
name = "shop"
[data.events]
path = "events.csv"
kind = "event"
weights = { view = 1, buy = 5, impression = 0 }
[data.items]
path = "items.csv"
attributes = ["category", "price"]
"""


def test_declared_features_are_there_in_the_order_of_the_file() -> None:
    config = parse_config(
        BASE
        + """
[features]
defaults = false
[features.views]
kinds = ["view"]
window = "7d"
[features.ratio]
value = "cross"
cross = ["views", "dear"]
how = "ratio"
[features.dear]
value = "column"
of = "price"
"""
    )
    assert list(declared(config.features)) == ["views", "ratio", "dear"]
    assert not wants_defaults(config.features)
    assert wants_defaults(parse_config(BASE).features)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[features]\ndefaults = 3", "features.defaults = 3 is not true or false"),
        ("[features]\nviews = 3", "features.views = 3 is not a table"),
        ('[features.a]\nwindow = "x"', 'features.a.window = "x" is not a span'),
        ('[features.a]\nwindow = "0d"', 'features.a.window = "0d" is not a span'),
        ('[features.a]\nfreshness = "soon"', 'features.a.freshness = "soon" is not a span'),
        ('[features.a]\nwindow = "1d"\nhalf_life = "1d"', "both a window"),
        ('[features.a]\nby = ["colour"]', r'features.a.by\[0\] = "colour" names a column'),
        ('[features.a]\nby = ["item", "user"]', "says not whose events"),
        ("[features.item_count]", "the name of a built-in feature"),
        ('[features."a b"]', "is not a name that a feature can have"),
        ('[features.a]\nvalu = "mean"', "Did you mean 'value'"),
        ('[features.a]\nvalue = "mean"\nof = "pric"', "Did you mean 'price'"),
        ('[features.a]\nvalue = "mean"', 'features.a.of = "" names a column'),
        ('[features.a]\nof = "price"', "says nothing to features.a.value"),
        ('[features.a]\nkinds = ["impression"]', "not a kind of event that has a weight"),
        ('[features.a]\nvalue = "rate"', "leaves the rate at 1"),
        ('[features.a]\nvalue = "distinct"\nof = "category"', "cannot be counted by item"),
        ('[features.a]\nvalue = "distinct"\nof = "user"\nby = ["user"]', "cannot be counted by"),
        ('[features.a]\nvalue = "cross"\ncross = ["fused"]', "does not name two"),
        ('[features.a]\nvalue = "cross"\ncross = ["fused", "b"]', "is not a feature"),
        (
            '[features]\ndefaults = false\n[features.a]\nvalue = "cross"\ncross = ["a", "hour"]',
            "is a cross itself",
        ),
        ("[features.a]\ndefault = nan", "is not finite"),
        ("[serve]\nlog_features = 2.0", "serve.log_features = 2.0 is out of range"),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_key(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_config(BASE + text + "\n")
