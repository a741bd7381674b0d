"""The table that says which source is which output, where names do not."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from mebench.errors import UsageError
from mebench.io.files import write_text
from mebench.io.tables import read_cells
from mebench.types import Pair

COLUMNS = ("source", "template", "driving")
CANDIDATES = "candidates"
_WANTED = "columns: source, template, driving (the last two empty: leave it out)"


def read_mapping(path: Path) -> dict[str, Pair | None]:
    """Return ``{source: output}`` of a CSV or YAML file; None where a row names no output.

    A column ``candidates`` is for the reader and not looked at.

    Raises:
        UsageError: for a file that cannot be read or a row that does not fit.
    """
    try:
        data = path.read_bytes()
        if path.suffix.lower() in {".yaml", ".yml"}:
            rows: Any = yaml.safe_load(data.decode("utf-8-sig"))
        else:
            head, *lines = read_cells(data) or [[]]
            named = [cell.strip() for cell in head]
            rows = [dict(zip_longest(named, line, fillvalue="")) for line in lines if any(line)]
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read as CSV or YAML; {_WANTED}") from error
    found: dict[str, Pair | None] = {}
    if not isinstance(rows, list):
        raise UsageError(f"{path}: expected a list of rows; {_WANTED}")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or set(row) - {CANDIDATES} != set(COLUMNS):
            raise UsageError(f"{path}: row {number}: {_WANTED}")
        name, template, driving = (str(row[column] or "").strip() for column in COLUMNS)
        if not name or bool(template) != bool(driving) or name in found:
            raise UsageError(f"{path}: row {number}: incomplete, or the source stands twice")
        found[PurePosixPath(name).as_posix()] = Pair(template, driving) if template else None
    return found


def write_mapping(wanted: Path, rows: Iterable[tuple[str, str, Iterable[str]]]) -> Path:
    """Write rows (source, output or nothing, candidates) to edit; return where they were written.

    A file that stands there may have been edited: another name is taken.
    """
    buffer = io.StringIO(newline="")
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow((*COLUMNS, CANDIDATES))
    for source, output, candidates in rows:
        template, _, driving = output.partition("/")
        table.writerow((source, template, driving, " | ".join(candidates)))
    text = buffer.getvalue()
    place, number = wanted, 1
    while place.exists() and place.read_bytes() != text.encode():
        number += 1
        place = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
    write_text(place, text)
    return place
