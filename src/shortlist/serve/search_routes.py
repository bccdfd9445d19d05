"""The HTTP routes of search: `POST /v1/search` and `GET /v1/suggest`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.background_tasks import BackgroundTask
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, QueryParameter
from litestar.response.base import ASGIResponse
from litestar.types import ControllerRouterHandler
from msgspec import UNSET, Meta, UnsetType

from shortlist.core.search import Correction, SearchAnswer, SearchRequest
from shortlist.serve.errors import JSON, ErrorBody
from shortlist.serve.schema import Body
from shortlist.serve.service import Service


class SearchBody(Body):
    """What to look for."""

    query: Annotated[
        str, Meta(description='What was typed; "words in quotes" must stand side by side.')
    ]
    user: Annotated[str, Meta(description="Whose taste counts; empty for nobody's.")] = ""
    k: Annotated[int, Meta(description="How many items, 1 to 1,000.")] = 10
    where: Annotated[str, Meta(description="A filter over item attributes.")] = ""
    exclude: Annotated[list[str], Meta(description="Ids of items not to return.")] = msgspec.field(
        default_factory=list
    )
    facets: Annotated[
        list[str], Meta(description="Attributes whose values are counted over what was found.")
    ] = msgspec.field(default_factory=list)
    seen: Annotated[
        bool, Meta(description="Whether items of the user's history may be returned.")
    ] = True
    correct: Annotated[
        bool, Meta(description="Whether a sure correction is searched for instead of the query.")
    ] = True
    unfinished: Annotated[bool, Meta(description="Whether the last word is still being typed.")] = (
        False
    )
    highlight: Annotated[
        bool, Meta(description="Whether to say where in its texts each item matches.")
    ] = True
    explain: Annotated[bool, Meta(description="Whether to say why each item is there.")] = False
    place: Annotated[
        str, Meta(description="Where it is asked from, as the items' places are called.")
    ] = ""
    context: Annotated[
        dict[str, str],
        Meta(description="What it is asked in, of the names in `data.events.context`."),
    ] = msgspec.field(default_factory=dict)

    def request(self) -> SearchRequest:
        """The request that it makes."""
        return SearchRequest(
            query=self.query,
            user=self.user,
            k=self.k,
            where=self.where,
            exclude=self.exclude,
            facets=self.facets,
            seen=self.seen,
            correct=self.correct,
            unfinished=self.unfinished,
            highlight=self.highlight,
            explain=self.explain,
            place=self.place,
            context=self.context,
        )


class FoundItem(msgspec.Struct, gc=False):
    """One item of an answer, with the pieces of its texts where the query matches."""

    id: str
    score: float
    highlights: dict[str, str] | UnsetType = UNSET
    explain: Mapping[str, Mapping[str, float]] | UnsetType = UNSET


class SearchResult(msgspec.Struct):
    """What was found, best first.

    Attributes:
        query: what was searched for, corrections applied.
        suggestion: "did you mean"; empty for nothing better.
        found: how many items matched; with `capped`, at least so many.
    """

    request: str
    release: str
    query: str
    suggestion: str
    corrections: list[Correction]
    found: int
    capped: bool
    items: list[FoundItem]
    facets: dict[str, dict[str, int]]
    understood: Mapping[str, Any] | UnsetType = UNSET

    @classmethod
    def of(cls, answer: SearchAnswer, *, explain: bool) -> SearchResult:
        """The body that an answer makes."""
        columns = zip(answer.ids, answer.scores.tolist(), strict=True)
        items = [FoundItem(id, score) for id, score in columns]
        for item, pieces in zip(items, answer.highlights, strict=False):
            item.highlights = pieces
        for item, told in zip(items, answer.explain, strict=False):
            item.explain = told
        return cls(
            request=answer.request,
            release=answer.release,
            query=answer.query,
            suggestion=answer.suggestion,
            corrections=answer.corrections,
            found=answer.found,
            capped=answer.capped,
            items=items,
            facets=answer.facets,
            understood=dict(answer.notes) if explain else UNSET,
        )


class Suggestions(msgspec.Struct):
    """What the beginning of a query may become, the most popular first."""

    suggestions: list[str]


def search_routes(service: Service) -> list[ControllerRouterHandler]:
    """The handlers of search, bound to a worker's service."""
    encode = msgspec.json.Encoder().encode
    bad = {400: ResponseSpec(ErrorBody, description="The request names a field that is wrong.")}
    good = {200: ResponseSpec(SearchResult, description="What was found, best first."), **bad}

    async def log_impressions(user: str, answer: SearchAnswer) -> None:
        service.engine.log_impressions(user, answer)

    @post("/v1/search", status_code=200, responses=good, tags=["answers"])
    async def search(data: JSONBody[SearchBody]) -> ASGIResponse:
        """What a query finds. Answers to a known user are logged as impressions."""
        (answer,) = service.engine.answer_searches([data.request()])
        background = None
        if service.log_impressions and data.user:
            background = BackgroundTask(log_impressions, data.user, answer)
        body = encode(SearchResult.of(answer, explain=data.explain))
        return ASGIResponse(body=body, media_type=JSON, background=background)

    @get("/v1/suggest", responses=bad, tags=["answers"])
    async def suggest(
        q: Annotated[str, QueryParameter(description="What was typed so far.")] = "",
        k: Annotated[int, QueryParameter(description="How many, 1 to 100.")] = 10,
    ) -> Suggestions:
        """Titles and earlier queries that begin so."""
        return Suggestions(service.engine.suggest(q, k))

    return [search, suggest]
