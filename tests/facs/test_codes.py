"""AU cells: every published string, the grammar's corners, and arbitrary text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mebench.errors import DatasetError
from mebench.facs.codes import (
    ParsedCell,
    cell_text,
    format_units,
    lenient,
    numbers,
    parse_cell,
    strict,
)
from mebench.types import ActionUnit

CELLS = json.loads((Path(__file__).parents[1] / "data/facs/cells.json").read_text("utf-8"))
PUBLISHED = [cell for dataset in ("casme2", "samm") for cell in CELLS[dataset]]


def test_every_published_cell_parses_to_its_structure() -> None:
    assert len(CELLS["casme2"]) == 91
    assert len(CELLS["samm"]) == 97
    for cell in PUBLISHED:
        raw = int(cell["raw"]) if cell["number"] else cell["raw"]
        parsed = parse_cell(raw)
        units = [
            [u.au, u.side, u.half, u.intensity, u.intensity_hi, u.uncertain, u.alt_group]
            for u in parsed.action_units
        ]
        got = {"units": units, "extras": list(parsed.extras), "unknown": parsed.unknown}
        assert got == {key: cell[key] for key in got}, cell["raw"]


def test_formatting_a_published_cell_and_reading_it_again_changes_nothing() -> None:
    for cell in PUBLISHED:
        units = parse_cell(cell["raw"]).action_units
        if units:
            assert parse_cell(format_units(units)).action_units == units, cell["raw"]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (4.0, "4"),
        ("12.0", "12"),
        ("4，11", "4+11"),
        ("4,11,", "4+11"),
        ("4，11，", "4+11"),
        ("B28", "B28"),
        ("B23", "B23"),
        ("T24", "T24"),
        ("AD31", "31"),
        ("M57", "57"),
        ("AUL12+AU4", "L12+4"),
        ("4 or soft focus", "ref(4)"),
        ("13?", "ref(13)"),
        ("12L", "L12"),
        ("4R+7", "R4+7"),
        ("AU4+AD38+M57", "4+38+57"),
        ("R12/R14", "R12 or R14"),
        ("l12a", "L12A"),
        ("T28+14", "T28+14"),
        ("((6 or 7)+12)", "(6 or 7)+12"),
    ],
)
def test_forms_of_other_data_sets(cell: object, expected: str) -> None:
    assert format_units(parse_cell(cell).action_units) == expected


def test_no_au_given_is_not_the_same_as_neutral() -> None:
    assert all(parse_cell(cell).unknown for cell in ("?", "", None, float("nan"), " "))
    assert not parse_cell(0).unknown
    assert parse_cell(0).action_units == ()


@pytest.mark.parametrize(
    ("cell", "extra", "units"),
    [
        ("AU4(k)+L7", "AU4(k)", "L7"),
        ("AUR2+12(k)+45", "12(k)", "R2+45"),
        ("AUL4 (K)", "AUL4 (K)", ""),
        ("4+AU4（k）", "AU4(k)", "4"),
        ("4(k) or 7", "4(k)", "ref(7)"),
    ],
)
def test_a_static_unit_is_told_but_not_counted(cell: str, extra: str, units: str) -> None:
    parsed = parse_cell(cell)
    assert parsed.extras == (extra,)
    assert format_units(parsed.action_units) == units
    assert not parsed.unknown


@pytest.mark.parametrize(
    "cell", ["(4", "4)", "4++7", "+4", "4 7", "12X", "120", "4.5", "A/L12R", "0+4", "(" * 40 + "4"]
)
def test_damaged_cells_are_refused_in_one_line_that_shows_them(cell: str) -> None:
    with pytest.raises(DatasetError) as caught:
        parse_cell(cell)
    assert repr(cell)[:40] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_reductions() -> None:
    units = parse_cell("ref(L10)+(R6 or R12)+A12B").action_units
    assert format_units(strict(units)) == "A12B"
    assert numbers(strict(units)) == {12}
    assert format_units(lenient(units)) == "L10+R6+R12+A12B"


def parsed_or_refused(cell: object) -> ParsedCell | None:
    """Parse a cell; anything but the declared error, in one line, goes on to fail the test."""
    message = ""
    try:
        return parse_cell(cell)
    except DatasetError as error:
        message = str(error)
    assert "\n" not in message
    assert len(message) < 250
    return None


FIXED = settings(derandomize=True, deadline=None, database=None)
LETTERS = st.text(alphabet="LRATBMUDEK0123456789+?/,，、;() orefk\n\x00٣²", max_size=25)
WORDS = re.split(" ", "4 12 0 99 L R A T B A/L E A/B AU AD M ? ( ) ref( ref (k) + , ， / or")
PIECES = st.lists(st.sampled_from([*WORDS, " or ", " ", "soft focus"]), max_size=14).map("".join)
NESTED = st.recursive(
    st.sampled_from(
        ["4", "R12", "A12B", "B18", "10A/B", "A/L12", "13?", "R6/R12", "AU4(k)", "x y"]
    ),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["+", " + ", ",", " or ", "/"]), inner).map("".join)
        | inner.map("({})".format)
        | inner.map("ref({})".format)
    ),
    max_leaves=8,
)


@settings(FIXED, max_examples=400)
@given(LETTERS | PIECES | NESTED | st.text(max_size=25))
def test_any_text_is_parsed_or_refused_with_the_declared_error(text: str) -> None:
    parsed = parsed_or_refused(text)
    if parsed is not None:
        assert all(0 < unit.au < 100 for unit in parsed.action_units)
        assert parsed.unknown == (cell_text(text) in {"", "?"})


@settings(FIXED, max_examples=100)
@given(st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=8))
def test_any_cell_of_a_spreadsheet_is_parsed_or_refused(cell: object) -> None:
    parsed = parsed_or_refused(cell)
    if type(cell) is int and 1 <= cell <= 99:
        assert parsed is not None
        assert numbers(parsed.action_units) == {cell}


@settings(FIXED, max_examples=200)
@given(NESTED)
def test_what_a_cell_says_survives_writing_and_reading(text: str) -> None:
    parsed = parsed_or_refused(text)
    if parsed is not None and parsed.action_units:
        assert parse_cell(format_units(parsed.action_units)).action_units == parsed.action_units


def test_long_and_deep_cells_are_refused_fast() -> None:
    for cell in ("4+" * 251 + "4", "(" * 60 + "4" + ")" * 60, "ref(" * 100 + "4" + ")" * 100):
        with pytest.raises(DatasetError, match=r"longer than 500|too many nested"):
            parse_cell(cell)
    assert len(parse_cell("+".join(["4"] * 250)).action_units) == 250


LEVELS: list[tuple[str | None, str | None]] = [(None, None), *((a, None) for a in "ABCDE")]
LEVELS += [("A", "B"), ("D", "E")]
UNITS = st.builds(
    lambda level, **rest: ActionUnit(intensity=level[0], intensity_hi=level[1], **rest),
    level=st.sampled_from(LEVELS),
    au=st.integers(1, 99),
    side=st.sampled_from(["both", "L", "R", "asym"]),
    half=st.sampled_from([None, "top", "bottom"]),
    uncertain=st.booleans(),
)


@st.composite
def cells(draw: st.DrawFn) -> list[ActionUnit]:
    """Certain units and groups of two or three alternatives, groups numbered as they come."""
    units: list[ActionUnit] = []
    group = 0
    for size in draw(st.lists(st.sampled_from([1, 1, 2, 3]), min_size=1, max_size=5)):
        group += size > 1
        name = group if size > 1 else None
        units += [replace(draw(UNITS), alt_group=name) for _ in range(size)]
    return units


@settings(FIXED, max_examples=200)
@given(cells())
def test_format_then_parse_is_the_identity(units: list[ActionUnit]) -> None:
    parsed = parse_cell(format_units(units))
    assert list(parsed.action_units) == units
    assert parsed.extras == ()
