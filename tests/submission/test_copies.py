from __future__ import annotations

import numpy as np
import pytest

from mebench.submission.copies import find_copies

RNG = np.random.default_rng(0)
TEMPLATE = RNG.integers(40, 200, (16, 16, 3), dtype=np.uint8)
DRIVING = RNG.integers(40, 200, (5, 16, 16, 3), dtype=np.uint8)
OTHERS = {"driving clip": DRIVING}


def test_exact_copies_are_counted_wherever_they_stand():
    clip = np.stack([TEMPLATE, DRIVING[3], TEMPLATE, DRIVING[0], TEMPLATE])
    (found,) = find_copies(clip, TEMPLATE, OTHERS, "output a/b")
    assert found.line == "output a/b: 2 of 5 frames are exact copies of the driving clip"
    assert found.exact == 0.4


def test_a_copy_with_noise_is_told_as_a_near_copy():
    noise = RNG.integers(-2, 3, DRIVING.shape)
    clip = (DRIVING.astype(int) + noise).astype(np.uint8)
    (found,) = find_copies(clip, TEMPLATE, OTHERS, "output a/b")
    assert "near copy of the driving clip" in found.line
    assert found.exact == 0


@pytest.mark.parametrize("kind", ["still", "half way", "own face in the driving clip"])
def test_honest_outputs_are_not_flagged(kind):
    clip = np.repeat(TEMPLATE[None], 5, axis=0)
    others = OTHERS
    if kind == "half way":
        clip = (clip // 2 + DRIVING // 2).astype(np.uint8)
    if kind == "own face in the driving clip":
        others = {"driving clip": np.concatenate([TEMPLATE[None], DRIVING[1:]])}
    assert find_copies(clip, TEMPLATE, others, "output a/b") == []
