"""`index.json`: what an index folder holds, so that it opens without knowing its kind."""

from __future__ import annotations

from pathlib import Path

import msgspec

from shortlist.core.errors import ReleaseError

FORMAT = 1
"""The version of the folder's layout that this package writes and the newest it reads."""


class Description(msgspec.Struct, frozen=True):
    """The content of `index.json`.

    Attributes:
        format: version of the layout.
        kind: `exact` or `ivf`.
        dim: length of the vectors.
        n: number of vectors.
        parameters: what the kind searches with.
    """

    format: int
    kind: str
    dim: int
    n: int
    parameters: dict[str, int]


class _Version(msgspec.Struct):
    format: int


def describe(folder: Path, kind: str, dim: int, n: int, parameters: dict[str, int]) -> None:
    """Write `index.json`."""
    description = Description(FORMAT, kind, dim, n, parameters)
    (folder / "index.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(description), indent=2)
    )


def read_description(folder: Path) -> Description:
    """Read `index.json`.

    Raises:
        ReleaseError: it is missing, unreadable, or of a newer version.
    """
    path = folder / "index.json"
    try:
        content = path.read_bytes()
        version = msgspec.json.decode(content, type=_Version).format
        if version > FORMAT:
            raise ReleaseError(
                f"the index has format {version}, and this version reads up to {FORMAT}.",
                remedy="Upgrade shortlist, or train again with this version.",
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
