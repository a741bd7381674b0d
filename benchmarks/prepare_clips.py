"""A copy in CASME II's layout with as many clips as a benchmark needs.

A few SynthME clips are drawn at 640x480; every clip is one of them under a new name, with noise of
one grey level of its own, so that no two files are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, delayed

from mebench.synthme.export import write_image
from mebench.synthme.expression import Expression
from mebench.synthme.plan import ClipPlan, make_plan, recording
from mebench.synthme.render import render
from mebench.synthme.tables import CASME2_FILE, write_casme2

PEOPLE = 8


def make_copy(out: Path, clips: int, frames: int, jobs: int, *, linked: bool = False) -> Path:
    """Write a copy below `out` (once) and return its root; landmarks are in ``points``.

    With `linked` all clips of a person are hard links to the same files.
    """
    done = out / f"{clips}-{frames}.done"
    if done.is_file():
        return out / "casme2"
    drawn = _drawn(frames)
    plans = [_named(drawn[k % PEOPLE], k, frames) for k in range(clips)]
    (out / "points").mkdir(parents=True, exist_ok=True)
    write = partial(_write_person, out, frames, linked)
    groups = [[(k, plans[k]) for k in range(person, clips, PEOPLE)] for person in range(PEOPLE)]
    Parallel(n_jobs=jobs)(
        delayed(write)(plan, group) for plan, group in zip(drawn, groups, strict=True)
    )
    (out / "casme2").mkdir(exist_ok=True)
    write_casme2(out / "casme2" / CASME2_FILE, tuple(plans))
    done.touch()
    return out / "casme2"


def _drawn(frames: int) -> list[ClipPlan]:
    """Return one clip each of some people, at least `frames` long."""
    found: dict[int, ClipPlan] = {}
    for clip in make_plan("full", 0).of("casme2"):
        best = found.get(clip.identity_seed)
        if best is None or clip.expression.n_frames > best.expression.n_frames:
            found[clip.identity_seed] = clip
    chosen = [clip for clip in found.values() if clip.expression.n_frames >= frames][:PEOPLE]
    if len(chosen) < PEOPLE:
        raise SystemExit(f"fewer than {PEOPLE} people have a clip of {frames} frames; ask for less")
    return chosen


def _named(plan: ClipPlan, k: int, frames: int) -> ClipPlan:
    """Return the plan under the name of clip `k`, shortened as its frames will be."""
    clip_id = f"EP{k // PEOPLE + 1:03d}_01"
    folder = str(Path(plan.folder).with_name(clip_id))
    return replace(
        plan,
        clip_id=clip_id,
        folder=folder,
        onset=1,
        expression=_shortened(plan.expression, frames),
        last=frames,
    )


def _shortened(expression: Expression, frames: int) -> Expression:
    return replace(expression, n_frames=frames, apex=min(expression.apex, frames - 4))


def _write_person(
    out: Path, frames: int, linked: bool, plan: ClipPlan, group: Sequence[tuple[int, ClipPlan]]
) -> None:
    cv2.setNumThreads(1)
    made = render(
        plan.identity,
        _shortened(plan.expression, frames),
        recording(),
        seed=plan.nuisance_seed,
        camera=plan.camera,
        with_flow=False,
    )
    first: Path | None = None
    for k, clip in group:
        np.save(out / "points" / f"{clip.key}.npy", made.landmarks[0])
        folder = out / clip.folder
        folder.mkdir(parents=True, exist_ok=True)
        if linked and first is not None:
            for path in first.iterdir():
                (folder / path.name).hardlink_to(path)
            continue
        first = folder
        rng = np.random.default_rng(k)
        for number, frame in enumerate(made.frames, start=1):
            noise = rng.integers(-1, 2, frame.shape[:2], dtype=np.int16)[..., None]
            noisy = np.clip(frame + noise, 0, 255).astype(np.uint8)
            write_image(folder / clip.pattern.format(n=number), noisy, clip.gray)
