"""The CSV beside clips of one's own: who is shown, how fast, from where to where, and what."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mebench.errors import DatasetError
from mebench.facs.codes import cell_text
from mebench.io.tables import as_number, read_cells

COLUMNS = ("clip", "subject", "fps", "onset", "apex", "offset", "aus", "emotion")
_ALIKE = {"au": "aus", "actionunits": "aus"}
_FASTEST = 100_000.0


@dataclass(frozen=True)
class OwnRow:
    """One row; a cell that is empty says nothing.

    Attributes:
        where: file and row, as messages begin.
    """

    where: str
    number: int
    clip: str
    subject: str
    fps: float | None
    onset: int | None
    apex: int | None
    offset: int | None
    au: str
    emotion: str


@dataclass(frozen=True)
class OwnTable:
    """The rows of a CSV that can be read, what is wrong with the others, and unknown columns."""

    path: Path
    rows: tuple[OwnRow, ...]
    wrong: tuple[str, ...]
    unknown: tuple[str, ...]


def read_own(path: Path) -> OwnTable:
    """Return what a CSV says of clips.

    Raises:
        DatasetError: when it is no CSV in UTF-8, or has no column ``clip``.
    """
    lines = _lines(path)
    start = next((place for place, cells in enumerate(lines) if any(map(cell_text, cells))), None)
    if start is None:
        raise DatasetError(f"{path}: the file is empty; its first row must name the column clip")
    columns, unknown = _columns(path, lines[start])
    rows: list[OwnRow] = []
    wrong: list[str] = []
    for number, cells in enumerate(lines[start + 1 :], start + 2):
        held = {name: cell_text(cells[at]) for name, at in columns.items() if at < len(cells)}
        if not any(map(cell_text, cells)):
            continue
        try:
            rows.append(_row(f"{path} row {number}", number, held))
        except DatasetError as error:
            wrong.append(str(error))
    return OwnTable(path, tuple(rows), tuple(wrong), unknown)


def _lines(path: Path) -> list[list[str]]:
    """Return the cells; the header tells whether commas, semicolons or tabs part them."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); copy it again") from error
    try:
        return read_cells(data)
    except ValueError as error:
        raise DatasetError(
            f"{path}: not a CSV in UTF-8; save it as 'CSV UTF-8', in Excel or elsewhere"
        ) from error


def _columns(path: Path, header: Sequence[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    found: dict[str, int] = {}
    unknown: list[str] = []
    for place, cell in enumerate(header):
        plain = re.sub(r"[\W_]+", "", cell.lower())
        name = _ALIKE.get(plain, plain)
        if name in found:
            raise DatasetError(f"{path}: column '{cell.strip()}' stands twice; keep one of them")
        if name in COLUMNS:
            found[name] = place
        elif cell.strip():
            unknown.append(cell.strip())
    if "clip" not in found:
        raise DatasetError(
            f"{path}: no column 'clip' in the first row; name it, beside any of "
            f"{', '.join(COLUMNS[1:])}"
        )
    return found, tuple(unknown)


def _row(where: str, number: int, cells: Mapping[str, str]) -> OwnRow:
    clip = cells.get("clip", "")
    if not clip:
        raise DatasetError(f"{where}: names no clip; fill the column clip, or delete the row")
    onset, apex, offset = (_frame(where, name, cells) for name in ("onset", "apex", "offset"))
    return OwnRow(
        where=where,
        number=number,
        clip=clip.replace("\\", "/").removeprefix("./").strip("/"),
        subject=cells.get("subject", ""),
        fps=_rate(where, cells.get("fps", "")),
        onset=onset,
        apex=apex,
        offset=offset,
        au=cells.get("aus", ""),
        emotion=cells.get("emotion", ""),
    )


def _frame(where: str, name: str, cells: Mapping[str, str]) -> int | None:
    text = cells.get(name, "")
    if text in ("", "/", "-") and (name == "apex" or not text):
        return None
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise DatasetError(
            f"{where}: {name} '{text[:40]}' is no frame number; write a whole number, or nothing"
        )
    return int(text)


def _rate(where: str, text: str) -> float | None:
    """Return frames per second; a comma may stand for the point."""
    if not text:
        return None
    try:
        rate = as_number(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate <= _FASTEST:
        raise DatasetError(
            f"{where}: fps '{text[:40]}' is no rate; write frames per second such as 200, or "
            "nothing"
        )
    return rate


def listing(names: Sequence[str], most: int = 3) -> Iterator[str]:
    """Yield the first names, and how many more there are."""
    yield from names[:most]
    if len(names) > most:
        yield f"{len(names) - most} more"
