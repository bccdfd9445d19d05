"""`[experiments.NAME]` of `shortlist.toml`: who is answered in which of several ways."""

from __future__ import annotations

from typing import Literal

import msgspec

from shortlist.config.arrange import ArrangeSection
from shortlist.config.section import Section


class VariantSection(Section, frozen=True):
    """`[experiments.NAME.variants.NAME]`: what is different for some users.

    `[experiments.NAME.variants.NAME.arrange]` takes every key of `[arrange]`.

    Attributes:
        share: the part of the users that get it, above 0; of all variants together at most 1.
        release: the id of the release that answers; empty for the current one.
        ranker: `none` for the order of fused retrieval; empty for the release's ranker.
        arrange: rules in the place of `[arrange]`, all of them; without the table those of
            `[arrange]`.
    """

    share: float
    release: str = ""
    ranker: Literal["", "none"] = ""
    arrange: ArrangeSection | None = None


class ExperimentSection(Section, frozen=True):
    """`[experiments.NAME]`: recommendations for users with an id, in several variants.

    Who gets which depends on the salt and the user's id alone. It is told in the answer and logged
    with the impression. Two experiments may run at once where they do not change the same thing:
    the release, the ranker or the arrangement.

    Attributes:
        variants: by name; one without keys besides `share` is a control group. Users of no
            variant are not part of the experiment.
        salt: text that users are dealt by; empty for the experiment's name.
    """

    variants: dict[str, VariantSection] = msgspec.field(default_factory=dict)
    salt: str = ""
