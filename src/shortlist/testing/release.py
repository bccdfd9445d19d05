"""A release as small as one can be, for tests of publishing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shortlist.release.publish import Releases

ARTEFACT = {"name": "popular", "kind": "popular", "folder": "artefacts/popular.popular"}
FIELDS: dict[str, Any] = {
    "config": {"project": {"name": "tiny"}},
    "watermark": 7,
    "items": 3,
    "metrics": {"ndcg@10": 0.25},
    "artefacts": [ARTEFACT],
    "indexes": {"graph": {"kind": "exact", "n": 3}},
}


def fill(folder: Path, content: bytes = b"content") -> None:
    """The files that `FIELDS` speaks of."""
    for part in ("catalogue", ARTEFACT["folder"], "indexes/graph"):
        (folder / part).mkdir(parents=True)
        (folder / part / "data.npy").write_bytes(content)


def publish(releases: Releases, content: bytes = b"content", **fields: Any) -> str:
    """Commit a release; its id."""
    with releases.draft() as draft:
        fill(draft.path, content)
        return draft.commit(FIELDS | fields).id


def names(folder: Path) -> set[str]:
    """What is in a folder."""
    return {path.name for path in folder.iterdir()}
