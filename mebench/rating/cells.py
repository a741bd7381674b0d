"""The cells of a stranger's xlsx, read within strict limits.

A library that loads whole workbooks unfolds merged ranges, opens pictures and follows parts that
hold no answer; here only the zip's layout, sheet names, shared texts and cells are read.
"""

from __future__ import annotations

import io
import math
import posixpath
import re
import xml.etree.ElementTree as ET
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from mebench.errors import SubmissionError
from mebench.submission.archive import check_layout
from mebench.submission.text import plain

MAX_PARTS = 200
MAX_PART_BYTES = 32 << 20
MAX_TOTAL_BYTES = 64 << 20
MAX_CELLS = 200_000
_AGAIN = "save it again as .xlsx, or export from index.html"
_ENCRYPTED = 0x1
_COORDINATE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, LookupError,
    OverflowError, ET.ParseError,
)  # fmt: skip
"""What `zipfile` and the XML parser raise on bytes they cannot read."""

Value = str | float | bool | None


@dataclass
class Sheet:
    """What a sheet holds.

    Attributes:
        values: by row and column, from 1; empty cells are left out, a text is never blank.
        formulas: cells that hold a formula.
        merged: ranges such as ``B2:C3``.
    """

    values: dict[tuple[int, int], Value] = field(default_factory=dict)
    formulas: list[tuple[int, int]] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)


def read_book(data: bytes, label: str) -> dict[str, Sheet]:
    """Return the sheets of an xlsx by name.

    Raises:
        SubmissionError: one line that names `label`, when it is no plain xlsx within the limits.
    """
    try:
        check_layout(io.BytesIO(data), label, MAX_PARTS)
    except SubmissionError as error:
        why = str(error).removeprefix(f"{label}: ").split(";")[0]
        raise SubmissionError(f"{label}: {why}; {_AGAIN}") from error
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _Book(archive, label).sheets()
    except _DAMAGED as error:
        kind = type(error).__name__
        raise SubmissionError(f"{label}: damaged workbook ({kind}); {_AGAIN}") from error


def place_of(text: str) -> tuple[int, int] | None:
    """Return row and column of a coordinate such as ``C7``, or None.

    >>> place_of("AA10")
    (10, 27)
    """
    found = _COORDINATE.fullmatch(text)
    if found is None:
        return None
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - 64
    return int(found[2]), column


def letters(column: int) -> str:
    """Return a column as a spreadsheet names it.

    >>> letters(27)
    'AA'
    """
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


class _Book:
    def __init__(self, archive: zipfile.ZipFile, label: str) -> None:
        self._archive = archive
        self._label = label
        self._left = MAX_TOTAL_BYTES
        self._cells = 0
        self._parts: dict[str, zipfile.ZipInfo] = {}
        for info in archive.infolist():
            name = info.filename.lower()
            if name in self._parts:
                self._refuse(f"holds '{plain(info.filename, 60)}' twice")
            if name.startswith("xl/externallinks/"):
                self._refuse("links to another workbook; break the link")
            if name.endswith("vbaproject.bin"):
                self._refuse("holds macros")
            if name.startswith(("xl/comments", "xl/threadedcomments")):
                self._refuse("notes hang on cells; move what they say into Comment, delete them")
            self._parts[name] = info
        if "mimetype" in self._parts and "xl/workbook.xml" not in self._parts:
            self._refuse("an OpenDocument file, expected .xlsx")
        if "xl/workbook.xml" not in self._parts:
            self._refuse("a zip archive, but no workbook in it")

    def sheets(self) -> dict[str, Sheet]:
        texts = self._texts()
        places = self._places()
        found: dict[str, Sheet] = {}
        for node in self._nodes("xl/workbook.xml", "sheet"):
            name = node.get("name", "").strip()
            if name in found:
                self._refuse(f"two sheets named '{plain(name, 40)}'")
            link = next((text for key, text in node.items() if key.endswith("}id")), "")
            found[name] = self._sheet(places[link], texts)
        return found

    def _sheet(self, part: str, texts: list[str]) -> Sheet:
        sheet = Sheet()
        row = column = 0
        seen: set[tuple[int, int]] = set()
        for node in self._nodes(part, "row", "c", "mergeCell", starts=("row",)):
            tag = _local(node)
            if tag == "mergeCell":
                sheet.merged.append(plain(node.get("ref", ""), 30))
            elif tag == "row":
                row, column = int(node.get("r", row + 1)), 0
            else:
                place = place_of(node.get("r") or f"{letters(column + 1)}{row}")
                if place is None or place in seen:
                    self._refuse(f"cell '{plain(node.get('r', ''), 20)}' is out of place")
                row, column = place
                seen.add(place)
                self._cells += 1
                if self._cells > MAX_CELLS:
                    self._refuse(f"more than {MAX_CELLS} cells")
                if any(_local(child) == "f" for child in node):
                    sheet.formulas.append(place)
                value = _value(node, texts)
                if value is not None and (not isinstance(value, str) or value.strip()):
                    sheet.values[place] = value
        return sheet

    def _texts(self) -> list[str]:
        if "xl/sharedstrings.xml" not in self._parts:
            return []
        return [_words(node) for node in self._nodes("xl/sharedStrings.xml", "si")]

    def _places(self) -> dict[str, str]:
        """Return the parts of sheets by the id the workbook knows them by."""
        found = {}
        for node in self._nodes("xl/_rels/workbook.xml.rels", "Relationship"):
            if node.get("TargetMode", "Internal") != "Internal":
                self._refuse("links to another file; break the link")
            target = node.get("Target", "")
            whole = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            found[node.get("Id", "")] = posixpath.normpath(whole)
        return found

    def _nodes(self, part: str, *tags: str, starts: tuple[str, ...] = ()) -> Iterator[ET.Element]:
        """Yield the elements of a part with these names, `starts` before what is in them."""
        events = ET.iterparse(io.BytesIO(self._read(part)), events=("start", "end"))
        above: list[ET.Element] = []
        keeping = 0
        for event, node in events:
            tag = _local(node)
            wanted = tag in tags
            if event == "start":
                above.append(node)
                if wanted and tag in starts:
                    yield node
                keeping += wanted and tag not in starts
                continue
            above.pop()
            if wanted and tag not in starts:
                keeping -= 1
                yield node
            if not keeping and above:
                above[-1].remove(node)

    def _read(self, part: str) -> bytes:
        info = self._parts.get(part.lower())
        if info is None:
            self._refuse(f"part '{plain(part, 60)}' is missing")
        if info.flag_bits & _ENCRYPTED:
            self._refuse("protected by a password; remove it")
        limit = min(MAX_PART_BYTES, self._left)
        with self._archive.open(info) as member:
            data = member.read(limit + 1)
        if len(data) > limit:
            self._refuse(f"unpacks to more than {limit >> 20} MiB")
        self._left -= len(data)
        if b"\0" in data or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
            self._refuse(f"part '{plain(part, 60)}' declares things no workbook needs")
        return data

    def _refuse(self, why: str) -> NoReturn:
        raise SubmissionError(f"{self._label}: {why}; {_AGAIN}")


def _value(node: ET.Element, texts: list[str]) -> Value:
    kind = node.get("t", "n")
    if kind == "inlineStr":
        return "".join(_words(child) for child in node if _local(child) == "is")
    raw = next((child.text or "" for child in node if _local(child) == "v"), None)
    if raw is None or (kind == "n" and not raw.strip()):
        return None
    if kind == "s":
        at = int(raw)
        if at < 0:
            raise ValueError("negative place of a text")
        return texts[at]
    if kind == "b":
        return raw.strip() in ("1", "true")
    if kind == "n":
        number = float(raw)
        if not math.isfinite(number):
            raise ValueError("a number that is none")
        return number
    return _unescaped(raw)


def _words(node: ET.Element) -> str:
    """Return the text of a string item; reading aids for Chinese and Japanese are no part of it."""
    found = []
    for child in node:
        if _local(child) == "t":
            found.append(child.text or "")
        elif _local(child) == "r":
            found += [one.text or "" for one in child if _local(one) == "t"]
    return _unescaped("".join(found))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _local(node: ET.Element) -> str:
    return node.tag.rpartition("}")[2]
