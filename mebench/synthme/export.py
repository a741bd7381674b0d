"""Write SynthME to disk in the layouts of CASME II, SAMM, SMIC and MEGC2021."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from mebench import __version__
from mebench.errors import UsageError
from mebench.io.files import atomic_folder, atomic_path, write_json
from mebench.synthme import tables
from mebench.synthme.expression import Component, Expression
from mebench.synthme.identity import Identity
from mebench.synthme.nuisance import Nuisance
from mebench.synthme.plan import FORMAT, PRESETS, ClipPlan, Plan, make_plan, recording
from mebench.synthme.render import render
from mebench.synthme.stage import Camera
from mebench.types import Frames, Progress, SilentProgress

__all__ = ["PRESETS", "STAMP", "export"]

STAMP = "synthme.json"
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 95]
_NON_MICRO = "smic/SMIC_all_raw/HS/{subject}/non_micro/{subject}_non_01"


def export(
    out: Path,
    *,
    preset: str = "default",
    seed: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
    tight_templates: bool = False,
) -> Path:
    """Write an export, or finish one that was interrupted; return `out`.

    The same preset and seed give the same bytes, whatever `jobs` (worker processes).
    ``synthme.json`` is written last. `tight_templates` writes the templates of the MEGC2021 pack as
    tall pictures of the face alone.

    Raises:
        UsageError: for an unknown preset, and when `out` holds something else.
    """
    progress = progress or SilentProgress()
    plan = make_plan(preset, seed, tight_templates=tight_templates)
    _claim(out, plan)
    pieces = _pieces(out, plan)
    waiting = [piece for piece in pieces if not piece[1].exists()]
    with progress.task("SynthME", total=len(pieces), done=len(pieces) - len(waiting)) as task:
        for name in _written(waiting, jobs):
            task.advance(1, name)
    tables.write_casme2(out / "casme2" / tables.CASME2_FILE, plan.of("casme2"))
    tables.write_samm(out / "samm" / tables.SAMM_FILE, plan.of("samm"))
    stamp = {
        "format": FORMAT,
        "version": __version__,
        "preset": preset,
        "seed": seed,
        "digest": plan.digest,
        "clips": [clip.key for clip in plan.clips],
    }
    if plan.tight:
        stamp["tight_templates"] = True
    write_json(out / STAMP, stamp)
    return out


def _claim(out: Path, plan: Plan) -> None:
    """Refuse a folder that holds anything but (part of) this very export."""
    marker = out / "truth" / "clips.json"
    if marker.is_file():
        try:
            found = json.loads(marker.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        if found != json.loads(json.dumps(plan.record())):
            name = f"preset {found.get('preset')}, seed {found.get('seed')}" if found else "unknown"
            raise UsageError(
                f"{out}: holds another SynthME export ({name}), expected preset {plan.preset}, "
                f"seed {plan.seed} of this version; choose another folder or delete it"
            )
        return
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise UsageError(f"{out}: is not empty and holds no SynthME export; choose another folder")
    write_json(marker, plan.record())


Piece = tuple[int, Path, Callable[[Path], None]]


def _written(waiting: list[Piece], jobs: int) -> Iterator[str]:
    """Write the pieces and yield the name of each; all of one person in one process."""
    if jobs == 1:
        for _, target, write in waiting:
            write(target)
            yield target.name
        return
    from joblib import Parallel, delayed

    people = [list(group) for _, group in groupby(waiting, key=lambda piece: piece[0])]
    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
    for names in parallel(delayed(_write_person)(pieces) for pieces in people):
        yield from names


def _write_person(pieces: list[Piece]) -> list[str]:
    cv2.setNumThreads(1)
    for _, target, write in pieces:
        write(target)
    return [target.name for _, target, _ in pieces]


def _pieces(out: Path, plan: Plan) -> list[Piece]:
    """Return (person, folder or file, what writes it), so that a portrait is drawn once a person.

    A clip's folder is moved into place last, so it stands for its truth files as well.
    """
    pieces: list[Piece] = [
        (clip.identity_seed, out / clip.folder, partial(_write_clip, out, clip))
        for clip in plan.clips
    ]
    faces = out / "MEGC2021_generation" / "target_template_face"
    for name, person, camera in plan.templates:
        pieces.append(
            (
                person,
                faces / f"{name}{plan.template_suffix}",
                partial(_write_template, out, person, camera),
            )
        )
    first = plan.of("smic")[0]
    pieces.append(
        (
            first.identity_seed,
            out / _NON_MICRO.format(subject=first.subject),
            partial(_write_non_micro, first, plan.seed),
        )
    )
    return sorted(pieces, key=lambda piece: piece[0])


def _write_clip(out: Path, clip: ClipPlan, target: Path) -> None:
    made = render(
        clip.identity,
        clip.expression,
        recording(),
        seed=clip.nuisance_seed,
        camera=clip.camera,
        with_flow=False,
    )
    _save(out / "truth" / "landmarks" / f"{clip.key}.npy", made.landmarks)
    _save(out / "truth" / "au_curves" / f"{clip.key}.npy", made.au_curves)
    numbers = range(clip.onset, clip.last + 1)
    with atomic_folder(target) as folder:
        for frame, number in zip(made.frames, numbers, strict=False):
            write_image(folder / clip.pattern.format(n=number), frame, clip.gray)


def _save(target: Path, values: np.ndarray) -> None:
    with atomic_path(target) as temporary, temporary.open("wb") as handle:
        np.save(handle, values)


def write_image(target: Path, frame: np.ndarray, gray: bool) -> None:
    """Write an RGB frame as bmp, or as jpg of quality 95, with one channel when `gray`."""
    pixels = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) if gray else frame[..., ::-1]
    ok, code = cv2.imencode(target.suffix, pixels, _JPEG if target.suffix.lower() == ".jpg" else [])
    if not ok:
        raise UsageError(f"{target}: could not be encoded; check that OpenCV writes this format")
    target.write_bytes(code.tobytes())


def grayed(frames: Frames) -> Frames:
    """Return what a camera without colour would have recorded, in three equal channels."""
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    return np.repeat(np.stack(gray)[..., None], 3, axis=-1)


def _still(n_frames: int) -> Expression:
    return Expression((Component(12, amplitude=0.0),), n_frames, 100.0, 1, emotion="neutral")


def _write_template(out: Path, person: int, camera: Camera, target: Path) -> None:
    identity = Identity.from_seed(person)
    made = render(identity, _still(1), Nuisance.none(), camera=camera, with_flow=False)
    _save(out / "truth" / "landmarks" / f"{target.stem}.npy", made.landmarks)
    with atomic_path(target) as temporary:
        write_image(temporary, made.frames[0], gray=False)


def _write_non_micro(first: ClipPlan, seed: int, target: Path) -> None:
    """Write SMIC's other kind of clip, which loaders have to skip."""
    made = render(
        first.identity, _still(6), recording(), seed=seed, camera=first.camera, with_flow=False
    )
    with atomic_folder(target) as temporary:
        for k, frame in enumerate(made.frames):
            write_image(temporary / f"image{first.onset - 5000 + k:06d}.bmp", frame, gray=False)
