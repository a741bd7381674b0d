"""What a calibration says, as rows for tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mebench.calibration.controls import ON_REAL_FACES
from mebench.calibration.ladders import LADDERS
from mebench.calibration.reading import ENOUGH, Feeling, Separation, plain
from mebench.calibration.suite import CONTROLS, Results

HEADLINE = (
    "au_consistency",
    "au_concordance",
    "motion_similarity",
    "flow_epe_px",
    "au_curve_rmse_iod",
    "motion_frechet",
    "fid",
    "lpips",
    "identity_distance",
)
"""Values a reader meets first; a variant such as ``fid~seeded`` stands for its own."""
KNOWN = (
    "au_consistency",
    "au_concordance",
    "motion_similarity",
    "au_amplitude",
    "apex_error_ms",
    "au_leak",
    "au_f1",
)
"""Columns of the table of known behaviour."""
_UNITS = {ladder.name: ladder.unit for ladder in LADDERS}


def headline(found: Iterable[Feeling]) -> list[Feeling]:
    """Return the feelings of the values a reader meets first."""
    return [one for one in found if plain(one.key) in HEADLINE]


def owed_rows(found: Iterable[Feeling]) -> list[dict[str, str]]:
    """Return a row for each ladder that a value is there to feel."""
    return [
        {
            "value": one.key,
            "ladder": one.ladder,
            "Spearman": f"{abs(one.spearman):.2f}",
            "in one clip": "" if one.spearman_clips is None else f"{abs(one.spearman_clips):.2f}",
            "told from": "--" if one.told is None else f"{one.told:g}",
            "level is": _UNITS[one.ladder],
            "feels it": "yes" if abs(one.spearman) >= ENOUGH else "NO",
        }
        for one in found
        if one.owed
    ]


def overview_rows(found: Sequence[Feeling]) -> list[dict[str, str]]:
    """Return a row a value, a column a ladder: the smallest level told and Spearman's rho.

    ``--`` where no level is told from the right answer: the value is blind to it.
    """
    ladders = list(dict.fromkeys(one.ladder for one in found))
    rows: dict[str, dict[str, str]] = {}
    for one in found:
        row = rows.setdefault(one.key, {"value": one.key, **dict.fromkeys(ladders, "")})
        text = "--" if one.told is None else f"{one.told:g} ({one.spearman:+.2f})"
        row[one.ladder] = f"**{text}**" if one.owed else text
    return list(rows.values())


def blind_spots(found: Iterable[Feeling]) -> dict[str, list[str]]:
    """Return the ladders of which a value tells no level, by value."""
    spots: dict[str, list[str]] = {}
    for one in found:
        spots.setdefault(one.key, [])
        if one.told is None:
            spots[one.key].append(one.ladder)
    return spots


def known_rows(results: Results, keys: Sequence[str] = KNOWN) -> list[dict[str, str]]:
    """Return a row a control: means over clips, beside what real faces gave."""
    rows = []
    for (part, label), values in results.clips.items():
        if part != CONTROLS:
            continue
        row = {"generated": str(label), "real faces": _number(ON_REAL_FACES.get(str(label)))}
        for key in keys:
            numbers = values.get(key, np.zeros(0))
            some = numbers[np.isfinite(numbers)]
            row[key] = _number(float(some.mean())) if len(some) else ""
        rows.append(row)
    return rows


def separation_line(found: Separation) -> str:
    """Return one line on how well a value parts good from bad."""
    good, bad, own, disjoint, every = found.counts
    return (
        f"{found.key}: area under the ROC curve, good against bad controls "
        f"{found.controls:.3f} ({good} against {bad} clips); own driving clip against those "
        f"without a common AU {found.disjoint:.3f} ({own} against {disjoint}), "
        f"against all others {found.every:.3f} ({every})"
    )


def separation_row(found: Separation) -> dict[str, str]:
    """Return the same as a row of a table: areas under the ROC curve, clips in brackets."""
    good, bad, own, disjoint, every = found.counts
    return {
        "value": found.key,
        "good : bad controls": f"{found.controls:.3f} ({good}:{bad})",
        "own : other clip, no AU in common": f"{found.disjoint:.3f} ({own}:{disjoint})",
        "own : any other clip": f"{found.every:.3f} ({own}:{every})",
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
