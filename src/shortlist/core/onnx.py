"""ONNX models, opened for a server's worker."""

from __future__ import annotations

import onnxruntime

from shortlist.core.errors import ReleaseError
from shortlist.core.shared import Shared

_SESSIONS: Shared[onnxruntime.InferenceSession] = Shared()


def open_session(
    model: bytes, what: str, where: str = "", threads: int = 1
) -> onnxruntime.InferenceSession:
    """A session on the processor, of one thread: a worker answers one batch at a time.

    Whoever opens the same model gets the same session, which may run in several threads at once.

    Args:
        model: an ONNX file.
        what: it is, for errors.
        where: it belongs, for errors.
        threads: of one call; 0 for all cores.

    Raises:
        ReleaseError: the model cannot be opened.
    """
    return _SESSIONS.get(model, lambda: _open(model, what, where, threads), threads)


def _open(model: bytes, what: str, where: str, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0" if threads else "1")
    state = onnxruntime.capi.onnxruntime_pybind11_state
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NotImplemented,
    ) as error:
        raise ReleaseError(
            f"{what} cannot be opened: {error}",
            remedy="Train again with this version, or roll back.",
            where=where,
        ) from error
