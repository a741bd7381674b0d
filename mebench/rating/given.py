"""What one file of a rater gives: its answers, and where in the file they stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mebench.errors import SubmissionError
from mebench.rating.answers import Entry, listed
from mebench.rating.form import Question
from mebench.rating.model import Key
from mebench.submission.text import plain

Lacking = Sequence[tuple[Question, str | None]]
_MOST_LINES = 40


class CollectError(SubmissionError):
    """Files that cannot be collected; every problem is a line of its own.

    Attributes:
        lines: what, where, and what to do next, one line a problem.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = tuple(lines)
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        super().__init__(f"{lines[0]}{more}")


@dataclass
class Given:
    """One file, read and found good.

    Attributes:
        label: how messages name it.
        name: its base name.
        sha256: of its bytes.
        rater: whose it is.
        saved: when the page wrote it; a sheet does not tell.
        entries: by item.
        places: tells where missing answers of an item belong, a line each.
    """

    label: str
    name: str
    sha256: str
    rater: str
    saved: datetime | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    places: Callable[[str, Lacking], list[str]] = lambda item, lacking: []


class Lines:
    """Problems of one file, gathered; of very many, the first are kept and the rest counted."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._count = 0

    def add(self, line: str) -> None:
        """Keep a problem."""
        self._count += 1
        if len(self._lines) < _MOST_LINES:
            self._lines.append(line)

    def settle(self, label: str) -> None:
        """Raise what was gathered, if anything was.

        Raises:
            CollectError: with every line kept.
        """
        if self._count > len(self._lines):
            self._lines.append(
                f"{label}: {self._count - len(self._lines)} more problems like these"
            )
        if self._lines:
            raise CollectError(self._lines)


def check_owner(label: str, key: Key, bundle: object, rater: object) -> str:
    """Return the rater of a file of this bundle.

    Raises:
        CollectError: when it belongs to another bundle or to nobody in the key.
    """
    if bundle != key.bundle:
        raise CollectError(
            [
                f"{label}: made for bundle {_named(bundle)}, the key is of bundle {key.bundle}; "
                "collect it with its own key"
            ]
        )
    if not isinstance(rater, str) or rater not in key.raters:
        raise CollectError(
            [
                f"{label}: rater {_named(rater)} is not in the key, which knows "
                f"{listed(list(key.raters))}; ask who filled it in"
            ]
        )
    return rater


def _named(value: object) -> str:
    return f"'{plain(value, 40)}'" if isinstance(value, str) else plain(repr(value), 40)
