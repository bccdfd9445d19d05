"""`index.json`: what an index folder holds, so that it opens without knowing its kind."""

from __future__ import annotations

import mmap
from pathlib import Path

import msgspec
import xxhash

from shortlist.core.errors import ReleaseError

FORMAT = 2
"""The version of the folder's layout that this package writes and reads."""

_DAMAGED = "The file is missing or damaged; train again or roll back."


class FileMark(msgspec.Struct, frozen=True):
    """What a file of the folder must be.

    Attributes:
        bytes: its size.
        xxh3: its XXH3 checksum, 64 bits in hexadecimal. It costs a tenth of a second per GB, so
            it is checked whenever the folder is opened; who may have forged a file is what the
            manifest's SHA-256 tells.
    """

    bytes: int
    xxh3: str


class Description(msgspec.Struct, frozen=True):
    """The content of `index.json`.

    Attributes:
        format: version of the layout.
        kind: `exact`, `ivf`, `hnsw` or `scann`.
        dim: length of the vectors.
        n: number of vectors.
        parameters: what the kind searches with.
        files: every other file of the folder, by its path in it.
    """

    format: int
    kind: str
    dim: int
    n: int
    parameters: dict[str, int]
    files: dict[str, FileMark]


class _Version(msgspec.Struct):
    format: int


def describe(folder: Path, kind: str, dim: int, n: int, parameters: dict[str, int]) -> None:
    """Write `index.json`, after every other file."""
    files = {
        path.relative_to(folder).as_posix(): FileMark(path.stat().st_size, _checksum(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "index.json"
    }
    description = Description(FORMAT, kind, dim, n, parameters, files)
    (folder / "index.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(description), indent=2)
    )


def read_description(folder: Path) -> Description:
    """Read `index.json`.

    Raises:
        ReleaseError: it is missing, unreadable, or of another version.
    """
    path = folder / "index.json"
    try:
        content = path.read_bytes()
        version = msgspec.json.decode(content, type=_Version).format
        if version != FORMAT:
            newer = version > FORMAT
            raise ReleaseError(
                f"the index has format {version}, and this version reads {FORMAT}.",
                remedy=("Upgrade shortlist, or train" if newer else "Train")
                + " again with this version.",
                where=str(path),
            )
        return msgspec.json.decode(content, type=Description)
    except FileNotFoundError:
        raise ReleaseError(
            "the index has no description.",
            remedy="The folder is incomplete; train again or roll back.",
            where=str(path),
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReleaseError(
            f"the index's description is unreadable: {error}.",
            remedy="The file is damaged; train again or roll back.",
            where=str(path),
        ) from error


def check_files(folder: Path, description: Description) -> None:
    """Hold every file against its size and checksum.

    Raises:
        ReleaseError: one is missing, cut off or changed, and which.
    """
    for name, mark in description.files.items():
        path = folder / name
        try:
            size = path.stat().st_size
            if size != mark.bytes:
                raise ReleaseError(
                    f"has {size:,} bytes, and the index was written with {mark.bytes:,}.",
                    remedy=_DAMAGED,
                    where=str(path),
                )
            found = _checksum(path)
        except OSError as error:
            raise ReleaseError(
                f"cannot be read: {error.strerror}.", remedy=_DAMAGED, where=str(path)
            ) from error
        if found != mark.xxh3:
            raise ReleaseError(
                f"has the checksum {found}, and the index was written with {mark.xxh3}.",
                remedy=_DAMAGED,
                where=str(path),
            )


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        if path.stat().st_size == 0:  # an empty file cannot be mapped
            return xxhash.xxh3_64_hexdigest(b"")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return xxhash.xxh3_64_hexdigest(content)
