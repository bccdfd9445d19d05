"""`shortlist train`: run the offline pipeline and publish a release."""

from __future__ import annotations

import typer

from shortlist.cli.options import HERE, Folder


def train(folder: Folder = HERE) -> None:
    """Collect, prepare, train, evaluate and publish a release."""
    from shortlist.cli.evaluate import print_evaluation
    from shortlist.cli.progress import RichProgress
    from shortlist.project import Project

    project = Project(folder)
    with RichProgress() as progress:
        report = project.train(progress)
    if report.evaluation is not None:
        print_evaluation(report.evaluation.to_dict())
    for note in report.notes:
        typer.echo(note)
    if not report.published:
        typer.secho(
            f"Release {report.release} was not made current: {report.reason}", fg="yellow", err=True
        )
        raise typer.Exit(1)
    typer.echo(f"Published release {report.release} in {report.seconds:.0f} s.")
