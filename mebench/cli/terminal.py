"""Text on a console or a pipe that knows few letters: readable there too."""

from __future__ import annotations

import codecs
import sys
import unicodedata

HANDLER = "mebench.readable"
_PLAIN = {
    "…": "...", "×": "x", "·": "-", "–": "-", "—": "-", "−": "-", "→": "->", "←": "<-",
    "↑": "up", "↓": "down", "≤": "<=", "≥": ">=", "≈": "~", "±": "+-", "²": "^2", "³": "^3",
    "Σ": "sum", "Δ": "delta", "α": "alpha", "κ": "kappa", "σ": "sigma", "μ": "u", "µ": "u",
    "√": "sqrt", "°": " deg", "✓": "yes", "✗": "no", "✔": "yes", "✘": "no", "‘": "'", "’": "'",
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "†": "+", "‡": "++", "•": "*", "ß": "ss",
    "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D",
    "━": "-", "─": "-", "│": "|", "┃": "|", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
}  # fmt: skip


def readable(text: str) -> str:
    """Return text in ASCII: signs by what they mean, letters without accents, else ``?``.

    >>> readable("1 × 2 ≤ é … 学")
    '1 x 2 <= e ... ?'
    """
    return "".join(_one(letter) for letter in text)


def _one(letter: str) -> str:
    if letter.isascii():
        return letter
    if letter in _PLAIN:
        return _PLAIN[letter]
    base = "".join(c for c in unicodedata.normalize("NFKD", letter) if c.isascii())
    return base or ("" if unicodedata.combining(letter) else "?")


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return readable(error.object[error.start : error.end]), error.end


def write_readably() -> None:
    """Let stdout and stderr write what their encoding lacks as `readable` says."""
    codecs.register_error(HANDLER, _replaced)
    for stream in (sys.stdout, sys.stderr):
        change = getattr(stream, "reconfigure", None)
        if change is not None:
            change(errors=HANDLER)
