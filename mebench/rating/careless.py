"""Whether a rater looked: marks that tell no more than the same marks dealt out at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mebench.rating.scores import clip_means
from mebench.rating.unblind import Floats, Panel

CHANCE = 0.05
"""Flagged where marks dealt out at random agree as well in at least this share of the deals."""
FEWEST = 10
"""Marks below which nothing is said."""
SAME = 0.9
"""Flagged where one mark makes up this share of all."""
RUN, RARE = 10, 0.001
"""Flagged for this many equal marks one after another, where a mark as common as that one is
elsewhere makes fewer such runs than this."""
FAST, SHARE = 2.0, 0.25
"""Flagged for a median below so many seconds, or below this share of the others' median."""
RULE = (
    f"flagged: marks that agree with the other raters, and with the rater's own repeats, no better "
    f"than the same marks dealt out at random (permutation p of at least {CHANCE}); or one mark "
    f"for {SAME:.0%} of the clips; or a run of {RUN} or more equal marks where chance makes fewer "
    f"than {RARE}; or a median time under {FAST:.0f} s or {SHARE:.0%} of the others'"
)
_DEALS = 1000


@dataclass(frozen=True)
class Looks:
    """One rater's marks in the order shown.

    Attributes:
        marks: of each clip that has one.
        cells: method and pair of each mark, as numbers; -1 for a repeat.
        again: places of first and second mark of the clips that were shown twice.
    """

    marks: Floats
    cells: NDArray[np.intp]
    again: NDArray[np.intp]


def looks_of(panel: Panel, rater: str) -> Looks:
    """Return a rater's marks on the score, in the order shown."""
    rows = {name: number for number, name in enumerate(panel.methods)}
    columns = {name: number for number, name in enumerate(panel.pairs)}
    marks: list[float] = []
    cells: list[int] = []
    place: dict[str, int] = {}
    again: list[tuple[int, int]] = []
    for item in panel.key.raters[rater]:
        mark = panel.value(rater, item.id, panel.score)
        if np.isnan(mark):
            continue
        place[item.id] = len(marks)
        if item.kind == "repeat" and item.repeat_of in place:
            again.append((place[item.repeat_of], len(marks)))
            cells.append(-1)
        else:
            row = len(rows) if item.method is None else rows[item.method]
            cells.append(row * len(columns) + columns[item.pair])
        marks.append(mark)
    return Looks(
        np.array(marks),
        np.array(cells, dtype=np.intp),
        np.array(again, dtype=np.intp).reshape(-1, 2),
    )


def consensus(marks: Floats, bias: Floats, raters: list[int]) -> Floats:
    """Return what some raters give each clip once their bias is taken off.

    Shapes: (methods + 1, pairs, raters) to (methods + 1, pairs).
    """
    return clip_means((marks - bias)[:, :, raters])


def correlation(looks: Looks, others: Floats) -> float | None:
    """Return Spearman's correlation of a rater's marks with the others' consensus."""
    mine, theirs, _ = _shared(looks, others)
    if len(mine) < 3 or np.ptp(mine) == 0 or np.ptp(theirs) == 0:
        return None
    return float(np.corrcoef(_ranked(mine), _ranked(theirs))[0, 1])


def chance(looks: Looks, others: Floats, *, seed: int = 0) -> float | None:
    """Return how often the rater's own marks, dealt out at random, agree as well; None: cannot say.

    Two agreements are standardised by what the deals give and added: Spearman's with the others,
    and the mean distance between both marks of a repeat.
    """
    if len(looks.marks) < FEWEST:
        return None
    if np.ptp(looks.marks) == 0:
        return 1.0
    rng = np.random.default_rng(seed)
    deals = rng.permuted(np.tile(looks.marks, (_DEALS, 1)), axis=1)
    every = np.concatenate([looks.marks[None], deals])
    total = np.zeros(len(every))
    known = 0
    _, theirs, kept = _shared(looks, others)
    if len(theirs) >= FEWEST and np.ptp(theirs) > 0:
        # Ranks of marks that were dealt out are ranks that were dealt out.
        ranks = _lookup(every, looks.marks)[:, kept]
        target = _ranked(theirs) - _ranked(theirs).mean()
        total += _standard(ranks @ target)
        known += 1
    if len(looks.again) >= 3:
        gaps = np.abs(every[:, looks.again[:, 0]] - every[:, looks.again[:, 1]]).mean(axis=1)
        total += _standard(-gaps)
        known += 1
    if not known:
        return None
    return float(np.mean(total >= total[0] - 1e-9))


def chances(panel: Panel, marks: Floats, bias: Floats, *, seed: int = 0) -> dict[str, float | None]:
    """Return `chance` of every rater, against raters that look.

    The one who does worst is taken out of the others' consensus first, and so on, so that a
    careless rater costs the good ones nothing. Where half of the panel would go nothing is taken
    out: then the clips do not differ, or nobody looked.
    """
    looks = [looks_of(panel, rater) for rater in panel.raters]
    out: dict[int, float] = {}
    while True:
        inside = [r for r in range(len(looks)) if r not in out]
        found = {
            r: chance(looks[r], consensus(marks, bias, [o for o in inside if o != r]), seed=seed)
            for r in inside
        }
        worst = (
            max((p, r) for r, p in found.items() if p is not None)
            if any(p is not None for p in found.values())
            else (0.0, -1)
        )
        if worst[0] < CHANCE or 2 * (len(out) + 1) > max(2, len(looks)):
            break
        out[worst[1]] = worst[0]
    named: dict[str, float | None] = {}
    for number, rater in enumerate(panel.raters):
        named[rater] = out[number] if number in out else found[number]
    return named


def straight(looks: Looks) -> str:
    """Return what is odd about a rater who gives one mark all the time, else nothing."""
    total = len(looks.marks)
    if total < FEWEST:
        return ""
    values, counts = np.unique(looks.marks, return_counts=True)
    share = float(counts.max()) / total
    if share >= SAME:
        return f"mark {values[counts.argmax()]:g} for {share:.0%} of the clips"
    starts = np.concatenate([[0], np.flatnonzero(np.diff(looks.marks)) + 1, [total]])
    runs = np.diff(starts)
    longest = int(runs.max())
    mark = looks.marks[starts[runs.argmax()]]
    # How common the mark is where the run does not show it.
    common = (float((looks.marks == mark).sum()) - longest + 1) / (total - longest + 2)
    if longest >= RUN and total * common**longest < RARE:
        return f"{longest} equal marks one after another"
    return ""


def hasty(own: float | None, others: float | None) -> str:
    """Return what is odd about a rater's median time a clip, else nothing.

    Units: seconds.
    """
    if own is None:
        return ""
    if own < FAST or (others is not None and own < SHARE * others):
        told = "" if others is None else f", the others' is {others:.1f} s"
        return f"median time {own:.1f} s a clip{told}"
    return ""


def _shared(looks: Looks, others: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return a rater's marks and the others' of the same clips, and which marks those are."""
    theirs = np.where(looks.cells < 0, np.nan, others.ravel()[looks.cells])
    kept = ~np.isnan(theirs)
    return looks.marks[kept], theirs[kept], kept


def _ranked(values: Floats) -> Floats:
    from scipy.stats import rankdata

    ranks: Floats = rankdata(values)
    return ranks


def _lookup(every: Floats, marks: Floats) -> Floats:
    values = np.unique(marks)
    ranks = np.unique(_ranked(marks))
    found: Floats = ranks[np.searchsorted(values, every)]
    return found


def _standard(values: Floats) -> Floats:
    """Return values in standard deviations of the deals, the first being no deal."""
    deals = values[1:]
    spread = float(deals.std())
    standard: Floats = (values - deals.mean()) / (spread if spread > 0 else 1.0)
    return standard
