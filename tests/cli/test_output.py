"""Tables and progress, as a terminal and as a pipe see them."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from shortlist.cli.evaluate import print_evaluation
from shortlist.cli.output import cell, print_json, print_table
from shortlist.cli.progress import RichProgress
from shortlist.core.progress import Progress


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (1234567.0, "1,234,567"),
        (0.12345, "0.1235"),
        (19.5, "19.5"),
        (True, "true"),
        (["Action", "Drama"], "Action, Drama"),
        ("two\nlines\t", "two\\nlines\\t"),
        ("무선 마우스 🖱", "무선 마우스 🖱"),
        ("[bold]", "[bold]"),
    ],
)
def test_cells_are_one_line(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_tables_in_a_pipe_are_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Items", ["id", "title"], [("[red]7", "x" * 300)])

    out = capsys.readouterr().out
    assert "x" * 300 in out
    assert "[red]7" in out


def test_a_title_wider_than_its_table_stays_on_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table("Release 20260101T000000000000-abcdef, 0 found", ["id"], [])

    assert capsys.readouterr().out.startswith("Release 20260101T000000000000-abcdef, 0 found\n")


def test_json_keeps_every_script_readable(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"title": "鏡"})

    assert capsys.readouterr().out == '{\n  "title": "鏡"\n}\n'


def test_an_evaluation_shows_systems_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    def figures(value: float) -> dict[str, dict[str, float]]:
        return {"ndcg@10": {"value": value, "low": value - 0.01, "high": value + 0.01}}

    print_evaluation(
        {
            "protocol": "the last 7 days",
            "users": 10,
            "requests": 20,
            "retrieval": {"popular": {"recall@100": 0.25}, "merged": {"recall@100": 0.5}},
            "ranking": figures(0.3),
            "baselines": {"popular": figures(0.1), "markov": figures(0.2)},
            "cold": {"users": 0, "requests": 0, "ranking": {}, "baselines": {}},
        }
    )
    lines = capsys.readouterr().out.splitlines()

    def row(start: str) -> list[str]:
        return [line.strip() for line in lines if line.strip().startswith(start)]

    assert lines[0] == "the last 7 days"
    assert row("merged")[0].endswith("0.5")
    assert row("shortlist")[0].endswith("0.3000 (0.2900–0.3100)")
    assert row("markov")[0].endswith("0.2000 (0.1900–0.2100)")
    assert "history" not in " ".join(lines)


def work(progress: Progress) -> None:
    progress.step("collect", 100)
    progress.advance(40)
    progress.note("7 late events [taken in]")
    progress.step("train")
    progress.advance(1)


def test_progress_in_a_pipe_is_plain_lines() -> None:
    console = Console(file=io.StringIO(), force_terminal=False)
    with RichProgress(console) as progress:
        work(progress)

    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.split("s  ", 1)[1] for line in lines] == [
        "collect",
        "  7 late events [taken in]",
        "train",
    ]


def test_progress_on_a_terminal_is_bars_with_notes_above() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with RichProgress(console) as progress:
        work(progress)

    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "7 late events [taken in]" in text
    last = text[text.rindex("collect") :]
    assert last.count("100%") == 2


def test_an_interrupted_step_is_not_shown_as_done() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with pytest.raises(KeyboardInterrupt), RichProgress(console) as progress:
        progress.step("collect", 100)
        progress.advance(40)
        raise KeyboardInterrupt

    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "100%" not in text
