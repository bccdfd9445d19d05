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
context = ["device", "surface"]
[data.items]
path = "items.csv"
attributes = ["category", "price"]
[data.users]
path = "users.csv"
attributes = ["city", "age"]
[retrievers.factors]
"""


FEAST = """
[feast]
url = "http://localhost:6566"
repository = "../feast"
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
        ('[features.a]\nby = ["city"]', r'It is one of users: write "user.city"\.'),
        ('[features.a]\nvalue = "column"\nof = "city"', r'of users: add by = \["user"\]\.'),
        ('[features.a]\nby = ["item", "user.city"]', "says not whose events"),
        ('[features.a]\nby = ["user.city", "user.city"]', "says not whose events"),
        ('[features.a]\nby = ["user.city", "item", "user.age"]', "says not whose events"),
        ('[features.a]\nby = ["user", "user.city"]', "says not whose events"),
        ('[features.a]\nby = ["user.city", "user.ag"]', r"by\[1\] = \"user.ag\" .* 'user.age'"),
        ('[features.a]\nby = ["user.cty"]', r"by\[0\] = \"user.cty\" names .* mean 'user.city'"),
        ('[features.a]\nby = ["user.city", "colour"]', r'a.by\[1\] = "colour" names a column'),
        (
            '[features.a]\nby = ["item", "time.month"]',
            r'by\[1\] = "time.month" is not a part .* Write "time.hour" or "time.weekday"\.',
        ),
        ('[features.a]\nby = ["time.hour", "item"]', "says not whose events"),
        ('[features.a]\nby = ["user", "time.hour"]', "says not whose events"),
        ('[features.a]\nby = ["colour", "time.hour"]', r'a.by\[0\] = "colour" names a column'),
        (
            '[features.a]\nvalue = "distinct"\nof = "item"\nby = ["item", "time.hour"]',
            "cannot be counted by item and time.hour",
        ),
        (
            '[features.a]\nby = ["context.devise"]',
            r'by\[0\] = "context.devise" .*\'context.device\'',
        ),
        ('[features.a]\nby = ["user", "context.device"]', "histories do not keep it"),
        ('[features.a]\nby = ["time.hour", "context.device"]', "says not whose events"),
        ('[features.a]\nby = ["user.city", "context.device"]', "says not whose events"),
        ('[features.a]\nby = ["context.device", "context.surface"]', "says not whose events"),
        ('[features.a]\nby = ["context.device", "colour"]', r'a.by\[1\] = "colour" names a column'),
        (
            '[features.a]\nvalue = "column"\nof = "devise"\nby = ["context"]',
            r'of = "devise" names .* one of data.events.context. Did you mean \'device\'',
        ),
        (
            '[features.a]\nvalue = "distinct"\nof = "category"\nby = ["user.city"]',
            "cannot be counted by user.city",
        ),
        ("[features.item_count]", "the name of a built-in feature"),
        ('[features."a b"]', "is not a name that a feature can have"),
        ('[features.a]\nvalu = "mean"', "Did you mean 'value'"),
        ('[features.a]\nvalue = "mean"\nof = "pric"', "Did you mean 'price'"),
        ('[features.a]\nvalue = "mean"', 'features.a.of = "" names a column'),
        ('[features.a]\nof = "price"', "says nothing to features.a.value"),
        ('[features.a]\nkinds = ["impresion"]', "Did you mean 'impression'"),
        ('[features.a]\nby = ["user"]\nkinds = ["impression"]', "is no interaction"),
        ('[features.a]\nvalue = "rate"\nkinds = ["impression"]', r"a.among = \[\] divides by"),
        ("[features.a]\nprior = [1, 2]", "says nothing to features.a.value"),
        ('[features.a]\nvalue = "rate"\nkinds = ["buy"]\nprior = [1]', "is not two numbers"),
        ('[features.a]\nvalue = "rate"\nkinds = ["buy"]\nprior = [1, 0]', "adds nothing below"),
        ('[features.a]\nvalue = "rate"\nprior = ["1"]', "is not a number"),
        ('[features.a]\nvalue = "column"\nby = ["user"]\nof = "cty"', "Did you mean 'city'"),
        ('[features.a]\nvalue = "column"\nby = ["price"]\nof = "price"', "says not whose attr"),
        ('[features.a]\nvalue = "column"\nof = "age"', "not one of data.items.attributes"),
        ('[features.a]\nequals = "x"', 'features.a.equals = "x" says nothing'),
        ('[features.a]\nvalue = "match"\nof = "city"', "is not an attribute of items"),
        ('[features.a]\nvalue = "match"\nof = "price"\nby = ["category"]', "data.users.attr"),
        ('[features.a]\nvalue = "similarity"\nvectors = "factor"', "Did you mean 'factors'"),
        ('[features.a]\nvalue = "similarity"\nvectors = "factors"\nreach = 0', "reach = 0 is out"),
        (
            '[retrievers.popular]\n[features.a]\nvalue = "similarity"\nvectors = "popular"',
            r'a.vectors = "popular" makes no vectors of items\. Known: factors',
        ),
        (
            '[features.a]\nvalue = "similarity"\nvectors = "factors"\nby = ["user"]',
            r'features.a.by = \["user"\] says nothing to features.a.value = "similarity"',
        ),
        ('[features.a]\nby = ["user"]\nfreshness = "1h"', "says nothing to what is counted of"),
        ('[features.a]\nmissing = "closed"', 'a.missing = "closed" closes nothing without'),
        ('[features.a]\nvectors = "factors"', "says nothing to features.a.value"),
        ('[features.a]\nvalue = "feast"\nof = "v:f"', r"Add \[feast\] with its `url`"),
        (FEAST + '[features.a]\nvalue = "feast"\nof = "f"', 'a.of = "f" names no feature of Feast'),
        (
            FEAST + '[features.a]\nvalue = "feast"\nof = "v:f"\nby = ["price"]',
            "says not whose feat",
        ),
        (FEAST + '[features.a]\nvalue = "feast"\nof = "v:f"\nfreshness = "x"', "is not a span"),
        (FEAST.replace("http://", ""), 'feast.url = "localhost:6566" is no address'),
        (FEAST.replace('"../feast"', '""'), 'feast.repository = "" is empty'),
        (FEAST + "timeout = 0", "feast.timeout = 0.0 is out of range"),
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


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('path = ""\nattributes = ["a"]', 'data.users.path = "" is empty'),
        ('path = "u.csv"\nattributes = ["a", "a"]', "is there twice"),
        ('path = "u.csv"\nid = "a"\nattributes = ["a"]', "is the column of ids"),
    ],
)
def test_a_table_of_users_has_a_file_and_columns(table: str, said: str) -> None:
    text = BASE[: BASE.index("[data.users]")] + f"[data.users]\n{table}\n"
    with pytest.raises(ConfigError, match=said):
        parse_config(text)


def test_without_a_table_of_users_a_feature_says_that_there_is_none() -> None:
    text = BASE[: BASE.index("[data.users]")]
    with pytest.raises(ConfigError, match=r"Add \[data.users\] with its attributes"):
        parse_config(text + '[features.a]\nvalue = "column"\nby = ["user"]\nof = "age"\n')


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ('["device", "device"]', r'context\[1\] = "device" is there twice'),
        ('["user_id"]', r"is the column of data.events.user"),
        ('["a/b"]', r'context\[0\] = "a/b" is not a name that a context can have'),
        ('[""]', r'context\[0\] = "" is not a name'),
        ('"device"', r"data.events.context"),
    ],
)
def test_contexts_that_cannot_be(columns: str, said: str) -> None:
    text = BASE.replace('["device", "surface"]', columns)
    with pytest.raises(ConfigError, match=said):
        parse_config(text)


def test_a_context_may_have_a_name_of_any_language_with_spaces() -> None:
    text = BASE.replace('["device", "surface"]', '["기기", "the device", "os.version"]')
    config = parse_config(text + '[features.a]\nby = ["category", "context.os.version"]\n')
    assert config.data.events.context == ["기기", "the device", "os.version"]
