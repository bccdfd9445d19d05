"""Publishing: draft, commit, verify, promote, roll back, prune.

The folder of releases:

```
releases/
  <id>/             a release; its name appears when it is complete
  current           the id of the release that serves; replaced atomically
  previous          ids that were current before, oldest first
  .draft-*/         a release being written, locked by its writer
  .lock             held while names in the folder change
```
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from shortlist.core.errors import ReleaseError, did_you_mean
from shortlist.core.times import iso
from shortlist.release.durable import (
    files_of,
    lock_folder,
    locked,
    out_of_space,
    replace_text,
    sha256_of,
    sync,
)
from shortlist.release.manifest import (
    CHECKSUM,
    MANIFEST,
    FileEntry,
    Manifest,
    encode_checksum,
    encode_manifest,
    read_manifest,
)
from shortlist.release.verify import check_content, check_files, check_floor

_ID = re.compile(r"[0-9]{8}T[0-9]{12}-[0-9a-f]{6}")
_DRAFT, _GONE = ".draft-", ".gone-"

# `Releases.list` hides the type of that name from the annotations of its class.
Ids = list[str]
Manifests = list[Manifest]


class Draft:
    """A release being written; files go below `path`, then `commit`."""

    def __init__(self, releases: Releases, path: Path) -> None:
        self.path = path
        self._releases = releases

    def commit(self, fields: Mapping[str, Any]) -> Manifest:
        """Make the draft a release, complete and on the disk; not yet the current one.

        Args:
            fields: fields of `Manifest`; `id`, `created`, `version` and `files` are filled in.

        Raises:
            ReleaseError: a field is unknown or of the wrong type, or the draft holds a link.
        """
        unknown = sorted(set(fields) - set(Manifest.__struct_fields__))
        if unknown:
            raise ReleaseError(
                f"a manifest has no field {unknown[0]!r}.",
                remedy=did_you_mean(unknown[0], Manifest.__struct_fields__),
                where=MANIFEST,
            )
        files = {}
        for path in files_of(self.path):
            files[path.relative_to(self.path).as_posix()] = FileEntry(
                path.stat().st_size, sha256_of(path)
            )
            sync(path)
        now = time.time_ns() // 1_000
        stamp = datetime.fromtimestamp(now / 1_000_000, UTC).strftime("%Y%m%dT%H%M%S%f")
        given = {
            **fields,
            "id": f"{stamp}-{secrets.token_hex(3)}",
            "created": iso(now),
            "version": version("shortlist"),
            "files": files,
        }
        try:
            manifest = msgspec.convert(given, Manifest, from_attributes=True)
        except msgspec.ValidationError as error:
            raise ReleaseError(
                f"the manifest's fields are wrong: {error}.",
                remedy="See `Manifest` for what they hold.",
                where=MANIFEST,
            ) from error
        content = encode_manifest(manifest)
        for name, text in ((MANIFEST, content), (CHECKSUM, encode_checksum(content))):
            (self.path / name).write_bytes(text)
            sync(self.path / name)
        for folder in (path for path in self.path.rglob("*") if path.is_dir()):
            sync(folder)
        sync(self.path)
        self._releases.take(self.path, manifest.id)
        return manifest


class Releases:
    """A folder of releases and the pointer to the one that serves.

    Args:
        folder: made by the first draft; a folder that is not there holds no release.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """A new draft as a block; what is not committed when the block ends is removed.

        Drafts that dead processes left are removed first.

        Raises:
            ReleaseError: the disk is full. Nothing that is published changes.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / ".lock"):
            self._sweep()
            path = self.folder / f"{_DRAFT}{secrets.token_hex(8)}"
            path.mkdir()
            handle = lock_folder(path)
        assert handle is not None  # nobody else looks at it while `.lock` is held
        try:
            yield Draft(self, path)
        except OSError as error:
            if not out_of_space(error):
                raise
            raise self._full(path, error) from error
        finally:
            os.close(handle)
            shutil.rmtree(path, ignore_errors=True)

    def ids(self) -> Ids:
        """Ids of the releases, oldest first, damaged ones too."""
        if not self.folder.is_dir():
            return []
        return sorted(p.name for p in self.folder.iterdir() if _ID.fullmatch(p.name))

    def list(self) -> Manifests:
        """Manifests of the releases, newest first.

        One whose manifest cannot be read is left out; `verify` says what is wrong with it.
        """
        found = []
        for id in reversed(self.ids()):
            try:
                found.append(read_manifest(self.folder / id))
            except ReleaseError:
                continue
        return found

    def current(self) -> str | None:
        """The id of the release that serves; None when none does."""
        try:
            id = (self.folder / "current").read_text().strip()
        except FileNotFoundError:
            return None
        if not _ID.fullmatch(id):
            raise ReleaseError(
                f"{id!r} is not the id of a release.",
                remedy="Name one with `shortlist publish ID`.",
                where=str(self.folder / "current"),
            )
        return id

    def current_path(self) -> Path:
        """The folder of the release that serves.

        Raises:
            ReleaseError: nothing was made current yet, or its folder is gone.
        """
        id = self.current()
        if id is None:
            raise ReleaseError(
                "nothing is published yet.",
                remedy="Run `shortlist train`, or `shortlist publish ID`.",
                where=str(self.folder),
            )
        return self._path(id)

    def verify(
        self, id: str, deep: bool = True, floor: Mapping[str, float] | None = None
    ) -> Manifest:
        """Check a release: its manifest, its files, that it is not empty, its metrics.

        Args:
            id: which.
            deep: compare the content of every file with its checksum, not only its size.
            floor: metric values below which it fails.

        Raises:
            ReleaseError: what is wrong, with the file or the metric.
        """
        path = self._path(id)
        manifest = read_manifest(path)
        if manifest.id != id:
            raise ReleaseError(
                f"the manifest is that of the release {manifest.id}.",
                remedy="Give the folder that name back.",
                where=str(path),
            )
        check_files(manifest, path, deep=deep)
        check_content(manifest, path)
        check_floor(manifest, floor or {})
        return manifest

    def promote(self, id: str, floor: Mapping[str, float] | None = None) -> Manifest:
        """Make a release the current one, after `verify`.

        Raises:
            ReleaseError: it fails its checks; the current release stays what it was.
        """
        manifest = self.verify(id, floor=floor)
        with locked(self.folder / ".lock"):
            self._path(id)  # still there
            before = self.current()
            if before != id:
                # A crash between the two leaves the current id in both; `_earlier` passes over it.
                if before is not None:
                    self._remember([*self._previous(), before])
                replace_text(self.folder / "current", f"{id}\n")
        return manifest

    def rollback(self) -> str:
        """Make the release that was current before current again, and so on back; its id.

        Raises:
            ReleaseError: there is none, or it fails its checks.
        """
        with locked(self.folder / ".lock") if self.folder.is_dir() else _nothing():
            earlier = self._earlier()
            if not earlier:
                raise ReleaseError(
                    "no earlier release was current.",
                    remedy="Name one of `shortlist releases` with `shortlist publish ID`.",
                    where=str(self.folder),
                )
            self.verify(earlier[-1])
            replace_text(self.folder / "current", f"{earlier[-1]}\n")
            self._remember(earlier[:-1])
            return earlier[-1]

    def prune(self, keep: int, needed: Iterable[str] = ()) -> Ids:
        """Remove all but the newest releases; the ids that are gone.

        The current release and the one that `rollback` would choose are kept whatever their age.

        Args:
            keep: how many of the newest stay.
            needed: others that must stay, such as those that experiments compare.
        """
        if not self.folder.is_dir():
            return []
        with locked(self.folder / ".lock"):
            ids = self.ids()
            kept = {*ids[max(0, len(ids) - keep) :], self.current(), *self._earlier()[-1:], *needed}
            removed = [id for id in ids if id not in kept]
            for id in removed:
                # Under another name first: half of a release never looks like one.
                (self.folder / id).rename(self.folder / f"{_GONE}{id}")
            sync(self.folder)
            if removed:
                self._remember([id for id in self._previous() if id in kept])
            self._sweep()
        return removed

    def take(self, draft: Path, id: str) -> None:
        """Give a complete draft its name."""
        with locked(self.folder / ".lock"):
            draft.rename(self.folder / id)
            sync(self.folder)

    def _path(self, id: str) -> Path:
        if not _ID.fullmatch(id) or not (self.folder / id).is_dir():
            raise ReleaseError(
                f"there is no release {id!r}.",
                remedy=did_you_mean(id, self.ids()) or "Make one with `shortlist train`.",
                where=str(self.folder),
            )
        return self.folder / id

    def _previous(self) -> Ids:
        try:
            return (self.folder / "previous").read_text().split()
        except FileNotFoundError:
            return []

    def _remember(self, ids: Ids) -> None:
        replace_text(self.folder / "previous", "".join(f"{id}\n" for id in ids))

    def _earlier(self) -> Ids:
        """What `rollback` goes back through, nearest last: releases there still are."""
        current, there = self.current(), set(self.ids())
        earlier: Ids = []
        for id in self._previous():
            if id in there and earlier[-1:] != [id]:
                earlier.append(id)
        while earlier and earlier[-1] == current:
            earlier.pop()
        return earlier

    def _sweep(self) -> None:
        """Remove drafts that nobody holds and the rest of pruned releases."""
        for path in [*self.folder.glob(f"{_DRAFT}*"), *self.folder.glob(f"{_GONE}*")]:
            handle = lock_folder(path)
            if handle is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(handle)

    def _full(self, path: Path, error: OSError) -> ReleaseError:
        written = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        newest = next(iter(self.list()), None)
        usual = f"the newest release takes {_size(newest.size)}, " if newest else ""
        return ReleaseError(
            f"there is no space to write the release ({error}): it needs more than the "
            f"{_size(written)} that were written, {usual}"
            f"and {_size(shutil.disk_usage(self.folder).free)} were free beside them.",
            remedy="Make room, or lower releases.keep. What is published has not changed.",
            where=str(self.folder),
        )


def _size(bytes: int) -> str:
    return f"{bytes / 1e6:,.1f} MB"


@contextmanager
def _nothing() -> Iterator[None]:
    yield
