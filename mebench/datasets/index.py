"""The canonical index: one row a clip, the same columns for every data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mebench.facs.codes import format_units
from mebench.facs.emotions import five_class, three_class
from mebench.io.files import write_text
from mebench.spec import digest
from mebench.types import Clip

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = (
    "dataset", "subject", "clip_id", "fps", "onset", "apex", "apex_source", "offset", "n_frames",
    "emotion", "emotion_raw", "three_class", "five_class", "objective_class", "action_units",
    "au_raw", "colour", "path", "corrections",
)  # fmt: skip


def index_rows(clips: Iterable[Clip]) -> list[dict[str, object]]:
    """Return one plain mapping a clip with the keys of `COLUMNS`; empty values are None."""
    return [_row(clip) for clip in clips]


def index_table(clips: Iterable[Clip]) -> DataFrame:
    """Return the index as a pandas table."""
    import pandas as pd

    table = pd.DataFrame(index_rows(clips), columns=list(COLUMNS))
    return table.astype({"apex": "Int64"})


def index_csv(clips: Iterable[Clip]) -> str:
    """Return the index as CSV text; empty cells for what a data set does not state."""
    text: str = index_table(clips).to_csv(index=False, lineterminator="\n")
    return text


def write_index(
    clips: Iterable[Clip], path: Path, more: Mapping[str, str | float] | None = None
) -> None:
    """Write the index as CSV, with `more` columns that hold one value for all clips."""
    table = index_table(clips)
    for column, value in (more or {}).items():
        table[column] = value
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def index_digest(clips: Iterable[Clip]) -> str:
    """Return the sha256 of the index and the frame numbers.

    The order of clips and where they lie do not matter; corrections do.
    """
    rows = [{**_row(clip), "frame_numbers": list(clip.frame_numbers)} for clip in clips]
    for row in rows:
        del row["path"]
    rows.sort(key=lambda row: (str(row["dataset"]), str(row["subject"]), str(row["clip_id"])))
    return digest(rows)


def _row(clip: Clip) -> dict[str, object]:
    row = clip.annotation
    return {
        "dataset": clip.dataset,
        "subject": row.subject,
        "clip_id": row.clip_id,
        "fps": float(clip.fps),
        "onset": row.onset,
        "apex": row.apex,
        "apex_source": row.apex_source,
        "offset": row.offset,
        "n_frames": row.offset - row.onset + 1,
        "emotion": row.emotion,
        "emotion_raw": row.emotion_raw,
        "three_class": three_class(clip.dataset, row.emotion),
        "five_class": five_class(clip.dataset, row.emotion),
        "objective_class": row.objective_class,
        "action_units": format_units(row.action_units),
        "au_raw": row.au_raw,
        "colour": clip.colour,
        "path": clip.path,
        "corrections": "; ".join(row.corrections),
    }
