"""`benchmarks/training.py` from end to end, against the peers that are installed."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "training.py"
PEERS = {
    "skip-gram": "gensim",
    "ALS": "implicit",
    "EASE": "scipy",
    "SASRec": "torch",
}


def test_a_small_run_holds_every_contest_or_says_who_is_absent(tmp_path: Path) -> None:
    parts = [argument for part in PEERS for argument in ("--part", part)]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--small", *parts, "--json", str(tmp_path / "out.json")],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads((tmp_path / "out.json").read_text())
    assert told["parts"].keys() == PEERS.keys()
    for name, part in told["parts"].items():
        if find_spec(PEERS[name]) is None:
            assert f"{PEERS[name]} is not installed" in part["absent"]
            assert f"{name}: left out, {PEERS[name]} is not installed" in done.stdout
            continue
        ours, theirs = part["shortlist"], part[part["peer"]]
        assert part["ratio"]["cpu"] == theirs["cpu_s"] / ours["cpu_s"]
        if name == "SASRec":
            assert abs(ours["loss"] - theirs["loss"]) < 0.05 * theirs["loss"]
        else:
            assert ours["recall@20"] > 0.75 * theirs["recall@20"] > 0
