"""The contact sheet of one clip: onset, apex, offset, where it moved, and how much over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from mebench.errors import DatasetError, did_you_mean
from mebench.io.files import atomic_path

if TYPE_CHECKING:
    from mebench.datasets.base import Dataset
    from mebench.types import Clip, Frames

_CURVE_FRAMES = 120


def draw_sheet(dataset: Dataset, clip_id: str, out: Path) -> None:
    """Write a PNG of one clip, named by its id, ``subject/id`` or key.

    Raises:
        DatasetError: when no clip, or more than one, has that name.
    """
    clip = _find(dataset, clip_id)
    frames = clip.frames()
    apex = clip.apex_index if clip.apex_index is not None else _strongest(frames)
    _draw(clip, frames, apex, out)


def _find(dataset: Dataset, name: str) -> Clip:
    clips = dataset.clips()
    known = {clip.key: clip for clip in clips}
    fitting = [
        clip for clip in clips if name in (clip.key, clip.clip_id, f"{clip.subject}/{clip.clip_id}")
    ]
    if not fitting:
        raise DatasetError(f"{dataset.root}: no clip '{name}'.{did_you_mean(name, known)}")
    if len(fitting) > 1:
        keys = ", ".join(clip.key for clip in fitting)
        raise DatasetError(f"{dataset.root}: '{name}' is {len(fitting)} clips; give one of {keys}")
    return fitting[0]


def _gray(frames: Frames) -> np.ndarray:
    plain = np.stack([cv2.cvtColor(np.asarray(f), cv2.COLOR_RGB2GRAY) for f in frames])
    return plain.astype(np.float32)


def _strongest(frames: Frames) -> int:
    gray = _gray(frames)
    return int(np.argmax([np.abs(g - gray[0]).mean() for g in gray]))


def _motion(frames: Frames) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return frame indices and the mean flow size of four bands of the image, in pixels."""
    gray = _gray(frames).astype(np.uint8)
    step = max(1, len(frames) // _CURVE_FRAMES)
    at = np.arange(0, len(frames), step)
    height = gray.shape[1]
    bands = {
        "forehead": (0.20, 0.37),
        "eyes": (0.37, 0.47),
        "nose": (0.47, 0.57),
        "mouth": (0.57, 0.76),
    }
    curves = {name: np.zeros(len(at)) for name in bands}
    still = np.zeros((*gray.shape[1:], 2), np.float32)
    for k, t in enumerate(at):
        if t == 0:
            continue
        flow = cv2.calcOpticalFlowFarneback(gray[0], gray[t], still, 0.5, 3, 15, 3, 5, 1.1, 0)
        flow = flow - np.median(flow.reshape(-1, 2), axis=0)
        size = np.hypot(flow[..., 0], flow[..., 1])
        for name, (top, bottom) in bands.items():
            part = size[int(top * height) : int(bottom * height)]
            curves[name][k] = float(np.percentile(part, 95))
    return at, curves


def _draw(clip: Clip, frames: Frames, apex: int, out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    numbers = clip.frame_numbers
    change = np.abs(_gray(frames[[0, apex]])[1] - _gray(frames[[0]])[0])
    change = cv2.GaussianBlur(change, (0, 0), 1.2)
    at, curves = _motion(frames)
    figure, grid = plt.subplot_mosaic(
        [["onset", "apex", "offset", "change"], ["curves"] * 4],
        figsize=(13, 6.2),
        height_ratios=[3, 2],
        layout="constrained",
    )
    for name, index in (("onset", 0), ("apex", apex), ("offset", len(frames) - 1)):
        grid[name].imshow(frames[index])
        grid[name].set_title(f"{name}  {numbers[index]}")
    shown = grid["change"].imshow(change, cmap="magma", vmin=0, vmax=max(8.0, float(change.max())))
    grid["change"].set_title("|apex - onset|")
    figure.colorbar(shown, ax=grid["change"], shrink=0.8)
    for name in ("onset", "apex", "offset", "change"):
        grid[name].set_xticks([])
        grid[name].set_yticks([])
    for name, values in curves.items():
        grid["curves"].plot(at / clip.fps * 1000, values, label=name)
    grid["curves"].axvline(apex / clip.fps * 1000, color="0.6", linestyle="--", linewidth=1)
    grid["curves"].set_xlabel("ms after onset")
    grid["curves"].set_ylabel("motion (px, 95th percentile)")
    grid["curves"].legend(ncols=4, frameon=False)
    note = clip.annotation
    figure.suptitle(f"{clip.key}   {note.emotion}   AU {note.au_raw or '-'}   {clip.fps:g} fps")
    with atomic_path(out) as temporary:
        figure.savefig(temporary, format="png", dpi=80)
    plt.close(figure)
