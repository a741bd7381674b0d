"""Objective classes I to VII of Davison et al.: what the action units say, not the situation."""

from __future__ import annotations

from collections.abc import Iterable

from mebench.facs.codes import numbers
from mebench.types import ActionUnit

CLASSES = ("I", "II", "III", "IV", "V", "VI", "VII")
_SETS = {
    "I": "6 12 6+12 6+7+12 7+12",
    "II": "1+2 5 25 1+2+25 25+26 5+24",
    "III": "23 4 4+7 4+5 4+5+7 17+24 4+6+7 4+38",
    "IV": "10 9 4+9 4+40 4+5+40 4+7+9 4+9+17 4+7+10 4+5+7+9 7+10",
    "V": "1 15 1+4 6+15 15+17",
    "VI": "1+2+4 20",
}
_CLASS = {
    frozenset(int(au) for au in units.split("+")): name
    for name, sets in _SETS.items()
    for units in sets.split()
}


def objective_class(units: Iterable[ActionUnit]) -> str:
    """Return the class of a set of action units, side and intensity ignored.

    Data sets state the class themselves; coders left out secondary units, so the rule agrees with
    SAMM's column in 144 of 159 clips only.

    Source: Davison, Merghani and Yap 2018, "Objective Classes for Micro-Facial Expression
    Recognition", table 1.

    >>> objective_class([ActionUnit(4), ActionUnit(7)]), objective_class([ActionUnit(14)])
    ('III', 'VII')
    """
    return _CLASS.get(numbers(units), "VII")


def read_class(cell: str) -> str | None:
    """Return "I".."VII" for a cell such as ``3`` or ``III``, None for anything else.

    >>> read_class("4"), read_class("iv"), read_class("/")
    ('IV', 'IV', None)
    """
    text = cell.strip().upper()
    if text in CLASSES:
        return text
    return CLASSES[int(text) - 1] if text.isdigit() and 1 <= int(text) <= 7 else None
