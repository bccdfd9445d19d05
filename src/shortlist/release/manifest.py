"""`manifest.json`: what a release is and the checksum of every file in it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from shortlist.core.errors import ReleaseError
from shortlist.release.fusion import Fusion

FORMAT = 1
"""The version of a release's layout that this package writes and the newest it reads."""

MANIFEST = "manifest.json"
CHECKSUM = "manifest.sha256"
"""The manifest cannot hold its own checksum; it stands beside it."""


class FileEntry(msgspec.Struct, frozen=True):
    """One file of a release: its size in bytes and the hexadecimal SHA-256 of its content."""

    bytes: int
    sha256: str


class ArtefactEntry(msgspec.Struct, frozen=True):
    """One artefact.

    Attributes:
        name: the retriever's name in the config.
        kind: a kind of `artefacts.KINDS`.
        folder: where it is, relative to the release.
    """

    name: str
    kind: str
    folder: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `manifest.json`.

    Attributes:
        format: version of the layout.
        id: the release's id, the name of its folder. Ids sort by time.
        created: when, ISO 8601 in UTC.
        version: the version of the package that made it.
        config: the configuration it was made with.
        watermark: the instant before which everything it learned from lies, microseconds.
        items: length of the catalogue.
        metrics: what evaluation measured: values by metric name, or the evaluation's JSON form,
            whose `ranking` holds them.
        files: every file but the manifest and its checksum, by path with `/`.
        artefacts: what retrievers left.
        chosen: why each retriever was chosen, where training chose them.
        fusion: how the sources' lists become one.
        indexes: by retriever, what `index.IndexReport` says; `n` is the number of vectors.
        ranker: what the ranker is, or none.
        features: names of the ranker's features, in order.
        search: what is searched and by which analyzer; none for a catalogue without words.
        signatures: what each servable takes and returns.
    """

    format: int = FORMAT
    id: str
    created: str
    version: str
    config: dict[str, Any] = {}
    watermark: int = 0
    items: int = 0
    metrics: dict[str, Any] = {}
    files: dict[str, FileEntry] = {}
    artefacts: list[ArtefactEntry] = []
    chosen: dict[str, str] = {}
    fusion: Fusion = Fusion()
    indexes: dict[str, dict[str, Any]] = {}
    ranker: dict[str, Any] | None = None
    features: list[str] = []
    search: dict[str, Any] | None = None
    signatures: dict[str, Any] = {}

    def metric(self, name: str) -> float | None:
        """The value of a ranking metric; None when evaluation did not measure it."""
        ranking = self.metrics.get("ranking", self.metrics)
        value = ranking.get(name) if isinstance(ranking, dict) else None
        if isinstance(value, dict):
            value = value.get("value")
        return float(value) if isinstance(value, int | float) else None

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(entry.bytes for entry in self.files.values())


class _Version(msgspec.Struct):
    format: int


def encode_manifest(manifest: Manifest) -> bytes:
    """The content of the manifest's file."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def encode_checksum(content: bytes) -> bytes:
    """The content of the checksum's file for that of the manifest's."""
    return hashlib.sha256(content).hexdigest().encode() + b"\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a release's folder.

    Raises:
        ReleaseError: it is missing, of a newer version, or damaged; the message tells which.
    """
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise ReleaseError(
            "there is no manifest, so this is not a release.",
            remedy="List the releases with `shortlist releases`.",
            where=str(path),
        ) from None
    damaged = "The file is damaged; publish another release or train again."
    try:
        version = msgspec.json.decode(content, type=_Version).format
        if version > FORMAT:
            raise ReleaseError(
                f"the release has format {version}, and this version reads up to {FORMAT}.",
                remedy="Upgrade shortlist, or train again with this version.",
                where=str(path),
            )
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReleaseError(
            f"the manifest is unreadable: {error}.", remedy=damaged, where=str(path)
        ) from error
    try:
        checksum = (folder / CHECKSUM).read_bytes()
    except FileNotFoundError:
        raise ReleaseError(
            "the manifest's checksum is missing.", remedy=damaged, where=str(folder / CHECKSUM)
        ) from None
    if encode_checksum(content) != checksum:
        raise ReleaseError(
            "the manifest is not what was published: its checksum differs.",
            remedy=damaged,
            where=str(path),
        )
    return manifest
