"""What a folder of scores already holds, so that what did not change is not scored again."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mebench import weights
from mebench.environment import code_digest, package_versions
from mebench.errors import MebenchError
from mebench.io.files import write_json
from mebench.protocol.data import ProtocolData
from mebench.record import Record
from mebench.scoring import ScoringOptions
from mebench.spec import digest

STATE = ".state.json"
"""Hidden, so that ``*.json`` names the records."""


def stamp(path: Path) -> str:
    """Return a digest of the names, sizes and times of a submission's files, read by no decoder.

    Raises:
        OSError: when the folder or file cannot be listed.
    """
    if path.is_file():
        return digest(_facts(path.stat()))
    found = []
    for folder, folders, files in os.walk(path):
        folders.sort()
        place = os.path.relpath(folder, path)
        found += [[place, name, _facts(os.lstat(Path(folder, name)))] for name in sorted(files)]
    return digest(found)


def _facts(status: os.stat_result) -> list[int]:
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def basis(data: ProtocolData, options: ScoringOptions) -> str:
    """Return a digest of all that a score depends on besides the submission."""
    networks = {}
    for name in weights.TABLE:
        place = weights.path(name)
        networks[name] = _facts(place.stat()) if place.is_file() else None
    return digest(
        [
            data.protocol.digest,
            data.index_digest,
            list(options.metrics),
            options.flow,
            options.seed,
            options.allow_seeded,
            options.device,
            networks,
            package_versions(),
            code_digest("."),
            os.environ.get("MEBENCH_OPENFACE", ""),
        ]
    )


@dataclass
class Before:
    """The scores of an earlier call: records by name, and why others were refused.

    Attributes:
        out: the folder of the scores.
        basis: what they depend on besides the submissions.
        kept: what is known by name: ``stamp``, and ``record`` (its digest) or ``refused``.
    """

    out: Path
    basis: str
    kept: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, out: Path, basis: str) -> Before:
        """Return what `out` holds; nothing when it was made on another basis, or is damaged."""
        try:
            state = json.loads((out / STATE).read_text(encoding="utf-8"))
            kept = state["scores"] if state["basis"] == basis else {}
        except (OSError, ValueError, KeyError, TypeError):
            kept = {}
        return cls(out, basis, kept)

    def record(self, name: str, stamp: str) -> Record | None:
        """Return the record of an unchanged submission, or None."""
        known = self.kept.get(name, {})
        if known.get("stamp") != stamp or "record" not in known:
            return None
        try:
            record = Record.load(self.out / f"{name}.json")
        except MebenchError:
            return None
        return record if record.digest == known["record"] else None

    def refusal(self, name: str, stamp: str) -> str | None:
        """Return why an unchanged submission was refused, or None."""
        known = self.kept.get(name, {})
        return known.get("refused") if known.get("stamp") == stamp else None

    def keep(self, name: str, stamp: str, **found: str) -> None:
        """Remember ``record=DIGEST`` or ``refused=TEXT`` of a submission, on disk at once."""
        self.kept[name] = {"stamp": stamp, **found}
        write_json(self.out / STATE, {"basis": self.basis, "scores": self.kept})
