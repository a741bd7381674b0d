"""What counts as an answer, wherever it was written, and which answers a clip still lacks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mebench.rating.form import Checks, Choice, Form, Question, Scale, Text, Units, YesNo
from mebench.rating.model import Item
from mebench.submission.text import plain

Place = tuple[str | None, str]
"""Where an answer belongs: the target AU, or None for the clip as a whole; the question."""

_UNIT = re.compile(r"(?:AU|AD|M)?([LRA]?)([TB]?)(?:AU|AD|M)?([0-9]{1,2})([LR]?)", re.IGNORECASE)
_BETWEEN_UNITS = re.compile(r"[\s,;+、]+")
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_UNPRINTED = ("Cc", "Cs")
_SHOWN = 60


@dataclass
class Entry:
    """One rater's answers for one item, as one file holds them.

    Attributes:
        answers: by place.
        seconds: time spent, where the player told it.
    """

    answers: dict[Place, Any] = field(default_factory=dict)
    seconds: float | None = None


def refusal(question: Question, value: Any) -> str | None:
    """Return why `value` answers no such question, or None when it does."""
    expected: str
    if isinstance(question, YesNo):
        right = type(value) is int and value in (0, 1)
        expected = "1 (yes) or 0 (no)"
    elif isinstance(question, Scale):
        right = type(value) is int and question.low <= value <= question.high
        expected = f"a whole number from {question.low} to {question.high}"
    elif isinstance(question, Choice):
        right = isinstance(value, str) and value in question.choices
        expected = f"one of {', '.join(question.choices)}"
    elif isinstance(question, Checks):
        known = [choice.id for choice in question.choices]
        right = _is_list(value) and all(one in known for one in value)
        expected = f"a list of {', '.join(known)}, each once"
    elif isinstance(question, Units):
        right = _is_list(value) and all(unit(one) == one for one in value)
        expected = "a list of action units such as 4 or L12, each once"
    else:
        right = isinstance(value, str) and bool(value) and _utf16(value) <= question.most
        expected = f"a text of 1 to {question.most} characters"
        if isinstance(value, str) and not right:
            return f"expected {expected}, got {_utf16(value)}"
    return None if right else f"expected {expected}, got {shown(value)}"


def normal(question: Question, value: Any) -> Any:
    """Return a value as it is stored: 4.0 as 4, texts without what does not print."""
    if isinstance(question, (YesNo, Scale)) and isinstance(value, float) and value.is_integer():
        return int(value)
    return tidy(value) if isinstance(question, Text) and isinstance(value, str) else value


def missing(form: Form, item: Item, entry: Entry | None) -> list[tuple[Question, str | None]]:
    """Return the required questions of an item that are not answered, with their target AU."""
    given = entry.answers if entry is not None else {}
    return [
        (question, au)
        for question in form.fields
        if question.required
        for au in (item.aus if question.per_au else (None,))
        if (au, question.id) not in given
    ]


def split_units(text: str) -> list[str]:
    """Return the words of a list of action units; some may be none."""
    return [word for word in _BETWEEN_UNITS.split(unicodedata.normalize("NFKC", text)) if word]


def unit(text: Any) -> str | None:
    """Return an action unit as the player writes it, such as ``L12`` for ``AU12L``, or None.

    >>> [unit(text) for text in ("au4", "12L", "RB25", "04", "0", "4B")]
    ['4', 'L12', 'RB25', '4', None, None]
    """
    found = _UNIT.fullmatch(text) if isinstance(text, str) else None
    if found is None or (found[1] and found[4]) or int(found[3]) == 0:
        return None
    return f"{found[1] or found[4]}{found[2]}".upper() + str(int(found[3]))


def tidy(text: str) -> str:
    r"""Return free text with one kind of line end and nothing that only steers a display.

    >>> tidy(" a\r\nb\x1b[0m\u202e ")
    'a\nb[0m'
    """
    text = _LINE_ENDS.sub("\n", text)
    kept = (
        one
        for one in text
        if one in "\n\t" or (one not in _TURNING and unicodedata.category(one) not in _UNPRINTED)
    )
    return "".join(kept).strip()


def title(question: Question) -> str:
    """Return the name of a question in messages."""
    return " ".join(tidy(spoken(question.title, "en") or question.id).split())


def spoken(titles: Any, language: str) -> str:
    """Return a title in a language, the other one where it is missing."""
    return str(titles.get(language) or next(iter(titles.values()), ""))


def shown(value: Any) -> str:
    """Return a value as a message shows it: short, and with nothing that does not print."""
    text = repr(value) if isinstance(value, str) else str(value)
    return plain(text, _SHOWN)


def listed(words: Sequence[str], most: int = 6) -> str:
    """Return words with commas, the first few of many."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def _is_list(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, str) for one in value)
        and len(set(value)) == len(value)
    )


def _utf16(text: str) -> int:
    """Return the length a browser and a spreadsheet count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
