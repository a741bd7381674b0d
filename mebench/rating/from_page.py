"""Reads what the page exports: ``mebench-ratings/1``, one JSON file."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from typing import Any

from mebench.rating.answers import Entry, normal, refusal, shown, title
from mebench.rating.given import CollectError, Given, Lacking, Lines, check_owner
from mebench.rating.model import Item, Key
from mebench.submission.text import plain

SCHEMA = "mebench-ratings/1"
_KEYS = {"schema", "bundle", "rater", "saved", "complete", "answers"}
_ENTRY_KEYS = {"values", "aus", "seconds"}
_AGAIN = "export it again from index.html"
_LONGEST_NUMBER = 25
_ENDS = tuple("]}")


class _NotStrictError(ValueError):
    """JSON that parsers may read in different ways."""


def read_export(data: bytes, label: str, name: str, sha256: str, key: Key) -> Given:
    """Return the answers of an export.

    Raises:
        CollectError: a line for each thing that is wrong with it.
    """
    file = _parsed(data, label)
    if file.get("schema") != SCHEMA:
        raise CollectError(
            [f"{label}: schema {shown(file.get('schema'))}, expected '{SCHEMA}'; {_AGAIN}"]
        )
    rater = check_owner(label, key, file.get("bundle"), file.get("rater"))
    lines = Lines()
    for extra in sorted(file.keys() - _KEYS):
        lines.add(f"{label}: unknown key '{plain(extra, 40)}'; {_AGAIN}")
    if not isinstance(file.get("complete"), bool):
        lines.add(
            f"{label}: complete: expected true or false, got "
            f"{shown(file.get('complete'))}; {_AGAIN}"
        )
    given = Given(label, name, sha256, rater, _time(file.get("saved"), label, lines))
    answers = file.get("answers")
    if not isinstance(answers, dict):
        lines.add(f"{label}: answers: expected an object, got {shown(answers)}; {_AGAIN}")
        answers = {}
    items = {item.id: item for item in key.raters[rater]}
    for clip, raw in answers.items():
        if clip not in items:
            lines.add(
                f"{label}: clip '{plain(clip, 40)}' is not one of rater {rater}'s {len(items)}; "
                f"was the file edited? {_AGAIN}"
            )
            continue
        entry = _entry(raw, items[clip], key, f"{label}: clip {clip}", lines)
        if entry.answers:
            given.entries[clip] = entry
    lines.settle(label)
    given.places = lambda item, lacking: [_place(label, item, lacking)]
    return given


def _entry(raw: Any, item: Item, key: Key, where: str, lines: Lines) -> Entry:
    entry = Entry()
    if not isinstance(raw, dict):
        lines.add(f"{where}: expected an object, got {shown(raw)}; {_AGAIN}")
        return entry
    for extra in sorted(raw.keys() - _ENTRY_KEYS):
        lines.add(f"{where}: unknown key '{plain(extra, 40)}'; {_AGAIN}")
    _fill(entry, raw.get("values", {}), None, key, where, lines)
    units = raw.get("aus", {})
    if not isinstance(units, dict):
        lines.add(f"{where}: aus: expected an object, got {shown(units)}; {_AGAIN}")
        units = {}
    for au, values in units.items():
        if au in item.aus:
            _fill(entry, values, au, key, f"{where}, AU {au}", lines)
        else:
            known = ", ".join(item.aus) or "none"
            lines.add(f"{where}: AU '{plain(au, 20)}' is no target, expected {known}; {_AGAIN}")
    seconds = raw.get("seconds")
    if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds >= 0:
        entry.seconds = float(seconds)
    elif seconds is not None:
        lines.add(f"{where}: seconds: expected a number from 0, got {shown(seconds)}; {_AGAIN}")
    return entry


def _fill(entry: Entry, values: Any, au: str | None, key: Key, where: str, lines: Lines) -> None:
    if not isinstance(values, dict):
        lines.add(f"{where}: expected an object, got {shown(values)}; {_AGAIN}")
        return
    asked = {one.id: one for one in key.form.fields if one.per_au is (au is not None)}
    for name, raw in values.items():
        if name not in asked:
            lines.add(
                f"{where}: unknown question '{plain(name, 40)}', expected "
                f"{', '.join(asked) or 'none'}; {_AGAIN}"
            )
            continue
        value = normal(asked[name], raw)
        if value == "" and raw != "":
            continue  # a comment of nothing that prints
        if why := refusal(asked[name], value):
            lines.add(f"{where}, {title(asked[name])} [{name}]: {why}; {_AGAIN}")
        else:
            entry.answers[au, name] = value


def _place(label: str, item: str, lacking: Lacking) -> str:
    names = [title(one) + (f" of AU {au}" if au else "") for one, au in lacking]
    return f"{label}: clip {item}: missing {', '.join(names)}"


def _parsed(data: bytes, label: str) -> dict[str, Any]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CollectError(
            [f"{label}: byte {error.start} is no UTF-8; send it as the page saved it, or {_AGAIN}"]
        ) from error
    try:
        file = json.loads(
            text,
            object_pairs_hook=_once,
            parse_constant=_no_constant,
            parse_int=_short_int,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        rest = text.rstrip()[error.pos :]
        short = error.msg.startswith("Unterminated") or (len(rest) < 5 and rest[:1] not in _ENDS)
        raise CollectError(
            [
                f"{label}: no readable JSON at line {error.lineno}, column {error.colno} "
                f"({error.msg}{'; it was cut short' if short else ''}); copy it again, or {_AGAIN}"
            ]
        ) from error
    except _NotStrictError as error:
        raise CollectError([f"{label}: {error}; {_AGAIN}"]) from error
    except RecursionError as error:
        raise CollectError([f"{label}: nested too deep for an export; {_AGAIN}"]) from error
    if not isinstance(file, dict):
        raise CollectError([f"{label}: expected an object, got {type(file).__name__}; {_AGAIN}"])
    return file


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _NotStrictError(f"'{plain(twice, 40)}' stands twice in one object")
    return found


def _no_constant(text: str) -> float:
    raise _NotStrictError(f"{text} is no number of JSON")


def _short_int(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise _NotStrictError(f"a number of {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NotStrictError(f"{plain(text, 20)} is too large")
    return number


def _time(text: object, label: str, lines: Lines) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        lines.add(
            f"{label}: saved: expected a time such as 2026-01-31T12:00:00.000Z, got "
            f"{shown(text)}; {_AGAIN}"
        )
        return None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
