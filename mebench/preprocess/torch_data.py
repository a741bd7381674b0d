"""Prepared clips as a torch data set: read from the cache's memory maps, nothing is decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from mebench.errors import UsageError, did_you_mean
from mebench.facs import emotions
from mebench.preprocess.cache import read_frames
from mebench.preprocess.prepared import PreparedSet, apex_index
from mebench.types import Clip

Take = Literal["pair", "random", "all"]
TAKES: tuple[Take, ...] = ("pair", "random", "all")
Label = Literal["emotion", "three_class", "objective_class"]
LABELS: tuple[Label, ...] = ("emotion", "three_class", "objective_class")
UNKNOWN = -1
"""Label of a clip that belongs to no class."""


@dataclass(frozen=True)
class _Item:
    """What is known of a clip without reading a frame."""

    key: str
    subject: str
    folder: Path
    shape: tuple[int, ...]
    apex: int
    label: int
    landmarks: NDArray[np.float32]


class ClipData(Dataset[dict[str, Any]]):
    """Frames and labels of prepared clips, for a ``DataLoader`` with any number of workers.

    An item is a mapping with `frames` (N, 3, H, W) uint8, `indices` (N,) int64 of the frames in the
    clip, `landmarks` (68, 2) float32 of frame 0, `apex` (-1 without one), `label` (-1 without one),
    `key` and `subject`. Random frames depend on seed, epoch and index alone, not on the workers.

    Args:
        prepared: what `mebench.preprocess.prepare.prepare` returned.
        take: "pair" onset and apex; "random" `count` frames in order of time; "all" every frame.
        count: frames of "random"; with fewer in a clip some come twice.
        label: "emotion", "three_class", "objective_class" or a function of the clip.
        classes: names of the classes in the order of their numbers; None: those found, sorted.
        seed: of the random frames; `set_epoch` gives others in every epoch.

    Raises:
        UsageError: for a bad option, and for pairs when a clip has no apex.
    """

    def __init__(
        self,
        prepared: PreparedSet,
        *,
        take: Take = "pair",
        count: int = 2,
        label: Label | Callable[[Clip], str | None] = "emotion",
        classes: Iterable[str] | None = None,
        seed: int = 0,
    ) -> None:
        if take not in TAKES:
            raise UsageError(f"unknown take '{take}'.{did_you_mean(str(take), TAKES)}")
        if count < 1:
            raise UsageError(f"count must be 1 or more frames, got {count}")
        names = [_label(clip, label) for clip in prepared.clips]
        self.classes = tuple(sorted({n for n in names if n}) if classes is None else classes)
        self.take, self.count, self.seed = take, count, seed
        number = {name: k for k, name in enumerate(self.classes)}
        self._items = [
            _Item(
                key=clip.key,
                subject=f"{clip.dataset}.{clip.subject}",
                folder=entry.folder,
                shape=entry.shape,
                apex=UNKNOWN if (apex := apex_index(clip, entry)) is None else apex,
                label=UNKNOWN if name is None else number.get(name, UNKNOWN),
                landmarks=entry.landmarks,
            )
            for (clip, entry), name in zip(prepared.items, names, strict=True)
        ]
        lacking = [item.key for item in self._items if item.apex == UNKNOWN]
        if take == "pair" and lacking:
            raise UsageError(
                f"{lacking[0]}: no apex (and {len(lacking) - 1} more clips); prepare with an apex "
                "method, or take 'random' or 'all' frames"
            )
        # Shared memory: workers that live on from epoch to epoch see a new epoch too.
        self._epoch = torch.zeros((), dtype=torch.int64)
        self._epoch.share_memory_()  # type: ignore[no-untyped-call]

    def __len__(self) -> int:
        return len(self._items)

    def set_epoch(self, epoch: int) -> None:
        """Choose the random frames of an epoch; call it before the epoch's first batch."""
        self._epoch.fill_(epoch)

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = self._items[index]
        chosen = self._chosen(index % len(self), item)
        frames = read_frames(item.folder, item.shape, chosen)
        return {
            # Moving the axis is free; batches are then in the channels-last order networks like.
            "frames": torch.from_numpy(frames).permute(0, 3, 1, 2),
            "indices": torch.from_numpy(chosen),
            "landmarks": torch.from_numpy(item.landmarks.copy()),
            "apex": item.apex,
            "label": item.label,
            "key": item.key,
            "subject": item.subject,
        }

    def _chosen(self, index: int, item: _Item) -> NDArray[np.int64]:
        length = item.shape[0]
        if self.take == "pair":
            return np.array([0, item.apex], np.int64)
        if self.take == "all":
            return np.arange(length, dtype=np.int64)
        rng = np.random.default_rng([self.seed, int(self._epoch), index])
        return np.sort(rng.choice(length, self.count, replace=self.count > length)).astype(np.int64)


def _label(clip: Clip, label: Label | Callable[[Clip], str | None]) -> str | None:
    if callable(label):
        return label(clip)
    if label == "emotion":
        emotion = clip.annotation.emotion
        return None if emotion == emotions.UNKNOWN else emotion
    if label == "three_class":
        return emotions.three_class(clip.dataset, clip.annotation.emotion)
    if label == "objective_class":
        return clip.annotation.objective_class
    raise UsageError(f"unknown label '{label}'.{did_you_mean(str(label), LABELS)}")
