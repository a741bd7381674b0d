"""Reads and writes the action-unit cells of annotation files.

The grammar covers every cell of CASME II and SAMM and the forms seen in CAS(ME)^3, MMEW and DFME::

    cell = empty | "?" | alt            alt  = sum { "or" sum }        sum = term { "+" term }
    term = "ref(" alt ")" | "(" alt ")" | unit | text
    unit = [side] [half] number [level] ["?"]       side  = "L" | "R" | "A", or a choice "A/L"
    half = "T" | "B" (upper, lower lip part)        level = "A".."E", or a range "A/B"

A comma separates like "+", and one may trail; MMEW writes the side after the number (``12L``);
DFME writes ``AU4``, ``AD38``, ``M57``; 4DME marks a unit that does not move with ``(k)``. Such a
unit, and words without digits ("soft focus"), are kept as extras.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from mebench.errors import DatasetError
from mebench.types import ActionUnit, Half, Side

MAX_LENGTH = 500
MAX_DEPTH = 20

_UNIT = re.compile(
    r"(?:AU|AD|M)?(?P<side>[LRA](?:/[LRA])*)?(?P<half>[TB])?(?:AU|AD|M)?\s*(?P<number>[0-9]{1,2})"
    r"(?P<suffix>[LR])?(?P<level>[A-E])?(?:/(?P<high>[A-E]))?(?P<doubt>\?)?",
    re.IGNORECASE,
)
_STATIC = re.compile(r"(.*\S)\s*\(k\)", re.IGNORECASE)
_REF = re.compile(r"ref\s*(?=\()", re.IGNORECASE)
_SEPARATORS = {"or": re.compile(r"\bor\b", re.IGNORECASE), "+": re.compile(r"[+,;、]")}
_SIDES: dict[str, Side] = {"L": "L", "R": "R", "A": "asym"}
_SIDE_LETTERS: dict[Side, str] = {"both": "", "L": "L", "R": "R", "asym": "A"}
_HALVES: dict[str, Half] = {"T": "top", "B": "bottom"}
_HALF_LETTERS: dict[Half | None, str] = {None: "", "top": "T", "bottom": "B"}


@dataclass(frozen=True)
class ParsedCell:
    """What an AU cell says.

    Attributes:
        action_units: the units in the order written.
        extras: text that is no AU, such as "soft focus".
        unknown: True when the coder gave no AU, which is not the same as no AU.
    """

    action_units: tuple[ActionUnit, ...] = ()
    extras: tuple[str, ...] = ()
    unknown: bool = False


def parse_cell(cell: object) -> ParsedCell:
    """Return what an AU cell says; numbers and missing values are fine, as spreadsheets hold them.

    Raises:
        DatasetError: for text outside the grammar; the cell is shown.

    >>> [format_units([unit]) for unit in parse_cell("4+L10").action_units]
    ['4', 'L10']
    """
    text = cell_text(cell)
    if text in {"", "?"}:
        return ParsedCell(unknown=True)
    if text == "0":
        return ParsedCell()
    if len(text) > MAX_LENGTH:
        raise _error(text, f"longer than {MAX_LENGTH} characters")
    parser = _Parser(text)
    units = _settle(parser.alternatives(text, depth=0, group=None))
    return ParsedCell(tuple(units), tuple(parser.extras))


def cell_text(cell: object) -> str:
    """Return a spreadsheet cell as text: ``4`` and ``4.0`` give "4", None and NaN give ""."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = unicodedata.normalize("NFKC", str(cell)).strip()
    if text.lower() in {"nan", "nat", "none", "<na>"}:
        return ""
    return re.sub(r"^(-?[0-9]+)\.0$", r"\1", text)


def format_units(units: Iterable[ActionUnit]) -> str:
    """Return units in the notation of SAMM, such as ``(R6 or R12)+ref(L10)+A12B``."""
    terms: list[str] = []
    alternatives: dict[int, list[str]] = {}
    for unit in units:
        if unit.alt_group is None:
            terms.append(_format_unit(unit))
            continue
        if unit.alt_group not in alternatives:
            alternatives[unit.alt_group] = []
            terms.append(f"\0{unit.alt_group}")
        alternatives[unit.alt_group].append(_format_unit(unit))
    for group, options in alternatives.items():
        joined = " or ".join(options)
        whole = f"({joined})" if len(terms) > 1 else joined
        terms = [whole if term == f"\0{group}" else term for term in terms]
    return "+".join(terms)


def strict(units: Iterable[ActionUnit]) -> tuple[ActionUnit, ...]:
    """Return the units that are certain: no ``ref``, no alternatives."""
    return tuple(unit for unit in units if not unit.uncertain and unit.alt_group is None)


def lenient(units: Iterable[ActionUnit]) -> tuple[ActionUnit, ...]:
    """Return every unit named, each taken as certain."""
    return tuple(replace(unit, uncertain=False, alt_group=None) for unit in units)


def numbers(units: Iterable[ActionUnit]) -> frozenset[int]:
    """Return the FACS numbers alone."""
    return frozenset(unit.au for unit in units)


class _Parser:
    def __init__(self, cell: str) -> None:
        self.cell = cell
        self.extras: list[str] = []
        self.groups = 0

    def alternatives(self, text: str, depth: int, group: int | None) -> list[ActionUnit]:
        if depth > MAX_DEPTH:
            raise _error(self.cell, "too many nested brackets")
        options = self._split(text, "or")
        if len(options) > 1 and group is None:
            group = self._new_group()
        return [unit for option in options for unit in self._sum(option, depth, group)]

    def _sum(self, text: str, depth: int, group: int | None) -> list[ActionUnit]:
        terms = self._split(text, "+")
        if len(terms) > 1 and not terms[-1] and text.rstrip()[-1:] != "+":
            terms.pop()
        return [unit for term in terms for unit in self._term(term, depth, group)]

    def _term(self, term: str, depth: int, group: int | None) -> list[ActionUnit]:
        if not term:
            raise _error(self.cell, "a code is missing between two separators")
        if (static := _STATIC.fullmatch(term)) and _UNIT.fullmatch(static[1]):
            self.extras.append(term)
            return []
        ref = _REF.match(term)
        inner = term[ref.end() :] if ref else term
        if inner.startswith("(") and inner.endswith(")") and _closes_at_end(inner):
            units = self.alternatives(inner[1:-1].strip(), depth + 1, group)
            return [replace(unit, uncertain=True) for unit in units] if ref else units
        if match := _UNIT.fullmatch(term):
            return self._unit(match, group)
        if not re.search(r"[0-9()]", term):
            self.extras.append(term)
            return []
        parts = [_UNIT.fullmatch(part.strip()) for part in term.split("/")]
        if len(parts) < 2 or None in parts:
            raise _error(self.cell, f"{_shown(term)} is no action unit")
        group = group or self._new_group()
        return [unit for part in parts if part for unit in self._unit(part, group)]

    def _unit(self, match: re.Match[str], group: int | None) -> list[ActionUnit]:
        sides = (match["side"] or match["suffix"] or "").upper()
        if match["side"] and match["suffix"]:
            raise _error(self.cell, f"{match[0]!r} names the side twice")
        if match["high"] and not match["level"]:
            raise _error(self.cell, f"{match[0]!r} is no action unit")
        number = int(match["number"])
        if number == 0:
            raise _error(self.cell, "0 is no action unit")
        unit = ActionUnit(
            au=number,
            half=_HALVES[match["half"].upper()] if match["half"] else None,
            intensity=match["level"].upper() if match["level"] else None,
            intensity_hi=match["high"].upper() if match["high"] else None,
            uncertain=bool(match["doubt"]),
        )
        choices: list[Side] = [_SIDES[side] for side in sides.split("/")] if sides else ["both"]
        if len(choices) > 1 and group is None:
            group = self._new_group()
        return [replace(unit, side=side, alt_group=group) for side in choices]

    def _new_group(self) -> int:
        self.groups += 1
        return self.groups

    def _split(self, text: str, separator: str) -> list[str]:
        """Split at separators outside brackets."""
        depths = self._depths(text)
        pieces, start = [], 0
        for match in _SEPARATORS[separator].finditer(text):
            if depths[match.start()] == 0:
                pieces.append(text[start : match.start()].strip())
                start = match.end()
        return [*pieces, text[start:].strip()]

    def _depths(self, text: str) -> list[int]:
        depth, depths = 0, []
        for letter in text:
            depth += (letter == "(") - (letter == ")")
            if depth < 0:
                break
            depths.append(depth)
        if depth != 0:
            raise _error(self.cell, "brackets do not match")
        return depths


def _settle(units: list[ActionUnit]) -> list[ActionUnit]:
    """Number groups of alternatives in their order; one unit against words is just uncertain."""
    sizes = Counter(unit.alt_group for unit in units if unit.alt_group is not None)
    names = {group: name for name, group in enumerate((g for g in sizes if sizes[g] > 1), 1)}
    return [
        replace(unit, alt_group=names[unit.alt_group])
        if unit.alt_group in names
        else replace(unit, alt_group=None, uncertain=unit.uncertain or unit.alt_group is not None)
        for unit in units
    ]


def _closes_at_end(text: str) -> bool:
    depth = 0
    for position, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return position == len(text) - 1
    return False


def _format_unit(unit: ActionUnit) -> str:
    level = (unit.intensity or "") + (f"/{unit.intensity_hi}" if unit.intensity_hi else "")
    text = f"{_SIDE_LETTERS[unit.side]}{_HALF_LETTERS[unit.half]}{unit.au}{level}"
    return f"ref({text})" if unit.uncertain else text


def _error(cell: str, why: str) -> DatasetError:
    return DatasetError(
        f"action units {_shown(cell)}: {why}; expected codes such as '4+L10' or 'ref(6)'"
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
