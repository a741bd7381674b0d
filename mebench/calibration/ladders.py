"""Ladders: the right answer spoilt in one known way, step by step; level 0 is the right answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mebench.calibration import damage
from mebench.calibration.scenes import Scene, mixed_identity, other_expression
from mebench.synthme.expression import Component, Expression
from mebench.types import Frames


@dataclass(frozen=True)
class Ladder:
    """One way to be wrong, of known size.

    Attributes:
        name: as the tables say it.
        unit: what a level is.
        levels: ascending, the first 0.
        make: returns the generated frames at a level.
        one_sided: made of driving clips whose expression is of one half of the face.
    """

    name: str
    unit: str
    levels: tuple[float, ...]
    make: Callable[[Scene, float], Frames]
    one_sided: bool = False


def _scaled(scene: Scene, factor: float) -> Frames:
    return scene.made(scene.act.scaled(factor))


def _wrong_units(scene: Scene, share: float) -> Frames:
    """Replace a share of the motion by other action units, at the same time, as strong."""
    rng = np.random.default_rng(scene.seed)
    other = other_expression(scene.act, rng)
    own_size, other_size = (_largest(act.components) for act in (scene.act, other))
    parts = [
        *(replace(p, amplitude=p.amplitude * (1 - share)) for p in scene.act.components),
        *(
            replace(p, amplitude=p.amplitude * share * own_size / other_size)
            for p in other.components
        ),
    ]
    return scene.made(replace(scene.act, components=tuple(parts)))


def _largest(parts: tuple[Component, ...]) -> float:
    return max(part.amplitude for part in parts)


def _other_side(scene: Scene, share: float) -> Frames:
    """Move a share of a one-sided expression to the other half of the face."""
    act: Expression = scene.act
    parts = [replace(p, amplitude=p.amplitude * (1 - share)) for p in act.components]
    parts += [replace(p, amplitude=p.amplitude * share) for p in act.mirrored().components]
    return scene.made(replace(act, components=tuple(parts)))


def _between(scene: Scene, share: float) -> Frames:
    return scene.made(person=mixed_identity(scene.person, scene.actor, share))


LADDERS = (
    Ladder(
        "weaker", "share of the motion missing", (0, 0.25, 0.5, 0.75, 1),
        lambda scene, level: _scaled(scene, 1 - level),
    ),
    Ladder(
        "stronger", "motion added, share", (0, 0.25, 0.5, 1),
        lambda scene, level: _scaled(scene, 1 + level),
    ),
    Ladder(
        "late", "share of the clip", (0, 0.05, 0.1, 0.2, 0.3, 0.5),
        lambda scene, level: damage.late(scene.right.frames, level),
    ),
    Ladder("wrong AU", "share of the motion", (0, 0.25, 0.5, 0.75, 1), _wrong_units),
    Ladder("other side", "share of the motion", (0, 0.25, 0.5, 0.75, 1), _other_side, True),
    Ladder("other person", "share of the identity", (0, 0.25, 0.5, 0.75, 1), _between),
    Ladder(
        "head motion", "of a quiet recording", (0, 0.5, 1, 2, 4),
        lambda scene, level: scene.made(head=level),
    ),
    Ladder(
        "noise", "grey levels", (0, 2, 4, 8, 16),
        lambda scene, level: damage.grain(scene.right.frames, level, scene.seed),
    ),
    Ladder(
        "blur", "px of 256", (0, 0.5, 1, 2, 4),
        lambda scene, level: damage.blur(scene.right.frames, level),
    ),
    Ladder(
        "JPEG", "100 - quality", (0, 10, 30, 50, 70, 90),
        lambda scene, level: (
            damage.jpeg(scene.right.frames, round(100 - level)) if level else scene.right.frames
        ),
    ),
    Ladder(
        "resolution", "octaves below 256 px", (0, 0.5, 1, 1.5, 2, 2.5),
        lambda scene, level: damage.coarse(scene.right.frames, round(256 / 2**level)),
    ),
)  # fmt: skip

FEELS: dict[str, tuple[str, ...]] = {
    "au_consistency": ("wrong AU", "late", "other side"),
    "au_concordance": ("weaker", "stronger", "wrong AU"),
    "motion_similarity": ("wrong AU", "late", "other side"),
    "au_amplitude": ("weaker", "stronger"),
    "au_amplitude_log2": ("weaker", "stronger"),
    "apex_error_ms": ("late",),
    "apex_error_share": ("late",),
    "au_leak": ("wrong AU",),
    "flow_epe_px": ("weaker", "stronger", "wrong AU", "late", "other side"),
    "flow_epe_iod": ("weaker", "stronger", "wrong AU"),
    "flow_epe_true_px": ("weaker", "wrong AU"),
    "flow_epe_true_iod": ("weaker", "wrong AU"),
    "au_curve_rmse_iod": ("weaker", "stronger", "wrong AU", "late", "other side"),
    "jitter": ("noise",),
    "subtlety": ("weaker", "stronger"),
    "subtlety_log2": ("weaker", "stronger"),
    "head_motion": ("head motion",),
    "psnr_db": ("noise", "blur", "JPEG", "resolution", "weaker"),
    "ssim": ("noise", "blur", "JPEG", "resolution", "weaker"),
    "psnr_apex_db": ("noise", "blur", "JPEG", "resolution", "weaker"),
    "ssim_apex": ("noise", "blur", "JPEG", "resolution", "weaker"),
    "ssim_template": ("noise", "blur"),
    "onset_fidelity": ("other person", "blur"),
    "lpips": ("noise", "blur", "JPEG", "resolution"),
    "lpips_apex": ("noise", "blur", "JPEG", "resolution"),
    "fid": ("noise", "blur", "resolution"),
    "kid": ("noise", "blur", "resolution"),
    "identity_distance": ("other person",),
    "identity_cosine": ("other person",),
    "aed": ("other person",),
    "akd_px": ("head motion",),
    "akd_iod": ("head motion",),
    "motion_frechet": ("weaker", "stronger"),
}
"""The ladders each value is there to feel; on all others it may stay silent."""
