"""What every benchmark shares: its arguments, the machine it ran on, and how figures come out.

A benchmark is a script that measures a peer and this project in the same run:

    from _report import arguments, publish

    args = arguments(__doc__).parse_args()
    figures = {"ours": {"seconds": 1.2}, "duckdb": {"seconds": 0.9}, "ratio": 1.33}
    publish("prepare", figures, args)
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser with the two flags that all benchmarks take; add your own to it."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures here as well")
    parser.add_argument("--small", action="store_true", help="a run of less than a minute")
    return parser


def machine() -> dict[str, str | int | float]:
    """The machine: processor, cores this process may use, memory in GiB, Python, platform."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _cores(),
        "memory_gib": round(pages / 2**30, 1),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def publish(name: str, figures: Mapping[str, Any], args: argparse.Namespace) -> None:
    """Print the figures as a table and, with `--json`, write them to a file in one piece.

    Args:
        name: the benchmark's name.
        figures: numbers and texts, in groups as deep as needed; keys that name a unit
            (`p99_ms`, `bytes`) need no legend.
        args: what `arguments` parsed.
    """
    about = machine()
    table = Table(title=f"{name}{' (small)' if args.small else ''}", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for key, value in _flat(figures):
        table.add_row(key, _text(value))
    console = Console(soft_wrap=True)
    console.print(table)
    console.print(
        f"{about['cpu']}, {about['cores']} cores, {about['memory_gib']} GiB, "
        f"Python {about['python']}",
        style="dim",
        highlight=False,
    )
    if args.json is not None:
        write(
            args.json,
            {"benchmark": name, "small": args.small, "machine": about, "figures": figures},
        )


def _flat(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested figures as lines, groups joined by dots; lists of groups are numbered."""
    for key, value in figures.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for number, group in enumerate(value):
                yield from _flat(group, f"{name}[{number}].")
        else:
            yield name, value


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON to a file in one piece."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w") as file:
        json.dump(content, file, indent=2, default=_plain)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _plain(value: Any) -> Any:
    """numpy scalars and arrays as plain values."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not a figure")


def _cores() -> int:
    return os.cpu_count() or 1


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:  # not Linux
        pass
    return platform.processor() or platform.machine()
