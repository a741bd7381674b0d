"""One escaper per format: names come from strangers."""

from __future__ import annotations

import html as _html
import re

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~$])")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def latex(text: str) -> str:
    r"""Return `text` as LaTeX prints it.

    >>> latex("50% & a_b")
    '50\\% \\& a\\_b'
    """
    return "".join(_LATEX.get(character, character) for character in _one_line(text))


def markdown(text: str) -> str:
    """Return `text` as a Markdown table cell shows it, with no markup in it."""
    return _MARKDOWN.sub(r"\\\1", _one_line(text))


def html(text: str) -> str:
    """Return `text` for HTML content or a quoted attribute."""
    return _html.escape(text, quote=True)


def csv(text: str) -> str:
    """Return a CSV text cell that no spreadsheet takes for a formula."""
    line = _one_line(text)
    return "'" + line if line.startswith(_FORMULA) else line


def _one_line(text: str) -> str:
    return " ".join(text.split())
