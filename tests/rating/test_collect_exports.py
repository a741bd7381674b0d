"""Exports of the page that are refused: each names file, clip and question."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mebench.rating.collect import collect
from mebench.rating.given import CollectError
from tests.rating.panel_files import all_answers, exported, make_key, refused, write_export

KEY = make_key()


def lines_of(path: Path) -> list[str]:
    return refused([path], KEY)


@pytest.fixture
def file() -> dict[str, Any]:
    return exported(KEY, all_answers(KEY))


def at(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def edit(file: dict[str, Any]) -> None:
        place: Any = file
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return edit


C1 = ("answers", "c001")
WRONG: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "schema": (at("schema", value="mebench-ratings/9"), "schema 'mebench-ratings/9', expected"),
    "bundle": (
        at("bundle", value="f" * 16),
        f"bundle 'ffffffffffffffff', the key is of bundle {KEY.bundle}",
    ),
    "bundle type": (at("bundle", value=7), "made for bundle 7"),
    "rater": (at("rater", value="Dr X"), "rater 'Dr X' is not in the key, which knows R1, R2, R3"),
    "rater type": (at("rater", value=["R1"]), "rater ['R1'] is not in the key"),
    "key": (at("extra", value=1), "unknown key 'extra'"),
    "complete": (at("complete", value=1), "complete: expected true or false, got 1"),
    "saved": (at("saved", value="yesterday"), "saved: expected a time such as"),
    "answers": (at("answers", value=[]), "answers: expected an object, got []"),
    "item": (
        at("answers", "c999", value={}),
        "clip 'c999' is not one of rater R1's 6; was the file edited",
    ),
    "item type": (at(*C1, value=4), "clip c001: expected an object, got 4"),
    "entry key": (at(*C1, "mood", value=4), "clip c001: unknown key 'mood'"),
    "values": (at(*C1, "values", value=[1]), "clip c001: expected an object, got [1]"),
    "question": (
        at(*C1, "values", "total", value=4),
        "clip c001: unknown question 'total', expected other_aus,",
    ),
    "AU question": (at(*C1, "values", "present", value=1), "unknown question 'present'"),
    "clip question": (
        at(*C1, "aus", "6", "overall", value=1),
        "clip c001, AU 6: unknown question 'overall'",
    ),
    "AU": (
        at(*C1, "aus", "7", value={"present": 1}),
        "clip c001: AU '7' is no target, expected 6, L12",
    ),
    "AU type": (at(*C1, "aus", "6", value=1), "clip c001, AU 6: expected an object, got 1"),
    "aus": (at(*C1, "aus", value=[]), "clip c001: aus: expected an object, got []"),
    "high": (
        at(*C1, "values", "overall", value=6),
        "clip c001, Overall [overall]: expected a whole number from 1 to 5, got 6",
    ),
    "half": (
        at(*C1, "values", "overall", value=3.5),
        "[overall]: expected a whole number from 1 to 5, got 3.5",
    ),
    "true": (at(*C1, "values", "overall", value=True), "got True"),
    "text": (at(*C1, "values", "overall", value="4"), "got '4'"),
    "null": (at(*C1, "values", "overall", value=None), "got None"),
    "yes": (
        at(*C1, "aus", "6", "present", value=True),
        "AU 6, Present [present]: expected 1 (yes) or 0 (no), got True",
    ),
    "level": (
        at(*C1, "aus", "6", "intensity", value="F"),
        "Intensity [intensity]: expected one of none, A, B, C, D, E, got 'F'",
    ),
    "box": (
        at(*C1, "values", "artefacts", value=["fog"]),
        "expected a list of blur, ghosting, warping, flicker, background, frozen, each once",
    ),
    "box twice": (
        at(*C1, "values", "artefacts", value=["blur", "blur"]),
        "each once, got ['blur', 'blur']",
    ),
    "no box": (at(*C1, "values", "artefacts", value=[]), "got []"),
    "unit": (
        at(*C1, "values", "other_aus", value=["AU4"]),
        "a list of action units such as 4 or L12",
    ),
    "comment": (
        at(*C1, "values", "comment", value="x" * 1001),
        "a text of 1 to 1000 characters, got 1001",
    ),
    "comment type": (
        at(*C1, "values", "comment", value={"a": 1}),
        "a text of 1 to 1000 characters, got {'a': 1}",
    ),
    "seconds": (
        at(*C1, "seconds", value=-1),
        "clip c001: seconds: expected a number from 0, got -1",
    ),
    "seconds type": (at(*C1, "seconds", value="long"), "got 'long'"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_export_is_refused_where_it_is_wrong(tmp_path: Path, file, name: str):
    edit, says = WRONG[name]
    edit(file)
    (line,) = lines_of(write_export(tmp_path / "a.json", file))
    assert line.startswith("a.json: ")
    assert says in line
    assert "; " in line, "what to do next"


TEXTS = {
    "list": ("[1]", "expected an object, got list"),
    "twice": ('{"schema": 1, "schema": 2}', "'schema' stands twice in one object"),
    "nan": ('{"schema": NaN}', "NaN is no number of JSON"),
    "infinite": ('{"schema": 1e999}', "1e999 is too large"),
    "digits": ('{"schema": ' + "9" * 9999 + "}", "a number of 9999 digits"),
    "deep": ('{"schema": ' + "[" * 200_000, "nested too deep"),
    # Python 3.13 names the comma, older ones what stands behind it.
    "comma": ('{"schema": 1,}', "no readable JSON at line 1, column 1"),
    "two": ('{"schema": 1} {}', "no readable JSON at line 1, column 15"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_json_that_may_be_read_in_two_ways_is_refused(tmp_path: Path, name: str):
    text, says = TEXTS[name]
    (line,) = lines_of(write_export(tmp_path / "a.json", text))
    assert line.startswith("a.json: ")
    assert says in line


def test_an_item_answered_twice_in_one_export_is_refused(tmp_path: Path, file):
    text = json.dumps(file).replace('"answers": {', '"answers": {"c001": {"values": {}}, ', 1)
    (line,) = lines_of(write_export(tmp_path / "a.json", text))
    assert "'c001' stands twice" in line


def test_an_export_cut_short_anywhere_is_named_and_refused(tmp_path: Path, file):
    text = json.dumps(file, indent=1, ensure_ascii=False).encode()
    path = tmp_path / "a.json"
    for length in range(0, len(text) - 1, 97):
        path.write_bytes(text[:length])
        (line,) = lines_of(path)
        assert line.startswith("a.json: "), length
        assert "cut short" in line or "empty" in line or "no UTF-8" in line, (length, line)


def test_bytes_changed_at_random_never_do_worse_than_a_refusal(tmp_path: Path, file):
    text = json.dumps(file).encode()
    rng = np.random.default_rng(0)
    path = tmp_path / "a.json"
    refused = 0
    for _ in range(200):
        changed = bytearray(text)
        for place in rng.integers(len(text), size=3):
            changed[place] = int(rng.integers(256))
        path.write_bytes(bytes(changed))
        try:
            collect([path], KEY)
        except CollectError:
            refused += 1
    assert refused > 150
