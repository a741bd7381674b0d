"""Text tables of spreadsheet programs of many countries."""

import pytest

from mebench.io.tables import as_number, read_cells

ROWS = [["clip", "fps", "aus"], ["a b", "100,5", "4;7"], ["c", "30", ""], ["d", "", "1+2"]]


def text(sign, *, empty="", quoted=False):
    def cell(value):
        return f'"{value}"' if quoted or sign in value else value

    lines = [sign.join(cell(value) for value in row) + empty for row in ROWS]
    return "\r\n".join([*lines, sign * 2 + empty, ""])


@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_one_reader_for_all_signs_and_encodings(sign, encoding):
    assert read_cells(text(sign).encode(encoding)) == ROWS


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_empty_columns_and_rows_at_the_end_and_quotes(sign):
    assert read_cells(text(sign, empty=3 * sign, quoted=True).encode()) == ROWS


def test_excel_says_the_sign_in_its_first_line():
    assert read_cells(b"sep=|\r\na|b\r\n1|2,5;3\r\n") == [["a", "b"], ["1", "2,5;3"]]


def test_decimal_commas_do_not_outvote_what_parts_the_cells():
    rows = "frame;r;c\n" + "".join(f"{k};0,5;1,25\n" for k in range(40))
    assert read_cells(rows.encode())[1] == ["0", "0,5", "1,25"]


def test_a_title_with_commas_stands_above_a_table_with_semicolons():
    rows = "CASME II, coding, of 2014\n\nSubject;Filename;Apex\n1;EP02;59\n2;EP03;60\n"
    assert read_cells(rows.encode())[-1] == ["2", "EP03", "60"]


def test_nothing_is_no_row_and_other_bytes_are_refused():
    assert read_cells(b"") == read_cells(b"\n;;\n\n") == []
    with pytest.raises(ValueError, match="not text in utf-8-sig"):
        read_cells(b"a,b\n\xff\x81,2\n")


@pytest.mark.parametrize(
    ("cell", "value"), [("0,5", 0.5), (" 12 ", 12), ("1.5", 1.5), ("1e-3", 1e-3)]
)
def test_numbers(cell, value):
    assert as_number(cell) == value


@pytest.mark.parametrize("cell", ["1.234,5", "a", "", "1,2,3"])
def test_no_numbers(cell):
    with pytest.raises(ValueError, match="could not convert"):
        as_number(cell)
