"""The Python API, and the one place where offline meets online: `Project`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import structs

from shortlist.config.load import load_config
from shortlist.config.samples import Guess
from shortlist.core.catalogue import Catalogue
from shortlist.core.errors import ConfigError
from shortlist.core.progress import Progress, Silent
from shortlist.core.request import Pipeline
from shortlist.offline.data.check import CheckReport, check
from shortlist.offline.evaluate import Evaluation
from shortlist.offline.off_policy import OffPolicy, evaluate_off_policy
from shortlist.offline.pipeline import TrainReport, evaluate_holdout, train
from shortlist.online.engine import Engine
from shortlist.online.live.book import Book
from shortlist.online.live.write import Stored
from shortlist.online.pipeline import RequestPipeline
from shortlist.online.search.pipeline import SearchPipeline
from shortlist.online.snapshot import Snapshot
from shortlist.release.durable import replace_text
from shortlist.release.publish import Releases
from shortlist.stores import open_stores
from shortlist.stores.contract import HistoryReader
from shortlist.stores.memory import MemoryAvailability


class Project:
    """A folder with a `shortlist.toml`, and its state in `.shortlist/`.

    Args:
        folder: the project's folder.

    Raises:
        ConfigError: there is no `shortlist.toml`, or it is faulty.
    """

    def __init__(self, folder: str | Path = ".") -> None:
        self.folder = Path(folder).resolve()
        self.config = load_config(self.folder)

    @classmethod
    def init(cls, folder: str | Path, events: str, items: str | None = None) -> Guess:
        """Look at the files, guess what their columns mean, and write a `shortlist.toml`.

        Returns:
            What was guessed and why, and what could not be told.

        Raises:
            ConfigError: the folder has a `shortlist.toml` already.
            DataError: a file cannot be read.
        """
        from shortlist.config.guess import guess
        from shortlist.config.write import write_toml
        from shortlist.offline.data.sample import sample

        home = Path(folder)
        file = home / "shortlist.toml"
        if file.exists():
            raise ConfigError(
                "the project is there already.",
                remedy="Edit it, or delete it to begin again.",
                where=str(file),
            )
        found = guess(sample(events), sample(items) if items else None)
        home.mkdir(parents=True, exist_ok=True)
        name = home.resolve().name
        replace_text(file, write_toml(found, name=name, folder=home, events=events, items=items))
        return found

    @property
    def releases(self) -> Releases:
        """What has been published."""
        return Releases(self.folder / ".shortlist" / "releases")

    def check(self) -> CheckReport:
        """Look at the data for what would go wrong or be left out."""
        return check(self.config, self.folder)

    def train(self, progress: Progress | None = None) -> TrainReport:
        """Collect what is new, train, evaluate, and publish a release."""
        stores = open_stores(self.config.serve, self.folder / ".shortlist" / "state")
        try:
            report = train(
                self.config,
                self.folder,
                self._open_pipeline,
                stores.history,
                progress or Silent(),
                self._open_search,
            )
        finally:
            stores.close()
        if report.published:
            self._trim()
        return report

    def _trim(self) -> None:
        """Forget the vectors of written items that the release has itself now."""
        taken = Catalogue.load(self.releases.current_path() / "catalogue").taken
        if taken:
            store = Book.store(self.folder / ".shortlist" / "state")
            store.trim(taken)
            store.close()

    def evaluate(self, progress: Progress | None = None) -> Evaluation:
        """Measure, on the holdout, the pipeline that was trained without it."""
        return evaluate_holdout(self.config, self.folder, self._open_pipeline, progress or Silent())

    def off_policy(self, progress: Progress | None = None) -> OffPolicy:
        """Estimate, from logged propensities, what that pipeline would have earned in the holdout.

        Raises:
            ReleaseError: nothing was trained yet.
            DataError: too few impressions of the holdout have propensities.
        """
        arrange = structs.replace(self.config.arrange, exploration=None)
        config = structs.replace(self.config, arrange=arrange, experiments={})

        def opened(release: Path, history: HistoryReader) -> Pipeline:
            return RequestPipeline(Snapshot.open(release), config, history, MemoryAvailability())

        return evaluate_off_policy(config, self.folder, opened, progress or Silent())

    def open(self) -> Engine:
        """The current release, ready to answer."""
        return Engine.open(self.config, self.folder)

    def ingest(self, files: Sequence[str | Path], progress: Progress | None = None) -> Stored:
        """Write the items of Parquet files, for servers that run and for the next training.

        Args:
            files: with the columns that `[data.items]` names.
            progress: told of rows.

        Raises:
            ReleaseError: nothing is published yet.
            DataError: a file cannot be read, or has a row that is refused; names it.
        """
        from shortlist.online.live.ingest import ingest_parquet

        snapshot = Snapshot.open(self.releases.current_path())
        store = Book.store(self.folder / ".shortlist" / "state")
        done = Stored()
        try:
            book = Book(store, snapshot)
            for file in files:
                section = self.config.data.items
                done.add(ingest_parquet(book, Path(file), section, progress or Silent()))
        finally:
            store.close()
        return done

    def _open_search(self, release: Path, history: HistoryReader) -> SearchPipeline | None:
        snapshot = Snapshot.open(release)
        if snapshot.search is None:
            return None
        return SearchPipeline(snapshot, snapshot.search, self.config, history, MemoryAvailability())

    def _open_pipeline(self, release: Path, history: HistoryReader) -> Pipeline:
        return RequestPipeline(Snapshot.open(release), self.config, history, MemoryAvailability())
