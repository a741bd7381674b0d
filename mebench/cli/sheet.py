"""The contact sheet of one clip: onset, apex, offset, where it moved, and how much over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from mebench.errors import DatasetError, did_you_mean
from mebench.io.figures import new_figure
from mebench.io.files import atomic_path
from mebench.preprocess.landmarks import choose_landmarker
from mebench.preprocess.prepare import prepare_frames

if TYPE_CHECKING:
    from mebench.datasets.base import Dataset
    from mebench.preprocess.framing import Framing
    from mebench.preprocess.landmarks import Landmarker
    from mebench.types import Clip, Frames

_STRONGEST = 6
_SIDE = 256


def draw_sheet(dataset: Dataset, clip_id: str, out: Path, crop: Framing | None = None) -> None:
    """Write a PNG of one clip, named by its id, ``subject/id`` or key; recorded or cropped frames.

    Raises:
        DatasetError: when no clip, or more than one, has that name.
    """
    clip = _find(dataset, clip_id)
    frames = clip.frames()
    apex = clip.apex_index if clip.apex_index is not None else _strongest(frames)
    landmarker = choose_landmarker(dataset.info.id, dataset.root)
    curves = _curves(clip, frames, landmarker)
    if crop is not None:
        points = landmarker.points(clip.key, np.asarray(frames[0]))
        frames = prepare_frames(frames, points, _SIDE, clip.key, clip.fps, crop=crop).frames
    _draw(clip, frames, apex, curves, out)


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


def _curves(clip: Clip, frames: Frames, landmarker: Landmarker) -> dict[str, NDArray[np.float64]]:
    """Return the strongest measured action units over time, % IOD, by name."""
    from mebench.facs.regions import CURVE_NAMES
    from mebench.metrics.action_units import au_curves
    from mebench.preprocess.region_motion import region_motion

    points = landmarker.points(clip.key, np.asarray(frames[0]))
    curves = 100 * au_curves(region_motion(frames, points, clip.fps).vectors)
    order = np.argsort(-np.abs(curves).max(axis=0))[:_STRONGEST]
    return {CURVE_NAMES[k]: curves[:, k] for k in sorted(order)}


def _draw(
    clip: Clip, frames: Frames, apex: int, curves: dict[str, NDArray[np.float64]], out: Path
) -> None:
    numbers = clip.frame_numbers
    change = np.abs(_gray(frames[[0, apex]])[1] - _gray(frames[[0]])[0])
    change = cv2.GaussianBlur(change, (0, 0), 1.2)
    at = np.arange(len(frames))
    figure = new_figure(13, 6.2)
    grid = figure.subplot_mosaic(
        [["onset", "apex", "offset", "change"], ["curves"] * 4], height_ratios=[3, 2]
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
    grid["curves"].set_ylabel("measured motion (% IOD)")
    grid["curves"].legend(ncols=6, frameon=False)
    note = clip.annotation
    figure.suptitle(f"{clip.key}   {note.emotion}   AU {note.au_raw or '-'}   {clip.fps:g} fps")
    with atomic_path(out) as temporary:
        figure.savefig(temporary, format="png", dpi=80)
