"""What each rater sees, in which order: every method's every clip, balanced, some of them twice."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mebench.errors import UsageError
from mebench.rating.model import Item, Kind

_FEWEST = 6
"""Clips below which none is shown again: nobody would have forgotten it."""
_FARTHEST = 20


@dataclass(frozen=True)
class RatedPair:
    """A pair, as far as the order of a session must know it.

    Attributes:
        key: ``<template>/<driving>``.
        dataset: of the driving clip.
        subject: of the driving clip.
        aus: target AUs in FACS code.
        real: which real clip may be planted here; None where there is none.
    """

    key: str
    dataset: str
    subject: str
    aus: tuple[str, ...] = ()
    real: str | None = None


@dataclass(frozen=True)
class _Shown:
    pair: int
    method: int | None
    kind: Kind = "entry"
    of: int = -1
    """Place among the entries of what a repeat shows again."""


def plan_panel(
    methods: Sequence[str],
    pairs: Sequence[RatedPair],
    raters: Sequence[str],
    *,
    repeats: float = 0.1,
    reals: float = 0.1,
    seed: int = 0,
) -> dict[str, tuple[Item, ...]]:
    """Return the items of each rater in the order shown.

    Each rater sees every method's clip of every pair once, in as many rounds as there are methods:
    a round holds every pair once, with each method for about as many of them, and over raters each
    pair begins with each method about as often (rows of a Williams square). The same pair comes
    back after more than half a round. Then `repeats` of the entries are shown again, at least
    `spacing` clips later, and real clips are planted, as many as `reals` of the entries.

    Raises:
        UsageError: when a name stands twice, or there is nothing to rate.
    """
    for what, names in (
        ("method", list(methods)),
        ("pair", [pair.key for pair in pairs]),
        ("rater", list(raters)),
    ):
        if not names:
            raise UsageError(f"no {what} to rate")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UsageError(f"{what} '{twice[0]}' stands twice; name each once")
    plan = {}
    for number, rater in enumerate(raters):
        rng = np.random.default_rng([seed, 1, number])
        entries = order(len(methods), len(pairs), number, seed=seed)
        shown = [_Shown(pair, method) for pair, method in entries]
        shown = _with_repeats(shown, repeats, rng)
        shown = _with_reals(shown, pairs, round(reals * len(entries)), rng)
        plan[rater] = tuple(_items(shown, methods, pairs))
    return plan


def order(methods: int, pairs: int, rater: int, *, seed: int = 0) -> list[tuple[int, int]]:
    """Return (pair, method) of each entry of a rater, round after round.

    Source: Williams, Experimental designs balanced for the estimation of residual effects of
        treatments, Australian Journal of Scientific Research A 2, 1949.
    """
    rows = williams(methods)
    # The same for all raters, so that a pair's row moves on from one rater to the next.
    first = np.random.default_rng([seed, 0]).permutation(pairs)
    squares = len(rows) // methods
    block, shift = divmod(rater, squares)[::-1]
    rng = np.random.default_rng([seed, 2, rater])
    half = pairs // 2
    sides = np.split(rng.permutation(pairs), [half])
    found = []
    for turn in range(methods):
        # A pair stays in its half of the round: it comes back after more than half a round.
        for pair in np.concatenate([rng.permutation(side) for side in sides]).tolist():
            row = block * methods + (int(first[pair]) + shift) % methods
            found.append((pair, rows[row][turn]))
    return found


def williams(methods: int) -> list[list[int]]:
    """Return the rows of a Williams design: one Latin square, or two for an odd number.

    Over all rows each method stands in each place equally often, and is followed by each other one
    equally often.

    >>> williams(3)
    [[0, 2, 1], [1, 0, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1], [0, 1, 2]]
    """
    low, high = 0, methods - 1
    base = []
    for place in range(methods):
        base.append(low if place % 2 == 0 else high)
        low, high = (low + 1, high) if place % 2 == 0 else (low, high - 1)
    square = [[(value + row) % methods for value in base] for row in range(methods)]
    return square if methods % 2 == 0 else square + [row[::-1] for row in square]


def spacing(entries: int) -> int:
    """Return how many clips later a repeat comes at the earliest."""
    return max(2, min(_FARTHEST, entries // 3))


def _with_repeats(entries: list[_Shown], share: float, rng: np.random.Generator) -> list[_Shown]:
    """Return the entries with some of them shown again, never before their distance."""
    count = len(entries)
    far = spacing(count)
    wanted = 0 if share <= 0 or count < _FEWEST else max(2, round(share * count))
    ranked = _evenly([(entries[place].method, place) for place in range(count - far)], rng)
    slots: dict[int, int] = {}
    for strict in (True, False):
        for place in ranked:
            if len(slots) == wanted:
                break
            free = _slots(entries, place, far, set(slots.values()), strict)
            if place not in slots and free:
                slots[place] = int(rng.choice(free))
    found: list[_Shown] = []
    for place in range(count + 1):
        here = [old for old, slot in slots.items() if slot == place]
        for old in rng.permutation(np.array(here, dtype=int)).tolist():
            found.append(_Shown(entries[old].pair, entries[old].method, "repeat", old))
        found += entries[place : place + 1]
    return found


def _slots(
    entries: Sequence[_Shown], place: int, far: int, taken: set[int], strict: bool
) -> list[int]:
    """Return before which entries a repeat may be shown; others only ever push it further away.

    If `strict`, not where another repeat is, nor beside the same pair.
    """
    pair = entries[place].pair
    return [
        at
        for at in range(place + far, len(entries) + 1)
        if not strict
        or (at not in taken and all(one.pair != pair for one in entries[at - 1 : at + 1]))
    ]


def _evenly(places: Sequence[tuple[Hashable, int]], rng: np.random.Generator) -> list[int]:
    """Return places in random order in which every kind has its turn as often as the others."""
    turns: dict[Hashable, int] = {}
    ranked: list[tuple[int, int, int]] = []
    for index in rng.permutation(len(places)).tolist():
        kind, place = places[index]
        turns[kind] = turns.get(kind, 0) + 1
        ranked.append((turns[kind], len(ranked), place))
    return [place for _, _, place in sorted(ranked)]


def _with_reals(
    shown: list[_Shown], pairs: Sequence[RatedPair], wanted: int, rng: np.random.Generator
) -> list[_Shown]:
    """Return what is shown with real clips planted, one in each stretch of the session."""
    able = [(pair.real, number) for number, pair in enumerate(pairs) if pair.real is not None]
    # A real clip that stands for several pairs would soon be known again.
    chosen = _evenly(able, rng)[:wanted]
    found = list(shown)
    ends = np.linspace(0, len(shown), len(chosen) + 1).astype(int)
    for number in reversed(range(len(chosen))):
        low, high = int(ends[number]), max(int(ends[number + 1]), int(ends[number]) + 1)
        free = [
            place
            for place in range(low, high)
            if all(one.pair != chosen[number] for one in found[max(place - 1, 0) : place + 1])
        ]
        place = int(rng.choice(free if free else np.arange(low, high)))
        found.insert(place, _Shown(chosen[number], None, "real"))
    return found


def _items(
    shown: Sequence[_Shown], methods: Sequence[str], pairs: Sequence[RatedPair]
) -> Iterator[Item]:
    wide = max(3, len(str(len(shown))))
    names = [f"c{number:0{wide}d}" for number in range(1, len(shown) + 1)]
    entries = [name for name, one in zip(names, shown, strict=True) if one.kind == "entry"]
    for name, one in zip(names, shown, strict=True):
        pair = pairs[one.pair]
        yield Item(
            id=name,
            kind=one.kind,
            method=None if one.method is None else methods[one.method],
            pair=pair.key,
            dataset=pair.dataset,
            subject=pair.subject,
            aus=pair.aus,
            repeat_of=entries[one.of] if one.kind == "repeat" else None,
            real=pair.real if one.kind == "real" else None,
        )


def facts(plan: Mapping[str, Sequence[Item]]) -> str:
    """Return how many clips each rater gets, in words."""
    items = next(iter(plan.values()))
    kinds = [item.kind for item in items]
    return (
        f"{len(items)} clips a rater: {kinds.count('entry')} entries, "
        f"{kinds.count('repeat')} shown again, {kinds.count('real')} real"
    )
