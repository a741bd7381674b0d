"""A panel's key and what its raters might send back, made without any clip."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

from mebench.rating.collect import collect
from mebench.rating.form import Checks, Choice, Form, Scale, Units, YesNo, load_form
from mebench.rating.given import CollectError
from mebench.rating.model import Item, Key, RatedMethod
from mebench.rating.workbook import write_workbook
from mebench.record import ProtocolStamp

BUNDLE = "0123456789abcdef"
SAVED = "2026-03-01T10:00:00.000Z"
AUS = (("6", "L12"), ("4",), ("R14", "15", "20"), ("1", "2"), ("12",), ())
COMMENTS = ("", "cheek lags\nbehind", "=1+1", "眉毛没有动", "<b>&amp;</b>", "@home")


def make_key(form: str | Form = "facs", raters: int = 3) -> Key:
    items = []
    for at, aus in enumerate(AUS):
        item = {"id": f"c{at + 1:03d}", "aus": aus, "dataset": "casme2", "subject": f"s{at}"}
        items.append(Item(**item, pair=f"face/clip{at}", method="our-secret-method"))
    items[4] = items[4].model_copy(update={"kind": "repeat", "repeat_of": "c001"})
    items[5] = items[5].model_copy(update={"kind": "real", "method": None})
    return Key(
        bundle=BUNDLE,
        protocol=ProtocolStamp(id="synthme", digest="0" * 64),
        index_digest="1" * 64,
        form=load_form(form) if isinstance(form, str) else form,
        seed=0,
        methods={"our-secret-method": RatedMethod(title="Secret", pixel_digest="2" * 64)},
        raters={f"R{n + 1}": tuple(items) for n in range(raters)},
    )


def all_answers(key: Key, rater: str = "R1", seed: int = 0) -> dict[str, dict[str, Any]]:
    """Return an answer to every question, as the page exports them."""
    rng = np.random.default_rng(seed)
    given = {}
    for at, item in enumerate(key.raters[rater]):
        entry: dict[str, Any] = {"values": {}, "aus": {}, "seconds": 10.0 + at}
        for question in key.form.fields:
            for au in item.aus if question.per_au else (None,):
                value = _answer(question, rng, at)
                if value:
                    place = entry["values"] if au is None else entry["aus"].setdefault(au, {})
                    place[question.id] = value[0]
        given[item.id] = entry
    return given


def _answer(question: Any, rng: np.random.Generator, at: int) -> list[Any]:
    """Return a list of one answer, or of none."""
    if isinstance(question, YesNo):
        return [int(rng.integers(2))]
    if isinstance(question, Scale):
        return [int(rng.integers(question.low, question.high + 1))]
    if isinstance(question, Choice):
        return [question.choices[int(rng.integers(len(question.choices)))]]
    if isinstance(question, Checks):
        boxes = [one.id for one in question.choices if rng.random() < 0.4]
        return [boxes] if boxes else []
    if isinstance(question, Units):
        return [["4", "L12"][: at % 3]] if at % 3 else []
    return [COMMENTS[at % 6]] if COMMENTS[at % 6] else []


def exported(
    key: Key, answers: dict[str, Any], rater: str = "R1", **changed: Any
) -> dict[str, Any]:
    return {
        "schema": "mebench-ratings/1",
        "bundle": key.bundle,
        "rater": rater,
        "saved": SAVED,
        "complete": True,
        "answers": answers,
        **changed,
    }


def write_export(path: Path, file: Any) -> Path:
    path.write_text(file if isinstance(file, str) else json.dumps(file), encoding="utf-8")
    return path


def blank(path: Path, key: Key, rater: str = "R1") -> Path:
    write_workbook(
        path, form=key.form, items=key.raters[rater], bundle=key.bundle, rater=rater, stamp=""
    )
    return path


def cells_of(path: Path, answers: dict[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """Return by sheet which cell takes which value, as a person would fill it in."""
    book = openpyxl.load_workbook(path)
    found: dict[str, list[tuple[str, Any]]] = {}
    for name in ("Ratings", "AUs"):
        if name not in book.sheetnames:
            continue
        sheet, found[name] = book[name], []
        ids = [cell.value for cell in sheet[2]]
        for row in range(3, sheet.max_row + 1):
            item, target = sheet.cell(row, 1).value, sheet.cell(row, 2).value
            entry = answers.get(item, {"values": {}, "aus": {}})
            values = entry["values"] if name == "Ratings" else entry["aus"].get(target, {})
            for column, column_id in enumerate(ids[2:], 3):
                question, _, box = column_id.partition(".")
                value = values.get(question)
                if box:
                    value = "x" if box in (value or []) else None
                elif isinstance(value, list):
                    value = " ".join(value)
                if value is not None:
                    found[name].append((sheet.cell(row, column).coordinate, value))
    return found


def fill(path: Path, answers: dict[str, Any]) -> Path:
    """Fill a blank workbook in, as text what is text."""
    book = openpyxl.load_workbook(path)
    for name, cells in cells_of(path, answers).items():
        for place, value in cells:
            book[name][place].value = value
            if isinstance(value, str):
                book[name][place].data_type = "s"
    book.save(path)
    return path


def change(path: Path, edit: Callable[[Any], None]) -> Path:
    book = openpyxl.load_workbook(path)
    edit(book)
    book.save(path)
    return path


def part(answers: dict[str, Any], *items: str) -> dict[str, Any]:
    return {item: deepcopy(answers[item]) for item in items}


def refused(paths: Sequence[Path], key: Key, **options: Any) -> list[str]:
    """Return the problems that collecting these files ends with, each fit for a terminal."""
    with pytest.raises(CollectError) as caught:
        collect(paths, key, **options)
    assert all(line.isprintable() and len(line) < 500 for line in caught.value.lines)
    return list(caught.value.lines)
