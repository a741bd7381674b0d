"""The empty submission of a protocol: its manifest, its folders, and the list of outputs."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from mebench.errors import UsageError
from mebench.io.files import atomic_folder, write_text
from mebench.submission.manifest import Manifest
from mebench.submission.pack import pair_folder, write_manifest
from mebench.submission.validate import Requirement

COLUMNS = ("template", "driving", "frames", "size", "folder")


def write_skeleton(out: Path, requirement: Requirement, manifest: Manifest) -> Path:
    """Write the manifest and an empty folder for each output; return the list of them.

    The list lies beside the submission, ``<out>-outputs.csv``, since it is no part of it.

    Raises:
        UsageError: when `out` holds something already.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out}: is not empty; choose another place")
    with atomic_folder(out) as folder:
        write_manifest(folder, manifest)
        for pair in requirement.n_frames:
            pair_folder(folder, pair).mkdir(parents=True)
    listed = out.with_name(f"{out.name}-outputs.csv")
    write_text(listed, outputs_table(requirement))
    return listed


def outputs_table(requirement: Requirement) -> str:
    """Return the outputs a protocol asks for as CSV."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for pair, count in requirement.n_frames.items():
        table.writerow([pair.template, pair.driving, count, requirement.size, f"frames/{pair.key}"])
    return text.getvalue()
