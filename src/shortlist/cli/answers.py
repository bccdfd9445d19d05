"""How a shortlist is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shortlist.cli.output import print_json, print_table

if TYPE_CHECKING:
    from shortlist.core.request import Shortlist
    from shortlist.online.engine import Engine
    from shortlist.project import Project


def print_shortlist(project: Project, engine: Engine, answer: Shortlist, *, json: bool) -> None:
    """Print an answer as a table with what the catalogue says of each item, or as JSON."""
    if json:
        print_json(answer_dict(answer))
        return
    shown = _shown_columns(project)
    rows = []
    for place, (id, score) in enumerate(zip(answer.ids, answer.scores, strict=True)):
        item = engine.item(id) or {}
        row: list[object] = [place + 1, id, *(item.get(column) for column in shown.values())]
        row.append(f"{score:.4f}")
        if answer.explain:
            row.append(_sources(answer.explain[place]))
        rows.append(row)
    columns = ["rank", "id", *shown, "score", *(["sources"] if answer.explain else [])]
    print_table(f"Release {answer.release}", columns, rows, right=["rank", "price", "score"])


def answer_dict(answer: Shortlist) -> dict[str, Any]:
    """An answer as plain values: release, request and the items with their scores."""
    items: list[dict[str, Any]] = [
        {"id": id, "score": float(score)}
        for id, score in zip(answer.ids, answer.scores, strict=True)
    ]
    for item, explained in zip(items, answer.explain, strict=False):
        item["explain"] = {
            part: {name: float(value) for name, value in values.items()}
            for part, values in explained.items()
        }
    return {"release": answer.release, "request": answer.request, "items": items}


def _shown_columns(project: Project) -> dict[str, str]:
    """Heading → column: the first text, the category and the price, where there are such."""
    items = project.config.data.items
    if items is None:
        return {}
    chosen = {"title": items.text[0] if items.text else ""}
    chosen |= {"category": items.category, "price": items.price}
    return {heading: column for heading, column in chosen.items() if column}


def _sources(explained: Any) -> str:
    found = explained.get("sources", {})
    return ", ".join(f"{name} {float(value):.3g}" for name, value in found.items())
