"""`shortlist search`: what a query finds."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shortlist.cli.options import Count, Exclude, Json, Where

if TYPE_CHECKING:
    from shortlist.core.search import SearchAnswer
    from shortlist.online.engine import Engine
    from shortlist.project import Project


def search(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The project's folder.")],
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for.")],
    *,
    user: Annotated[str, typer.Option(help="Whose taste counts.")] = "",
    place: Annotated[str, typer.Option(help="Where it is asked from.")] = "",
    k: Count = 10,
    where: Where = "",
    exclude: Exclude = None,
    facet: Annotated[
        list[str] | None, typer.Option(help="An attribute to count values of; repeat it for more.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say how each item was found.")
    ] = False,
    json: Json = False,
) -> None:
    """Print what a query finds."""
    from shortlist.cli.output import print_json
    from shortlist.project import Project

    project = Project(folder)
    with closing(project.open()) as engine:
        answer = engine.search(
            query,
            user=user,
            place=place,
            k=k,
            where=where,
            exclude=exclude or [],
            facets=facet or [],
            explain=explain,
        )
        if json:
            print_json(_dict(answer))
        else:
            _print(project, engine, answer, where)


def _dict(answer: SearchAnswer) -> dict[str, Any]:
    """An answer as plain values, in the shape of `POST /v1/search`."""
    from shortlist.cli.answers import answer_dict

    told = answer_dict(answer)
    for item, pieces in zip(told["items"], answer.highlights, strict=True):
        item["highlights"] = pieces
    told |= {
        "query": answer.query,
        "suggestion": answer.suggestion,
        "corrections": [asdict(correction) for correction in answer.corrections],
        "found": answer.found,
        "capped": answer.capped,
        "facets": answer.facets,
    }
    return told | ({"understood": dict(answer.notes)} if answer.explain else {})


def _print(project: Project, engine: Engine, answer: SearchAnswer, where: str) -> None:
    from shortlist.cli.output import print_table

    items = project.config.data.items
    title = items.text[0] if items is not None and items.text else ""

    for correction in answer.corrections:
        if correction.applied:
            typer.echo(f"Searched for {correction.meant!r} instead of {correction.typed!r}.")
    if answer.suggestion:
        typer.echo(f"Did you mean {answer.suggestion!r}?")
    if not answer.ids:
        _print_nothing(answer, where)
        return
    rows = []
    for place, (id, score) in enumerate(zip(answer.ids, answer.scores, strict=True)):
        match = _match(answer.highlights[place], title, engine.item(id) or {})
        row: list[object] = [place + 1, id, match, f"{score:.4f}"]
        if answer.explain:
            ways = answer.explain[place]["sources"]
            row.append(", ".join(f"{way} {rank:g}" for way, rank in ways.items()))
        rows.append(row)
    found = f"{answer.found:,}{' or more' if answer.capped else ''} found"
    columns = ["rank", "id", "match", "score", *(["found by"] if answer.explain else [])]
    print_table(f"Release {answer.release}, {found}", columns, rows, right=["rank", "score"])
    for name, counts in answer.facets.items():
        print_table(name, ["value", "items"], counts.items(), right=["items"])


def _print_nothing(answer: SearchAnswer, where: str) -> None:
    """That nothing was found, and for what."""
    tried = answer.corrections or answer.suggestion
    typer.echo(
        f"Nothing found for {answer.query!r}{f' where {where}' if where else ''}"
        f"{'' if tried else '; no correction was near enough to be tried'}"
        f" (release {answer.release})."
    )


def _match(highlights: Mapping[str, str], title: str, item: Mapping[str, object]) -> str:
    """An item's title, and the first other text that matches."""
    called = _marked(highlights[title]) if title in highlights else str(item.get(title) or "")
    others = (_marked(piece) for name, piece in highlights.items() if name != title)
    return " | ".join(filter(None, (called, next(others, ""))))


def _marked(piece: str) -> str:
    """A highlight for a terminal: matching words in brackets."""
    return unescape(piece.replace("<em>", "[").replace("</em>", "]"))
