"""The values of action-unit consistency: their formulas, and how each is to be read."""

from __future__ import annotations

import math

from mebench.metrics.base import MetricInfo

LOG2_CAP = 5.0
"""Largest `au_amplitude_log2`; also the value of a clip that does not move."""


def _info(
    key: str,
    title: str,
    formula: str,
    reading: str = "",
    low: float = 0.0,
    high: float = 1.0,
    better: bool | None = True,
    unit: str = "",
) -> MetricInfo:
    needs = ("driving", "labels") if key == "au_f1" else ("driving",)
    first = key in ("au_consistency", "au_concordance")
    return MetricInfo(key, title, unit, low, high, better, "clip", needs, first, formula, reading)


INFOS = (
    _info(
        "au_consistency",
        "AU consistency",
        "Σ_k e_k Pearson(A_k(D), A_k(G)) / Σ_k e_k",
        "the headline; feels which AUs move and when, not how strongly",
        low=-1.0,
    ),
    _info(
        "au_concordance",
        "AU concordance",
        "the same with Lin's concordance: 2 cov / (var D + var G + (mean D - mean G)²)",
        "feels amplitude and offset too",
        low=-1.0,
    ),
    _info(
        "motion_similarity",
        "motion similarity",
        "cosine of all weighted region vectors over all frames",
        low=-1.0,
    ),
    _info(
        "au_amplitude",
        "AU amplitude",
        "95th percentile over t of ‖w A(t)‖, G over D",
        "1 is right",
        high=math.inf,
        better=None,
    ),
    _info(
        "au_amplitude_log2",
        "amplitude error",
        "|log2 au_amplitude|, at most 5",
        "1 is half or double",
        high=LOG2_CAP,
        better=False,
        unit="log2",
    ),
    _info(
        "apex_error_ms",
        "apex error",
        "|argmax_t ⟨V(G)(t), V(D)(t*)⟩ - t*| / fps; V all region vectors, t* the peak of D",
        high=math.inf,
        better=False,
        unit="ms",
    ),
    _info("apex_error_share", "apex error", "the same in shares of T - 1 frames", better=False),
    _info(
        "au_leak",
        "AU leak",
        "share of AU energy outside D's active AUs, G minus D, at least 0",
        "motion that nobody asked for",
        better=False,
    ),
    _info(
        "au_f1",
        "AU F1",
        "F1 of AUs found by non-negative least squares (ridge .15) against certain FACS labels",
        "a diagnostic: flow sees some AUs only",
        better=None,
    ),
    _info(
        "au_still",
        "still clips",
        "1 when no region moves by .15 % IOD, else 0",
        "its mean is the share of frozen clips",
        better=None,
    ),
)
"""As ``docs/metrics/action_units.md`` shows them; A, D, G, e and w are those of the family."""
