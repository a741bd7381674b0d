"""Clips that hold nothing to measure: a reason or a finite value, never a crash or a false best."""

from __future__ import annotations

import math

import motion_warps as toy
import numpy as np
import pytest

from mebench.metrics import catalogue
from mebench.metrics.base import Case, Metric, Missing
from mebench.types import Reference

POINTS = toy.landmarks()
FAMILIES = [name for name in catalogue.METRICS if name not in ("openface", "pyfeat")]
# A clip that shows no motion has none that is false; `au_still` tells it.
STILL_HAS_NONE = {"au_leak", "jitter"}


@pytest.fixture(scope="module")
def metrics(tmp_path_factory) -> dict[str, Metric]:
    patch = pytest.MonkeyPatch()
    patch.setenv("MEBENCH_WEIGHTS", str(tmp_path_factory.mktemp("weights")))
    cache = tmp_path_factory.mktemp("cache")
    built = catalogue.build_metrics(FAMILIES, allow_seeded=True, cache=cache)
    yield dict(zip(FAMILIES, built, strict=True))
    patch.undo()


@pytest.fixture(scope="module")
def smile() -> np.ndarray:
    return toy.moving(toy.texture(), POINTS, toy.SMILE)[0][:5]


def case_of(generated: np.ndarray, driving: np.ndarray, template: np.ndarray) -> Case:
    one = toy.case(generated, driving, POINTS, Reference(driving))
    face = type(one.template)(template, POINTS)
    return Case(one.pair, generated, face, one.driving, one.reference)


def all_values(metric: Metric, cases: list[Case]) -> dict:
    described = [metric.describe(case) for case in cases]
    found = dict(metric.set_values(described))
    for one in described:
        found.update(metric.clip_values(one))
    return found


def require_told(found: dict) -> None:
    assert found
    for key, value in found.items():
        if isinstance(value, Missing):
            assert value.reason, key
            assert "\n" not in value.reason, key
        else:
            assert math.isfinite(value), key


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("level", [0, 128])
def test_generated_frames_without_a_picture_never_look_right(metrics, smile, family, level):
    metric = metrics[family]
    found = all_values(metric, [case_of(np.full_like(smile, level), smile, smile[0])])
    require_told(found)
    better = {info.key: info.higher_is_better for info in metric.infos}
    for key, value in found.items():
        if better[key] is False and key not in STILL_HAS_NONE:
            assert isinstance(value, Missing) or value > 0, key


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["black", "still"])
def test_a_driving_clip_without_motion_gives_reasons(metrics, smile, family, kind):
    nothing = 0 * smile if kind == "black" else smile[:1].repeat(len(smile), axis=0)
    found = all_values(metrics[family], [case_of(nothing, nothing, smile[0])])
    require_told(found)
    for key in ("au_consistency", "au_still", "subtlety_log2", "flow_epe_px"):
        assert isinstance(found.get(key, Missing("")), Missing), key


@pytest.mark.parametrize("family", FAMILIES)
def test_one_frame_and_one_clip_give_reasons(metrics, smile, family):
    metric = metrics[family]
    found = all_values(metric, [case_of(smile[:1], smile[:1], smile[0])])
    require_told(found)
    for info in metric.infos:
        if info.key.startswith(("au_con", "jitter", "fid~", "kid~", "motion_frechet~")):
            assert isinstance(found.get(info.key, Missing("")), Missing), info.key
    if family == "motion_distribution":
        assert "shorter than 3 frames" in found["motion_frechet"].reason
    if family == "temporal":
        assert isinstance(found["jitter"], Missing)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_clip_at_all_gives_reasons(metrics, family):
    for key, value in metrics[family].set_values([]).items():
        if not key.endswith(("frames", "clips")):
            assert isinstance(value, Missing), key
