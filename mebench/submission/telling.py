"""A conversion in as many lines as a screen holds; the report has them all."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from mebench.submission.convert import Conversion, Taken

SCREEN = 18
"""Lines a conversion may take on the terminal before more of them are told as one."""
_NUMBERS = re.compile(r"[0-9]+")


def lines(done: Conversion) -> list[str]:
    """Return what was matched and changed, ten or more alike as one line, fewer where too long."""
    told: list[str] = []
    for alike in (10, 5, 3, 2):
        told = [
            *_sources([one for one in done.taken if one.output], alike),
            *_sources([one for one in done.taken if not one.output], alike),
            *_missing(done.missing, alike),
        ]
        if len(told) <= SCREEN:
            return told
    return [*told[:SCREEN], f"and {len(told) - SCREEN} more lines in the report"]


def _sources(taken: Iterable[Taken], alike: int) -> list[str]:
    groups: dict[str, list[Taken]] = defaultdict(list)
    for one in taken:
        groups[one.how].append(one)
    found: list[str] = []
    notes: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for how, group in groups.items():
        if len(group) < alike:
            found += [_line(one) for one in group]
            continue
        first = group[0]
        target = f"{len(group)} outputs" if first.output else "nothing"
        example = f"{first.source} -> {first.output}" if first.output else first.source
        found.append(f"{len(group)} sources -> {target} ({how}), such as {example}")
        for one in group:
            for note in one.notes:
                notes[_NUMBERS.sub("#", note)].append((one.output, note))
    for same in notes.values():
        if len(same) < alike:
            found += [f"{output}: {note}" for output, note in same]
        else:
            found.append(f"{len(same)} outputs, such as {same[0][0]}: {same[0][1]}")
    return found


def _line(one: Taken) -> str:
    may_be = list(one.candidates[:2])
    if len(one.candidates) > 2:
        may_be.append(f"and {len(one.candidates) - 2} more")
    told = "; ".join([one.how, *one.notes, *may_be])
    return f"{one.source} -> {one.output or 'nothing'} ({told})"


def _missing(keys: list[str], alike: int) -> list[str]:
    if len(keys) < alike:
        return [f"nothing for {key}" for key in keys]
    return [f"nothing for {len(keys)} outputs, such as {keys[0]}"] if keys else []
