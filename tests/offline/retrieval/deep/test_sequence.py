import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shortlist.config.load import parse_config
from shortlist.config.schema import SequenceRetriever
from shortlist.core.errors import ConfigError
from shortlist.core.progress import Silent
from shortlist.core.times import DAY, MINUTE
from shortlist.offline.data.training import TrainingData
from shortlist.offline.retrieval import deep, fit_retriever
from shortlist.release.artefacts import Artefact, Encoder, ItemVectors
from shortlist.testing.retrieval import (
    RetrieverContract,
    assert_same,
    ring,
    training_data,
    two_tastes,
)

SMALL = SequenceRetriever(dim=16, epochs=6, batch=256, dropout=0.1, learning_rate=0.02, patience=10)
POOLED = SequenceRetriever(
    encoder="pooled", dim=16, epochs=6, batch=128, dropout=0.1, learning_rate=0.02, patience=10
)

CONFIG = """
[project]
name = "x"
[data.events]
path = "events.csv"
"""


class TestTransformerContract(RetrieverContract):
    def config(self) -> SequenceRetriever:
        return SequenceRetriever(dim=8, epochs=2, blocks=1)


class TestSampledContract(RetrieverContract):
    def config(self) -> SequenceRetriever:
        return SequenceRetriever(dim=8, epochs=2, blocks=1, loss="sampled", samples=4)


class TestPooledContract(RetrieverContract):
    def config(self) -> SequenceRetriever:
        return SequenceRetriever(encoder="pooled", dim=8, epochs=2)


class Told:
    """Progress that keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.notes: list[str] = []

    def step(self, name: str, total: float | None = None) -> None:
        self.steps.append(name)

    def advance(self, amount: float) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)


def scores(artefacts: dict[str, Artefact], history: list[int]) -> np.ndarray:
    """The score of every item after a history, by the artefacts alone."""
    import onnxruntime

    encoder, vectors = artefacts["encoder"], artefacts["vector"]
    assert isinstance(encoder, Encoder)
    assert isinstance(vectors, ItemVectors)
    inputs = {"items": np.array([history])}
    if encoder.times:
        inputs |= {"times": np.zeros((1, len(history)), np.int64), "now": np.zeros(1, np.int64)}
    session = onnxruntime.InferenceSession(encoder.model.tobytes())
    query = np.asarray(session.run(None, inputs)[0])
    return (query @ vectors.vectors.T)[0]


def fit(
    config: SequenceRetriever, data: TrainingData, runs: Path | None = None
) -> dict[str, Artefact]:
    return fit_retriever(config, data, 0, Silent(), runs=runs)


def test_a_transformer_learns_which_way_the_ring_goes() -> None:
    found = scores(fit(SMALL, ring(users=300)), [3, 4, 5])
    assert found.argmax() == 6


@pytest.mark.parametrize("config", [SMALL, POOLED], ids=["transformer", "pooled"])
def test_the_taste_of_a_history_is_what_it_is_answered_with(config: SequenceRetriever) -> None:
    artefacts = fit(config, two_tastes(users=200))
    for history in ([2, 4, 6], [3, 5, 7]):
        best = np.argsort(-scores(artefacts, history))[:7]
        assert set((best % 2).tolist()) == {history[0] % 2}


@pytest.mark.parametrize("config", [SMALL, POOLED], ids=["transformer", "pooled"])
def test_the_queries_that_an_index_is_tuned_on_are_encoded_histories(
    config: SequenceRetriever,
) -> None:
    vectors = fit(config, two_tastes(users=200))["vector"]
    assert isinstance(vectors, ItemVectors)
    assert vectors.queries is not None
    assert vectors.queries.shape == (200, vectors.vectors.shape[1])
    best = np.argsort(-(vectors.queries @ vectors.vectors.T), axis=1)[:, 0] % 2
    assert 60 < best.sum() < 140


@pytest.mark.parametrize("config", [SMALL, POOLED], ids=["transformer", "pooled"])
def test_unknown_items_of_a_history_are_passed_over(config: SequenceRetriever) -> None:
    events = [(user, (user + n) % 6, DAY + n * MINUTE) for user in range(30) for n in range(4)]
    data = training_data([*events, (0, 6, DAY + 9 * MINUTE)], 7)
    kept = fit(config, TrainingData(**{**vars(data), "min_item_events": 2}))
    assert isinstance(kept["vector"], ItemVectors)
    assert kept["vector"].rows.tolist() == list(range(6))
    known, mixed = [2, 3], [2, 6, 3]
    if config.encoder == "pooled":
        np.testing.assert_allclose(scores(kept, mixed), scores(kept, known), atol=1e-5)
    np.testing.assert_allclose(scores(kept, mixed), scores(kept, [-1, *known]), atol=1e-5)
    np.testing.assert_array_equal(scores(kept, [-1, -1]), 0)


def test_what_happens_is_told() -> None:
    told = Told()
    fit_retriever(SMALL, two_tastes(), 0, told)
    assert len(told.steps) == 6
    assert "nDCG@10" in told.steps[1]
    assert any("examples/s" in note and "loss" in note for note in told.notes)


def test_training_stops_when_it_stops_getting_better() -> None:
    config = SequenceRetriever(dim=16, epochs=50, patience=2, learning_rate=0.02)
    told = Told()
    fit_retriever(config, two_tastes(), 0, told)
    assert len(told.steps) < 20


def test_a_run_leaves_tensorboard_events_and_is_not_trained_twice(tmp_path: Path) -> None:
    once = fit(SMALL, two_tastes(), tmp_path)
    (run,) = tmp_path.iterdir()
    assert list(run.glob("events.out.tfevents.*"))
    assert (run / "checkpoint.npz").exists()
    told = Told()
    again = fit_retriever(SMALL, two_tastes(), 0, told, runs=tmp_path)
    assert not told.steps
    assert_same(once, again)
    fit(SMALL, ring(), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


KILLED = """
import os, signal, sys
import torch
from pathlib import Path
torch.set_num_threads(1)
from tests_sequence_settings import config, data
from shortlist.offline.retrieval import fit_retriever

class Killer:
    def step(self, name, total=None):
        if "epoch 4 " in name:
            os.kill(os.getpid(), signal.SIGKILL)
    def advance(self, amount): pass
    def note(self, text): pass

fit_retriever(config, data, 0, Killer(), runs=Path(sys.argv[1]))
"""


def settings(folder: Path, config: SequenceRetriever) -> dict[str, str]:
    """An environment whose Python finds the config and the log of a test."""
    (folder / "tests_sequence_settings.py").write_text(
        "from shortlist.config.schema import SequenceRetriever\n"
        "from shortlist.testing.retrieval import two_tastes\n"
        f"config = {config!r}\ndata = two_tastes()\n"
    )
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


def test_a_killed_training_goes_on_to_the_same_model(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    code = [sys.executable, "-c", KILLED, str(runs)]
    killed = subprocess.run(code, env=settings(tmp_path, SMALL), check=False)
    assert killed.returncode == -signal.SIGKILL
    told = Told()
    resumed = fit_retriever(SMALL, two_tastes(), 0, told, runs=runs)
    assert len(told.steps) == 3
    assert any("continues after epoch 3" in note for note in told.notes)
    assert_same(resumed, fit(SMALL, two_tastes()))


TOGETHER = """
import json, sys
import torch
torch.set_num_threads(1)
from tests_sequence_settings import config, data
from shortlist.offline.retrieval import fit_retriever

class Told:
    def step(self, name, total=None): pass
    def advance(self, amount): pass
    def note(self, text):
        if "loss" in text: print(text, flush=True)

made = fit_retriever(config, data, 0, Told())
print(json.dumps(float(abs(made["vector"].vectors).sum())))
"""


def test_two_processes_train_one_model(tmp_path: Path) -> None:
    config = SequenceRetriever(dim=16, epochs=3, batch=256, dropout=0.0, learning_rate=0.02)
    told = Told()
    fit_retriever(config, two_tastes(), 0, told)
    alone = losses_in(told.notes)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    environment = settings(tmp_path, config) | group
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TOGETHER],
            env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=120)[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert json.loads(said[0][-1]) == json.loads(said[1][-1])  # one model
    assert len(said[1]) == 1  # the second process says nothing
    np.testing.assert_allclose(losses_in(said[0]), alone, rtol=0.02)


def losses_in(lines: list[str]) -> list[float]:
    """The loss of each epoch, from what is told of it."""
    told = [line.partition("loss ")[2].partition(",")[0] for line in lines if "loss " in line]
    return [float(text) for text in told]


def test_without_pytorch_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deep, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'shortlist\[deep\]'"):
        fit(SMALL, two_tastes())


def test_heads_that_do_not_divide_the_vector_are_told() -> None:
    with pytest.raises(ConfigError, match=r"retrievers.sequence.heads = 3 does not divide"):
        parse_config(CONFIG + "[retrievers.sequence]\ndim = 32\nheads = 3\n")


def test_dropout_of_everything_is_out_of_range() -> None:
    with pytest.raises(ConfigError, match=r"retrievers.sequence.dropout = 1"):
        parse_config(CONFIG + "[retrievers.sequence]\ndropout = 1.0\n")
