"""The ground truth of a SynthME export: landmarks, AU curves, and the right answer of any pair."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mebench.errors import DatasetError, did_you_mean
from mebench.synthme.export import STAMP, grayed
from mebench.synthme.plan import FORMAT, PRESETS, ClipPlan, make_plan, recording
from mebench.synthme.render import render
from mebench.types import Reference


class Truth:
    """What is known about every clip of an export.

    Attributes:
        root: the export.
        digest: sha256 of everything it was made from.
        landmarks_folder: where ``<key>.npy`` lie, for given landmarks.
    """

    def __init__(self, root: Path) -> None:
        """Open an export.

        Raises:
            DatasetError: when `root` is no finished export, or one of another version.
        """
        self.root = Path(root)
        self.landmarks_folder = self.root / "truth" / "landmarks"
        stamp = self._stamp()
        tight = stamp.get("tight_templates") is True
        plan = make_plan(stamp["preset"], stamp["seed"], tight_templates=tight)
        if plan.digest != stamp["digest"]:
            raise DatasetError(
                f"{self.root / STAMP}: made by another version of mebench ({stamp['version']}); "
                f"make it again with: mebench data synth --out {self.root}"
            )
        self.digest: str = plan.digest
        self.clips: dict[str, ClipPlan] = {clip.key: clip for clip in plan.clips}

    def _stamp(self) -> dict[str, Any]:
        file = self.root / STAMP
        command = f"mebench data synth --out {self.root}"
        if not file.is_file():
            raise DatasetError(
                f"{self.root}: no finished SynthME export here ({STAMP} is missing); "
                f"make or finish it with: {command}"
            )
        try:
            stamp: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            whole = (
                stamp["format"] == FORMAT
                and stamp["preset"] in PRESETS
                and isinstance(stamp["seed"], int)
                and {"digest", "version"} <= set(stamp)
            )
        except (OSError, ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            raise DatasetError(f"{file}: cannot be read as {FORMAT}; make it again with: {command}")
        return stamp

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Keys of all clips, ``<dataset>.<subject>.<clip_id>``."""
        return tuple(self.clips)

    def clip(self, key: str) -> ClipPlan:
        """Return how a clip was made.

        Raises:
            DatasetError: for an unknown key.
        """
        if key not in self.clips:
            raise DatasetError(f"{self.root}: no clip '{key}'.{did_you_mean(key, self.clips)}")
        return self.clips[key]

    def landmarks(self, key: str) -> NDArray[np.float32]:
        """Return the true points (T, 68, 2) in raw pixels."""
        return self._load("landmarks", key)

    def au_curves(self, key: str) -> NDArray[np.float32]:
        """Return the true size of each action unit (T, A) as a fraction of the IOD."""
        return self._load("au_curves", key)

    def au_names(self, key: str) -> tuple[str, ...]:
        """Return the names of the columns of `au_curves`."""
        return self.clip(key).expression.names

    def _load(self, kind: str, key: str) -> NDArray[np.float32]:
        self.clip(key)
        file = self.root / "truth" / kind / f"{key}.npy"
        try:
            return np.asarray(np.load(file, allow_pickle=False), np.float32)
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"{file}: cannot be read ({error}); "
                f"finish the export with: mebench data synth --out {self.root}"
            ) from error

    def reference(
        self, template_key: str, driving_key: str, *, amplitude: float = 1.0
    ) -> Reference:
        """Return the template's person, view and colour mode making the driving clip's face motion.

        That is its expression, its blinks and its gaze; head, light and sensor are still. Frame 0
        has the pose of frame 0 of the template's clip.

        Shapes: frames (T, H, W, 3), flow (T, H, W, 2), landmarks (T, 68, 2), T of the driving clip.
        Units: raw pixels; AU curves as a fraction of the IOD.

        Raises:
            DatasetError: for an unknown key.
        """
        template, driving = self.clip(template_key), self.clip(driving_key)
        made = render(
            template.identity,
            driving.expression.scaled(amplitude),
            recording().only_eyes(),
            seed=driving.nuisance_seed,
            camera=template.camera,
        )
        frames = grayed(made.frames) if template.gray else made.frames
        return Reference(frames, made.flow, made.landmarks, made.au_curves, made.au_names)
