"""`shortlist evaluate`: how good the shortlists are, on the newest part of the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from shortlist.cli.options import HERE, Folder, Json

OffPolicy = Annotated[
    bool,
    typer.Option(
        "--off-policy",
        help="Estimate from logged propensities what the release would have earned instead.",
    ),
]


def evaluate(folder: Folder = HERE, off_policy: OffPolicy = False, json: Json = False) -> None:
    """Measure retrieval and ranking on the holdout, next to baselines."""
    from shortlist.cli.output import print_json
    from shortlist.cli.progress import RichProgress
    from shortlist.project import Project

    project = Project(folder)
    with RichProgress() as progress:
        told = (project.off_policy if off_policy else project.evaluate)(progress).to_dict()
    if json:
        print_json(told)
    elif off_policy:
        print_off_policy(told)
    else:
        print_evaluation(told)


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


def print_off_policy(told: Mapping[str, Any]) -> None:
    """Print what a log says of several policies, as `OffPolicy.to_dict` gives it, as tables."""
    from shortlist.cli.output import print_table

    typer.echo(
        f"{told['requests']:,} logged requests of {told['users']:,} users in the holdout, "
        f"{told['drawn']:,} of their places drawn by lot. Clicks for each request; covered is the "
        "share of a list's looks that the log can say something about."
    )
    names = ("inverse_propensity", "self_normalised", "doubly_robust")
    columns = ["policy", *(name.replace("_", " ") for name in names), "covered", "effective"]
    rows: list[list[object]] = [["logged", _interval(told["logged"]), "", "", "", ""]]
    for policy, value in told["policies"].items():
        figures = [_interval(value[name]) for name in names]
        rows.append([policy, *figures, f"{value['covered']:.0%}", f"{value['effective']:,.0f}"])
    print_table("Off-policy (95% intervals)", columns, rows, right=columns[1:])
    for experiment, variants in told["variants"].items():
        rows = [[variant, _interval(estimate)] for variant, estimate in variants.items()]
        print_table(
            f"Experiment {experiment}", ["variant", "clicks per request"], rows,
            right=["clicks per request"],
        )  # fmt: skip


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
