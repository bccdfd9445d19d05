"""From millions of items to a ranked shortlist.

project = shortlist.Project("movies")
project.train()
engine = project.open()
engine.recommend(user="42", k=20, where='language == "ko" and price < 100')
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shortlist.core.errors import ShortlistError
    from shortlist.online.engine import Engine
    from shortlist.project import Project
    from shortlist.stores.vectors import StoreSchema, VectorField, open_vectors

_HOMES = {
    "Engine": "shortlist.online.engine",
    "Project": "shortlist.project",
    "ShortlistError": "shortlist.core.errors",
    "StoreSchema": "shortlist.stores.vectors",
    "VectorField": "shortlist.stores.vectors",
    "open_vectors": "shortlist.stores.vectors",
}

__all__ = [
    "Engine",
    "Project",
    "ShortlistError",
    "StoreSchema",
    "VectorField",
    "open_vectors",
]


def __getattr__(name: str) -> Any:
    """Load the API at first use: the command line answers `--help` without it."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'shortlist' has no attribute {name!r}")
