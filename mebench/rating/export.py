"""Collected ratings as files: kept safe against losing answers, and as one flat table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from mebench.errors import UsageError
from mebench.io.files import write_text
from mebench.rating.answers import listed
from mebench.rating.model import Item, Key, Rating, Ratings
from mebench.report import escape

_BLINDED = ("rater", "item", "complete", "seconds", "au", "question", "value")
_UNBLINDED = ("kind", "method", "dataset", "subject", "pair", "repeat_of")


class RaterSummary(NamedTuple):
    """How far a rater came."""

    rater: str
    files: tuple[str, ...]
    complete: int
    items: int
    seconds: float | None
    repeats: int
    all_repeats: int


def save_ratings(path: Path, ratings: Ratings, *, replace: bool = False) -> None:
    """Write ratings, but never over a file that holds answers which they lack.

    Raises:
        UsageError: when they lack some, or the file is of another bundle, unless `replace`.
    """
    if path.exists() and not replace:
        try:
            held = Ratings.load(path)
        except UsageError as error:
            raise UsageError(
                f"{path}: holds something else than ratings; choose another --out, or: --replace"
            ) from error
        if held.bundle != ratings.bundle:
            raise UsageError(
                f"{path}: holds ratings of bundle {held.bundle}, these are of {ratings.bundle}; "
                "choose another --out, or: --replace"
            )
        places = {place for one in ratings.ratings for place, _ in answers(one)}
        rated = [(one, [p for p, _ in answers(one) if p not in places]) for one in held.ratings]
        lost = {f"{one.rater} {one.item}": len(gone) for one, gone in rated if gone}
        if lost:
            raise UsageError(
                f"{path}: holds {sum(lost.values())} answers that these files lack "
                f"({listed(list(lost))}); collect all files of the panel in one go, or: --replace"
            )
    ratings.save(path)


def answers(rating: Rating) -> Iterator[tuple[tuple[str, str, str, str], Any]]:
    """Yield rater, item, AU ("" for the clip as a whole) and question with each answer."""
    for name, value in rating.values.items():
        yield (rating.rater, rating.item, "", name), value
    for au, values in rating.aus.items():
        for name, value in values.items():
            yield (rating.rater, rating.item, au, name), value


def write_csv(path: Path, ratings: Ratings, key: Key, *, unblind: bool = False) -> int:
    """Write one row an answer and return their number; `unblind` joins who is behind an item.

    Lists are JSON. Texts are one line each, and none is taken for a formula by a spreadsheet.
    """
    items = {(rater, item.id): item for rater, shown in key.raters.items() for item in shown}
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(_BLINDED + (_UNBLINDED if unblind else ()))
    count = 0
    for one in ratings.ratings:
        behind = _behind(items[one.rater, one.item]) if unblind else []
        for (rater, item, au, question), value in answers(one):
            count += 1
            told = "" if one.seconds is None else repr(one.seconds)
            row = [rater, item, int(one.complete), told, au, question, _cell(value)]
            table.writerow([*row, *behind])
    write_text(path, out.getvalue())
    return count


def summaries(ratings: Ratings, key: Key) -> list[RaterSummary]:
    """Return how far each rater of the key came, in the key's order."""
    found = []
    for rater, items in key.raters.items():
        mine = [one for one in ratings.ratings if one.rater == rater]
        done = {one.item for one in mine if one.complete}
        times = [one.seconds for one in mine if one.complete and one.seconds is not None]
        repeats = [item.id for item in items if item.kind == "repeat"]
        found.append(
            RaterSummary(
                rater,
                tuple(one.name for one in ratings.files if one.rater == rater),
                len(done),
                len(items),
                median(times) if times else None,
                len(done.intersection(repeats)),
                len(repeats),
            )
        )
    return found


def _behind(item: Item) -> list[str]:
    texts = [item.kind, item.method or "", item.dataset, item.subject, item.pair]
    return [escape.csv(text) for text in [*texts, item.repeat_of or ""]]


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return escape.csv(text)
