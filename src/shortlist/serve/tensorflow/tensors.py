"""Bodies of `:predict`: JSON to tensors and back.

Two forms of the same thing. Columns, `{"inputs": …}`: each input whole, by name, or bare where
the signature has one input; answered with `{"outputs": …}`. Rows, `{"instances": […]}`: the inputs
cut along their first axis; answered with `{"predictions": […]}`, the outputs cut the same way.
A text may be `{"b64": …}`, the base64 of its UTF-8.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shortlist.core.errors import RequestError, did_you_mean
from shortlist.serve.tensorflow.signature import DEFAULT, DTYPES, Signature, Tensor

Tensors = Mapping[str, NDArray[Any]]
KEYS = ("signature_name", "inputs", "instances")
KINDS = {"f": "fiu", "i": "iu", "b": "b", "O": "U"}
"""By the kind of a NumPy type, the kinds of arrays of JSON values that become it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A parsed body.

    Attributes:
        signature: the name of the signature that is called.
        inputs: its inputs.
        rows: whether the inputs came as rows, so that the outputs go as rows.
    """

    signature: str
    inputs: Tensors
    rows: bool


def read_call(body: bytes, signatures: Mapping[str, Signature]) -> Call:
    """The call that a body makes.

    Raises:
        RequestError: the body is not JSON or not a call of one of the signatures; names the field,
            down to the element.
    """
    given = _object(body)
    name = given.get("signature_name", DEFAULT)
    name = DEFAULT if name == "" else name  # as clients write it that fill every field in
    if not isinstance(name, str) or name not in signatures:
        raise RequestError(
            f"{name!r} is not a signature.",
            remedy=did_you_mean(str(name), signatures),
            where="signature_name",
        )
    form = [key for key in ("inputs", "instances") if key in given]
    if len(form) != 1:
        raise RequestError(
            "'inputs' and 'instances' are both there." if form else "there are no inputs.",
            remedy="Give either 'inputs' (columns) or 'instances' (rows).",
            where="inputs",
        )
    wanted = signatures[name].inputs
    if form == ["inputs"]:
        columns = _columns(given["inputs"], wanted)
        return Call(name, _tensors(columns, wanted, lambda key: f"inputs.{key}"), rows=False)
    columns = _rows(given["instances"], wanted)
    return Call(name, _tensors(columns, wanted, lambda key: f"instances.{key}"), rows=True)


def write_outputs(outputs: Tensors, *, rows: bool) -> bytes:
    """The body of an answer, by name where there are several outputs."""
    plain = {name: tensor.tolist() for name, tensor in outputs.items()}
    if not rows:
        only = len(plain) == 1
        return msgspec.json.encode({"outputs": next(iter(plain.values())) if only else plain})
    if len(plain) == 1:
        return msgspec.json.encode({"predictions": next(iter(plain.values()))})
    cut = zip(*plain.values(), strict=True)
    return msgspec.json.encode({"predictions": [dict(zip(plain, row, strict=True)) for row in cut]})


def _object(body: bytes) -> dict[str, Any]:
    try:
        given = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        try:
            given = json.loads(body)  # NaN and Infinity, which are then refused by their place
        except json.JSONDecodeError:
            problem = f"the body is not JSON: {error}." if body else "the body is missing."
            raise RequestError(problem, remedy='Send {"inputs": …} or {"instances": …}.') from None
    if not isinstance(given, dict):
        raise RequestError(
            f"the body is {_called(given)}.", remedy='Send {"inputs": …} or {"instances": …}.'
        )
    for key in given:
        if key not in KEYS:
            raise RequestError(
                f"{key!r} is not a field.", remedy=did_you_mean(key, KEYS), where=key
            )
    return given


def _columns(value: Any, wanted: Mapping[str, Tensor]) -> dict[str, Any]:
    """Each input's JSON, from `inputs`."""
    if isinstance(value, dict) and not _is_encoded(value, wanted):
        _check_names(value, wanted, "inputs")
        return value
    return {_only(wanted, "inputs"): value}


def _rows(value: Any, wanted: Mapping[str, Tensor]) -> dict[str, Any]:
    """Each input's JSON, from `instances`."""
    if not isinstance(value, list) or not value:
        raise RequestError(
            f"this is {_called(value)}.", remedy="Give a list of instances.", where="instances"
        )
    named = [isinstance(row, dict) and not _is_encoded(row, wanted) for row in value]
    if not any(named):
        return {_only(wanted, "instances"): value}
    if not all(named):
        place = named.index(False)
        raise RequestError(
            f"this is {_called(value[place])}, and other instances are objects.",
            remedy="Give all of them alike.",
            where=f"instances[{place}]",
        )
    for place, instance in enumerate(value):
        _check_names(instance, wanted, f"instances[{place}]")
    return {name: [instance[name] for instance in value] for name in wanted}


def _is_encoded(value: Any, wanted: Mapping[str, Tensor]) -> bool:
    """Whether an object is a text and not inputs by name."""
    return isinstance(value, dict) and value.keys() == {"b64"} and "b64" not in wanted


def _decoded(value: Any, where: str) -> Any:
    """Texts in nested lists, those that are encoded as what they stand for."""
    if isinstance(value, list):
        return [_decoded(inner, f"{where}[{i}]") for i, inner in enumerate(value)]
    if not isinstance(value, dict) or value.keys() != {"b64"}:
        return value
    try:
        return b64decode(value["b64"], validate=True).decode()
    except (TypeError, ValueError):  # of which bad base64 and bad UTF-8 are kinds
        raise RequestError(
            "'b64' is not the base64 of a text in UTF-8.",
            remedy="Encode it again, or give the text itself.",
            where=where,
        ) from None


def _check_names(given: Mapping[str, Any], wanted: Mapping[str, Tensor], where: str) -> None:
    for name in given:
        if name not in wanted:
            raise RequestError(
                f"{name!r} is not an input.", remedy=did_you_mean(name, wanted), where=where
            )
    for name in wanted:
        if name not in given:
            raise RequestError(f"{name!r} is required.", remedy="Give it.", where=where)


def _only(wanted: Mapping[str, Tensor], where: str) -> str:
    """The name of the one input."""
    if len(wanted) != 1:
        raise RequestError(
            "the signature has several inputs.",
            remedy=f"Name them: {', '.join(wanted)}.",
            where=where,
        )
    return next(iter(wanted))


def _tensors(columns: Mapping[str, Any], wanted: Mapping[str, Tensor], where: Any) -> Tensors:
    return {name: _tensor(columns[name], wanted[name].dtype, where(name)) for name in wanted}


def _tensor(value: Any, dtype: str, where: str) -> NDArray[Any]:
    """JSON as an array of a type, in which every number is finite."""
    target = DTYPES[dtype]
    kinds = KINDS[target.kind]
    value = _decoded(value, where) if kinds == "U" else value
    try:
        array = np.array(value)
    except ValueError:
        raise RequestError(
            "the lists differ in length or depth.", remedy="Make them a rectangle.", where=where
        ) from None
    mixed = kinds == "U" or array.dtype.kind not in kinds  # texts take numbers in as texts
    stranger = next(_strangers(value, kinds, ""), None) if array.size and mixed else None
    if stranger or (array.size and array.dtype.kind not in kinds):
        place, found = stranger or ("", value)
        raise RequestError(
            f"{_called(found)} is not a {dtype}.",
            remedy="Give texts." if kinds == "U" else "Give numbers.",
            where=where + place,
        )
    if kinds == "U":
        return array.astype(object)
    with np.errstate(over="ignore", invalid="ignore"):
        cast = array.astype(target)
    wrong = ~np.isfinite(cast) if target.kind == "f" else cast != array
    if wrong.any():
        place = np.argwhere(wrong)[0]
        found = array[tuple(place)]
        index = "".join(f"[{i}]" for i in place)
        raise RequestError(
            f"{found} is not a finite {dtype}.",
            remedy="Give numbers that it can hold.",
            where=where + index,
        )
    return cast


def _strangers(value: Any, kinds: str, place: str) -> Any:
    """Where in nested lists something is of another kind, and what."""
    if isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _strangers(inner, kinds, f"{place}[{i}]")
    elif np.array(value).dtype.kind not in kinds:
        yield place, value


def _called(value: Any) -> str:
    """What JSON calls a value."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return "an object" if isinstance(value, dict) else f"the number {value}"
