"""The errors a user can cause, each with the exit code the command line gives it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MebenchError(Exception):
    """A problem the user can mend; the message says what, where, and what to do next.

    Attributes:
        exit_code: what the command line exits with.
    """

    exit_code = 1


class UsageError(MebenchError):
    """A wrong command, option, id, key or output place (exit 2)."""

    exit_code = 2


class SubmissionError(MebenchError):
    """A submission that is refused (exit 3)."""

    exit_code = 3


class DatasetError(MebenchError):
    """A data root, annotation, clip or frame that cannot be used (exit 4)."""

    exit_code = 4


class WeightsError(MebenchError):
    """Network weights or a checkpoint that are missing, damaged or of another kind (exit 5)."""

    exit_code = 5


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the nearest known word, or the list of known words.

    >>> did_you_mean("fom-prior", ["fomm-prior", "fomm"])
    " Did you mean 'fomm-prior'?"
    """
    options = sorted(known)
    near = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    if near:
        return f" Did you mean '{near[0]}'?"
    return f" Known: {', '.join(options)}." if options else ""
