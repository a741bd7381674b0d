"""Strangers' words inside messages: made visible, and kept to one short line."""

from __future__ import annotations

_LONGEST = 400


def plain(text: str, longest: int = _LONGEST) -> str:
    r"""Return `text` with every character that does not print as its escape, cut to `longest`.

    >>> plain("a\x1b[31m\u202eb")
    'a\\x1b[31m\\u202eb'
    """
    shown = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
    return shown if len(shown) <= longest else shown[: longest - 3] + "..."
