"""The rules of `[experiments]`: shares, and experiments that would get in each other's way."""

from __future__ import annotations

from shortlist.config.checks import above_zero
from shortlist.config.rules_arrange import check_arrange
from shortlist.config.schema import Config
from shortlist.config.toml import dotted
from shortlist.core.errors import ConfigError

PARTS = ("release", "ranker", "arrange")


def check_experiments(config: Config) -> None:
    """Check `[experiments]`.

    Raises:
        ConfigError: the first rule that does not hold; names the key, the value and the remedy.
    """
    changed: dict[str, str] = {}
    for name, experiment in config.experiments.items():
        key = dotted(("experiments", name))
        if not experiment.variants:
            raise ConfigError(
                f"{key} has no variants.",
                remedy=f"Write [{key}.variants.control] and others, each with a share.",
            )
        total = 0.0
        for variant, section in experiment.variants.items():
            part = dotted(("experiments", name, "variants", variant))
            above_zero(f"{part}.share", section.share, 1)
            total += section.share
            if section.arrange is not None:
                check_arrange(config, section.arrange, f"{part}.arrange")
        if total > 1 + 1e-9:
            raise ConfigError(
                f"the shares of {key}.variants add up to {total:g}.",
                remedy="They may not be more than 1 together.",
            )
        for part in PARTS:
            if any(getattr(section, part) for section in experiment.variants.values()):
                if part in changed:
                    raise ConfigError(
                        f"{changed[part]} and {key} both change `{part}`.",
                        remedy="Put their variants into one experiment.",
                    )
                changed[part] = key
