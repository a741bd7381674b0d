"""Writes submissions: frames to the canonical folder, folders to a reproducible zip."""

from __future__ import annotations

import zipfile
from pathlib import Path

from mebench.errors import SubmissionError
from mebench.io.clutter import left_by
from mebench.io.files import atomic_folder, atomic_path, write_json
from mebench.io.frames import write_png
from mebench.submission.manifest import MANIFEST, Manifest, read_manifest
from mebench.submission.source import FolderSource
from mebench.types import Frames, Pair

_EPOCH = (1980, 1, 1, 0, 0, 0)


def pair_folder(root: Path, pair: Pair) -> Path:
    """Return ``root/frames/<template>/<driving>``."""
    return root / "frames" / pair.template / pair.driving


def write_output(root: Path, pair: Pair, frames: Frames) -> None:
    """Write the frames (T, H, W, 3) of one pair, whole or not at all."""
    with atomic_folder(pair_folder(root, pair)) as folder:
        for number, frame in enumerate(frames):
            write_png(folder / f"{number:05d}.png", frame)


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Write ``manifest.json``."""
    content = manifest.model_dump(mode="json", by_alias=True)
    if manifest.view is None:
        del content["view"]
    write_json(root / MANIFEST, content)


def pack(folder: Path, target: Path) -> int:
    """Write a folder as a zip whose bytes depend only on its content; return the entry count.

    What operating systems leave in folders, such as ``.DS_Store``, is left out.

    Raises:
        SubmissionError: when the folder breaks a naming rule or holds no manifest.
    """
    if not folder.is_dir():
        raise SubmissionError(f"{folder}: no such folder; give a submission")
    source = FolderSource(folder, skip=left_by)
    if MANIFEST not in source.names():
        raise SubmissionError(f"{folder.name}/{MANIFEST}: missing; write it before packing")
    read_manifest((folder / MANIFEST).read_bytes(), f"{folder.name}/{MANIFEST}")
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in source.names():
            info = zipfile.ZipInfo(name, _EPOCH)
            # PNG data is compressed already; storing it keeps packing fast.
            info.compress_type = zipfile.ZIP_STORED
            info.external_attr = 0o644 << 16
            archive.writestr(info, (folder / name).read_bytes())
    return len(source.names())
