"""`Searches`: what an engine says to queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from shortlist.core.context import Context
from shortlist.core.errors import RequestError
from shortlist.core.search import SearchAnswer, SearchRequest
from shortlist.online.search.pipeline import SearchPipeline


class Searches:
    """The part of an `Engine` that answers searches, by the release that is open."""

    _search: SearchPipeline | None = None

    @overload
    def search(
        self,
        query: str,
        user: str = "",
        k: int = 10,
        *,
        where: str = "",
        exclude: Sequence[str] = (),
        facets: Sequence[str] = (),
        seen: bool = True,
        correct: bool = True,
        unfinished: bool = False,
        highlight: bool = True,
        explain: bool = False,
        place: str = "",
        context: Context | None = None,
    ) -> SearchAnswer: ...

    @overload
    def search(
        self,
        query: list[str],
        user: str = "",
        k: int = 10,
        *,
        where: str = "",
        exclude: Sequence[str] = (),
        facets: Sequence[str] = (),
        seen: bool = True,
        correct: bool = True,
        unfinished: bool = False,
        highlight: bool = True,
        explain: bool = False,
        place: str = "",
        context: Context | None = None,
    ) -> list[SearchAnswer]: ...

    def search(
        self,
        query: str | list[str],
        user: str = "",
        k: int = 10,
        *,
        where: str = "",
        exclude: Sequence[str] = (),
        facets: Sequence[str] = (),
        seen: bool = True,
        correct: bool = True,
        unfinished: bool = False,
        highlight: bool = True,
        explain: bool = False,
        place: str = "",
        context: Context | None = None,
    ) -> SearchAnswer | list[SearchAnswer]:
        """What a query finds, or each of several queries.

        Args:
            query: what was typed, or a list of such; words in double quotes must stand side by
                side.
            user: whose taste counts; empty for nobody's.
            k: how many items, 1 to 1,000.
            where: a filter expression over item attributes.
            exclude: ids of items not to return.
            facets: attributes whose values are counted over what was found.
            seen: whether items of the user's history may be returned.
            correct: whether a sure correction is searched for instead of what was typed.
            unfinished: whether the last word is still being typed.
            highlight: whether to tell where in its texts each item matches.
            explain: whether to tell how each item was found and what it scores by.
            place: where it is asked from, as `data.items.place` calls places; empty for unknown.
            context: what it is asked in, of the names in `data.events.context`.

        Raises:
            RequestError: a query is empty or too long, another argument is malformed, or the
                release answers no searches.
        """
        queries = [query] if isinstance(query, str) else query
        answers = self.answer_searches(
            [
                SearchRequest(
                    one,
                    user=user,
                    k=k,
                    where=where,
                    exclude=exclude,
                    facets=facets,
                    seen=seen,
                    correct=correct,
                    unfinished=unfinished,
                    highlight=highlight,
                    explain=explain,
                    place=place,
                    context=context or {},
                )
                for one in queries
            ]
        )
        return answers[0] if isinstance(query, str) else answers

    def answer_searches(self, requests: Sequence[SearchRequest]) -> list[SearchAnswer]:
        """The answer to each search.

        Raises:
            RequestError: a request is malformed, or the release answers no searches.
        """
        return self._searching().search(requests)

    def suggest(self, typed: str, k: int = 10) -> list[str]:
        """Titles and earlier queries that what was typed may become, the most popular first.

        Raises:
            RequestError: `k` is not 1 to 100, or the release answers no searches.
        """
        return self._searching().suggest(typed, k)

    def _searching(self) -> SearchPipeline:
        if self._search is None:
            raise RequestError(
                "this release answers no searches: its catalogue has no text.",
                remedy="Name columns in data.items.text and train.",
            )
        return self._search
