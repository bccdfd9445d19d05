"""What the shape of the project promises, beyond what import-linter checks."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import shortlist

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "shortlist"
TRAINERS = ("lightgbm", "torch", "duckdb", "ibis", "sklearn", "pyspark")
MODULES = sorted(
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
    for path in SOURCE.rglob("*.py")
    if path.name not in {"__init__.py", "__main__.py"}
)
ONLINE = [
    name
    for name in MODULES
    if name.split(".")[1] in {"core", "index", "online", "release", "serve", "stores"}
]


def loaded_by(*modules: str) -> list[str]:
    """Top-level modules that a fresh interpreter holds after importing these."""
    code = (
        "import importlib, json, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names: list[str] = json.loads(run.stdout)
    return names


def test_serving_loads_no_trainer() -> None:
    assert any(name.startswith("shortlist.serve.") for name in ONLINE)
    assert any(name.startswith("shortlist.online.") for name in ONLINE)
    assert not set(loaded_by(*ONLINE)) & set(TRAINERS)


def test_importing_the_package_is_cheap() -> None:
    heavy = {"numba", "faiss", "pandas", "polars", "litestar", *TRAINERS}
    assert not set(loaded_by("shortlist")) & heavy


def test_the_nouns_need_numpy_and_pyarrow_and_little_else() -> None:
    core = [name for name in MODULES if name.startswith("shortlist.core.")]
    assert not set(loaded_by(*core)) & {"faiss", "litestar", "pandas", "polars", *TRAINERS}


@pytest.mark.parametrize(
    "package", sorted(SOURCE.rglob("__init__.py")), ids=lambda path: path.parent.name
)
def test_a_package_says_what_it_is(package: Path) -> None:
    assert ast.get_docstring(ast.parse(package.read_text())), f"{package} has no docstring"


def test_no_file_is_too_long_for_one_idea() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in SOURCE.rglob("*.py")
        if (lines := path.read_text().count("\n")) > 400
    }
    assert not long


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    # Ann is the person in examples.
    machine = re.compile(r"(?<![\w.:/])/(?:work/\w|root/\w|(?:home|Users)/(?!ann/)\w)")
    folders = ("src", "tests", "docs", "benchmarks", "requirements", ".ci")
    files = [path for path in ROOT.iterdir() if path.is_file()]
    files += [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files
        if path.suffix in {".py", ".md", ".toml", ".txt", ".sh", ".json", ""}
        and path.name != ".git"
        and (match := machine.search(path.read_text(errors="replace")))
    ]
    assert not found


def test_nothing_is_pickled() -> None:
    pickles = re.compile(r"^\s*(?:import|from) (?:pickle|cloudpickle|dill|joblib)\b", re.MULTILINE)
    allowed = re.compile(r"allow_pickle=True")
    found = [
        str(path.relative_to(ROOT))
        for path in SOURCE.rglob("*.py")
        if pickles.search(path.read_text()) or allowed.search(path.read_text())
    ]
    assert not found


def test_every_public_name_of_the_package_is_there() -> None:
    assert all(hasattr(shortlist, name) for name in shortlist.__all__)
