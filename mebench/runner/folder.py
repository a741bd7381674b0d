"""What a run is, and the folder that is its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from mebench.errors import UsageError, WeightsError
from mebench.io.files import sha256_file, write_json
from mebench.protocol.spec import Protocol

RUN_FILE = "run.json"


@dataclass(frozen=True)
class RunSettings:
    """What a run is; the same settings and seed on the same machine give the same record.

    Attributes:
        baseline: baseline id or path to its spec.
        protocol: protocol id or path to its spec.
        preset: preset of the baseline.
        seed: seed of everything.
        overrides: ``key=value`` settings over the preset.
        limit: only the first so many pairs (a quick look), None for all.
        flow: flow of the motion metrics, ``farneback``, or ``dis``, which is quicker.
        checkpoint: networks that are taken as they are instead of training, None to train.
    """

    baseline: str
    protocol: str = "synthme"
    preset: str = "quick"
    seed: int = 0
    overrides: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    checkpoint: str | None = None
    flow: Literal["farneback", "dis"] = "farneback"

    @property
    def checkpoint_digest(self) -> str | None:
        """The sha256 of the checkpoint's file."""
        if self.checkpoint is None:
            return None
        path = Path(self.checkpoint)
        if not path.is_file():
            raise WeightsError(f"{path}: no such checkpoint; train first or name another file")
        return sha256_file(path)


def default_out(settings: RunSettings) -> Path:
    """Return ``runs/<baseline>-<protocol>-<preset>-seed<N>``."""
    names = (Path(settings.baseline).stem, Path(settings.protocol).stem, settings.preset)
    return Path("runs") / ("-".join(names) + f"-seed{settings.seed}")


def claim(out: Path, settings: RunSettings, protocol: Protocol, resume: bool) -> None:
    """Mark the folder as this run's.

    Raises:
        UsageError: when it holds something else, or this run and `resume` is not set.
        WeightsError: for a checkpoint that is not there.
    """
    stamp = {**asdict(settings), "protocol_digest": protocol.digest}
    stamp["overrides"] = dict(settings.overrides)
    stamp["checkpoint_sha256"] = settings.checkpoint_digest
    file = out / RUN_FILE
    if file.is_file():
        found = _stamp_of(file)
        if found != stamp:
            wrong = next((key for key in stamp if found.get(key) != stamp[key]), "settings")
            raise UsageError(
                f"{out}: holds a run with other settings ({wrong} {found.get(wrong)!r}, expected "
                f"{stamp.get(wrong)!r}); choose another --out"
            )
        if not resume:
            raise UsageError(f"{out}: holds this run already; add --resume or choose another --out")
        return
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"{out}: is not empty and holds no run; choose another --out")
    write_json(file, stamp)


def _stamp_of(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{file}: cannot be read ({type(error).__name__}); choose another --out"
        ) from error
    return found if isinstance(found, dict) else {}


def release(out: Path) -> None:
    """Take the mark away where nothing was done yet, so that the next try is not a second run."""
    if [entry.name for entry in out.iterdir()] == [RUN_FILE]:
        (out / RUN_FILE).unlink()
        out.rmdir()
