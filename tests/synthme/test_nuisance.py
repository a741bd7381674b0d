from __future__ import annotations

import numpy as np

from mebench.synthme.nuisance import Nuisance, wander


def test_only_eyes_keeps_the_recording_s_blinks_and_gaze():
    busy = Nuisance(blink=9.0)
    for seed in range(5):
        full = wander(busy, 60, 200.0, np.random.default_rng(seed))
        eyes = wander(busy.only_eyes(), 60, 200.0, np.random.default_rng(seed))
        assert full.lids.max() > 0.1
        assert np.array_equal(full.lids, eyes.lids)
        assert np.array_equal(full.gaze, eyes.gaze)
        assert np.abs(full.head).max() > 0
        assert not eyes.head.any()
        assert not eyes.gain.any()
