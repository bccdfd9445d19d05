"""A full disk and a killed process: what serves goes on serving."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shortlist.core.errors import ReleaseError
from shortlist.release.publish import Releases
from shortlist.testing.release import publish


def run(code: str, folder: Path) -> list[str]:
    """The command that runs code in a fresh interpreter with `releases` at hand."""
    start = (
        "from pathlib import Path\n"
        "from shortlist.release.publish import Releases\n"
        "from shortlist.testing.release import fill, publish, FIELDS\n"
        f"releases = Releases(Path({str(folder)!r}))\n"
    )
    return [sys.executable, "-c", start + code]


@pytest.mark.parametrize(
    "write",
    [
        "(draft.path / 'catalogue' / 'big').write_bytes(bytes(3_000_000))",
        "np.save(draft.path / 'catalogue' / 'big.npy', np.zeros(3_000_000, np.uint8))",
        "index.save(draft.path / 'indexes' / 'graph')",
    ],
    ids=["bytes", "numpy", "faiss"],
)
def test_a_full_disk_removes_the_draft_and_says_what_is_needed(tmp_path, write):
    releases = Releases(tmp_path)
    serving = publish(releases, content=bytes(100_000))
    releases.promote(serving)
    # A limit on the size of files fails as a full disk does, and needs no disk to fill.
    code = f"""
import resource
import numpy as np
from shortlist.core.errors import ReleaseError
if "index" in {write!r}:
    from shortlist.core.progress import Silent
    from shortlist.index.ivf import IvfIndex
    # So short that the ids in faiss' lists outweigh the vectors: it is faiss that meets the limit.
    vectors = np.random.default_rng(0).normal(size=(30_000, 2)).astype(np.float32)
    index = IvfIndex.build(np.arange(30_000, dtype=np.int32), vectors, 0, Silent())
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    with releases.draft() as draft:
        fill(draft.path)
        {write}
        draft.commit(FIELDS)
except ReleaseError as error:
    print(error)
"""
    done = subprocess.run(run(code, tmp_path), capture_output=True, text=True, check=True)
    assert "there is no space to write the release" in done.stdout
    assert "it needs more than the 0." in done.stdout
    assert "the newest release takes 0.3 MB" in done.stdout
    assert "were free beside them" in done.stdout
    assert "What is published has not changed" in done.stdout
    assert not list(tmp_path.glob(".draft-*"))
    assert releases.ids() == [serving]
    assert releases.current() == serving
    releases.verify(serving)


def test_a_publisher_killed_at_any_moment_leaves_a_release_that_serves(tmp_path):
    releases = Releases(tmp_path)
    releases.promote(publish(releases))
    code = """
print("ready", flush=True)
while True:
    releases.promote(publish(releases, content=bytes(50_000)))
    releases.prune(2)
"""
    moments = random.Random(0)
    seen = set()
    for _ in range(8):
        with subprocess.Popen(run(code, tmp_path), stdout=subprocess.PIPE) as publisher:
            publisher.stdout.readline()
            time.sleep(moments.uniform(0, 0.3))
            publisher.send_signal(signal.SIGKILL)
        current = releases.current()
        releases.verify(current)
        seen.add(current)
        for id in releases.ids():
            releases.verify(id)
    assert len(seen) > 1, "nothing was ever published between the kills"
    publish(releases)
    assert not list(tmp_path.glob(".draft-*"))
    assert not list(tmp_path.glob(".gone-*"))


def test_readers_see_a_whole_release_while_others_publish(tmp_path):
    releases = Releases(tmp_path)
    releases.promote(publish(releases))
    code = """
for _ in range(8):
    releases.promote(publish(releases))
"""
    with subprocess.Popen(run(code, tmp_path)) as one, subprocess.Popen(run(code, tmp_path)) as two:
        while one.poll() is None or two.poll() is None:
            releases.verify(releases.current())
    assert one.returncode == two.returncode == 0
    assert len(releases.ids()) == 17
    with pytest.raises(ReleaseError, match="no earlier"):
        for _ in range(100):
            releases.rollback()
    assert releases.current() == releases.ids()[0]
