"""`shortlist check`: read the config and the data and say what is wrong with them."""

from __future__ import annotations

import typer

from shortlist.cli.options import HERE, Folder


def check(folder: Folder = HERE) -> None:
    """Check shortlist.toml and the data it names; exit with 1 when something must be mended."""
    from shortlist.cli.output import print_table
    from shortlist.project import Project

    findings = Project(folder).check().findings
    if not findings:
        typer.echo("Nothing is wrong.")
        return
    columns = ["severity", "key", "count", "examples", "remedy"]
    rows = [(f.severity, f.key, f.count, list(f.examples), f.remedy) for f in findings]
    print_table("Findings", columns, rows, right=["count"])
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)
