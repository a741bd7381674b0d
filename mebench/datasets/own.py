"""Clips of your own: any folder of clip folders or clip files, with or without a CSV.

Cite: nothing; nobody published them.
Licence: faces are personal data, so they are treated like a data set that may not be passed on.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

from mebench.datasets.base import Collected, Dataset, DatasetInfo
from mebench.datasets.layout import Layout, Place
from mebench.datasets.own_entries import Entries, join
from mebench.datasets.own_files import OwnFiles, find_own
from mebench.datasets.own_table import OwnTable, read_own
from mebench.errors import DatasetError
from mebench.io.video import DEFAULT_FPS
from mebench.types import Annotation, Clip

LICENCE = (
    "Yours to clear with the people shown: faces are personal data, so mebench keeps the pixels "
    "on this disk, as it does for data sets under an agreement."
)
REQUEST = "Nobody: these are clips you have."
TREE = """clips.csv                    optional
anna/smile-01/img001.png     a folder of numbered images is a clip, at any depth
anna/smile-02.mp4            so is a file: mp4, avi, mov, mkv, webm, gif"""
_ANY = re.compile(r".*")


class OwnClips(Dataset):
    """Clips of your own: any folder of clip folders or clip files."""

    info = DatasetInfo(
        id="clips",
        title="Clips of your own",
        bibtex="",
        licence=LICENCE,
        request=REQUEST,
        tree=TREE,
        fps=DEFAULT_FPS,
        colour="rgb",
        clips=(),
        subjects=0,
        emotions={},
    )
    layouts = ()

    def annotations(self) -> list[Annotation]:
        """Return one row a clip, in order of the CSV, else of the paths.

        Raises:
            DatasetError: for no clip, and for a row of the CSV that cannot be true.
        """
        return [entry.annotation for entry in self._joined.entries]

    def places(self) -> dict[str, Path]:
        """Return the folder and the CSV."""
        return {"frames": self.root, **({"table": self.table.path} if self.table else {})}

    @cached_property
    def found(self) -> None:
        """None: clips of one's own have no published layout.

        Raises:
            DatasetError: when a layout is asked for.
        """
        if self.options.layout is not None:
            raise DatasetError(f"{self.root}: clips of your own have no layouts; drop --layout")

    @property
    def frames_root(self) -> Path:
        """The folder of clips.

        Raises:
            DatasetError: when no clip lies there.
        """
        if not self.files.clips:
            more = f"; {self.files.remarks[0]}" if self.files.remarks else ""
            raise DatasetError(
                f"{self.root}: no folder of frames and no clip file, here or below; give the "
                f"folder that holds your clips{more}"
            )
        return self.root

    @cached_property
    def files(self) -> OwnFiles:
        """The clips on disk."""
        self.found  # noqa: B018  (refuses --layout)
        found = find_own(self.root)
        self.notes += found.remarks
        return found

    @cached_property
    def table(self) -> OwnTable | None:
        """The CSV: the one asked for, ``clips.csv``, or the only one at the top."""
        path = self.options.table
        if path is not None:
            path = path if path.is_file() else self.root / path
            if not path.is_file():
                raise DatasetError(f"{path}: no such file; give the CSV with --table")
            return read_own(path)
        there = [
            path
            for path in sorted(self.root.iterdir())
            if path.suffix.lower() == ".csv" and not path.name.startswith((".", "~$"))
        ]
        named = [path for path in there if path.name.lower() == "clips.csv"]
        if not named and len(there) > 1:
            self.notes.append(
                f"none of {len(there)} CSV files read ({', '.join(p.name for p in there[:3])}); "
                "call one clips.csv, or give --table FILE"
            )
        chosen = named or (there if len(there) == 1 else [])
        return read_own(chosen[0]) if chosen else None

    @cached_property
    def _joined(self) -> Entries:
        self.frames_root  # noqa: B018  (raises when there is no clip)
        joined = join(self.root, self.files.clips, self.table)
        self.notes += joined.notes
        self.told += joined.assumed
        self.unreadable += joined.unreadable
        return joined

    @cached_property
    def clip_places(self) -> dict[tuple[str, str], Place]:
        """The clips on disk by subject and clip, lower-case."""
        kinds = {media: Layout(media, _ANY, media=media) for media in ("frames", "file")}
        return {
            (subject, clip.lower()): Place(kinds[file.media], self.root, file.path, {})
            for file, (subject, clip) in self._joined.ids.items()
        }

    @cached_property
    def collected(self) -> Collected:
        """The clips that can be read, and why the others cannot."""
        result = Collected()
        for entry in self._joined.entries:
            if entry.reader is None or entry.file is None:
                result.missing.append(entry.problem)
                continue
            row = entry.annotation
            clip = Clip(
                self.info.id,
                row,
                row.fps or self.info.fps,
                self.info.colour,
                entry.numbers,
                entry.reader,
                entry.file.name,
            )
            gaps = tuple(sorted(set(range(row.onset, row.offset + 1)) - set(entry.numbers)))
            if gaps:
                result.gaps[clip.key] = gaps
            result.clips.append(clip)
        return result
