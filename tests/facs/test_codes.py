"""AU cells: every published string, the grammar's corners, and arbitrary text."""

from __future__ import annotations

import json
from dataclasses import astuple
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mebench.errors import DatasetError
from mebench.facs.codes import cell_text, format_units, lenient, numbers, parse_cell, strict
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


def test_a_static_unit_is_told_but_not_counted() -> None:
    parsed = parse_cell("AU4(k)+L7")
    assert parsed.extras == ("AU4(k)",)
    assert format_units(parsed.action_units) == "L7"


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


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="LRATB0123456789+?/,() orfek\n\x00٣²", max_size=25) | st.text(max_size=25))
def test_any_text_is_parsed_or_refused_with_the_declared_error(text: str) -> None:
    try:
        parsed = parse_cell(text)
    except DatasetError as error:
        message = str(error)
    else:
        message = ""
        assert all(0 < unit.au < 100 for unit in parsed.action_units)
        assert parsed.unknown == (cell_text(text) in {"", "?"})
    assert "\n" not in message


UNITS = st.builds(
    ActionUnit,
    au=st.integers(1, 99),
    side=st.sampled_from(["both", "L", "R", "asym"]),
    half=st.sampled_from([None, "top", "bottom"]),
    intensity=st.sampled_from([None, "A", "E"]),
    uncertain=st.booleans(),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(UNITS, min_size=1, max_size=5))
def test_format_then_parse_is_the_identity(units: list[ActionUnit]) -> None:
    assert [astuple(u) for u in parse_cell(format_units(units)).action_units] == [
        astuple(u) for u in units
    ]
