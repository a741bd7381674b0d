"""Tables as spreadsheet programs of any country save them as text."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence

_SIGNS = (";", "\t", ",")
_LOOKED_AT = 30
_WIDE = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_WHOLE = re.compile(r"(-?[0-9]{1,12})(?:[.,]0*)?")
_SAID = re.compile(r"^\"?sep=(.)\"?\r?\n", re.IGNORECASE)


def read_cells(data: bytes, encodings: Sequence[str] = ("utf-8-sig",)) -> list[list[str]]:
    r"""Return the cells of a CSV or TSV by rows, without empty columns and rows at the end.

    UTF-16 is known by its mark or its zeros. What parts the cells is the sign that parts the most
    rows alike, or what a first line ``sep=;`` says.

    Raises:
        ValueError: for text of none of the `encodings`, or quotes that do not end.

    >>> read_cells("frame;rate;\n1;0,5;\n;;\n".encode())
    [['frame', 'rate'], ['1', '0,5']]
    """
    text = _text(data, encodings)
    said = _SAID.match(text)
    sign = said.group(1) if said else _sign(text)
    rows = _parted(text[said.end() :] if said else text, sign)
    while rows and not any(cell.strip() for cell in rows[-1]):
        rows.pop()
    used = max((_filled(row) for row in rows), default=0)
    return [row[:used] for row in rows]


def as_number(text: str) -> float:
    """Return a number as a table writes it; a comma may stand for the point.

    Raises:
        ValueError: for anything else.

    >>> as_number("0,75"), as_number(" 12 "), as_number("1e-3")
    (0.75, 12.0, 0.001)
    """
    plain = text.strip()
    if plain.count(",") == 1 and "." not in plain:
        plain = plain.replace(",", ".")
    return float(plain)


def whole_number(text: str) -> int | None:
    """Return a whole number, with a decimal part of zeros or none; None for anything else.

    >>> whole_number("46"), whole_number("46,0"), whole_number("46.5"), whole_number("nan")
    (46, 46, None, None)
    """
    found = _WHOLE.fullmatch(text.strip())
    return int(found.group(1)) if found else None


def _text(data: bytes, encodings: Sequence[str]) -> str:
    wide = _WIDE.get(data[:2])
    if wide is None and b"\x00" in data[:200]:
        # Without a mark: every other byte of plain letters is zero.
        wide = "utf-16-le" if data[1:2] == b"\x00" else "utf-16-be"
    for encoding in (wide,) if wide else encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError(f"not text in {' or '.join(encodings)}")


def _parted(text: str, sign: str) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=sign))
    except csv.Error as error:
        raise ValueError(str(error)) from error


def _sign(text: str) -> str:
    head = "\n".join([line for line in text.splitlines() if line.strip()][:_LOOKED_AT])
    alike = {}
    for sign in _SIGNS:
        counts = Counter(len(row) for row in _parted(head, sign) if len(row) > 1)
        alike[sign] = max(counts.values(), default=0)
    return max(_SIGNS, key=lambda sign: alike[sign])


def _filled(row: Sequence[str]) -> int:
    return max((place for place, cell in enumerate(row, 1) if cell.strip()), default=0)
