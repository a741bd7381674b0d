"""Records of the methods that a simulated panel rated, with metrics that follow it or do not."""

from __future__ import annotations

import numpy as np

from mebench.rating.model import Key, Ratings
from mebench.rating.scores import clip_means
from mebench.rating.unblind import unblind
from mebench.record import DatasetStamp, MethodRow, MetricResult, Record


def records_of(key: Key, ratings: Ratings, seed: int = 0, noise: float = 0.3) -> list[Record]:
    """``follows`` is what experts gave plus noise, ``against`` its opposite and lower is better."""
    panel = unblind(key, ratings)
    means = clip_means(panel.entries(panel.score))
    rng = np.random.default_rng(seed)
    found = []
    for name, row in zip(panel.methods, means, strict=True):
        follows = row + rng.normal(0, noise, len(row))
        chance = rng.normal(0, 1, len(row))
        columns = {"follows": follows, "against": -follows, "chance": chance, "told": chance}
        better = {"follows": True, "against": False, "chance": True, "told": None}
        metrics = {
            metric: MetricResult(
                title=metric.title(),
                higher_is_better=better[metric],
                headline=True,
                value=float(np.nanmean(values)),
                n=len(values),
            )
            for metric, values in columns.items()
        }
        metrics["fid"] = MetricResult(
            title="FID", higher_is_better=False, level="set", value=50 - 5 * float(np.nanmean(row))
        )
        per_clip = {
            pair: {metric: float(values[n]) for metric, values in columns.items()}
            for n, pair in enumerate(panel.pairs)
        }
        subjects = dict(zip(panel.pairs, (s for _, s in panel.subjects), strict=True))
        parts = {data: {"follows": 1.0} for data in (*panel.datasets, "composite")}
        found.append(
            Record(
                result=MethodRow(
                    id=name,
                    title=key.methods[name].title,
                    pixel_digest=key.methods[name].pixel_digest,
                    metrics=metrics,
                    per_clip=per_clip,
                    by_dataset=parts,
                ),
                protocol=key.protocol,
                dataset=DatasetStamp(
                    id=key.protocol.id,
                    index_digest=key.index_digest,
                    clips=len(row),
                    subjects=len(set(subjects.values())),
                    driving_subjects=len(set(subjects.values())),
                    pairs=len(row),
                ),
                groups=subjects,
            )
        )
    return found
