"""What a servable takes and gives, in the words of TensorFlow Serving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import RequestError

DEFAULT = "serving_default"
"""The signature that a request without `signature_name` means."""

DTYPES: Mapping[str, np.dtype[Any]] = {
    "DT_FLOAT": np.dtype(np.float32),
    "DT_DOUBLE": np.dtype(np.float64),
    "DT_INT32": np.dtype(np.int32),
    "DT_INT64": np.dtype(np.int64),
    "DT_BOOL": np.dtype(np.bool_),
    "DT_STRING": np.dtype(object),
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output.

    Attributes:
        dtype: a name of `DTYPES`.
        shape: the length of each axis; -1 where a request decides.
    """

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """The named inputs that a servable takes together, and the named outputs that it gives."""

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


def check_shape(name: str, array: NDArray[Any], shapes: Sequence[tuple[int, ...]]) -> None:
    """Raise unless an input has one of several shapes, in which -1 stands for any length.

    Raises:
        RequestError: names the input, the shape it has and those it may have.
    """
    for shape in shapes:
        if len(shape) == array.ndim and all(
            wanted in {-1, length} for wanted, length in zip(shape, array.shape, strict=True)
        ):
            return
    raise RequestError(
        f"the tensor has the shape {list(array.shape)}.",
        remedy=f"Give {' or '.join(str(list(shape)) for shape in shapes)}.",
        where=name,
    )


def metadata(name: str, version: int, signatures: Mapping[str, Signature]) -> dict[str, Any]:
    """The answer of `GET …/metadata`: a `GetModelMetadataResponse` in protobuf's JSON form."""
    defined = {
        key: {
            "inputs": _tensors(signature.inputs, f"{key}_{{name}}:0"),
            "outputs": _tensors(signature.outputs, "StatefulPartitionedCall:{place}"),
            "method_name": "tensorflow/serving/predict",
        }
        for key, signature in signatures.items()
    }
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version)},
        "metadata": {"signature_def": {"signature_def": defined}},
    }


def _tensors(tensors: Mapping[str, Tensor], place: str) -> dict[str, Any]:
    """Tensors as `TensorInfo`; its `name` is where a graph would have the tensor."""
    return {
        name: {
            "dtype": tensor.dtype,
            "tensor_shape": {
                "dim": [{"size": str(size), "name": ""} for size in tensor.shape],
                "unknown_rank": False,
            },
            "name": place.format(name=name, place=number),
        }
        for number, (name, tensor) in enumerate(tensors.items())
    }
