"""Any photo, any clip: align both, let a baseline move the photo, measure what came out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mebench.errors import DatasetError, UsageError
from mebench.io.files import atomic_folder
from mebench.io.frames import read_image, write_png
from mebench.io.video import read_driving, write_mp4
from mebench.methods.base import Baseline
from mebench.metrics.base import Case, Missing, Value
from mebench.preprocess.crop import align_frames, align_image, alignment
from mebench.preprocess.framing import (
    Framing,
    choose_crop,
    require_large_enough,
    whole_picture,
)
from mebench.preprocess.landmarks import Landmarker
from mebench.preprocess.prepare import prepare_frames, prepare_image
from mebench.report.sheets import contact_sheet, difference
from mebench.types import (
    Face,
    FaceClip,
    Frames,
    Image,
    Pair,
    Points,
    Progress,
    SilentProgress,
    Task,
)

DRIVING_FACE = "--driving-face"
_FAMILIES = ("action_units", "identity")
_KEYS = ("au_consistency", "motion_similarity", "au_amplitude", "identity_distance")


@dataclass(frozen=True)
class Generated:
    """A generated clip with what it was made from.

    Attributes:
        frames: (T, H, W, 3) uint8.
        template: the photo, or the aligned square of it that was asked for.
        driving: the aligned driving clip.
        values: metrics against the driving clip and the template; `Missing` says why not.
        notes: what the user should know about the choices made.
    """

    frames: Frames
    template: Face
    driving: FaceClip
    values: dict[str, Value] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def animate(
    baseline: Baseline,
    template: Path,
    driving: Path,
    *,
    template_landmarks: Landmarker,
    driving_landmarks: Landmarker,
    size: int = 256,
    fps: float | None = None,
    crop: Framing = "auto",
    progress: Progress | None = None,
) -> Generated:
    """Make the face in a photo show the micro-expression of a clip.

    It is drawn on the photo's own pixels, at most 1024 a side; with `crop` "head" or "face" on an
    aligned square of `size` pixels. The driving clip is aligned to `size` pixels.

    Raises:
        DatasetError: for an unreadable file or no face, naming the file.
        UsageError: for a driving clip of one frame.
    """
    notes: list[str] = []
    told = progress or SilentProgress()
    with told.task("read") as task:
        aligner = _Aligner(driving, driving_landmarks, size, crop, task)
        clip, rate = read_driving(driving, fps, notes, aligner)
    if len(clip) < 2:
        raise UsageError(f"{driving}: one frame only; a driving clip needs at least two")
    if not template.exists():
        raise DatasetError(f"{template}: no such file; give a photo")
    photo = read_image(template)
    with _face_of(template, "--face", "take a photo that shows one whole face from the front"):
        points = template_landmarks.points(template.name, photo, notes)
        face = _drawn_on(template, photo, points, size, crop, notes)
    if aligner.problem is not None:
        raise aligner.problem
    notes += [note.replace("--face", DRIVING_FACE) for note in aligner.notes]
    face_clip = replace(aligner.first, frames=clip, fps=float(rate))
    with told.task("draw", total=len(clip)) as task:
        frames = baseline.generate(face, face_clip)
        task.advance(len(frames))
    return Generated(frames, face, face_clip, notes=tuple(notes))


class _Aligner:
    """Aligns the frames of a driving clip while it is decoded: a large clip needs little memory.

    Attributes:
        first: the clip of its first frame alone, once that was seen.
        notes: what is to be told of its face.
        problem: why no face was found; what is wrong with the clip or the photo comes first.
    """

    first: FaceClip
    problem: DatasetError | None = None

    def __init__(
        self, path: Path, landmarks: Landmarker, size: int, crop: Framing, task: Task
    ) -> None:
        self.path, self.landmarks, self.size, self.crop = path, landmarks, size, crop
        self.task, self.notes = task, list[str]()

    def __call__(self, image: Image) -> Callable[[Image], Image]:
        """Find the face in the first frame; return what aligns a frame by it."""
        try:
            self._find(image)
        except DatasetError as error:
            self.problem = error
            return lambda frame: frame[:1, :1]
        return partial(self._aligned, np.asarray(self.first.to_source))

    def _find(self, image: Image) -> None:
        whole = "take a clip whose first frame shows one whole face from the front"
        with _face_of(self.path, DRIVING_FACE, whole):
            self.first = prepare_frames(
                image[None],
                self.landmarks,
                self.size,
                key=self.path.name,
                fps=1.0,
                notes=self.notes,
                crop=self.crop,
            )

    def _aligned(self, matrix: NDArray[np.float64], image: Image) -> Image:
        self.task.advance()
        aligned: Image = align_frames(image[None], matrix, self.size)[0]
        return aligned


def _drawn_on(
    path: Path, photo: Image, points: Points, size: int, crop: Framing, notes: list[str]
) -> Face:
    """Return the photo itself, or the aligned square that was asked for."""
    if crop != "auto":
        return prepare_image(photo, points, size, key=path.name, notes=notes, crop=crop)
    require_large_enough(path, photo.shape)
    alignment(points, size)  # Refuses a face that is too small to be moved.
    return whole_picture(photo, points)


@contextmanager
def _face_of(path: Path, option: str, advice: str) -> Iterator[None]:
    """Name the whole path, and what helps here, where preparation finds no face."""
    try:
        yield
    except DatasetError as error:
        what = str(error).partition(";")[0].removeprefix(f"{path.name}: ")
        if "face" not in what:
            raise
        if "asked for" in what:
            advice = f"give another {option}, or leave it out"
        raise DatasetError(f"{path}: {what}; {advice}") from error


def measure(result: Generated, cache: Path | None = None) -> dict[str, Value]:
    """Return AU consistency against the driving clip and identity against the template."""
    from mebench.metrics.catalogue import build_metrics

    case = Case(
        pair=Pair("template", "driving"),
        generated=result.frames,
        template=result.template,
        driving=result.driving,
    )
    values: dict[str, Value] = {}
    for family in build_metrics(_FAMILIES, cache=cache):
        values.update(family.clip_values(family.describe(case)))
    return {key: values.get(key, Missing("not computed")) for key in _KEYS}


def require_free(out: Path) -> None:
    """Refuse a place that holds something.

    Raises:
        UsageError: when `out` is a file, or a folder that is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: exists already; choose another --out")


def write(result: Generated, out: Path) -> tuple[Path, ...]:
    """Write PNG frames, an mp4 and a contact sheet; return their places.

    Raises:
        UsageError: when `out` cannot be written, or holds something else already.
    """
    require_free(out)
    with atomic_folder(out) as folder:
        (folder / "frames").mkdir()
        for number, frame in enumerate(result.frames):
            write_png(folder / "frames" / f"{number:05d}.png", frame)
        write_mp4(folder / "generated.mp4", result.frames, result.driving.fps)
        write_png(folder / "contact_sheet.png", sheet(result))
    return out / "frames", out / "generated.mp4", out / "contact_sheet.png"


def sheet(result: Generated) -> np.ndarray:
    """Return template, driving and generated frames over time with amplified changes."""
    steps = np.linspace(0, len(result.frames) - 1, 7).round().astype(int)[1:]
    driving = [np.asarray(result.driving.frames[t]) for t in steps]
    template, start, *generated = _faces(result, [0, *steps])
    first = np.asarray(result.driving.frames[0])
    rows = [
        [first, *driving],
        [first, *(difference(frame, first) for frame in driving)],
        [template, *generated],
        [template, *(difference(frame, start) for frame in generated)],
    ]
    return contact_sheet(rows, ["first / template", *(f"frame {t}" for t in steps)])


def _faces(result: Generated, at: Sequence[int]) -> list[Image]:
    """Return the template and some frames, of a whole photo the part that shows the face."""
    face, side = result.template, result.driving.frames.shape[1]
    images = [face.image, *(result.frames[t] for t in at)]
    if face.image.shape[:2] == (side, side):
        return images
    crop = choose_crop([(face.landmarks, face.image.shape)])
    matrix = alignment(face.landmarks, side, crop)
    return [align_image(image, matrix, side) for image in images]
