import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shortlist.core.errors import StoreError
from shortlist.core.event import Event
from shortlist.stores.inbox import Inbox


def lines(folder: Path) -> list[dict[str, object]]:
    files = sorted(folder.glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_written_events_are_lines_of_the_file_of_this_process(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox")
    inbox.write([Event("ann", "a", 10, "view"), Event("bob", "b\n🛒", 20, "like")])
    (file,) = (tmp_path / "inbox").iterdir()
    assert file.stem.endswith(f"-{os.getpid()}")
    assert lines(tmp_path / "inbox") == [
        {"user": "ann", "item": "a", "time": 10, "kind": "view"},
        {"user": "bob", "item": "b\n🛒", "time": 20, "kind": "like"},
    ]
    inbox.close()


def test_deferred_events_are_written_at_a_flush_or_at_the_end(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    inbox.defer([Event("ann", "a", 10, "impression", 0, "r1")])
    inbox.flush()
    inbox.defer([Event("ann", "b", 10, "impression", 1, "r1")])
    inbox.close()
    assert [(line["position"], line["request"]) for line in lines(tmp_path)] == [
        (0, "r1"),
        (1, "r1"),
    ]


def test_many_deferred_events_do_not_wait_in_memory(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    inbox.defer([Event("ann", f"item {n}", n, "impression") for n in range(2_000)])
    assert len(lines(tmp_path)) == 2_000
    inbox.close()


def test_nothing_written_makes_no_file(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox")
    inbox.write([])
    inbox.close()
    assert not (tmp_path / "inbox").exists()


def test_a_large_file_is_followed_by_another(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, file_size=100)
    for time in range(10):
        inbox.write([Event("ann", "a", time)])
    inbox.close()
    assert len(list(tmp_path.iterdir())) > 1
    assert [line.get("time", 0) for line in lines(tmp_path)] == list(range(10))


def test_a_full_disk_is_an_error_for_posts_and_a_warning_for_impressions(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "inbox").write_text("a file where the folder should be")
    inbox = Inbox(tmp_path / "inbox")
    with pytest.raises(StoreError, match="events cannot be written"):
        inbox.write([Event("ann", "a")])
    inbox.defer([Event("ann", "a")])
    inbox.flush()
    assert "impressions are lost" in caplog.text
    inbox.close()


def test_a_killed_process_loses_no_written_event(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from shortlist.core.event import Event; from shortlist.stores.inbox import Inbox\n"
        "inbox = Inbox(Path(sys.argv[1]))\n"
        "inbox.write([Event('ann', str(n)) for n in range(100)])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, tmp_path], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert [line["item"] for line in lines(tmp_path)] == [str(n) for n in range(100)]
