"""`benchmarks/streaming.py` from end to end, for three seconds."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "streaming.py"


def test_what_is_written_in_one_process_is_found_in_others(tmp_path: Path) -> None:
    command = [sys.executable, SCRIPT, "--small", "--json", tmp_path / "figures.json"]
    subprocess.run(command, check=True, capture_output=True)
    figures = json.loads((tmp_path / "figures.json").read_text())["figures"]
    assert figures["vectors"]["at_last"] > figures["vectors"]["at_first"]
    assert figures["freshness"]["probes"] > 0
    assert figures["search"]["recall_at_10"] >= 0.99  # writes go on while the truth is asked
