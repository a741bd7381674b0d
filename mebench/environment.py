"""What a result was made with: versions, device, threads, git; and seeds for all of it."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mebench import __version__
from mebench.errors import UsageError

PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "scikit-image",
    "opencv-python",
    "pillow",
    "av",
    "lightning-fabric",
    "lpips",
    "pytorch-fid",
    "face-alignment",
    "dlib-bin",
    "face_recognition_models",
)


def package_versions() -> dict[str, str | None]:
    """Return the installed version of each package that can change a number, None when absent."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def describe(device: str) -> dict[str, object]:
    """Return the environment part of a record: no path, user or host name in it."""
    return {
        "mebench": __version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpu_count": os.cpu_count(),
        "device": device,
        "packages": package_versions(),
        "git": git_revision(),
    }


def git_revision() -> str | None:
    """Return the commit of the checkout mebench runs from, with ``+`` when it was changed."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if changed else "")


@lru_cache(maxsize=8)
def code_digest(*rooms: str) -> str:
    """Return the sha256 of the source of some rooms or files, part of the keys of their results."""
    package = Path(__file__).resolve().parent
    total = hashlib.sha256()
    for room in rooms:
        place = package / room
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            total.update(path.read_bytes())
    return total.hexdigest()


def launcher() -> str | None:
    """Return who started this process among others: ``torchrun`` or ``srun``; None for nobody.

    A batch job that may have several tasks is one process until ``srun`` starts them.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return "torchrun"
    return "srun" if int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1 else None


def process_count() -> int:
    """Return how many processes a launcher started this one among; else 1."""
    counted = {"torchrun": "WORLD_SIZE", "srun": "SLURM_STEP_NUM_TASKS"}.get(launcher() or "")
    return int(os.environ.get(counted, "1")) if counted else 1


def process_rank() -> int:
    """Return which of `process_count` this one is; the first, 0, writes the files."""
    counted = {"torchrun": "RANK", "srun": "SLURM_PROCID"}.get(launcher() or "")
    return int(os.environ.get(counted, "0")) if counted else 0


def choose_device(name: str) -> str:
    """Return a torch device name for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UsageError: for an unknown device or CUDA where there is none.
    """
    if name == "cpu":
        return "cpu"
    if name != "auto" and name != "cuda" and not name.startswith("cuda:"):
        raise UsageError(f"unknown device '{name}': expected auto, cpu, cuda or cuda:N")
    import torch

    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    count = torch.cuda.device_count()
    index = name.partition(":")[2] or "0"
    if not index.isdigit() or int(index) >= count:
        raise UsageError(
            f"device '{name}' is not here ({count} CUDA devices found); use --device cpu"
        )
    return f"cuda:{index}"


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()
