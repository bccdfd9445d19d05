"""The checks that a release passes before it is made current."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shortlist.core.errors import ReleaseError
from shortlist.release.durable import files_of, sha256_of
from shortlist.release.manifest import CHECKSUM, MANIFEST, Manifest

_REMEDY = "The release is damaged; publish another one or train again."


def check_files(manifest: Manifest, folder: Path, *, deep: bool) -> None:
    """Exactly the files of the manifest are there, of its sizes and, if deep, its checksums.

    Raises:
        ReleaseError: the first file of which that is not so.
    """
    there = {path.relative_to(folder).as_posix() for path in files_of(folder)}
    extra = sorted(there - set(manifest.files) - {MANIFEST, CHECKSUM})
    if extra:
        raise ReleaseError(
            "is not in the manifest.",
            remedy="Nothing may be added to a release; remove the file.",
            where=str(folder / extra[0]),
        )
    for name, entry in manifest.files.items():
        path = folder / name
        if name not in there:
            raise ReleaseError("is missing.", remedy=_REMEDY, where=str(path))
        size = path.stat().st_size
        if size != entry.bytes:
            raise ReleaseError(
                f"has {size} bytes instead of {entry.bytes}.", remedy=_REMEDY, where=str(path)
            )
        if deep and sha256_of(path) != entry.sha256:
            raise ReleaseError(
                "has another content than was published: its checksum differs.",
                remedy=_REMEDY,
                where=str(path),
            )


def check_content(manifest: Manifest, folder: Path) -> None:
    """The release has items, and every artefact and index that it names holds something.

    Raises:
        ReleaseError: what is empty.
    """
    remedy = "Look at the training's report and data, and train again."
    if manifest.items <= 0:
        raise ReleaseError("the catalogue is empty.", remedy=remedy, where=str(folder))
    parts = ["catalogue", *(entry.folder for entry in manifest.artefacts)]
    parts += [f"indexes/{name}" for name in manifest.indexes]
    for part in parts:
        if not any(name.startswith(f"{part}/") for name in manifest.files):
            raise ReleaseError("holds no file.", remedy=remedy, where=str(folder / part))
    for name, described in manifest.indexes.items():
        if not described.get("n"):
            raise ReleaseError(
                "the index is empty: it holds no vector.",
                remedy=remedy,
                where=str(folder / "indexes" / name),
            )


def check_floor(manifest: Manifest, floor: Mapping[str, float]) -> None:
    """No metric is below its floor.

    Raises:
        ReleaseError: one is, or was not measured.
    """
    for name, least in floor.items():
        value = manifest.metric(name)
        if value is None:
            raise ReleaseError(
                f"the release {manifest.id} was not evaluated for {name}, which has a floor of "
                f"{least}.",
                remedy="Train with a holdout, or remove the floor.",
                where=f"releases.floor.{name}",
            )
        if not value >= least:
            raise ReleaseError(
                f"the release {manifest.id} has {name} = {value:.4f}, below the floor of {least}.",
                remedy="Find out why it is worse; lower the floor only if that is meant.",
                where=f"releases.floor.{name}",
            )
