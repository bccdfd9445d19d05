"""Query encoders as ONNX models, with everything they need inside, checked after export."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shortlist.core.errors import ReleaseError
from shortlist.core.times import DAY, HOUR
from shortlist.offline.retrieval.deep.trainer import Learner
from shortlist.release.artefacts import Encoder

TOLERANCE = 1e-4
"""What ONNX Runtime may differ by from PyTorch, relative to the largest component."""

OPSET = 18


class Served(nn.Module):
    """A learner as it is served: takes catalogue rows, numbers them itself."""

    place: Tensor

    def __init__(self, learner: Learner, place: NDArray[np.int64]) -> None:
        super().__init__()
        self.learner = learner
        self.register_buffer("place", torch.from_numpy(place))

    def forward(
        self, items: Tensor, times: Tensor | None = None, now: Tensor | None = None
    ) -> Tensor:
        """Query vectors of catalogue rows; rows that training did not know are passed over."""
        known = torch.where(items >= 0, self.place[items.clamp(min=0)], -1)
        if times is None or now is None:
            times, now = torch.zeros_like(items), torch.zeros_like(items[:, 0])
        return self.learner.encode(known, times, now)


def export(learner: Learner, place: NDArray[np.int64], reach: int, *, times: bool) -> Encoder:
    """The encoder artefact of a trained model.

    Args:
        learner: the model; moved to the processor.
        place: `int64[items]`, item numbers by catalogue row, -1 for none.
        reach: how many of the newest items of a history it takes.
        times: whether it takes times.

    Raises:
        ReleaseError: the exported model does not give what the trained one gives.
    """
    served = Served(learner.cpu(), place).eval()
    example = _example(len(place), min(reach, 4), times)
    names = list(example)
    # The exporter that traces a module takes a tenth of a second where the one over torch.export
    # takes four, and needs no further package; PyTorch warns that it is the older of the two.
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        path = Path(folder) / "encoder.onnx"
        warnings.simplefilter("ignore")
        torch.onnx.export(
            served,
            tuple(torch.from_numpy(array) for array in example.values()),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=names,
            output_names=["vectors"],
            dynamic_axes={
                "items": {0: "queries", 1: "history"},
                "vectors": {0: "queries"},
                **({"times": {0: "queries", 1: "history"}, "now": {0: "queries"}} if times else {}),
            },
        )
        model = onnx.load(path)
    strip(model.graph)
    data = model.SerializeToString(deterministic=True)
    _verify(data, served, len(place), reach, times)
    return Encoder(np.frombuffer(data, np.uint8), reach, int(times))


def strip(graph: onnx.GraphProto) -> None:
    """Take out what names the machine that trained."""
    graph.ClearField("doc_string")
    for node in graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")


def _example(items: int, n: int, times: bool) -> dict[str, NDArray[np.int64]]:
    """Queries of every shape: full, short, with unknown rows, without any."""
    rng = np.random.default_rng([items, n])
    rows = rng.integers(0, items, (4, n))
    rows[1, : n // 2] = -1
    rows[2, :] = -1
    inputs = {"items": rows}
    if times:
        now = rng.integers(20_000 * DAY, 20_001 * DAY, 4)
        ages = np.sort(rng.integers(0, 50 * HOUR, (4, n)))[:, ::-1]
        inputs["times"] = np.where(rows >= 0, now[:, None] - ages, 0)
        inputs["now"] = now
    return inputs


def _verify(data: bytes, served: Served, items: int, reach: int, times: bool) -> None:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    for n in {1, reach}:
        inputs = _example(items, n, times)
        with torch.no_grad():
            expected = served(*(torch.from_numpy(array) for array in inputs.values())).numpy()
        found = np.asarray(session.run(None, inputs)[0])
        difference = float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))
        if not difference <= TOLERANCE:
            raise ReleaseError(
                f"the exported encoder differs from the trained one by {difference:.2g}, more "
                f"than {TOLERANCE:.0e}.",
                remedy="Use the pinned versions of requirements/constraints.txt and train again.",
                where="ONNX export",
            )
