"""What an event has to be to be taken."""

from __future__ import annotations

from shortlist.config.schema import EventsSection
from shortlist.core.context import check_context
from shortlist.core.errors import RequestError, did_you_mean
from shortlist.core.event import Event


def check_event(event: Event, events: EventsSection, where: str) -> None:
    """Refuse what cannot be stored.

    Args:
        event: it.
        events: `[data.events]`.
        where: it is in what was posted, for errors.

    Raises:
        RequestError: see `Engine.post`.
    """
    for field in ("user", "item"):
        if not getattr(event, field):
            raise RequestError("the id is empty.", remedy="Give one.", where=f"{where}.{field}")
    known = {*events.weights, events.impression}
    if events.weights and event.kind not in known:
        raise RequestError(
            f"{event.kind!r} is not a kind of event.",
            remedy=did_you_mean(event.kind, known),
            where=f"{where}.kind",
        )
    if event.propensity is not None and not 0 < event.propensity <= 1:
        raise RequestError(
            f"{event.propensity} is not the chance of something that happened.",
            remedy="Give what the answer said, above 0 and at most 1, or leave it out.",
            where=f"{where}.propensity",
        )
    check_context(event.context or {}, events.context, f"{where}.context")
