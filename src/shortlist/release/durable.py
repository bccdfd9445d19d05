"""Files that are complete or not there, also after a power cut, and locks that die with us."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shortlist.core.errors import ReleaseError

_BLOCK = 1 << 20
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def sync(path: Path) -> None:
    """Bring a file's content, or a folder's list of names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """The hexadecimal SHA-256 of a file, read block by block."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def replace_text(path: Path, text: str) -> None:
    """Write a small file so that a reader sees the old content or the new, never a part."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync(path.parent)


def files_of(folder: Path) -> list[Path]:
    """Every file below a folder, sorted.

    Raises:
        ReleaseError: there is something that is neither file nor folder, such as a link.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ReleaseError(
                "is neither a file nor a folder.",
                remedy="A release holds plain files only; remove it.",
                where=str(path),
            )
        if path.is_file():
            found.append(path)
    return found


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; the system lets it go when the process dies, however it dies."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def lock_folder(folder: Path) -> int | None:
    """A handle that holds a folder locked until it is closed; None when another holds it."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def out_of_space(error: OSError) -> bool:
    """Whether a write failed for want of space.

    NumPy and faiss report a short write without an error number.
    """
    return error.errno in _NO_SPACE or error.errno is None
