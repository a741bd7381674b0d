"""FID against pytorch-fid's own command, on the same pictures and the same weights file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from appearance_cases import picture
from PIL import Image

from mebench import weights
from mebench.metrics import inception
from mebench.metrics.frechet import frechet_distance

SEED = 3
# pytorch-fid 0.3.0 calls SciPy's matrix root with `disp`, which SciPy 1.18 takes away. There the
# command runs through this shim, which gives the root as older versions did.
SHIM = """
import inspect, runpy, sys
import scipy.linalg as linalg
if "disp" not in inspect.signature(linalg.sqrtm).parameters:
    root = linalg.sqrtm
    linalg.sqrtm = lambda a, disp=True: root(a) if disp else (root(a), 0.0)
sys.argv[0] = "pytorch_fid"
runpy.run_module("pytorch_fid", run_name="__main__")
"""


def folder_of(place: Path, seeds: range, spoil: int = 0) -> list[np.ndarray]:
    place.mkdir()
    images = [picture(seed, 96) for seed in seeds]
    if spoil:
        images = [image // spoil for image in images]
    for number, image in enumerate(images):
        Image.fromarray(image).save(place / f"{number:03d}.png")
    return images


@pytest.mark.slow
def test_the_command_gives_the_same_value(tmp_path):
    # Where the command looks for its weights lies a seeded file under their name.
    checkpoints = tmp_path / "torch" / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    name = weights.entry("fid-inception").file
    torch.save(weights.seeded_state(inception._structure(), SEED), checkpoints / name)
    ours = folder_of(tmp_path / "ours", range(24))
    theirs = folder_of(tmp_path / "theirs", range(100, 120), spoil=2)
    command = [sys.executable, "-c", SHIM, str(tmp_path / "ours"), str(tmp_path / "theirs")]
    done = subprocess.run(
        [*command, "--device", "cpu", "--num-workers", "0"],
        env={**os.environ, "TORCH_HOME": str(tmp_path / "torch")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = float(done.stdout.rsplit("FID:", 1)[1])
    net = inception.FidInception(SEED, "cpu")
    found = frechet_distance(*(np.stack([net.features(i) for i in s]) for s in (ours, theirs)))
    assert expected > 1
    assert found == pytest.approx(expected, rel=1e-3)
