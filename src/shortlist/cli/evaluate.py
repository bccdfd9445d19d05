"""`shortlist evaluate`: how good the shortlists are, on the newest part of the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from shortlist.cli.options import HERE, Folder, Json


def evaluate(folder: Folder = HERE, json: Json = False) -> None:
    """Measure retrieval and ranking on the holdout, next to baselines."""
    from shortlist.cli.output import print_json
    from shortlist.cli.progress import RichProgress
    from shortlist.project import Project

    project = Project(folder)
    with RichProgress() as progress:
        evaluation = project.evaluate(progress).to_dict()
    if json:
        print_json(evaluation)
    else:
        print_evaluation(evaluation)


def print_evaluation(evaluation: Mapping[str, Any]) -> None:
    """Print an evaluation, as its `to_dict` gives it, as tables."""
    from shortlist.cli.output import print_table

    typer.echo(evaluation["protocol"])
    retrieval: Mapping[str, Mapping[str, float]] = evaluation["retrieval"]
    metrics = list(dict.fromkeys(metric for row in retrieval.values() for metric in row))
    rows = [[source, *map(row.get, metrics)] for source, row in retrieval.items()]
    print_table("Retrieval", ["source", *metrics], rows, right=metrics)
    _print_ranking("Ranking", evaluation)
    cold = evaluation.get("cold")
    if cold and cold["requests"]:
        _print_ranking(f"Ranking for {cold['users']:,} users without a history", cold)


def _print_ranking(title: str, part: Mapping[str, Any]) -> None:
    from shortlist.cli.output import print_table

    systems = {"shortlist": part["ranking"], **part["baselines"]}
    metrics = list(part["ranking"])
    rows = [[name, *(_interval(row.get(m)) for m in metrics)] for name, row in systems.items()]
    print_table(f"{title} (95% intervals)", ["system", *metrics], rows, right=metrics)


def _interval(estimate: Mapping[str, float] | float | None) -> str:
    if estimate is None:
        return ""
    if isinstance(estimate, Mapping):
        return f"{estimate['value']:.4f} ({estimate['low']:.4f}–{estimate['high']:.4f})"
    return f"{estimate:.4f}"
