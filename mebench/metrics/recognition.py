"""Is generated data worth training on? A light recogniser learns from it and reads real clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mebench.metrics.base import Case, MetricInfo, Missing, Value
from mebench.metrics.motion_distribution import motion_descriptor
from mebench.metrics.regional import RegionalMetric

Array = NDArray[np.float64]
Source = Literal["real", "generated", "both"]

SOURCES: tuple[Source, ...] = ("real", "generated", "both")
_SCORES = {"uf1": "2 TP / (2 TP + FP + FN)", "uar": "TP / N"}
_LEARNT = {"real": "real clips", "generated": "generated clips", "both": "both"}
_SHORTEST = 3
_FEW = 2


@dataclass(frozen=True)
class Sample:
    """One generated clip beside its driving clip, as the recogniser sees them.

    Attributes:
        generated: motion descriptor of the generated clip.
        driving: motion descriptor of the driving clip.
        clip: key of the driving clip.
        subject: its subject.
        face: whose face the generated clip shows, as far as the template's id tells.
        label: its class.
        lacking: why there is nothing, else empty.
    """

    generated: Array
    driving: Array
    clip: str
    subject: str
    face: str
    label: str
    lacking: str = ""


class Recognition(RegionalMetric):
    """UF1 and UAR of a fixed recogniser, leave-one-subject-out over the real driving clips.

    Formula: logistic regression (classes balanced, C .1) on the standardised motion of the face
    regions at eight moments learns from the real clips of the other subjects (real), from what was
    generated of them (generated), or from both, and reads the real clips of the subject left out.
    Generated clips whose driving clip or template is of that subject never enter its fold. Answers
    of all folds are pooled: TP, FP, FN and N a class.
    Reading: uf1_both above uf1_real says that the generated clips taught something new;
    uf1_generated, how much of the real ones they hold.
    Blind to: appearance; classes that region motion does not tell apart; a method that has learnt
    from the subject left out carries it in.
    Source: See et al., MEGC 2019, IEEE FG.
    """

    shared_infos = tuple(
        MetricInfo(
            f"{score}_{source}",
            f"{score.upper()} trained on {source}",
            low=0.0,
            high=1.0,
            level="set",
            needs=("driving", "labels"),
            headline=score == "uf1",
            formula=f"mean over classes of {_SCORES[score]}, learnt from {_LEARNT[source]}",
        )
        for score in ("uf1", "uar")
        for source in SOURCES
    )

    def describe(self, case: Case) -> Sample:
        """Return the descriptors of both clips and who they are of."""
        who = (case.driving.key, case.driving.subject, case.pair.template, case.driving.label)
        nothing = np.empty(0)
        if not case.driving.label:
            return Sample(nothing, nothing, *who, "the protocol gives its clips no classes")
        generated, driving, length = self.motions(case)
        if length < _SHORTEST:
            return Sample(nothing, nothing, *who, f"{case.driving.key} is shorter than 3 frames")
        return Sample(
            motion_descriptor(generated.vectors[:length]),
            motion_descriptor(driving.vectors[:length]),
            *who,
        )

    def own_set_values(self, described: Sequence[Sample]) -> Mapping[str, Value]:
        """Return UF1 and UAR for each kind of training data."""
        keys = [info.key for info in self.shared_infos]
        lacking = [one.lacking for one in described if one.lacking]
        if lacking:
            return dict.fromkeys(keys, Missing(lacking[0]))
        found: dict[str, Value] = {}
        for source in SOURCES:
            answers = leave_one_subject_out(described, source)
            if isinstance(answers, Missing):
                found[f"uf1_{source}"] = found[f"uar_{source}"] = answers
            else:
                found[f"uf1_{source}"], found[f"uar_{source}"] = uf1_uar(*answers)
        return found


def leave_one_subject_out(
    samples: Sequence[Sample], source: Source
) -> tuple[list[str], list[str]] | Missing:
    """Return the true and the found classes of all real clips, over the folds.

    `Missing` when there are fewer than two subjects or classes.
    """
    real = {one.clip: one for one in samples}
    subjects = sorted({one.subject for one in real.values()})
    classes = sorted({one.label for one in real.values()})
    if len(subjects) < _FEW or len(classes) < _FEW:
        return Missing(
            f"needs two subjects and two classes, got {len(subjects)} and {len(classes)}"
        )
    truth: list[str] = []
    answers: list[str] = []
    for subject in subjects:
        tested = [one for one in real.values() if one.subject == subject]
        features, labels = _training(real, samples, source, subject)
        truth += [one.label for one in tested]
        answers += _answers(features, labels, [one.driving for one in tested])
    return truth, answers


def _training(
    real: Mapping[str, Sample], samples: Sequence[Sample], source: Source, left_out: str
) -> tuple[list[Array], list[str]]:
    features: list[Array] = []
    labels: list[str] = []
    if source in ("real", "both"):
        for one in real.values():
            if one.subject != left_out:
                features.append(one.driving)
                labels.append(one.label)
    if source in ("generated", "both"):
        for one in samples:
            if left_out not in (one.subject, one.face):
                features.append(one.generated)
                labels.append(one.label)
    return features, labels


def _answers(features: list[Array], labels: list[str], tested: list[Array]) -> list[str]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(set(labels)) < _FEW:
        # One class alone teaches nothing but itself; none at all teaches nothing.
        return [labels[0] if labels else ""] * len(tested)
    model: Any = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000)
    )
    model.fit(np.stack(features), labels)
    return [str(name) for name in model.predict(np.stack(tested))]


def uf1_uar(truth: Sequence[str], answers: Sequence[str]) -> tuple[float, float]:
    """Return UF1 and UAR over the classes that occur in `truth`.

    >>> uf1_uar(["a", "a", "b", "b"], ["a", "b", "b", "b"])
    (0.7333333333333334, 0.75)
    """
    from sklearn.metrics import f1_score, recall_score

    classes = sorted(set(truth))
    settings: dict[str, Any] = {"labels": classes, "average": "macro", "zero_division": 0}
    uf1 = f1_score(truth, answers, **settings)
    return float(uf1), float(recall_score(truth, answers, **settings))
