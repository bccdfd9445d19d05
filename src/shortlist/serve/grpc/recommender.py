"""`Recommender`: a project's current release over gRPC."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from shortlist.core.request import Request, Shortlist
from shortlist.core.search import SearchAnswer, SearchRequest
from shortlist.serve.grpc import recommender_pb2 as pb
from shortlist.serve.grpc.errors import answered
from shortlist.serve.grpc.recommender_pb2_grpc import add_RecommenderServicer_to_server
from shortlist.serve.schema import EventBody, events_of
from shortlist.serve.service import Service

USUAL_K = 10


class Recommender:
    """The methods of the service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.Recommend = answered(
            service.metrics, "/shortlist.v1.Recommender/Recommend", self._recommend
        )
        self.Similar = answered(service.metrics, "/shortlist.v1.Recommender/Similar", self._similar)
        self.Search = answered(service.metrics, "/shortlist.v1.Recommender/Search", self._search)
        self.Suggest = answered(service.metrics, "/shortlist.v1.Recommender/Suggest", self._suggest)
        self.Post = answered(service.metrics, "/shortlist.v1.Recommender/Post", self._post)

    async def _recommend(self, request: pb.RecommendRequest, context: Any) -> pb.Answer:
        shortlist = await self._service.ask(_request(request))
        self._log(request.user, shortlist)
        return _answer(shortlist)

    async def _similar(self, request: pb.SimilarRequest, context: Any) -> pb.Answer:
        return _answer(await self._service.ask(_request(request, request.item)))

    async def _search(self, request: pb.TextSearchRequest, context: Any) -> pb.TextSearchAnswer:
        (answer,) = self._service.engine.answer_searches([_search_request(request)])
        self._log(request.user, answer)
        return _found(answer)

    async def _suggest(self, request: pb.SuggestRequest, context: Any) -> pb.SuggestAnswer:
        k = request.k if request.HasField("k") else USUAL_K
        return pb.SuggestAnswer(suggestions=self._service.engine.suggest(request.query, k))

    def _log(self, user: str, answer: Shortlist) -> None:
        if self._service.log_impressions and user:
            self._service.engine.log_impressions(user, answer)

    async def _post(self, request: pb.PostRequest, context: Any) -> pb.PostResponse:
        events = events_of(
            [
                EventBody(
                    user=event.user,
                    item=event.item,
                    kind=event.kind or "event",
                    time=event.time if event.HasField("time") else None,
                    position=event.position if event.HasField("position") else None,
                    request=event.request,
                    propensity=event.propensity if event.HasField("propensity") else None,
                    variants=dict(event.variants) or None,
                    context=dict(event.context) or None,
                )
                for event in request.events
            ]
        )
        await self._service.write(partial(self._service.engine.post, events))
        self._service.metrics.posted(len(events))
        return pb.PostResponse(accepted=len(events))


def add_recommender(service: Service, server: Any) -> None:
    """Answer the service's methods on a server."""
    add_RecommenderServicer_to_server(Recommender(service), server)


def _request(sent: pb.RecommendRequest | pb.SimilarRequest, item: str | None = None) -> Request:
    return Request(
        user=sent.user,
        item=item,
        k=sent.k if sent.HasField("k") else USUAL_K,
        where=sent.where,
        exclude=list(sent.exclude),
        seen=sent.seen if sent.HasField("seen") else None,
        explain=sent.explain,
        context=dict(sent.context) if isinstance(sent, pb.RecommendRequest) else {},
    )


def _answer(shortlist: Shortlist) -> pb.Answer:
    scored = zip(shortlist.ids, shortlist.scores.tolist(), strict=True)
    items = [pb.Item(id=id, score=score) for id, score in scored]
    if shortlist.propensities is not None:
        for item, chance in zip(items, shortlist.propensities.tolist(), strict=True):
            item.propensity = chance
    _explain(items, shortlist)
    return pb.Answer(
        request=shortlist.request,
        release=shortlist.release,
        items=items,
        variants=dict(shortlist.variants),
    )


def _search_request(sent: pb.TextSearchRequest) -> SearchRequest:
    return SearchRequest(
        query=sent.query,
        user=sent.user,
        k=sent.k if sent.HasField("k") else USUAL_K,
        where=sent.where,
        exclude=list(sent.exclude),
        facets=list(sent.facets),
        seen=sent.seen if sent.HasField("seen") else True,
        correct=sent.correct if sent.HasField("correct") else True,
        unfinished=sent.unfinished,
        highlight=sent.highlight if sent.HasField("highlight") else True,
        explain=sent.explain,
        place=sent.place,
        context=dict(sent.context),
    )


def _found(answer: SearchAnswer) -> pb.TextSearchAnswer:
    columns = zip(answer.ids, answer.scores.tolist(), answer.highlights, strict=True)
    items = [pb.FoundItem(id=id, score=score, highlights=told) for id, score, told in columns]
    _explain(items, answer)
    corrections = [
        pb.Correction(
            typed=one.typed, meant=one.meant, confidence=one.confidence, applied=one.applied
        )
        for one in answer.corrections
    ]
    return pb.TextSearchAnswer(
        request=answer.request,
        release=answer.release,
        query=answer.query,
        suggestion=answer.suggestion,
        corrections=corrections,
        found=answer.found,
        capped=answer.capped,
        items=items,
        facets={name: pb.Counts(values=counts) for name, counts in answer.facets.items()},
    )


def _explain(items: Sequence[pb.Item | pb.FoundItem], answer: Shortlist) -> None:
    """Say why each item is there, where the request asked for it."""
    for item, explain in zip(items, answer.explain, strict=False):
        for name, values in explain.items():
            item.explain[name].values.update(values)
