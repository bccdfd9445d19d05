"""What `[ranker]` asks of the rest of the file."""

import pytest

from shortlist.core.errors import ConfigError
from shortlist.testing import shop


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "relational"', r'ranker.kind = "relational" reads a knowledge graph'),
        ('kind = "cascade"\nsecond = "relational"', r'ranker.second = "relational" reads'),
        ('objective = "multi"', r"need each other"),
        ("weights = { buy = 2.0 }", r"need each other"),
        (
            'objective = "multi"\nweights = { bye = 2.0 }',
            r"ranker.weights.bye = 2.0 is not a kind of event.*Did you mean 'buy'",
        ),
        ('objective = "multi"\nweights = { buy = 0.0 }', r"ranker.weights are all 0"),
        ("unshown = -1", r"ranker.unshown = -1 is out of range"),
        ("keep = 0", r"ranker.keep"),
        ("prior_user = 0.0", r"ranker.prior_user"),
        ('refresh = "soon"', r"ranker.refresh"),
    ],
)
def test_what_does_not_go_together_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        shop.config(f"[ranker]\n{text}\n")


def test_several_objectives_name_kinds_that_count() -> None:
    settings = shop.config('[ranker]\nobjective = "multi"\nweights = { view = 1.0, buy = 4.0 }\n')
    assert settings.ranker.weights == {"view": 1.0, "buy": 4.0}
