"""`shortlist index …`: what the vector indexes of a project could do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shortlist.cli.guard import guarded
from shortlist.cli.options import HERE, Folder, Json

if TYPE_CHECKING:
    from shortlist.index.compare import KindCurve
    from shortlist.project import Project

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Vector indexes: what each kind reaches, and at what speed.",
)


def tune(
    *,
    folder: Folder = HERE,
    retriever: Annotated[
        str, typer.Option(help="Whose vectors; needed where several retrievers have some.")
    ] = "",
    recall: Annotated[
        float | None, typer.Option(min=0.01, max=1.0, help="The target; else index.recall.")
    ] = None,
    at: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Neighbours; else index.at.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write recall.png and recall.html there.")
    ] = None,
    json: Json = False,
) -> None:
    """Build every kind of index over the current release's vectors and print their curves.

    Nothing is published; `index.kind` in shortlist.toml decides what training builds.
    """
    import msgspec

    from shortlist.cli.output import print_json
    from shortlist.cli.progress import RichProgress
    from shortlist.index.compare import compare, stored_vectors
    from shortlist.index.kinds import choose
    from shortlist.index.plot import plot as draw
    from shortlist.project import Project

    project = Project(folder)
    name = _retriever(project, retriever)
    config = msgspec.structs.replace(
        project.config.index,
        recall=project.config.index.recall if recall is None else recall,
        at=project.config.index.at if at is None else at,
    )
    vectors = stored_vectors(project.releases.current_path() / "indexes" / name)
    n, dim = vectors.vectors.shape
    config = msgspec.structs.replace(config, at=min(config.at, n))
    with RichProgress() as progress:
        curves = compare(vectors, config, project.config.project.seed, progress)
    choice = choose(config, n, dim)
    title = f"{name}: recall@{config.at} of {n:,} vectors of {dim}"
    if json:
        print_json(
            {
                "retriever": name,
                "n": n,
                "dim": dim,
                "at": config.at,
                "target": config.recall,
                "training_builds": {"kind": choice.kind, "why": choice.why},
                "kinds": msgspec.to_builtins(curves),
            }
        )
    else:
        _print(curves, title, config.recall)
        typer.echo(
            f'With index.kind = "{config.kind}" training builds {choice.kind}: {choice.why}.'
        )
    if plot is not None:
        for path in draw(curves, title, config.recall, plot):
            typer.echo(f"Wrote {path}", err=json)


def _retriever(project: Project, wanted: str) -> str:
    """The retriever whose vectors are meant.

    Raises:
        RequestError: it has none, or several have some and none is named.
    """
    from shortlist.core.errors import RequestError, did_you_mean
    from shortlist.release.manifest import read_manifest

    names = list(read_manifest(project.releases.current_path()).indexes)
    if not names:
        raise RequestError(
            "no retriever of the current release has vectors.",
            remedy="Add one that makes some, such as [retrievers.sequence], and train.",
        )
    if wanted and wanted not in names:
        raise RequestError(
            f"{wanted!r} has no vectors in the current release.",
            remedy=did_you_mean(wanted, names),
            where="--retriever",
        )
    if not wanted and len(names) > 1:
        raise RequestError(
            "several retrievers have vectors.",
            remedy=f"Name one of {', '.join(names)}.",
            where="--retriever",
        )
    return wanted or names[0]


def _print(curves: list[KindCurve], title: str, target: float) -> None:
    from shortlist.cli.output import print_table
    from shortlist.index.compare import best_of

    rows = [
        (
            curve.kind,
            ", ".join(f"{name} {value}" for name, value in setting.knobs.items()),
            setting.recall,
            round(setting.queries_per_second),
            "chosen" if setting.knobs == curve.chosen.knobs else "",
        )
        for curve in curves
        for setting in best_of([*curve.curve, curve.chosen])
    ]
    print_table(
        title, ["kind", "setting", "recall", "queries/s", ""], rows, right=("recall", "queries/s")
    )
    print_table(
        f"chosen for {target}",
        ["kind", "setting", "recall", "queries/s", "worst filter", "build s", "MB"],
        [
            (
                curve.kind,
                ", ".join(f"{name} {value}" for name, value in curve.chosen.knobs.items()),
                curve.chosen.recall if curve.reached else f"{curve.chosen.recall:.4f}, too low",
                round(curve.chosen.queries_per_second),
                min(curve.filtered.values(), default=1.0),
                round(curve.seconds, 1),
                round(curve.bytes / 1e6, 1),
            )
            for curve in curves
        ],
        right=("recall", "queries/s", "worst filter", "build s", "MB"),
    )


app.command()(guarded(tune))


@app.callback()
def _group() -> None:
    """Keeps `tune` a command of its own while it is the only one."""
