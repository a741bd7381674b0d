"""What is quicker computes what the published procedure computes."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mebench.methods.fomm.allocator import keep_freed_memory
from mebench.methods.fomm.winograd import WideConv2d

ROOT = Path(__file__).parents[3]


def convolved(conv: nn.Conv2d, x: Tensor, pull: Tensor) -> list[Tensor]:
    """The result, and the gradients of input, weight and bias where there are any."""
    x = x.clone().requires_grad_(True)
    conv.zero_grad()
    # In place, as the layers after a convolution have it.
    out = conv(x).mul_(2)
    out.backward(pull)
    found = [out.detach(), x.grad]
    return found + [p.grad.clone() for p in conv.parameters() if p.requires_grad]


@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize("shape", [(2, 128, 24, 32), (1, 128, 64, 128), (1, 128, 34, 36)])
def test_tiles_equal_the_plain_convolution_and_its_gradients(
    learns: bool, shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    quick = WideConv2d(128, 256).requires_grad_(learns)
    plain = nn.Conv2d(128, 256, 3, padding=1).requires_grad_(learns)
    plain.load_state_dict(quick.state_dict())
    x, pull = torch.randn(shape), torch.randn(shape[0], 256, *shape[2:])
    expected, got = convolved(plain, x, pull), convolved(quick, x, pull)
    assert len(got) == (4 if learns else 2)
    for one, other in zip(expected, got, strict=True):
        assert (one - other).abs().max() < 3e-5 * one.abs().max()


def test_frozen_weights_may_be_loaded_again() -> None:
    torch.manual_seed(0)
    conv = WideConv2d(256, 128).requires_grad_(False)
    x = torch.randn(1, 256, 32, 32)
    conv(x)
    other = WideConv2d(256, 128)
    conv.load_state_dict(other.state_dict())
    assert torch.equal(conv(x), other.requires_grad_(False)(x))
    with torch.inference_mode():
        assert torch.equal(conv(x), other(x))


@pytest.mark.long
def test_a_step_and_a_clip_agree_with_the_published_procedure() -> None:
    """The benchmark's two ways, each with its own code, in a process each."""
    code = """
import json, numpy as np, torch
from benchmarks import fomm_inference as inference, fomm_training as training
torch.set_num_threads(1)
inference.DETECTOR["max_features"] = inference.GENERATOR["dense_motion_params"]["max_features"] = 64
ours, theirs = inference.ours(64, 2, 2)(), inference.published(64, 2)()
print(json.dumps([float(np.abs(ours - theirs).max()), float(np.abs(theirs[0] - theirs[1]).max()),
                  training.published(64, 1)(), training.ours(64, 1)()]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    gap, motion, published, ours = json.loads(done.stdout)
    assert gap <= 1e-4
    assert motion > 1e-3
    assert ours == pytest.approx(published, rel=1e-5)
    assert all(value > 0.1 for value in published.values())


FAULTS = """
import resource, sys, torch
from mebench.methods.fomm.allocator import keep_freed_memory
from mebench.methods.fomm.denormals import without_denormals
if sys.argv[1] == "keep":
    print(keep_freed_memory())
def use():
    for _ in range(10):
        torch.ones(20_000_000)
def work():
    use()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    use()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(without_denormals(work))
"""


def run(code: str, word: str = "", **variables: str) -> list[str]:
    """Run it in a process of one thread in which no setting of glibc is given but these."""
    given = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MALLOC_") and name != "GLIBC_TUNABLES"
    }
    done = subprocess.run(
        [sys.executable, "-c", code, word],
        env={**given, "OMP_NUM_THREADS": "1", **variables},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.split()


@pytest.mark.long
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the setting")
def test_kept_memory_is_not_asked_of_the_system_again() -> None:
    (untouched,) = run(FAULTS, "leave")
    told, kept = run(FAULTS, "keep")
    assert told == "True"
    assert int(kept) < int(untouched) / 10


@pytest.mark.long
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the setting")
def test_what_the_user_set_stays() -> None:
    code = "from mebench.methods.fomm import allocator; print(allocator.keep_freed_memory())"
    names = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_ARENA_MAX")
    assert run(code) == ["True"]
    assert run(code, **dict.fromkeys(names, "1000000")) == ["False"]
    assert run(code, GLIBC_TUNABLES="glibc.malloc.trim_threshold=1000000") == ["False"]
    assert run(code, OMP_NUM_THREADS="2") == ["False"], "threads would wait for each other"


def test_without_glibc_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    class OtherLibrary:
        def mallopt(self, *numbers: int) -> int:
            raise AssertionError("numbers of another library's settings are not known")

    monkeypatch.setattr(ctypes, "CDLL", lambda name: OtherLibrary())
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert keep_freed_memory() is False
