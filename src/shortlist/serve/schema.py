"""The bodies of requests and answers; OpenAPI at `/docs` is made from them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shortlist.core.errors import RequestError
from shortlist.core.event import Event
from shortlist.core.request import Request, Shortlist
from shortlist.core.times import DAY, SECOND, now

MOST_EVENTS = 10_000
EARLIEST = 100_000_000_000_000
"""1973 in microseconds: a smaller time was meant in seconds or milliseconds."""


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A JSON object whose keys are known."""


class RecommendBody(Body):
    """What a user should see."""

    user: Annotated[str, Meta(description="The user's id; empty for somebody without one.")] = ""
    k: Annotated[int, Meta(description="How many items, 1 to 1,000.")] = 10
    where: Annotated[str, Meta(description='A filter: `lang in ["ko", "en"] and price < 100`.')] = (
        ""
    )
    exclude: Annotated[list[str], Meta(description="Ids of items not to return.")] = []
    seen: Annotated[
        bool | None, Meta(description="Whether items of the user's history may be returned.")
    ] = None
    explain: Annotated[bool, Meta(description="Whether to say why each item is there.")] = False
    context: Annotated[
        dict[str, str],
        Meta(description="What it is asked in, of the names in `data.events.context`."),
    ] = {}

    def request(self) -> Request:
        """The request that it makes."""
        return Request(
            user=self.user,
            k=self.k,
            where=self.where,
            exclude=self.exclude,
            seen=self.seen,
            explain=self.explain,
            context=self.context,
        )


class SimilarBody(Body):
    """What is like an item."""

    item: Annotated[str, Meta(description="The item's id.")]
    user: Annotated[str, Meta(description="Whose taste and history count; empty for nobody's.")] = (
        ""
    )
    k: Annotated[int, Meta(description="How many items, 1 to 1,000.")] = 10
    where: Annotated[str, Meta(description="A filter over item attributes.")] = ""
    exclude: Annotated[list[str], Meta(description="Ids of items not to return.")] = []
    seen: Annotated[
        bool | None, Meta(description="Whether items of the user's history may be returned.")
    ] = None
    explain: Annotated[bool, Meta(description="Whether to say why each item is there.")] = False

    def request(self) -> Request:
        """The request that it makes."""
        return Request(
            user=self.user,
            item=self.item,
            k=self.k,
            where=self.where,
            exclude=self.exclude,
            seen=self.seen,
            explain=self.explain,
        )


class EventBody(Body):
    """Something that a user did with an item."""

    user: Annotated[str, Meta(description="The user's id.", min_length=1)]
    item: Annotated[str, Meta(description="The item's id.", min_length=1)]
    kind: Annotated[str, Meta(description="What happened, as in `data.events.weights`.")] = "event"
    time: Annotated[
        int | datetime | None,
        Meta(description="ISO 8601 text or microseconds since the epoch; now without it."),
    ] = None
    position: Annotated[
        Annotated[int, Meta(ge=0)] | None, Meta(description="Where it was shown, from 0.")
    ] = None
    request: Annotated[str, Meta(description="The id of the answer it was shown in.")] = ""
    propensity: Annotated[
        Annotated[float, Meta(gt=0, le=1)] | None,
        Meta(description="Of an impression: the chance that it was shown there, as answers say."),
    ] = None
    variants: Annotated[
        dict[str, str] | None,
        Meta(description="Of an impression: experiment to variant, as answers say."),
    ] = None
    context: Annotated[
        dict[str, str] | None,
        Meta(description="What it happened in, of the names in `data.events.context`."),
    ] = None

    def event(self, received: int) -> Event:
        """The event that it posts.

        Args:
            received: this instant, microseconds.

        Raises:
            RequestError: the time is not in microseconds, or lies more than a day ahead.
        """
        time = received if self.time is None else _instant(self.time)
        if received < time <= received + DAY:  # the caller's clock runs ahead
            time = received
        if not EARLIEST <= time <= received:
            raise RequestError(
                f"{self.time!r} is not a time of an event.",
                remedy="Give ISO 8601 text or microseconds since the epoch, or leave it out.",
                where="time",
            )
        return Event(
            self.user,
            self.item,
            time,
            self.kind,
            self.position,
            self.request,
            self.propensity,
            self.variants or None,
            self.context or None,
        )


def _instant(time: int | datetime) -> int:
    if isinstance(time, int):
        return time
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return round(aware.timestamp() * SECOND)


def events_of(posted: EventBody | list[EventBody]) -> list[Event]:
    """The events of a body.

    Raises:
        RequestError: there are too many, or one has an impossible time.
    """
    bodies = posted if isinstance(posted, list) else [posted]
    if len(bodies) > MOST_EVENTS:
        raise RequestError(
            f"{len(bodies):,} events are too many.", remedy=f"Post up to {MOST_EVENTS:,} at once."
        )
    received = now()
    return [body.event(received) for body in bodies]


class Item(msgspec.Struct, gc=False):
    """One item of an answer."""

    id: str
    score: float
    propensity: float | UnsetType = UNSET
    explain: Mapping[str, Mapping[str, float]] | UnsetType = UNSET


class Answer(msgspec.Struct):
    """A shortlist, best first."""

    request: str
    release: str
    items: list[Item]
    variants: Mapping[str, str] | UnsetType = UNSET

    @classmethod
    def of(cls, shortlist: Shortlist) -> Answer:
        """The answer that a shortlist makes."""
        columns = zip(shortlist.ids, shortlist.scores.tolist(), strict=True)
        items = [Item(id, score) for id, score in columns]
        for item, explain in zip(items, shortlist.explain, strict=False):
            item.explain = explain
        if shortlist.propensities is not None:
            for item, chance in zip(items, shortlist.propensities.tolist(), strict=True):
                item.propensity = chance
        variants = shortlist.variants or UNSET
        return cls(shortlist.request, shortlist.release, items, variants)


class Accepted(msgspec.Struct):
    """How many events were taken in."""

    accepted: int


class ItemState(msgspec.Struct):
    """Whether an item may be shown."""

    id: str
    hidden: bool


class ItemBody(msgspec.Struct):
    """What the release knows about an item."""

    id: str
    attributes: dict[str, float | int | str | list[str] | None]


class Health(msgspec.Struct):
    """Whether the process lives and, for readiness, what it answers from."""

    status: str
    release: str = ""


class ReleaseBody(msgspec.Struct):
    """A release: when it was made, the newest event it knows, and what evaluation measured."""

    id: str
    created: str
    watermark: str
    metrics: dict[str, Any]


class ReleaseList(msgspec.Struct):
    """Releases, newest first."""

    current: str
    releases: list[ReleaseBody]
