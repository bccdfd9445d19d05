"""Guesses the roles of a catalogue's columns."""

from __future__ import annotations

from statistics import fmean

from shortlist.config import names
from shortlist.config.names import best_named, plain, rank
from shortlist.config.samples import Columns, ColumnSample, Guess, overlap

_PROSE = 40  # characters on average from which text is prose and not a keyword
_FEW = 0.5  # share of different values up to which text is a keyword
_LINKS = ("http://", "https://", "data:", "s3://", "gs://")
_SEPARATORS = ("|", ";", ", ")


def guess_items(found: Guess, items: Columns, event_items: ColumnSample | None) -> None:
    """Add what the columns of the catalogue are to a guess.

    Args:
        found: the guess so far; choices and doubts are added to it.
        items: samples of the catalogue's columns, by name.
        event_items: the item column of the event log, where it is known.
    """
    id, why = _id(items, event_items)
    if id:
        found.choose("data.items.id", id, why)
    else:
        listed = ", ".join(map(repr, items))
        found.doubt("data.items.id", f"no column is plainly the item id; name it, out of {listed}")
    rest = {name: sample for name, sample in items.items() if name != id}
    switches = [name for name, sample in rest.items() if sample.dtype == "BOOLEAN"]
    available = best_named(switches, names.AVAILABLE)
    times = [name for name, sample in rest.items() if sample.is_time]
    expires = best_named(times, names.EXPIRES)
    texts, attributes = _sort_out(
        found, {name: s for name, s in rest.items() if name not in (available, expires)}
    )
    texts.sort(key=lambda name: rank(name, names.TEXT))
    if texts:
        found.choose("data.items.text", texts, "the first is shown as the title")
    else:
        found.doubt("data.items.text", "no column holds titles or descriptions")
    if attributes:
        found.choose(
            "data.items.attributes", attributes, "numbers, times, lists and values that repeat"
        )
    _special(found, rest, attributes)
    if available:
        found.choose("data.items.available", available, "true or false, and its name")
    if expires:
        found.choose("data.items.expires", expires, "a time, and its name")


def _id(items: Columns, event_items: ColumnSample | None) -> tuple[str, str]:
    possible = [n for n, s in items.items() if s.is_id and s.ratio > 0.99]
    repeated = best_named(
        [n for n, s in items.items() if s.is_id and s.ratio > _FEW], [*names.ITEM, *names.ID]
    )
    named = best_named(possible, [*names.ITEM, *names.ID])
    if event_items is not None:
        wanted = event_items.texts()
        shares = {name: overlap(items[name].texts(), wanted) for name in possible}
        best = max(shares, key=lambda name: (shares[name], name == named), default="")
        if best and shares[best] > 0 and (shares[best] >= 0.3 or best == named):
            return best, f"{shares[best]:.0%} of the values seen are items of the events"
    if named:
        return named, "by its name"
    return (repeated, "by its name, though some values repeat") if repeated else ("", "")


def _sort_out(found: Guess, items: Columns) -> tuple[list[str], list[str]]:
    """The texts and the attributes; what is left out becomes a doubt."""
    texts: list[str] = []
    attributes: list[str] = []
    for name, sample in items.items():
        role, reason = _role(name, sample)
        if role == "text":
            texts.append(name)
        elif role == "attribute":
            attributes.append(name)
            if joint := _joint(sample):
                reason = f"looks like lists joined by {joint!r}; make it a list column to filter "
                found.doubt("data.items.attributes", f"{name!r} {reason}by each part")
        else:
            found.doubt("data.items.attributes", f"{name!r} is left out: {reason}")
    return texts, attributes


def _role(name: str, sample: ColumnSample) -> tuple[str, str]:
    """`text`, `attribute` or nothing, and then the reason."""
    if not sample.values:
        return "", "it is empty in every row that was read"
    if sample.is_list:
        return _list_role(sample)
    if sample.is_number:
        if sample.is_integer and "id" in plain(name).split("_"):
            return "", "its numbers are ids, which are no quantity"
        return "attribute", ""
    if sample.dtype == "BOOLEAN" or sample.is_time:
        return "attribute", ""
    if sample.is_text:
        return _text_role(name, sample)
    return "", f"nothing is done with values of type {sample.dtype}"


def _list_role(sample: ColumnSample) -> tuple[str, str]:
    if sample.dtype.startswith("VARCHAR"):
        return "attribute", ""
    return "", f"only lists of text can be filtered by, and it is {sample.dtype}"


def _text_role(name: str, sample: ColumnSample) -> tuple[str, str]:
    texts = [str(value) for value in sample.values]
    if all(text.startswith(_LINKS) for text in texts):
        return "", "its values are links"
    if all(text[:1] in "[{" for text in texts if text) and any(texts):
        return "", "its values look like JSON; make it a list column to filter by it"
    if rank(name, names.KEYWORD) < len(names.KEYWORD):
        return "attribute", ""
    if rank(name, names.TEXT) < len(names.TEXT) or fmean(map(len, texts)) > _PROSE:
        return "text", ""
    if sample.ratio <= _FEW:
        return "attribute", ""
    if fmean(" " in text.strip() for text in texts) > _FEW:
        return "text", ""
    return "", "almost every item has another value, and it is no text"


def _joint(sample: ColumnSample) -> str:
    """What joins the values where a third of them look like lists; empty where they do not."""
    if not sample.is_text:
        return ""
    texts = [str(value) for value in sample.values]
    shares = {mark: fmean(mark in text for text in texts) for mark in _SEPARATORS}
    mark = max(shares, key=lambda mark: shares[mark])
    return mark if shares[mark] > 1 / 3 else ""


def _special(found: Guess, items: Columns, attributes: list[str]) -> None:
    keywords = [name for name in attributes if items[name].is_list or items[name].is_text]
    category = best_named(keywords, names.CATEGORY)
    if category:
        found.choose("data.items.category", category, "by its name")
    elif keywords:
        listed = ", ".join(map(repr, keywords))
        found.doubt(
            "data.items.category", f"no attribute has the name of a category, out of {listed}"
        )
    price = best_named([name for name in attributes if items[name].is_number], names.PRICE)
    if price:
        found.choose("data.items.price", price, "a number, and its name")
