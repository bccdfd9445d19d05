"""`shortlist features`: what the ranker sees."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shortlist.cli.options import HERE, Folder, Json

if TYPE_CHECKING:
    from shortlist.project import Project


def features(
    folder: Folder = HERE,
    skew: Annotated[
        bool, typer.Option(help="Compare what serving logged with what training computes.")
    ] = False,
    feast: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Export them as a Feast repository.")
    ] = None,
    json: Json = False,
) -> None:
    """List the ranker's features: coverage, distribution, drift since the last release, weight."""
    from shortlist.project import Project

    project = Project(folder)
    if feast is not None:
        _export(project, feast)
    elif skew:
        _skew(project, json)
    else:
        _list(project, json)


def _list(project: Project, json: bool) -> None:
    from dataclasses import asdict

    from shortlist.cli.output import print_json, print_table
    from shortlist.core.errors import ReleaseError
    from shortlist.features.profile import PROFILE, QUANTILES, Profile, report
    from shortlist.online.snapshot import Snapshot

    releases = project.releases
    path = releases.current_path()
    snapshot, profile = Snapshot.open(path), Profile.load(path / PROFILE)
    if profile is None:
        raise ReleaseError(
            f"the release {snapshot.id} has no ranker, and so no features.",
            remedy="Train with a ranker, on a log that is long enough.",
            where=str(path),
        )
    earlier = [manifest.id for manifest in releases.list() if manifest.id < snapshot.id]
    before = Profile.load(releases.folder / earlier[0] / PROFILE) if earlier else None
    told = report(snapshot.features.features, profile, before)
    told.sort(key=lambda one: -one.importance)
    if json:
        print_json([asdict(one) for one in told])
        return
    marks = [f"{q:.0%}" for q in QUANTILES]
    columns = ["feature", "importance", "coverage", *marks, "PSI", "KS"]
    rows = [
        [one.name, one.importance, one.coverage, *one.quantiles, one.psi, one.ks] for one in told
    ]
    since = f", drift since {earlier[0]}" if before is not None else ""
    print_table(f"Features of {snapshot.id}{since}", columns, rows, right=columns[1:])


def _skew(project: Project, json: bool) -> None:
    from dataclasses import asdict

    from shortlist.cli.output import print_json, print_table
    from shortlist.features.skew import FOLDER, read_log
    from shortlist.offline.data.prepared import Prepared
    from shortlist.offline.feature_skew import feature_skew
    from shortlist.online.snapshot import Snapshot

    releases = project.releases
    logged = read_log(project.folder / ".shortlist" / FOLDER)
    # the newest release that answered and is kept: a training since has the log it is compared by
    kept = {manifest.id for manifest in releases.list()}
    answered = [one.release for one in logged if one.release in kept]
    path = releases.folder / answered[-1] if answered else releases.current_path()
    snapshot = Snapshot.open(path)
    prepared = Prepared.load(project.folder)
    vectors = {name: index.vectors_of for name, index in snapshot.indexes.items()}
    release, features = snapshot.id, snapshot.features
    told = feature_skew(prepared, release, features, logged, vectors, snapshot.terms)
    if json:
        print_json(asdict(told))
        return
    typer.echo(
        f"{told.requests:,} requests that {snapshot.id} answered, {told.values:,} values; left "
        f"out: {told.later:,} requests later than the log, {told.others:,} of other releases."
    )
    if not told.requests:
        typer.echo(
            "Train once more when there are events of after these requests."
            if told.later
            else "Set serve.log_features, serve, and train once more to have something here."
        )
        return
    rows = [[one.name, one.different, one.gap, one.worst] for one in told.features]
    columns = ["feature", "different", "mean gap", "worst"]
    print_table("Skew between serving and training", columns, rows, right=columns[1:])


def _export(project: Project, folder: Path) -> None:
    from shortlist.features.feast import export
    from shortlist.offline.data.prepared import Prepared
    from shortlist.online.snapshot import Snapshot

    snapshot = Snapshot.open(project.releases.current_path())
    prepared = Prepared.load(project.folder)
    data = prepared.training()
    views = export(
        folder,
        name=project.config.project.name,
        features=snapshot.features,
        catalogue=data.catalogue,
        users=prepared.user_ids(),
        log=(data.user, data.item, data.time, data.kind_codes(), data.weight),
        until=data.until,
        others=data.others,
    )
    typer.echo(f"Wrote a Feast repository to {folder}: {', '.join(views)}.")
