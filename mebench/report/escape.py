"""One escaper per format: names come from strangers."""

from __future__ import annotations

import html as _html
import re
import unicodedata

from mebench.submission.text import plain

_LONGEST = 2000
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
    '"': r"\char34{}",
    "`": r"\textasciigrave{}",
    # After a row's end these would be read as its arguments.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "’": "'",
    "‘": "`",
    "“": "``",
    "”": "''",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "…": r"\dots{}",
    "²": r"$^2$",
    "³": r"$^3$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "°": r"$^\circ$",
    "µ": r"$\mu$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "†": r"$^\dagger$",
    "‡": r"$^\ddagger$",
    "§": r"$^\S$",
    "¶": r"$^\P$",
}
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
_LETTERS = {
    **{"ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "ø": r"\o{}", "Ø": r"\O{}", "ł": r"\l{}"},
    **{"Ł": r"\L{}", "œ": r"\oe{}", "Œ": r"\OE{}", "å": r"\aa{}", "Å": r"\AA{}", "ı": r"\i{}"},
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~$&@])")
_LINK = re.compile(r"(?i):(?=//)|(?<=www)\.")
_FORMULA = tuple("=+-@\t\r＝＋－＠")


def text(value: str) -> str:
    r"""Return `value` as one line without anything a terminal would obey.

    >>> text("a\x1b[2J\nb")
    'a\\x1b[2J b'
    """
    return plain(" ".join(value.split()), _LONGEST)


def latex(value: str) -> str:
    r"""Return `value` as LaTeX prints it; letters its fonts lack stand as ``[U+4E2D]``.

    >>> latex("50% & a_b")
    '50\\% \\& a\\_b'
    >>> latex("Lathuilière 中")
    'Lathuili\\`{e}re {[}U+4E2D{]}'
    """
    line = unicodedata.normalize("NFC", text(value))
    return "".join(map(_latex_character, line)).replace("--", "-{}-")


def _latex_character(character: str) -> str:
    known = _LATEX.get(character) or _LETTERS.get(character)
    if known is not None:
        return known
    if character.isascii():
        return character
    base, *marks = list(unicodedata.normalize("NFD", character))
    if base.isascii() and base.isalpha() and len(marks) == 1 and marks[0] in _ACCENTS:
        return rf"\{_ACCENTS[marks[0]]}{{{base}}}"
    return f"{{[}}U+{ord(character):04X}{{]}}"


def markdown(value: str) -> str:
    """Return `value` as a Markdown table cell shows it, with no markup, mention or link in it."""
    escaped = _MARKDOWN.sub(r"\\\1", text(value))
    return _LINK.sub(lambda found: "\\" + found[0], escaped)


def html(value: str) -> str:
    """Return `value` for HTML content or a quoted attribute."""
    return _html.escape(text(value), quote=True)


def csv(value: str) -> str:
    """Return a CSV text cell that no spreadsheet takes for a formula."""
    line = text(value)
    return "'" + line if line.startswith(_FORMULA) else line


def bibtex_comment(value: str) -> str:
    """Return `value` for a line between BibTeX entries, where an ``@`` would open one."""
    return text(value).replace("@", "(at)")
