"""Recognition: UF1 and UAR, folds that leak nothing, data that help and data that do not."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score

from mebench.metrics.base import Missing
from mebench.metrics.recognition import (
    Recognition,
    Sample,
    _training,
    leave_one_subject_out,
    uf1_uar,
)

CLASSES = ("negative", "positive", "surprise")


def slow_scores(truth, answers):
    """UF1 and UAR from their definitions, by counting."""
    f1, recall = [], []
    for name in sorted(set(truth)):
        tp = sum(t == name and a == name for t, a in zip(truth, answers, strict=True))
        fp = sum(t != name and a == name for t, a in zip(truth, answers, strict=True))
        fn = sum(t == name and a != name for t, a in zip(truth, answers, strict=True))
        f1.append(2 * tp / (2 * tp + fp + fn))
        recall.append(tp / (tp + fn))
    return sum(f1) / len(f1), sum(recall) / len(recall)


@pytest.mark.parametrize("seed", range(5))
def test_scores_equal_their_definition_and_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    truth = rng.choice(CLASSES, 60, p=(0.6, 0.3, 0.1)).tolist()
    answers = rng.choice(CLASSES, 60).tolist()
    found = uf1_uar(truth, answers)
    assert found == pytest.approx(slow_scores(truth, answers), abs=1e-12)
    assert found[0] == pytest.approx(f1_score(truth, answers, average="macro"), abs=1e-12)
    assert found[1] == pytest.approx(recall_score(truth, answers, average="macro"), abs=1e-12)


def panel(quality=1.0, seed=0):
    """Clips of six subjects whose class shows in their motion; generated ones show it as well."""
    rng = np.random.default_rng(seed)
    means = rng.normal(0, 1, (3, 12))
    samples = []
    for subject in range(6):
        for number in range(6):
            kind = number % 3
            driving = means[kind] + rng.normal(0, 0.8, 12)
            made = quality * means[kind] + rng.normal(0, 0.8, 12)
            face = f"samm.{(subject + 1 + number % 4) % 6}"
            key = f"samm.{subject}.{number}"
            samples.append(Sample(made, driving, key, f"samm.{subject}", face, CLASSES[kind]))
    return samples


def test_good_generated_data_teach_and_bad_do_not():
    good = uf1_uar(*leave_one_subject_out(panel(), "generated"))[0]
    useless = [
        uf1_uar(*leave_one_subject_out(panel(quality=0.0, seed=seed), "generated"))[0]
        for seed in range(5)
    ]
    assert good > 0.85
    assert np.mean(useless) < 0.55


def test_no_clip_of_the_subject_left_out_is_learnt_from():
    samples = panel()
    real = {one.clip: one for one in samples}
    for source in ("real", "generated", "both"):
        features, labels = _training(real, samples, source, "samm.2")
        bad = [one.driving for one in samples if one.subject == "samm.2"]
        bad += [one.generated for one in samples if "samm.2" in (one.subject, one.face)]
        assert len(features) == len(labels) > 0
        assert not any(np.array_equal(f, b) for f in features for b in bad)
    both = len(_training(real, samples, "both", "samm.2")[0])
    alone = [len(_training(real, samples, s, "samm.2")[0]) for s in ("real", "generated")]
    assert both == sum(alone)


def test_values_do_not_depend_on_the_order_of_the_clips():
    family = Recognition()
    assert family.own_set_values(panel()) == family.own_set_values(panel()[::-1])


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (lambda one: one.subject == "samm.1", "two subjects and two classes, got 1 and 3"),
        (lambda one: one.label == "positive", "two subjects and two classes, got 6 and 1"),
    ],
)
def test_too_little_is_missing_with_a_reason(keep, words):
    values = Recognition().own_set_values([one for one in panel() if keep(one)])
    assert len(values) == 6
    for value in values.values():
        assert isinstance(value, Missing)
        assert words in value.reason
