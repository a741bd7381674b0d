"""The pictures that teams draw on: each template in its own pixels, before any alignment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mebench.types import Clip, Face, FaceClip, Image, Picture, Points


@dataclass(frozen=True)
class PictureFile:
    """A template that is a file: where it lies, its landmarks, and how it was aligned."""

    path: Path
    landmarks: Points
    to_source: NDArray[np.float64]


@dataclass(frozen=True)
class TemplatePictures:
    """Reads the picture of a template when it is asked for; picklable for worker processes.

    Attributes:
        files: templates that are files, by id.
        clips: templates that are frame 0 of a recording, by id: the recording and how it was
            prepared.
        faces: aligned templates, for those of which nothing else is known.
    """

    files: Mapping[str, PictureFile] = field(default_factory=dict)
    clips: Mapping[str, tuple[Clip, FaceClip]] = field(default_factory=dict)
    faces: Mapping[str, Face] = field(default_factory=dict)

    def __call__(self, template: str) -> Picture:
        """Return the picture of a template.

        Raises:
            DatasetError: when its file cannot be read.
        """
        if template in self.files:
            file = self.files[template]
            image = _read(file.path, file.path.stat().st_mtime_ns)
            return Picture(image, file.landmarks, file.to_source)
        if template in self.clips:
            clip, prepared = self.clips[template]
            matrix = np.asarray(prepared.to_source, np.float64)
            marks = prepared.landmarks @ matrix[:, :2].T + matrix[:, 2]
            return Picture(clip.first_frame(), marks.astype(np.float32), matrix)
        face = self.faces[template]
        return Picture(face.image, face.landmarks, np.eye(2, 3))


@lru_cache(maxsize=4)
def _read(path: Path, changed_ns: int) -> Image:
    """Read a picture once: every driving clip meets the template again."""
    from mebench.io.frames import read_image

    return read_image(path)
