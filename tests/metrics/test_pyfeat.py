"""py-feat itself is no part of the tests: a package of the same name and calls stands in."""

from __future__ import annotations

import sys
from pathlib import Path

import motion_warps as toy
import numpy as np
import pytest

from mebench.metrics import pyfeat
from mebench.metrics.base import Missing
from mebench.metrics.pyfeat import PyFeatConsistency

# AU12 is the brightness of the picture; a black one shows no face, a bright one shows two.
FEAT = """
import numpy as np
import pandas as pd
from PIL import Image

class Fex(pd.DataFrame):
    @property
    def aus(self):
        return self[["AU01", "AU12"]]

class Detector:
    calls = 0
    def __init__(self, au_model, device):
        assert (au_model, device) == ("xgb", "cpu")
    def detect(self, inputs, data_type, batch_size):
        assert (data_type, batch_size) == ("image", 1)
        Detector.calls += 1
        rows = []
        for path in inputs:
            level = np.asarray(Image.open(path)).mean() / 255
            faces = [] if level == 0 else [level, 0.9] if level > 0.7 else [level]
            rows += [{"AU01": 0.1, "AU12": v, "input": path} for v in faces]
        return Fex(rows, columns=["AU01", "AU12", "input"] if rows else None)
"""


@pytest.fixture
def feat(tmp_path: Path, monkeypatch):
    (tmp_path / "site" / "feat").mkdir(parents=True)
    (tmp_path / "site" / "feat" / "__init__.py").write_text(FEAT)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    pyfeat._detector.cache_clear()
    yield lambda: sys.modules["feat"].Detector.calls
    sys.modules.pop("feat", None)
    pyfeat._detector.cache_clear()


def clip(levels: np.ndarray) -> np.ndarray:
    return (
        np.full((len(levels), 8, 8, 3), 1, np.uint8) * levels.astype(np.uint8)[:, None, None, None]
    )


def values(metric, generated, driving) -> list:
    one = toy.case(clip(generated), clip(driving), toy.landmarks())
    return list(metric.clip_values(metric.describe(one)).values())


def test_values_are_in_columns_of_their_own_and_feel_the_motion(feat):
    metric = PyFeatConsistency()
    assert {info.key for info in metric.infos} == {
        "au_consistency~pyfeat",
        "au_concordance~pyfeat",
    }
    smile = 60 + 100 * toy.rise()
    assert values(metric, smile, smile) == pytest.approx([1.0, 1.0])
    half = values(metric, 60 + 50 * toy.rise(), smile)
    assert half[0] > 0.99
    assert half[1] < 0.8
    assert values(metric, smile[::-1], smile)[0] < 0.9
    assert metric.weights["py-feat"].endswith(":xgb")


def test_lost_faces_are_filled_and_too_many_are_a_reason(feat):
    metric = PyFeatConsistency()
    smile = 60 + 100 * toy.rise()
    gap = smile.copy()
    gap[6] = 0
    assert values(metric, gap, smile)[0] > 0.95
    black = values(metric, 0 * smile, smile)
    assert isinstance(black[0], Missing)
    assert "generated clip: the face was lost in 12 of 12 frames" in black[0].reason
    assert isinstance(values(metric, smile[:8], smile)[0], Missing)


def test_a_clip_is_looked_at_once(feat, tmp_path):
    metric = PyFeatConsistency(cache=tmp_path / "cache")
    smile = 60 + 100 * toy.rise()
    first = values(metric, smile // 2, smile)
    before = feat()
    assert before == 2
    assert values(metric, smile // 2, smile) == first
    assert feat() == before
