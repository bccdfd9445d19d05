"""`Event`: something that a user did with an item, as it is posted and logged."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """One event, one JSON line of the inbox.

    Attributes:
        user: the user's id.
        item: the item's id.
        time: microseconds since the epoch; 0 for the instant it is received.
        kind: what happened.
        position: where in the answer the item was shown, counted from 0.
        request: the id of the answer that it was shown in.
        propensity: of an impression: the chance that it was shown there, above 0 and at most 1,
            where places are drawn by lot.
        variants: of an impression: experiment → the variant that the user had.
        context: what it happened in, as `data.events.context` names it: `{"device": "ios"}`.
    """

    user: str
    item: str
    time: int = 0
    kind: str = "event"
    position: int | None = None
    request: str = ""
    propensity: float | None = None
    variants: dict[str, str] | None = None
    context: dict[str, str] | None = None
