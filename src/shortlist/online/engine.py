"""`Engine`: a project's current release and its stores, answering requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import overload

import numpy as np
from msgspec import structs

from shortlist.config.features import counts, uncounted
from shortlist.config.schema import Config
from shortlist.core.catalogue import Value
from shortlist.core.context import Context
from shortlist.core.errors import FeatureError, ReleaseError
from shortlist.core.event import Event
from shortlist.core.keys import item_key
from shortlist.core.request import Request, Shortlist
from shortlist.core.search import SearchRequest
from shortlist.core.times import now
from shortlist.features.skew import FOLDER as FEATURE_LOG
from shortlist.features.skew import FeatureLog
from shortlist.online.experiments import Experiments
from shortlist.online.live.book import Book
from shortlist.online.live.write import Stored
from shortlist.online.pipeline import RequestPipeline
from shortlist.online.posted import check_event
from shortlist.online.search.pipeline import SearchPipeline
from shortlist.online.search.searches import Searches
from shortlist.online.snapshot import Snapshot
from shortlist.release.publish import Releases
from shortlist.stores import Stores, open_stores
from shortlist.stores.inbox import Inbox
from shortlist.stores.items import ItemBody
from shortlist.stores.merge import as_stored
from shortlist.stores.notes import Notes


class Engine(Searches):
    """Answers requests from the current release; `open` makes one.

    Every answer comes from one release from start to end. `refresh` switches to a newer one
    between answers.
    """

    def __init__(self, config: Config, folder: Path, stores: Stores, snapshot: Snapshot) -> None:
        self.config = config
        self.folder = folder
        self._stores = stores
        self._inbox = Inbox(folder / ".shortlist" / "inbox")
        events = config.data.events
        self._noted = frozenset(uncounted(config.features, events.weights, events.impression))
        self._notes = Notes(stores.history)
        share = config.serve.log_features
        logged = folder / ".shortlist" / FEATURE_LOG
        self._feature_log = FeatureLog(logged, share) if share > 0 else None
        self._written = Book.store(folder / ".shortlist" / "state")
        self._book = Book(self._written, snapshot)
        self._experiments = Experiments(config.experiments)
        self._pipeline = self._pipeline_of(snapshot, self._book)
        self._others = self._others_of(snapshot.id)
        self._search = self._search_of(snapshot, self._book)

    @classmethod
    def open(
        cls,
        config: Config,
        folder: Path,
        *,
        stores: Stores | None = None,
        release: str | None = None,
    ) -> Engine:
        """Open a project's current release, or the one named.

        Args:
            config: the project's configuration.
            folder: the project's folder.
            stores: histories and availability; those of the configuration if not given.
            release: a release's id; the current one if not given.

        Raises:
            ReleaseError: nothing is published yet, or the release is damaged.
        """
        path = _release_path(folder, release)
        opened = stores or open_stores(config.serve, folder / ".shortlist" / "state")
        return cls(config, folder, opened, Snapshot.open(path))

    @property
    def release(self) -> str:
        """The id of the release that answers."""
        return self._pipeline.snapshot.id

    @property
    def pipeline(self) -> RequestPipeline:
        """The request path over the release that answers now."""
        return self._pipeline

    def answer(self, requests: Sequence[Request]) -> list[Shortlist]:
        """The answer to each request: neighbours where it names an item, else recommendations.

        Raises:
            RequestError: a request is malformed; names the field. `validate` tells beforehand.
        """
        if not self._others:
            return self._pipeline.recommend(requests)
        groups: dict[int, list[int]] = {}
        pipelines = [self._pipeline_for(request) for request in requests]
        for i, pipeline in enumerate(pipelines):
            groups.setdefault(id(pipeline), []).append(i)
        answers: dict[int, Shortlist] = {}
        for group in groups.values():
            told = pipelines[group[0]].recommend([requests[i] for i in group])
            answers.update(zip(group, told, strict=True))
        return [answers[i] for i in range(len(requests))]

    def validate(self, request: Request) -> None:
        """Raise the RequestError that a request deserves, if it deserves one."""
        self._pipeline_for(request).check(request)

    @overload
    def recommend(
        self,
        user: str = "",
        k: int = 10,
        *,
        where: str = "",
        exclude: Sequence[str] = (),
        seen: bool | None = None,
        explain: bool = False,
        context: Context | None = None,
    ) -> Shortlist: ...

    @overload
    def recommend(
        self,
        user: list[str],
        k: int = 10,
        *,
        where: str = "",
        exclude: Sequence[str] = (),
        seen: bool | None = None,
        explain: bool = False,
        context: Context | None = None,
    ) -> list[Shortlist]: ...

    def recommend(
        self,
        user: str | list[str] = "",
        k: int = 10,
        *,
        where: str = "",
        exclude: Sequence[str] = (),
        seen: bool | None = None,
        explain: bool = False,
        context: Context | None = None,
    ) -> Shortlist | list[Shortlist]:
        """A shortlist for a user, or one for each of several users.

        Args:
            user: an id, or a list of ids; empty for somebody without one.
            k: how many items, 1 to 1,000.
            where: a filter expression over item attributes.
            exclude: ids of items not to return.
            seen: whether items of the user's history may be returned; None for the setting.
            explain: whether to tell each item's sources and features.
            context: what is asked in, of the names in `data.events.context`.
        """
        users = [user] if isinstance(user, str) else user
        answers = self.answer(
            [
                Request(
                    user=u,
                    k=k,
                    where=where,
                    exclude=exclude,
                    seen=seen,
                    explain=explain,
                    context=context or {},
                )
                for u in users
            ]
        )
        return answers[0] if isinstance(user, str) else answers

    @overload
    def similar(
        self, item: str, k: int = 10, *, where: str = "", exclude: Sequence[str] = ()
    ) -> Shortlist: ...

    @overload
    def similar(
        self, item: list[str], k: int = 10, *, where: str = "", exclude: Sequence[str] = ()
    ) -> list[Shortlist]: ...

    def similar(
        self,
        item: str | list[str],
        k: int = 10,
        *,
        where: str = "",
        exclude: Sequence[str] = (),
    ) -> Shortlist | list[Shortlist]:
        """The items most like an item, or like each of several items.

        Raises:
            RequestError: an item is not in the catalogue.
        """
        items = [item] if isinstance(item, str) else item
        answers = self.answer([Request(item=i, k=k, where=where, exclude=exclude) for i in items])
        return answers[0] if isinstance(item, str) else answers

    def post(self, events: Sequence[Event]) -> int:
        """Take events in: durable, and part of the next answer, when it returns.

        Events that count go to the user's history; all of them to the inbox, from which the next
        training collects them. Returns how many went to a history.

        Raises:
            RequestError: an event has no user or item, or a kind that `data.events.weights`
                does not know, a propensity that is no probability, or a context that
                `data.events.context` does not name.
        """
        instant, section = now(), self.config.data.events
        for number, event in enumerate(events):
            check_event(event, section, f"events[{number}]")
        stamped = [
            event if event.time else structs.replace(event, time=instant) for event in events
        ]
        self._inbox.write(stamped)
        self._notes.write([event for event in stamped if event.kind in self._noted])
        counting = [
            event for event in stamped if counts(event.kind, section.weights, section.impression)
        ]
        return self._stores.history.append(*as_stored(counting)) if counting else 0

    def log_impressions(self, user: str, answer: Shortlist) -> None:
        """Note that an answer was shown, for the next training; written within a second."""
        kind = self.config.data.events.impression
        instant = now()
        drawn = answer.propensities
        chances = [None] * len(answer) if drawn is None else drawn.tolist()
        shown = [
            Event(
                user,
                item,
                instant,
                kind,
                position,
                answer.request,
                chances[position],
                dict(answer.variants) or None,
                dict(answer.context) or None,
            )
            for position, item in enumerate(answer.ids)
        ]
        self._inbox.defer(shown)
        if kind in self._noted:
            self._notes.defer(shown)

    def item(self, id: str) -> dict[str, Value] | None:
        """The attributes and texts of an item; None for one that is unknown or not shown now."""
        body = self._book.get(id)
        if body is None or not body.available or body.expires <= now() or self.hidden(id):
            return None
        return self._book.attributes(body)

    @property
    def book(self) -> Book:
        """The items that are written beside the release that answers now."""
        return self._book

    def put(self, items: Mapping[str, ItemBody]) -> Stored:
        """Write items: durable, and part of the next answer of every process, when it returns.

        Texts are encoded by the release's retrievers, unless their vectors are there.

        Args:
            items: what `book.body` makes, by id; it replaces what is there.

        Raises:
            RequestError: an id is empty or too long.
        """
        return self._book.put(items)

    def hidden(self, id: str) -> bool:
        """Whether an item was hidden by `hide`."""
        return bool((self._stores.availability.hidden() == np.uint64(item_key(id))).any())

    def hide(self, ids: Sequence[str]) -> None:
        """Never show these items again, in any process, from when this returns."""
        self._stores.availability.hide(ids)

    def show(self, ids: Sequence[str]) -> None:
        """Undo `hide`."""
        self._stores.availability.show(ids)

    def refresh(self) -> bool:
        """Switch to the current release if it is another one; whether it was.

        The new release is opened and warm before it answers.
        """
        releases = Releases(self.folder / ".shortlist" / "releases")
        current = releases.current()
        if current is None or current == self.release:
            return False
        snapshot = Snapshot.open(_release_path(self.folder, current))
        book = Book(self._written, snapshot)
        pipeline, search = self._pipeline_of(snapshot, book), self._search_of(snapshot, book)
        others = self._others_of(snapshot.id)
        self._book, self._pipeline, self._search = book, pipeline, search
        self._others = others
        return True

    def close(self) -> None:
        """Write what is deferred and close the stores."""
        self._inbox.close()
        self._notes.close()
        if self._feature_log is not None:
            self._feature_log.close()
        self._written.close()
        self._stores.close()

    def _pipeline_of(self, snapshot: Snapshot, book: Book) -> RequestPipeline:
        pipeline = RequestPipeline(
            snapshot,
            self.config,
            self._stores.history,
            self._stores.availability,
            self._feature_log,
            book.live(),
            self._experiments,
        )
        # compiles what is not compiled, and maps the files; of an instant, so that it asks no Feast
        with suppress(FeatureError):  # told to whoever asks; events that end it have to be let in
            pipeline.recommend([Request(k=1, now=now())])
        return pipeline

    def _others_of(self, current: str) -> dict[str, RequestPipeline]:
        """The request paths over the releases that experiments name."""
        opened = {}
        for release in self._experiments.releases - {current}:
            snapshot = Snapshot.open(_release_path(self.folder, release))
            opened[release] = self._pipeline_of(snapshot, Book(self._written, snapshot))
        return opened

    def _pipeline_for(self, request: Request) -> RequestPipeline:
        return self._others.get(self._experiments.of(request).release, self._pipeline)

    def _search_of(self, snapshot: Snapshot, book: Book) -> SearchPipeline | None:
        if snapshot.search is None:
            return None
        parts = snapshot.search
        search = SearchPipeline(
            snapshot,
            parts,
            self.config,
            self._stores.history,
            self._stores.availability,
            book.live((parts.forward, parts.analyzer)),
        )
        search.search([SearchRequest("warm up", k=1)])
        return search


def _release_path(folder: Path, release: str | None) -> Path:
    releases = Releases(folder / ".shortlist" / "releases")
    id = release or releases.current()
    if id is None:
        raise ReleaseError(
            "nothing is published yet.",
            remedy=f"Run `shortlist train {folder}`.",
            where=str(folder),
        )
    return folder / ".shortlist" / "releases" / id
