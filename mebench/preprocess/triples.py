"""Onset, apex and offset of every prepared clip as pictures, for recognition work."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mebench.facs.codes import format_units
from mebench.facs.emotions import three_class
from mebench.io.files import atomic_folder, write_text
from mebench.preprocess.cache import Entry
from mebench.preprocess.parallel import Backend, each
from mebench.preprocess.prepared import PreparedSet
from mebench.spec import digest
from mebench.types import Clip, Image, Progress, SilentProgress

COLUMNS = (
    "key", "dataset", "subject", "clip_id", "onset", "apex", "offset", "apex_source", "emotion",
    "three_class", "objective_class", "action_units", "onset_file", "apex_file", "offset_file",
)  # fmt: skip
"""Columns of ``triples.csv``; frame numbers are those of the recording, files relative to it."""

PHASES = ("onset", "apex", "offset")
_STAMP = "mebench"


@dataclass(frozen=True)
class _Job:
    """One clip's pictures: where the frames lie, which are wanted, where they go."""

    entry: Entry
    indices: tuple[int | None, ...]
    folder: Path


def export_triples(
    prepared: PreparedSet,
    out: Path,
    *,
    jobs: int = 1,
    backend: Backend = "loky",
    progress: Progress | None = None,
) -> int:
    """Write ``<dataset>/<subject>/<clip>/{onset,apex,offset}.png`` and ``triples.csv``.

    Pictures that are there already stay; the table comes last. A clip without an apex has no apex
    picture and an empty cell. Returns how many clips were written now.

    Raises:
        UsageError: when `out` cannot be written.
        DatasetError: when a prepared clip was damaged or removed meanwhile.
    """
    work, rows = [], []
    for clip, entry in prepared.items:
        indices = (0, clip.apex_index, len(clip.frame_numbers) - 1)
        place = Path(clip.dataset, clip.subject, clip.clip_id)
        work.append(_Job(entry, indices, out / place))
        rows.append(_row(clip, indices, place))
    written = 0
    with (progress or SilentProgress()).task("triples", total=len(work)) as task:
        for job, fresh in zip(work, each(_export, work, jobs, backend), strict=True):
            written += fresh
            task.advance(1, job.folder.name)
    write_text(out / "triples.csv", _table(rows))
    return written


def _export(job: _Job) -> bool:
    """Write one clip's pictures unless these very ones are there; all of them or none."""
    stamp = digest({"entry": job.entry.folder.name, "frames": list(job.indices)})
    wanted = [f"{p}.png" for p, i in zip(PHASES, job.indices, strict=True) if i is not None]
    if all(_stamp_of(job.folder / name) == stamp for name in wanted):
        return False
    frames = job.entry.frames()
    with atomic_folder(job.folder) as temporary:
        for phase, index in zip(PHASES, job.indices, strict=True):
            if index is not None:
                _write(temporary / f"{phase}.png", frames[index], stamp)
    return True


def _write(path: Path, image: Image, stamp: str) -> None:
    import numpy as np
    from PIL import Image as Pil
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text(_STAMP, stamp)
    picture = Pil.fromarray(np.ascontiguousarray(image))
    picture.save(path, format="PNG", compress_level=3, pnginfo=info)


def _stamp_of(path: Path) -> str | None:
    """Return the text a picture was stamped with, without decoding it."""
    from PIL import Image as Pil

    from mebench.io.frames import DAMAGE_ERRORS

    try:
        with Pil.open(path, formats=("PNG",)) as picture:
            return str(picture.info.get(_STAMP))
    except DAMAGE_ERRORS:
        return None


def _row(clip: Clip, indices: Sequence[int | None], place: Path) -> dict[str, object]:
    row = clip.annotation
    numbers = [None if i is None else clip.frame_numbers[i] for i in indices]
    files = [
        None if i is None else (place / f"{phase}.png").as_posix()
        for phase, i in zip(PHASES, indices, strict=True)
    ]
    return {
        "key": clip.key,
        "dataset": clip.dataset,
        "subject": row.subject,
        "clip_id": row.clip_id,
        **dict(zip(PHASES, numbers, strict=True)),
        "apex_source": row.apex_source,
        "emotion": row.emotion,
        "three_class": three_class(clip.dataset, row.emotion),
        "objective_class": row.objective_class,
        "action_units": format_units(row.action_units),
        **{f"{phase}_file": file for phase, file in zip(PHASES, files, strict=True)},
    }


def _table(rows: list[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
