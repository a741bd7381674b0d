"""Which of several sources of one output is the result: driving clips and comparisons lie beside.

A word counts only where it tells sources apart: a folder called ``results`` around everything says
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from mebench.submission.found import Held
from mebench.submission.names import words

_DRIVING = frozenset({
    "source", "sources", "driving", "driver", "drv", "src", "input", "inputs",
})  # fmt: skip
_RESULT = frozenset({
    "target", "targets", "result", "results", "output", "outputs", "fake", "fakes", "gen",
    "generated", "pred", "preds", "predicted", "prediction", "predictions",
})  # fmt: skip
_COMPARISON = frozenset({
    "concat", "concatenated", "sidebyside", "sbs", "compare", "compared", "comparison",
    "comparisons", "grid", "grids", "vis", "visual", "visuals", "visualisation", "visualization",
    "collage", "montage",
})  # fmt: skip
_SIDE_BY_SIDE = ["side", "by", "side"]
_OF_TEMPLATES = frozenset({"template", "templates", "face"})
"""``target_template_face`` is the challenge's folder of templates: its 'target' is no result."""

DRIVING = "left out: the driving clip by its name"
COMPARISON = "left out: a comparison by its name"
STILL = "left out: one image beside a clip"
VIDEO = "left out: a clip file beside a folder of images"
OTHER = "left out: beside it lies one that is called the result"


def role(said: Sequence[str]) -> str:
    """Return ``driving``, ``result``, ``comparison``, or nothing where words say none or two.

    >>> role(["target", "007"]), role(["source"]), role(["source", "to", "target"])
    ('result', 'driving', '')
    """
    spoken = set(said)
    if spoken & _COMPARISON:
        return "comparison"
    driving, result = bool(spoken & _DRIVING), bool(spoken & _RESULT)
    if driving == result:
        return ""
    return "driving" if driving else "result"


def roles(titles: Sequence[str]) -> dict[str, str]:
    """Return what each title says of itself by words that not all of them hold."""
    said = {title: _spoken(title) for title in titles}
    shared = set.intersection(*map(set, said.values())) if said else set()
    return {title: role([word for word in said[title] if word not in shared]) for title in titles}


def settle(rivals: Sequence[Held]) -> tuple[list[Held], dict[str, str]]:
    """Return which sources of one output remain (one, when clear), and why the others do not."""
    depth = _common_depth([held.title for held in rivals])
    short = {held: "/".join(PurePosixPath(held.title).parts[depth:]) for held in rivals}
    told = roles(list(dict.fromkeys(short.values())))
    role_of = {held: told[title] for held, title in short.items()}
    pool, left = list(rivals), dict[str, str]()

    def leave(those: list[Held], why: str) -> None:
        if len(those) < len(pool):
            left.update({held.name: why for held in those})
            pool[:] = [held for held in pool if held not in those]

    leave([held for held in pool if role_of[held] == "comparison"], COMPARISON)
    leave([held for held in pool if role_of[held] == "driving"], DRIVING)
    leave([held for held in pool if held.images == 1], STILL)
    leave([held for held in pool if not held.images], VIDEO)
    leave([held for held in pool if role_of[held] != "result"], OTHER)
    return pool, left


def _common_depth(titles: Sequence[str]) -> int:
    """Return how many leading parts of paths all share, the last part never among them."""
    parts = [PurePosixPath(title).parts for title in titles]
    most = min(map(len, parts)) - 1
    depth = 0
    while depth < most and len({one[depth] for one in parts}) == 1:
        depth += 1
    return depth


def _spoken(title: str) -> list[str]:
    """Return the words of a title without trailing digits and without those of template folders."""
    said = [word.rstrip("0123456789") or word for word in words(title)]
    kept = []
    for place, word in enumerate(said):
        near = {*said[max(0, place - 1) : place], *said[place + 1 : place + 2]}
        if word in {"target", "targets"} and near & _OF_TEMPLATES:
            continue
        kept.append("sidebyside" if said[place : place + 3] == _SIDE_BY_SIDE else word)
    return kept
