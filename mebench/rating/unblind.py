"""A panel's ratings with the organiser's key laid beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mebench.errors import UsageError, did_you_mean
from mebench.rating.form import Scale
from mebench.rating.model import Item, Key, Rating, Ratings

Floats = NDArray[np.float64]
REAL = "(real)"
"""Stands for the method of a planted real clip; no method id has parentheses."""


@dataclass(frozen=True)
class Panel:
    """Who rated what how.

    Attributes:
        raters: those with at least one mark, in the key's order.
        pairs: those of all clips, in the order of their names.
        answers: by rater and item.
        notes: what was left out and why.
    """

    key: Key
    raters: tuple[str, ...]
    pairs: tuple[str, ...]
    answers: Mapping[str, Mapping[str, Rating]]
    notes: tuple[str, ...] = field(default=())

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the methods' ids in the key's order."""
        return tuple(self.key.methods)

    @property
    def score(self) -> str:
        """Return the scale that methods are ranked by."""
        return self.key.form.score

    @property
    def scales(self) -> Mapping[str, Scale]:
        """Return the form's scales by id, the score first."""
        found = {scale.id: scale for scale in self.key.form.scales}
        return {self.score: found[self.score], **found}

    @cached_property
    def _places(self) -> dict[str, Item]:
        return {item.pair: item for r in self.key.raters for item in self.key.raters[r]}

    @property
    def subjects(self) -> list[tuple[str, str]]:
        """Return data set and subject of the driving clip of each pair: the unit of bootstraps."""
        places = self._places
        return [(places[pair].dataset, places[pair].subject) for pair in self.pairs]

    @property
    def datasets(self) -> tuple[str, ...]:
        """Return the data sets of the pairs, by name."""
        return tuple(sorted({dataset for dataset, _ in self.subjects}))

    def value(self, rater: str, item: str, scale: str) -> float:
        """Return a mark, NaN where it was not given."""
        rating = self.answers[rater].get(item)
        given = None if rating is None else rating.values.get(scale)
        return float("nan") if given is None else float(given)

    def marks(self, scale: str) -> Floats:
        """Return the first look at every clip; a repeat stands in where that was not answered.

        Shapes: (methods + 1, pairs, raters), planted real clips last; NaN is a missing mark.
        """
        rows = {name: number for number, name in enumerate((*self.methods, REAL))}
        columns = {name: number for number, name in enumerate(self.pairs)}
        found = np.full((len(rows), len(columns), len(self.raters)), np.nan)
        for number, rater in enumerate(self.raters):
            for item in sorted(self.key.raters[rater], key=lambda one: one.kind == "repeat"):
                place = rows[item.method or REAL], columns[item.pair], number
                if np.isnan(found[place]):
                    found[place] = self.value(rater, item.id, scale)
        return found

    def entries(self, scale: str) -> Floats:
        """Return the first look at the methods' clips.

        Shapes: (methods, pairs, raters).
        """
        return self.marks(scale)[:-1]

    def repeats(self, rater: str, scale: str) -> Floats:
        """Return first and second mark of the clips that a rater was shown twice.

        Shapes: (clips, 2).
        """
        found = [
            (self.value(rater, item.repeat_of, scale), self.value(rater, item.id, scale))
            for item in self.key.raters[rater]
            if item.kind == "repeat" and item.repeat_of is not None
        ]
        both = np.array(found, dtype=np.float64).reshape(-1, 2)
        return both[~np.isnan(both).any(axis=1)]


def unblind(key: Key, ratings: Ratings, *, without: Collection[str] = ()) -> Panel:
    """Lay the key beside the ratings.

    Args:
        key: of the bundle.
        ratings: collected from it.
        without: raters to leave out.

    Raises:
        UsageError: for ratings of another bundle, unknown raters or items, one item twice, a mark
            off its scale, or nobody left.
    """
    if ratings.bundle != key.bundle:
        raise UsageError(
            f"the ratings are of bundle '{ratings.bundle}', the key is of '{key.bundle}'; give the "
            "key.json that `mebench rate make` wrote beside that bundle"
        )
    for name in without:
        if name not in key.raters:
            raise UsageError(f"no rater '{name}' in the key.{did_you_mean(name, key.raters)}")
    answers: dict[str, dict[str, Rating]] = {}
    items = {rater: {item.id for item in key.raters[rater]} for rater in key.raters}
    for rating in ratings.ratings:
        if rating.item not in items.get(rating.rater, ()):
            raise UsageError(
                f"rating of item '{rating.item}' by '{rating.rater}': the key has no such item; "
                "collect the raters' files again"
            )
        own = answers.setdefault(rating.rater, {})
        if rating.item in own:
            raise UsageError(f"item '{rating.item}' of '{rating.rater}' is rated twice")
        _check(key, rating)
        own[rating.item] = rating
    told = [f"{name}: left out as asked" for name in without if name in answers]
    raters = []
    for rater in key.raters:
        own = answers.get(rater, {})
        given = sum(key.form.score in rating.values for rating in own.values())
        if rater in without:
            continue
        if not given:
            told.append(f"{rater}: rated nothing and is left out")
            continue
        raters.append(rater)
        if given < len(items[rater]):
            told.append(f"{rater}: {given} of {len(items[rater])} clips rated")
    if not raters:
        raise UsageError("nobody has rated anything; collect the raters' files first")
    pairs = {item.pair for rater in key.raters for item in key.raters[rater]}
    return Panel(key, tuple(raters), tuple(sorted(pairs)), answers, tuple(told))


def _check(key: Key, rating: Rating) -> None:
    for scale in key.form.scales:
        value = rating.values.get(scale.id)
        if value is None:
            continue
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not scale.low <= value <= scale.high:
            raise UsageError(
                f"item '{rating.item}' of '{rating.rater}': expected {scale.id} as a whole number "
                f"from {scale.low} to {scale.high}, got {value!r}; collect the files again"
            )
