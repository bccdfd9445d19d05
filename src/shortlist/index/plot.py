"""Drawing recall against queries a second; needs `pip install shortlist[plot]`."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from shortlist.core.errors import ConfigError
from shortlist.index.compare import KindCurve, best_of

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:right;"
    "border-bottom:1px solid #ddd}td:first-child,th:first-child,td:nth-child(2),"
    "th:nth-child(2){text-align:left}svg{width:100%;height:auto}.chosen{font-weight:bold}"
)


def plot(curves: Sequence[KindCurve], title: str, target: float, folder: Path) -> list[Path]:
    """Write `recall.png` and `recall.html`, a page that needs no other file.

    Lines join the settings that no other of the kind beats; a ring marks what tuning chooses.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    figure = _figure(curves, title, target)
    folder.mkdir(parents=True, exist_ok=True)
    png, page = folder / "recall.png", folder / "recall.html"
    figure.savefig(png, dpi=144)
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    svg = drawn.getvalue()
    page.write_text(_page(curves, title, svg[svg.index("<svg") :]), encoding="utf-8")
    return [png, page]


def _figure(curves: Sequence[KindCurve], title: str, target: float) -> Any:
    try:
        figures = import_module("matplotlib.figure")
    except ImportError as error:
        raise ConfigError(
            f"plotting needs matplotlib, which cannot be imported: {error}.",
            remedy="Run `pip install 'shortlist[plot]'`, or leave --plot out.",
            where="--plot",
        ) from error
    figure = figures.Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    for curve in curves:
        best = best_of(curve.curve)
        (line,) = axes.plot(
            [s.recall for s in best],
            [s.queries_per_second for s in best],
            marker=".",
            label=f"{curve.kind}, {curve.seconds:.0f} s to build, {curve.bytes / 1e6:,.0f} MB",
        )
        axes.scatter(
            [s.recall for s in curve.curve],
            [s.queries_per_second for s in curve.curve],
            s=6,
            alpha=0.35,
            color=line.get_color(),
        )
        axes.scatter(
            [curve.chosen.recall],
            [curve.chosen.queries_per_second],
            s=120,
            facecolors="none",
            edgecolors=line.get_color(),
        )
    axes.axvline(target, color="grey", linestyle=":", linewidth=1)
    axes.set(title=title, xlabel="recall", ylabel="queries a second, one thread", yscale="log")
    axes.set_xlim(left=min(0.8, target - 0.05), right=1.003)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _page(curves: Sequence[KindCurve], title: str, svg: str) -> str:
    rows = []
    for curve in curves:
        for setting in best_of([*curve.curve, curve.chosen]):
            knobs = ", ".join(f"{name} {value}" for name, value in setting.knobs.items())
            mark = ' class="chosen"' if setting.knobs == curve.chosen.knobs else ""
            rows.append(
                f"<tr{mark}><td>{curve.kind}</td><td>{html.escape(knobs)}</td>"
                f"<td>{setting.recall:.4f}</td><td>{setting.queries_per_second:,.0f}</td></tr>"
            )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>{svg}"
        "<p>Single queries on one thread. Rings and bold lines: what tuning chooses.</p>"
        "<table><tr><th>kind</th><th>setting</th><th>recall</th><th>queries/s</th></tr>"
        f"{''.join(rows)}</table></html>\n"
    )
