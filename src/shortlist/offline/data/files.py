"""Files that appear complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec


def sync(path: Path) -> None:
    """Force a file's or a folder's bytes to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Force everything in a folder to the disk, the folders themselves last."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            sync(Path(parent, name))
        sync(Path(parent))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to that becomes `path`, durably, when the block ends well."""
    beside = path.with_name(f".{path.name}.tmp")
    yield beside
    sync(beside)
    beside.replace(path)
    sync(path.parent)


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON, atomically."""
    with replacing(path) as beside:
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1))
