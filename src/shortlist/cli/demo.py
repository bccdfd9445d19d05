"""`shortlist demo`: the whole path on a sample marketplace, step by step as a person types it."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shortlist.core.errors import DataError

if TYPE_CHECKING:
    from shortlist.testing.marketplace import World

_MARK = Path("data", "truth.parquet")


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="Where the sample project goes.")
    ] = Path("demo"),
    once: Annotated[
        bool, typer.Option("--once", help="Stop after the answers to three HTTP requests.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=1, max=65_535, help="The port to serve on; a free one if taken.")
    ] = 8080,
    users: Annotated[int, typer.Option(min=50, help="How many users the marketplace has.")] = 3_000,
    items: Annotated[int, typer.Option(min=100, help="How many listings.")] = 5_000,
    days: Annotated[int, typer.Option(min=7, help="How many days it lasts.")] = 30,
) -> None:
    """Make a sample marketplace, then train, evaluate and serve on it."""
    from shortlist.cli.demo_server import serve_and_ask, serve_until_stopped

    _clear(folder)
    world = _generate(folder / "data", users, items, days)
    _run("init", "--events", str(world.events), "--items", str(world.items), str(folder))
    for command in ("check", "train", "evaluate"):
        _run(command, str(folder))
    user, item = _somebody(world)
    _run("recommend", "--user", user, "-k", "5", str(folder))
    _run("similar", "--item", item, "-k", "5", str(folder))
    _compare_with_truth(world, folder)
    if once:
        serve_and_ask(folder, port, user, item)
    else:
        serve_until_stopped(folder, port, user, item)


def _clear(folder: Path) -> None:
    """Remove the demo of an earlier run, and nothing else."""
    if (folder / _MARK).exists():
        shutil.rmtree(folder)
    elif folder.is_dir() and any(folder.iterdir()):
        raise DataError(
            "the folder holds something that is not a sample project.",
            remedy="Name a new folder: shortlist demo FOLDER",
            where=str(folder),
        )


def _generate(folder: Path, users: int, items: int, days: int) -> World:
    from shortlist.cli.progress import RichProgress
    from shortlist.core.times import DAY, now
    from shortlist.testing.marketplace import UNTIL, generate

    # The world ends on the last Monday: served now, its counts are of days ago and not of years,
    # and it is the same world every week.
    until = now() - (now() - UNTIL) % (7 * DAY)
    typer.secho("A second-hand marketplace in Korean, English and Japanese", bold=True)
    with RichProgress() as progress:
        return generate(folder, users=users, items=items, days=days, until=until, progress=progress)


def _run(*arguments: str) -> None:
    """Print a command line and run it, in this process."""
    from shortlist.cli.app import app

    typer.secho(f"\n$ {shlex.join(['shortlist', *arguments])}", fg="cyan", bold=True)
    status = app(list(arguments), standalone_mode=False)
    if status:
        raise typer.Exit(status)


def _somebody(world: World) -> tuple[str, str]:
    """The busiest user, and the listing for sale that most people have looked at."""
    import numpy as np

    from shortlist.testing.marketplace import VIEW

    user = f"u{np.bincount(world.log.user).argmax():05d}"
    views = np.bincount(world.log.item[world.log.kind == VIEW], minlength=len(world.listings))
    return user, max(world.open_items(), key=lambda item: views[int(item[1:])])


def _compare_with_truth(world: World, folder: Path) -> None:
    """How much of what users truly want the answers hold, which only a made-up world can say."""
    import numpy as np

    from shortlist.cli.output import print_table
    from shortlist.project import Project

    k = 10
    engine = Project(folder).open()
    items = world.open_items()
    active = np.argsort(-np.bincount(world.log.user), kind="stable")[:200]
    found: dict[str, list[float]] = {"shortlist": [], "popular": [], "random": []}
    rng = np.random.default_rng(0)
    popular = engine.recommend(user="", k=k).ids
    for row in active.tolist():
        user = f"u{row:05d}"
        utility = world.utility(user, items)
        best, mean = np.sort(utility)[-k:].mean(), utility.mean()
        answers = {
            "shortlist": engine.recommend(user=user, k=k, seen=True).ids,
            "popular": popular,
            "random": rng.choice(items, k, replace=False).tolist(),
        }
        for system, ids in answers.items():
            got = world.utility(user, ids).mean() if ids else mean
            found[system].append(float((got - mean) / (best - mean)))
    typer.secho(
        f"\nAgainst the truth: how much of the best possible utility {k} items give to the "
        f"{len(active)} busiest users (0 is the mean listing, 1 the {k} best)",
        bold=True,
    )
    rows = [(system, f"{np.mean(shares):.2f}") for system, shares in found.items()]
    print_table("", ["system", "share"], rows, right=["share"])
