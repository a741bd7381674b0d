"""FID and KID of two folders of pictures, as pytorch-fid's command takes them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mebench.errors import UsageError
from mebench.io.files import sha256_file
from mebench.metrics.frame_sets import FrameSet, frame_set, read_set, write_set
from mebench.metrics.frechet import gaussian_distance, gaussian_of, kernel_distance
from mebench.metrics.inception import as_gray, cached_features, published_network
from mebench.preprocess.parallel import each

_ENDINGS = frozenset({".bmp", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"})
_SLICE = 25


@dataclass(frozen=True)
class FolderDistance:
    """FID and KID of two folders, and how many pictures each holds."""

    fid: float
    kid: float
    pictures: int
    others: int


@dataclass(frozen=True)
class _Work:
    """How pictures become features; picklable."""

    seed: int | None
    device: str
    gray: bool
    cache: Path | None

    def __call__(self, paths: list[Path]) -> NDArray[np.float32]:
        from PIL import Image

        net = published_network(self.seed, self.device)
        images = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
        seen = [as_gray(image) for image in images] if self.gray else images
        return cached_features(seen, net, self.cache)


def folder_distance(
    pictures: Path,
    others: Path,
    *,
    gray: bool = False,
    seed: int | None = None,
    device: str = "cpu",
    cache: Path | None = None,
    jobs: int = 1,
) -> FolderDistance:
    """Return FID and KID of the pictures of two folders; names and order do not matter.

    Every picture counts, equal ones too, as in pytorch-fid. The statistics of `others` are kept in
    `cache` by the content of its files, so the next distance to it looks at `pictures` alone.

    Args:
        pictures: folder of generated pictures.
        others: folder of the pictures they are compared with.
        gray: look at both sides in grey.
        seed: of stand-in weights, or None for the published ones.
        device: torch device.
        cache: folder for features and statistics, or None to keep nothing.
        jobs: worker processes.

    Raises:
        UsageError: when a folder holds fewer than 2 pictures.
        WeightsError: without the published weights, when no seed is given.
    """
    work = _Work(seed, device, gray, cache)
    ours = _features(_files(pictures), work, jobs)
    theirs = _kept(_files(others), work, jobs)
    if theirs.gaussian is None or not np.isfinite(ours).all():
        raise UsageError(f"{pictures}, {others}: features are not finite; check the weights")
    return FolderDistance(
        fid=gaussian_distance(gaussian_of(ours), theirs.gaussian),
        kid=kernel_distance(ours, theirs.features),
        pictures=len(ours),
        others=len(theirs.features),
    )


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder of pictures")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _ENDINGS)
    if len(found) < 2:
        raise UsageError(f"{folder}: expected at least 2 pictures, got {len(found)}")
    return found


def _features(files: list[Path], work: _Work, jobs: int) -> NDArray[np.float32]:
    parts = [files[start : start + _SLICE] for start in range(0, len(files), _SLICE)]
    return np.concatenate(list(each(partial(_call, work), parts, jobs)))


def _call(work: _Work, paths: list[Path]) -> NDArray[np.float32]:
    return work(paths)


def _kept(files: list[Path], work: _Work, jobs: int) -> FrameSet:
    if work.cache is None:
        return frame_set(_features(files, work, jobs))
    net = published_network(work.seed, work.device).weights_id.rsplit(":", 1)[-1][:16]
    content = repr((work.gray, sorted(sha256_file(path) for path in files)))
    name = hashlib.sha256(content.encode()).hexdigest()
    place = work.cache / "reference-sets" / net / f"{name}.npz"
    found = read_set(place)
    if found is None:
        found = frame_set(_features(files, work, jobs))
        write_set(place, found)
    return found
