"""TensorFlow Serving's REST API, over the shop."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clients import Client
from hypothesis import given
from hypothesis import strategies as st

from shortlist.core.errors import RequestError
from shortlist.serve.tensorflow.routes import queries_in
from shortlist.serve.tensorflow.signature import DTYPES, Signature, Tensor
from shortlist.serve.tensorflow.tensors import read_call, write_outputs
from shortlist.serve.tensorflow.versions import version_of
from shortlist.testing import shop

VECTORS = shop.artefacts()["item_graph"]["vector"].vectors
DIM = VECTORS.shape[1]
INDEX = "/v1/models/index"


def predict(client: Client, body: Any, path: str = INDEX) -> Any:
    answer = client.post(f"{path}:predict", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def nearest(query: Any) -> tuple[Any, Any]:
    """Distances and rows by a scan; the oracle."""
    distances = VECTORS @ np.asarray(query, np.float32)
    rows = np.argsort(-distances, kind="stable")
    return distances[rows], rows


def test_the_status_lists_the_release_as_a_version(client: Client) -> None:
    release = client.get("/readyz").json()["release"]
    status = {
        "version": str(version_of(release)),
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    for path in (INDEX, "/v1/models/item_graph", f"{INDEX}/versions/{version_of(release)}"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"model_version_status": [status]})


def test_versions_are_the_instants_of_releases() -> None:
    assert version_of("20261122T022012045459-f37872") == 1795314012045459
    assert version_of("20261122T022012045460-000000") == 1795314012045460


def test_the_metadata_describes_tensors_as_tensorflow_serving_does(client: Client) -> None:
    answer = client.get(f"{INDEX}/metadata").json()
    release = client.get("/readyz").json()["release"]
    assert answer["model_spec"] == {
        "name": "index",
        "signature_name": "",
        "version": str(version_of(release)),
    }
    assert answer["metadata"]["signature_def"]["signature_def"]["serving_default"] == {
        "inputs": {
            "input_1": {
                "dtype": "DT_FLOAT",
                "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
                "name": "serving_default_input_1:0",
            }
        },
        "outputs": {
            "output_1": {
                "dtype": "DT_FLOAT",
                "tensor_shape": {"dim": [{"size": "60", "name": ""}], "unknown_rank": False},
                "name": "StatefulPartitionedCall:0",
            },
            "output_2": {
                "dtype": "DT_INT32",
                "tensor_shape": {"dim": [{"size": "60", "name": ""}], "unknown_rank": False},
                "name": "StatefulPartitionedCall:1",
            },
        },
        "method_name": "tensorflow/serving/predict",
    }


def test_one_query_gives_distances_and_rows(client: Client) -> None:
    query = VECTORS[25].tolist()
    bare = predict(client, {"inputs": query})
    distances, rows = nearest(query)
    assert bare["outputs"]["output_2"] == rows.tolist()
    np.testing.assert_allclose(bare["outputs"]["output_1"], distances, atol=2e-3)
    assert predict(client, {"inputs": {"input_1": query}}) == bare
    assert predict(client, {"signature_name": "serving_default", "inputs": query}) == bare
    # as rows: the one query's outputs, cut along their first axis
    rowed = predict(client, {"instances": query})["predictions"]
    assert [row["output_2"] for row in rowed] == rows.tolist()


def test_several_queries_are_answered_like_each_alone(client: Client) -> None:
    queries = VECTORS[[3, 25, 47]].tolist()
    alone = [predict(client, {"inputs": query})["outputs"] for query in queries]
    assert predict(client, {"instances": queries})["predictions"] == alone
    named = {"instances": [{"input_1": query} for query in queries]}
    assert predict(client, named)["predictions"] == alone
    columns = predict(client, {"inputs": queries, "signature_name": "batch"})["outputs"]
    assert columns["output_2"] == [one["output_2"] for one in alone]


def test_many_queries_leave_the_event_loop_and_are_answered_alike(client: Client) -> None:
    queries = np.tile(VECTORS, (3, 1)).tolist()
    found = predict(client, {"inputs": queries})["outputs"]["output_2"]
    assert [rows[:3] for rows in found[:60]] == [
        nearest(query)[1][:3].tolist() for query in VECTORS
    ]


def test_an_empty_signature_name_means_the_default_one(client: Client) -> None:
    body = {"inputs": VECTORS[25].tolist()}
    assert predict(client, {"signature_name": "", **body}) == predict(client, body)


TEXT = {"serving_default": Signature({"text": Tensor("DT_STRING", (-1,))}, {})}


@pytest.mark.parametrize(
    "form", ['{"inputs": %s}', '{"inputs": {"text": %s}}', '{"instances": %s}']
)
def test_a_text_may_be_the_base64_of_its_bytes(form: str) -> None:
    body = form % '[{"b64": "w6l0w6k="}, "hiver"]'
    assert read_call(body.encode(), TEXT).inputs["text"].tolist() == ["été", "hiver"]
    assert read_call(b'{"instances": [{"text": {"b64": "w6k="}}]}', TEXT).inputs["text"] == ["é"]


@pytest.mark.parametrize("value", ['"?"', '"w6"', '"6Q=="', "1", "null"])
def test_what_is_no_base64_of_a_text_is_refused_by_its_place(value: str) -> None:
    with pytest.raises(RequestError, match=r"inputs\.text\[1\]: 'b64' is not the base64 of a text"):
        read_call(f'{{"inputs": ["a", {{"b64": {value}}}]}}'.encode(), TEXT)


def test_one_text_without_a_list_is_told_its_shape() -> None:
    call = read_call(b'{"inputs": "quantum"}', TEXT)
    assert queries_in(call.inputs) == 0
    assert queries_in({"text": np.array(["a", "b"], object)}) == 2


def test_ids_instead_of_rows(client: Client) -> None:
    body = {"signature_name": "items", "inputs": [VECTORS[25].tolist()]}
    outputs = predict(client, body)["outputs"]
    assert outputs["output_2"] == [[shop.IDS[row] for row in nearest(VECTORS[25])[1]]]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "the body is missing"),
        ("{", "the body is not JSON"),
        ("[1]", "the body is a list"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        (b'{"inputs": "\xff"}', "UTF-8"),
        ("{}", "inputs: there are no inputs"),
        ('{"inputs": [1], "instances": [1]}', "'inputs' and 'instances' are both there"),
        ('{"input": [1]}', "input: 'input' is not a field. Did you mean 'inputs'?"),
        ('{"inputs": [1], "signature_name": "batsh"}', "signature_name: 'batsh' is not"),
        ('{"inputs": {"input1": [1]}}', "inputs: 'input1' is not an input. Did you mean"),
        ('{"inputs": {}}', "inputs: 'input_1' is required"),
        ('{"inputs": [0.5, 0.5]}', f"input_1: the tensor has the shape [2]. Give [{DIM}]"),
        ('{"inputs": 0.5}', "input_1: the tensor has the shape []"),
        ('{"inputs": [[1, 2], [3]]}', "inputs.input_1: the lists differ in length"),
        ('{"inputs": [1, 2, "3"]}', "inputs.input_1[2]: the text '3' is not a DT_FLOAT"),
        ('{"inputs": [1, null]}', "inputs.input_1[1]: null is not a DT_FLOAT"),
        ('{"inputs": [true, false]}', "inputs.input_1[0]: true is not a DT_FLOAT"),
        ('{"inputs": [1, NaN]}', "inputs.input_1[1]: nan is not a finite DT_FLOAT"),
        ('{"inputs": [[1, 2], [3, -Infinity]]}', "inputs.input_1[1][1]: -inf is not a finite"),
        ('{"inputs": [1e39]}', "inputs.input_1[0]: 1e+39 is not a finite DT_FLOAT"),
        ('{"instances": []}', "instances: this is an empty list"),
        ('{"instances": {"input_1": [1]}}', "instances: this is an object"),
        ('{"instances": [{"input_1": [1]}, [1]]}', "instances[1]: this is a list, and other"),
        ('{"instances": [{"input_1": [1]}, {}]}', "instances[1]: 'input_1' is required"),
    ],
)
def test_bad_input_is_told_by_its_field(client: Client, body: str | bytes, says: str) -> None:
    answer = client.post(f"{INDEX}:predict", content=body)
    assert answer.status_code == 400, answer.text
    assert answer.json().keys() == {"error"}
    assert says in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", "/v1/models/indx", 404, "Could not find any versions of model indx. Did you mean"),
        ("GET", "/v1/models/indx/metadata", 404, "Could not find any versions of model indx"),
        ("GET", "/v1/models/index/versions/7", 404, "Could not find version 7 of model index"),
        ("POST", "/v1/models/index/versions/7:predict", 404, "Specific(index, 7)"),
        ("POST", "/v1/models/indx:predict", 404, "Could not find any versions of model indx"),
        ("GET", "/v1/models/index/labels/stable", 400, "no version has the label 'stable'"),
        ("GET", "/v1/models", 400, "not a path of a model"),
        ("GET", "/v1/models/a/b/c", 400, "not a path of a model"),
        ("GET", "/v1/models/index:predict", 400, "asked with POST"),
        ("POST", "/v1/models/index", 400, "Add :predict"),
        ("POST", "/v1/models/index:classify", 400, "'classify' is not what a model can be asked"),
    ],
)
def test_a_path_that_names_nothing_is_told_in_the_same_form(
    client: Client, method: str, path: str, status: int, says: str
) -> None:
    answer = client.request(method, path, content="{}" if method == "POST" else None)
    assert answer.status_code == status
    assert says in answer.json()["error"]


def test_a_release_that_follows_is_another_version_and_the_last_one_ends(
    client: Client, folder: Path
) -> None:
    before = client.get(INDEX).json()["model_version_status"][0]["version"]
    published = str(version_of(shop.publish(folder)))
    states: dict[str, str] = {}
    while states.get(published) != "AVAILABLE":
        answer = client.get(INDEX)
        assert answer.status_code == 200
        listed = answer.json()["model_version_status"]
        states = {entry["version"]: entry["state"] for entry in listed}
        assert "AVAILABLE" in states.values()
    assert int(published) > int(before)
    assert list(states) == [published, before]
    assert states[before] in {"UNLOADING", "END"}


FLOATS = st.floats(-1e6, 1e6, width=32)
TWO = {
    "serving_default": Signature(
        {"a": Tensor("DT_FLOAT", (-1,)), "b": Tensor("DT_INT64", (-1,))},
        {"a": Tensor("DT_FLOAT", (-1,)), "b": Tensor("DT_INT64", (-1,))},
    )
}


@given(st.lists(st.tuples(FLOATS, st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=20))
def test_rows_and_columns_are_the_same_tensors_and_come_back_unchanged(
    pairs: list[tuple[float, int]],
) -> None:
    rows = [{"a": a, "b": b} for a, b in pairs]
    columns = {"a": [a for a, _ in pairs], "b": [b for _, b in pairs]}
    as_rows = read_call(json.dumps({"instances": rows}).encode(), TWO)
    as_columns = read_call(json.dumps({"inputs": columns}).encode(), TWO)
    for name, tensor in as_columns.inputs.items():
        assert tensor.dtype == DTYPES[TWO["serving_default"].inputs[name].dtype]
        np.testing.assert_array_equal(as_rows.inputs[name], tensor)
    assert json.loads(write_outputs(as_rows.inputs, rows=True)) == {"predictions": rows}
    assert json.loads(write_outputs(as_columns.inputs, rows=False)) == {"outputs": columns}


@pytest.mark.parametrize(
    ("value", "says"),
    [(1.5, "1.5 is not a DT_INT64"), (2**63, "not a finite DT_INT64"), (2**70, "not a DT_INT64")],
)
def test_what_an_integer_cannot_hold_is_refused(value: float, says: str) -> None:
    with pytest.raises(RequestError, match=says) as caught:
        read_call(json.dumps({"inputs": {"a": [1.0], "b": [value]}}).encode(), TWO)
    assert caught.value.where.startswith("inputs.b")
