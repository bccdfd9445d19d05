"""An encoder and a ranker as servables."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tokenizers import Tokenizer, models, pre_tokenizers

from shortlist.core.errors import ConfigError, RequestError
from shortlist.online.retrieval.encoded import session_of
from shortlist.online.snapshot import Snapshot
from shortlist.release.artefacts import Encoder, StaticText
from shortlist.release.ranking.calibration import Calibration
from shortlist.release.ranking.models import Ranker
from shortlist.release.trees import Trees
from shortlist.serve.run import serve
from shortlist.serve.tensorflow.servables import (
    EncoderServable,
    RankerServable,
    TextServable,
    servables_of,
)
from shortlist.serve.tensorflow.signature import metadata
from shortlist.serve.tensorflow.tensors import read_call
from shortlist.testing import shop
from shortlist.text.analyzer import Analyzer


def sum_encoder() -> Encoder:
    """Sums the rows and the times of a history: float32[b, 2]."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceSum", ["items", "axis"], ["item_sum"]),
            helper.make_node("ReduceSum", ["times", "axis"], ["time_sum"]),
            helper.make_node("Concat", ["item_sum", "time_sum"], ["both"], axis=1),
            helper.make_node("Cast", ["both"], ["vector"], to=TensorProto.FLOAT),
        ],
        "sums",
        [
            helper.make_tensor_value_info("items", TensorProto.INT64, ["batch", "length"]),
            helper.make_tensor_value_info("times", TensorProto.INT64, ["batch", "length"]),
        ],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor("axis", TensorProto.INT64, [1], [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return Encoder(np.frombuffer(model.SerializeToString(), np.uint8), reach=3, times=1)


def stump() -> Ranker:
    """One tree of one node: 1 where `price` is at most 10, else -1; `age` does not matter."""
    trees = Trees(
        features=("age", "price"),
        node_offsets=np.array([0, 1]),
        feature=np.array([1], np.int32),
        threshold=np.array([10], np.float32),
        left_start=np.array([0], np.uint8),
        left_stop=np.array([1], np.uint8),
        leaf_offsets=np.array([0, 2]),
        leaf=np.array([1.0, -1.0]),
        cover=np.array([1, 1], np.float32),
    )
    return Ranker(trees)


def test_an_encoder_is_described_by_its_model_and_computes_it() -> None:
    servable = EncoderServable(sum_encoder())
    told = metadata("x.encoder", 1, servable.signatures)
    told = told["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert {name: tensor["dtype"] for name, tensor in told["inputs"].items()} == {
        "items": "DT_INT64",
        "times": "DT_INT64",
    }
    dims = told["outputs"]["vector"]["tensor_shape"]["dim"]
    assert [dim["size"] for dim in dims] == ["-1", "2"]
    inputs = {"items": np.array([[1, 2], [3, 4]]), "times": np.array([[10, 10], [20, 20]])}
    found = servable.predict("serving_default", inputs)["vector"]
    np.testing.assert_array_equal(found, [[3, 20], [7, 40]])


@pytest.mark.parametrize(
    ("items", "times", "field"), [([[1]], [1], "times"), ([[1], [2]], [[1], [2], [3]], "inputs")]
)
def test_an_encoder_refuses_shapes_that_it_cannot_take(
    items: object, times: object, field: str
) -> None:
    with pytest.raises(RequestError) as caught:
        inputs = {"items": np.array(items), "times": np.array(times)}
        EncoderServable(sum_encoder()).predict("serving_default", inputs)
    assert caught.value.where == field


def test_a_ranker_takes_features_by_name_and_gives_scores() -> None:
    ranker = RankerServable(stump(), ("age", "price"), items=5)
    signature = ranker.signatures["serving_default"]
    assert list(signature.inputs) == ["age", "price"]
    prices = np.array([10, 11, 9], np.float32)
    inputs = {"age": np.zeros(3, np.float32), "price": prices}
    scores = ranker.predict("serving_default", inputs)["score"]
    np.testing.assert_array_equal(scores, [1, -1, 1])
    nobody = dict.fromkeys(inputs, np.empty(0, np.float32))
    assert ranker.predict("serving_default", nobody)["score"].shape == (0,)


def test_a_calibrated_ranker_gives_probabilities() -> None:
    ranker = Ranker(stump().model, Calibration(method="platt"))
    inputs = {"age": np.zeros(1, np.float32), "price": np.zeros(1, np.float32)}
    found = RankerServable(ranker, ("age", "price"), 5).predict("serving_default", inputs)
    np.testing.assert_allclose(found["score"], 1 / (1 + np.exp(-1)), rtol=1e-6)


def test_columns_of_different_lengths_are_refused_by_name() -> None:
    inputs = {"age": np.zeros(2, np.float32), "price": np.zeros(3, np.float32)}
    with pytest.raises(RequestError, match=r"\[3\]") as caught:
        RankerServable(stump(), ("age", "price"), 5).predict("serving_default", inputs)
    assert caught.value.where == "price"


def test_an_encoder_of_texts_takes_texts() -> None:
    settings = json.dumps(Analyzer().to_dict())
    words = {"[UNK]": 0, "red": 1, "shoe": 2}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    saved = StaticText(
        tokenizer=np.frombuffer(tokenizer.to_str().encode(), np.uint8),
        table=np.array([[0, 0], [1, 0], [0, 1]], np.float32),
        weights=np.array([0, 1, 1], np.float32),
        length=8,
        unit=0,
        analyzer=settings,
        version="v",
    )
    servable = TextServable(saved)
    call = read_call(b'{"inputs": ["red", "shoe", "nothing known"]}', servable.signatures)
    (vectors,) = servable.predict(call.signature, call.inputs).values()
    assert (vectors[0] > 0).tolist() == [True, False]
    assert (vectors[1] > 0).tolist() == [False, True]
    assert not vectors[2].any()
    with pytest.raises(RequestError, match="the number 7 is not a DT_STRING"):
        read_call(b'{"inputs": ["red", 7]}', servable.signatures)


def test_the_servables_of_a_release_and_the_one_that_index_means(folder: Path) -> None:
    path = next((folder / ".shortlist" / "releases").glob("2*"))
    section = shop.config("[serve]\ntensorflow_k = 3").serve
    found = servables_of(Snapshot.open(path), section)
    assert found["index"] is found["item_graph"]
    shape = found["index"].signatures["serving_default"].outputs["output_2"].shape
    assert shape == (3,)
    section = shop.config('[serve]\ntensorflow_index = "popular"').serve  # it has no vectors
    assert "index" not in servables_of(Snapshot.open(path), section)


def test_an_index_without_vectors_is_refused_before_a_server_starts(tmp_path: Path) -> None:
    shop.publish(tmp_path)
    config = shop.CONFIG + '[serve]\ntensorflow_index = "popular"\n'
    (tmp_path / "shortlist.toml").write_text(config)
    with pytest.raises(ConfigError, match="'popular' has no vectors in the release") as refused:
        serve(tmp_path)
    assert refused.value.where == "serve.tensorflow_index"


def test_a_model_is_opened_once_for_all_who_ask_it() -> None:
    session = session_of(sum_encoder())
    assert session_of(sum_encoder()) is session
