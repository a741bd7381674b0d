"""Experts' scores into the records of the methods they rated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mebench.rating.bridge import require_rated
from mebench.rating.scores import COMPOSITE, HOW, MethodScores, Scores
from mebench.rating.unblind import Panel
from mebench.record import RATED, MethodRow, MetricResult, Record

_NOTE = "experts.*: "


def with_scores(records: Sequence[Record], panel: Panel, scores: Scores) -> list[Record]:
    """Return copies of records with ``experts.<scale>``, in place of those of an earlier panel.

    Control rows whose outputs were rated under the same id get theirs too.

    Raises:
        UsageError: for records that were not what was rated.
    """
    require_rated(panel.key, records)
    by_id = {one.id: one for one in scores.methods}
    found = []
    for record in records:
        copy = record.model_copy(deep=True)
        for row in (copy.result, *copy.controls):
            rated = panel.key.methods.get(row.id)
            if rated is not None and rated.pixel_digest == row.pixel_digest:
                _add(row, panel, by_id[row.id])
        copy.notes = [note for note in copy.notes if not note.startswith(_NOTE)]
        copy.notes.append(_note(panel))
        found.append(copy)
    return found


def _add(row: MethodRow, panel: Panel, scores: MethodScores) -> None:
    held: list[dict[str, Any]] = [row.metrics, *row.per_clip.values(), *row.by_dataset.values()]
    for values in held:
        for key in [key for key in values if key.startswith(RATED)]:
            del values[key]
    for name, scale in panel.scales.items():
        key, per_clip, whole = RATED + name, scores.per_clip[name], scores.scales[name]
        pairs = list(row.per_clip) or list(per_clip)
        row.metrics[key] = MetricResult(
            title=f"Experts: {scale.title['en'].lower()}",
            higher_is_better=True,
            level="clip",
            headline=name == panel.score,
            value=whole.value,
            ci95=whole.interval,
            n=whole.n,
            failed={pair: "not rated" for pair in pairs if pair not in per_clip},
        )
        for pair in pairs:
            row.per_clip.setdefault(pair, {})[key] = per_clip.get(pair)
        for part, value in _by_dataset(panel, per_clip).items():
            if part in row.by_dataset:
                row.by_dataset[part][key] = value


def _by_dataset(panel: Panel, per_clip: Mapping[str, float]) -> dict[str, float | None]:
    places = dict(zip(panel.pairs, panel.subjects, strict=True))
    found: dict[str, float | None] = {}
    for name in panel.datasets:
        values = [value for pair, value in per_clip.items() if places[pair][0] == name]
        found[name] = float(np.mean(values)) if values else None
    known = [value for value in found.values() if value is not None]
    found[COMPOSITE] = float(np.mean(known)) if len(known) == len(found) else None
    return found


def _note(panel: Panel) -> str:
    scale = panel.scales[panel.score]
    raters = len(panel.raters)
    told = f"; {'; '.join(panel.notes)}" if panel.notes else ""
    return (
        f"{_NOTE}{raters} rater{'s' if raters != 1 else ''} ({', '.join(panel.raters)}), form "
        f"'{panel.key.form.id}', bundle {panel.key.bundle}, {panel.score} from {scale.low} to "
        f"{scale.high} as rated; interval: {HOW}{told}"
    )
