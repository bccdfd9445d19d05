"""Guesses which column of an event log and a catalogue plays which role.

Pure decisions over samples of columns: `offline.data.sample` takes the samples and
`config.write` turns a `Guess` into a commented `shortlist.toml`.
"""

from __future__ import annotations

from datetime import datetime

from shortlist.config import names
from shortlist.config.guess_items import guess_items
from shortlist.config.names import best_named, plain, rank
from shortlist.config.samples import Columns, ColumnSample, Guess, overlap

# Whole numbers that could be seconds, milliseconds or microseconds since the epoch: 1980 to 2100.
_EPOCHS = [(315_532_800 * unit, 4_102_444_800 * unit) for unit in (1, 1_000, 1_000_000)]
_MOST_KINDS = 40


def guess(events: Columns, items: Columns | None = None) -> Guess:
    """Decide the columns of `[data.events]` and, with a catalogue, of `[data.items]`.

    Args:
        events: samples of the columns of the event log, by name.
        items: samples of the columns of the catalogue, by name.

    Returns:
        Choices with reasons. What could not be told is among the doubts and gets no choice.
    """
    found = Guess(has_items=items is not None)
    time = _time(events)
    kind = _kind(events, exclude={time})
    item, item_why = _item(events, items, exclude={time, kind})
    user, user_why = _user(events, exclude={time, kind, item})
    if not item:  # the user column may leave only one that could be the item
        item, item_why = _only_id(events, exclude={time, kind, user})
    _required(found, "user", user, user_why, events)
    _required(found, "item", item, item_why, events)
    if time:
        found.choose("data.events.time", time, _time_why(time, events[time]))
    else:
        _no_time(found, events)
    shown = _guess_kind(found, kind, events) if kind else False
    if not kind:
        found.doubt(
            "data.events.kind", "no column says what happened, so every event counts the same"
        )
    _guess_lists(found, events, shown)
    _mention_rating(found, events)
    if items is not None:
        guess_items(found, items, events[item] if item else None)
    return found


def _time(events: Columns) -> str:
    def is_time(sample: ColumnSample) -> bool:
        return sample.is_time or _is_epoch(sample) or _is_iso(sample)

    times = [name for name, sample in events.items() if is_time(sample)]
    native = [name for name in times if events[name].is_time]
    return best_named(times, names.TIME) or (native or times or [""])[0]


def _is_epoch(sample: ColumnSample) -> bool:
    numbers = [v for v in sample.values if isinstance(v, int | float) and not isinstance(v, bool)]
    if not sample.is_number or not numbers:
        return False
    return any(all(low <= number <= high for number in numbers) for low, high in _EPOCHS)


def _is_iso(sample: ColumnSample) -> bool:
    if not sample.is_text or not sample.values:
        return False
    try:
        for value in list(sample.values)[:100]:
            text = str(value)
            if "-" not in text:  # 20240131 is a date to Python and an id to everybody else
                return False
            datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _time_why(name: str, sample: ColumnSample) -> str:
    if sample.is_time:
        return f"its values are {'dates' if sample.dtype == 'DATE' else 'timestamps'}"
    if sample.is_text:
        return "its values are ISO 8601 text"
    return "its values are numbers since the epoch"


def _no_time(found: Guess, events: Columns) -> None:
    order = best_named([n for n, s in events.items() if s.is_integer], names.ORDER)
    why = "no column holds times (timestamps, ISO 8601 text or numbers since the epoch)"
    if order:
        why += f"; {order!r} looks like an order, so name it if a later event always has a "
        why += "larger number"
    found.doubt("data.events.time", why)


def _kind(events: Columns, exclude: set[str]) -> str:
    def could_be(name: str, sample: ColumnSample) -> bool:
        few = 0 < sample.distinct <= _MOST_KINDS
        return name not in exclude and sample.is_id and few

    possible = [name for name, sample in events.items() if could_be(name, sample)]
    known = [name for name in possible if _known_kinds(events[name])]
    return (
        best_named(known, names.KIND)
        or (known or [""])[0]
        or best_named([name for name in possible if events[name].is_text], names.KIND)
    )


def _known_kinds(sample: ColumnSample) -> bool:
    """Whether at least half of the values are words for what people do with items."""
    texts = sample.texts()
    known = [t for t in texts if plain(t) in names.WEIGHTS or plain(t) in names.IMPRESSIONS]
    return 2 * len(known) >= len(texts) > 0


def _item(events: Columns, items: Columns | None, exclude: set[str]) -> tuple[str, str]:
    possible = [n for n, s in events.items() if n not in exclude and s.is_id]
    named = best_named(possible, names.ITEM)
    if named:
        return named, "by its name"
    if items is not None:
        unlikely = best_named(possible, names.USER)
        ids = [s.texts() for s in items.values() if s.is_id and s.ratio > 0.99]
        shares = {
            name: max((overlap(events[name].texts(), known) for known in ids), default=0.0)
            for name in possible
            if name != unlikely
        }
        best = max(shares, key=lambda name: shares[name], default="")
        if best and shares[best] >= 0.5:
            return best, f"{shares[best]:.0%} of its values are ids of the catalogue"
    return "", ""


def _user(events: Columns, exclude: set[str]) -> tuple[str, str]:
    possible = [n for n, s in events.items() if n not in exclude and s.is_id]
    named = best_named(possible, names.USER)
    return (named, "by its name") if named else _only_id(events, exclude)


def _only_id(events: Columns, exclude: set[str]) -> tuple[str, str]:
    usual = [*names.REQUEST, *names.RATING, *names.ORDER]
    left = [
        name
        for name, sample in events.items()
        if name not in exclude and sample.is_id and rank(name, usual) == len(usual)
    ]
    return (left[0], "the only column left that could be ids") if len(left) == 1 else ("", "")


def _required(found: Guess, role: str, column: str, why: str, events: Columns) -> None:
    if column:
        found.choose(f"data.events.{role}", column, why)
    else:
        listed = ", ".join(map(repr, events))
        found.doubt(
            f"data.events.{role}",
            f"no column is plainly the {role}; name it, out of {listed}",
        )


def _guess_kind(found: Guess, kind: str, events: Columns) -> bool:
    """Choose the kind column, the weights and the impression; whether there are impressions."""
    sample = events[kind]
    found.choose("data.events.kind", kind, f"it has {sample.distinct} different values")
    values = sorted(sample.texts())
    shown = [value for value in values if plain(value) in names.IMPRESSIONS]
    weights = {v: names.WEIGHTS.get(plain(v), 1) for v in values if v not in shown}
    strange = [v for v in weights if plain(v) not in names.WEIGHTS]
    if any(weights.values()):
        order = dict(sorted(weights.items(), key=lambda pair: (pair[1], pair[0])))
        why = "what such events usually say about taste; adjust them"
        found.choose("data.events.weights", order, why)
    if strange:
        found.doubt(
            "data.events.weights",
            f"{', '.join(map(repr, strange))} could mean anything, so each counts 1",
        )
    if shown:
        found.choose("data.events.impression", shown[0], "the kind that means `was shown`")
    if shown[1:]:
        found.doubt(
            "data.events.impression",
            f"{', '.join(map(repr, shown[1:]))} may be impressions too; only one kind can be",
        )
    return bool(shown)


def _guess_lists(found: Guess, events: Columns, shown: bool) -> None:
    """Choose the columns that only impressions give a meaning to."""
    numbers = [n for n, s in events.items() if s.is_integer and n not in _taken(found)]
    position = best_named(numbers, names.POSITION)
    ids = [n for n, s in events.items() if s.is_id and n not in _taken(found)]
    request = best_named([n for n in ids if n != position], names.REQUEST)
    for role, column, why in (
        ("position", position, "by its name; positions count from 0"),
        ("request", request, "by its name"),
    ):
        if column and shown:
            found.choose(f"data.events.{role}", column, why)
        elif column and found.column("data.events.time"):
            found.doubt(
                f"data.events.{role}",
                f"{column!r} has the name for it, but no kind of event looks like an impression",
            )
    if position and shown:
        lowest = min((v for v in events[position].values if isinstance(v, int)), default=0)
        if lowest > 0:
            found.doubt(
                "data.events.position", f"the smallest {position!r} seen is {lowest}, not 0"
            )


def _mention_rating(found: Guess, events: Columns) -> None:
    ratings = [
        name
        for name, sample in events.items()
        if sample.is_number and sample.distinct <= 21 and name not in _taken(found)
    ]
    rating = best_named(ratings, names.RATING)
    if rating:
        numbers = [float(v) for v in events[rating].values if isinstance(v, int | float)]
        spread = f" of {min(numbers):g} to {max(numbers):g}" if numbers else ""
        found.doubt(
            "data.events.weights",
            f"{rating!r} looks like a rating{spread}; it is not used, each event counts 1",
        )


def _taken(found: Guess) -> set[str]:
    return {choice.value for choice in found.choices if isinstance(choice.value, str)}


__all__ = ["ColumnSample", "Guess", "guess"]
