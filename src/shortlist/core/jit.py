"""The one decorator for compiled kernels, typed so that mypy keeps checking through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile a function on numpy arrays to machine code at its first call.

    The result is cached on disk beside the source (or in the user's cache folder), runs without
    the interpreter lock and may reorder float additions. NaN and infinities keep their meaning.
    """
    fast = {"reassoc", "contract", "arcp", "nsz"}
    return cast(F, numba.njit(cache=True, nogil=True, fastmath=fast)(function))
