"""A text encoder as an ONNX model, checked against what was trained."""

from __future__ import annotations

import hashlib
import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from shortlist.core.errors import ReleaseError
from shortlist.offline.retrieval.deep.export import OPSET, TOLERANCE, strip
from shortlist.offline.retrieval.text.transformer import TextLearner
from shortlist.release.artefacts import OnnxText
from shortlist.text.encoding.saved import open_encoder

ALIKE = 0.95
"""The least mean cosine between vectors of 8-bit weights and those of the trained model."""
CHECKED = 64
"""Texts that both are asked to encode."""


class _Served(nn.Module):
    """A learner with the inputs that serving gives."""

    def __init__(self, learner: TextLearner) -> None:
        super().__init__()
        self.learner = learner

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor | None = None) -> Tensor:
        """Vectors of tokens."""
        return self.learner.vectors(ids, mask, types)


def export(
    learner: TextLearner,
    tokenizer: bytes,
    pad: int,
    length: int,
    quantise: bool,
    texts: Sequence[str],
    numbers: Sequence[int],
) -> tuple[OnnxText, float]:
    """The artefact of a trained model, and how alike its vectors are to the trained model's.

    Args:
        learner: the model; moved to the processor.
        tokenizer: `tokenizer.json`, as it serves.
        pad: the id that fills texts up.
        length: how many tokens of a text are read.
        quantise: whether weights are stored and multiplied as 8-bit integers.
        texts: every text.
        numbers: which of them to check with.

    Returns:
        The artefact, and the mean cosine, 1 for equal vectors.

    Raises:
        ReleaseError: the exported model does not give what the trained one gives.
    """
    served = _Served(learner.cpu()).eval()
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if learner.typed else [])]
    ids = torch.tensor([[1, 2, 3, 1], [2, 1, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    example = (ids, mask, *([torch.zeros_like(ids)] if learner.typed else []))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        path = Path(folder) / "text.onnx"
        warnings.simplefilter("ignore")  # see `deep.export`
        torch.onnx.export(
            served,
            example,
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=names,
            output_names=["vectors"],
            dynamic_axes={
                **{name: {0: "texts", 1: "tokens"} for name in names},
                "vectors": {0: "texts"},
            },
        )
        if quantise:
            path = _quantised(path)
        model = onnx.load(path)
    strip(model.graph)
    data = model.SerializeToString(deterministic=True)
    digest = hashlib.sha256(data + tokenizer + str(length).encode()).hexdigest()[:16]
    dim = int(learner.of(np.zeros(1, np.int32)).shape[1])
    artefact = OnnxText(
        tokenizer=np.frombuffer(tokenizer, np.uint8),
        model=np.frombuffer(data, np.uint8),
        length=length,
        pad=pad,
        dim=dim,
        version=f"onnx-{digest}",
    )
    return artefact, _check(artefact, learner, texts, list(numbers)[:CHECKED], quantise)


def _quantised(path: Path) -> Path:
    # Imported here: it takes a second, and few ask for it.
    from onnxruntime.quantization import QuantType, quantize_dynamic

    out = path.with_name("quantised.onnx")
    logging.disable(logging.WARNING)  # it advises a step that changes nothing here
    try:
        quantize_dynamic(path, out, weight_type=QuantType.QInt8, per_channel=True)
    finally:
        logging.disable(logging.NOTSET)
    return out


def _check(
    artefact: OnnxText,
    learner: TextLearner,
    texts: Sequence[str],
    numbers: Sequence[int],
    quantised: bool,
) -> float:
    learner.eval()
    with torch.no_grad():
        expected = learner.of(np.array(numbers, np.int32)).float().numpy()
    found = open_encoder(artefact, 0).encode([texts[number] for number in numbers])
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
    alike = float(((expected * found).sum(axis=1) / np.maximum(lengths, 1e-12)).mean())
    difference = float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))
    if quantised and alike < ALIKE:
        raise ReleaseError(
            f"with 8-bit weights vectors have a mean cosine of {alike:.3f} to the trained "
            f"model's, less than {ALIKE}.",
            remedy="Write quantise = false.",
            where="retrievers.text_encoder.quantise",
        )
    if not quantised and not difference <= TOLERANCE:
        raise ReleaseError(
            f"the exported text encoder differs from the trained one by {difference:.2g}, more "
            f"than {TOLERANCE:.0e}.",
            remedy="Use the pinned versions of requirements/constraints.txt and train again.",
            where="ONNX export",
        )
    return alike
