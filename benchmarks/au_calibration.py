"""Known behaviour of the motion metrics: ``python -m benchmarks.au_calibration``.

Pairs of a synthetic driving person and a template person, seen as `preprocess` aligns them. The
right answer is the protocol's: the template's person making the driving clip's expression, blinks
and gaze. Each row spoils it in one way.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np
from PIL import Image

from mebench.facs.regions import MIRROR
from mebench.metrics.action_units import ActionUnitConsistency
from mebench.metrics.base import Case, Metric
from mebench.metrics.motion import TrueMotion
from mebench.metrics.temporal import Temporal
from mebench.preprocess.motion_cache import MotionCache
from mebench.synthme.expression import Expression
from mebench.synthme.identity import Identity
from mebench.synthme.nuisance import Nuisance
from mebench.synthme.render import Camera, Rendering, render
from mebench.types import ActionUnit, Face, FaceClip, Frames, Pair, Points, Reference

EMOTIONS = ("happiness", "surprise", "disgust", "repression", "sadness", "fear", "anger", "others")
GRAIN = 1.3
"""Sensor noise of a default recording, grey levels."""
RECORDINGS = {
    "default": Nuisance.default(),
    "still-eyes": replace(Nuisance.default(), blink=0.0, gaze=0.0),
    "clean": Nuisance.none(),
}
SPEC = {
    "oracle": 0.96,
    "head motion": 0.96,
    "noise 5": 0.94,
    "half amplitude": 0.95,
    "double amplitude": 0.92,
    "10 % late": 0.77,
    "25 % late": 0.35,
    "mirrored": 0.81,
    "eyes only": 0.37,
    "another clip": 0.26,
    "reversed": -0.06,
    "flow noise": -0.01,
    "static + noise": -0.02,
    "jpeg q20": 0.94,
    "half the frames": 0.98,
    "5 % landmarks": 0.97,
    "64 px": 0.97,
    "gif palette": 0.98,
}
GOOD = ("oracle", "recording", "jpeg q20")
BAD = ("another clip", "flow noise", "static + noise")
COLUMNS = (
    "au_consistency",
    "au_concordance",
    "motion_similarity",
    "au_amplitude",
    "apex_error_ms",
    "au_leak",
    "au_f1",
    "flow_epe_iod",
    "flow_epe_true_iod",
    "au_curve_rmse_iod",
)
Row = tuple[str, Frames, Points]


def camera(size: int) -> Camera:
    """The aligned crop: IOD .30 of the side, eyes at .40 of the height."""
    return Camera(size, size, 0.30 * size, (size - 1) / 2, 0.40 * size)


def still(frames: Frames, noise: float, seed: int) -> Frames:
    return grain(np.repeat(frames[:1], len(frames), axis=0), noise, seed)


def grain(frames: Frames, noise: float, seed: int) -> Frames:
    dirt = np.random.default_rng(seed).normal(0, noise, frames.shape)
    return np.clip(np.rint(frames + dirt), 0, 255).astype(np.uint8)


def late(frames: Frames, share: float) -> Frames:
    n = round(share * len(frames))
    return np.concatenate([np.repeat(frames[:1], n, axis=0), frames[: len(frames) - n]])


def every(frames: Frames, change: Callable[[np.ndarray], np.ndarray]) -> Frames:
    return np.stack([change(f) for f in frames])


def jpeg(image: np.ndarray, quality: int = 20) -> np.ndarray:
    code = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(code, cv2.IMREAD_COLOR)[..., ::-1])


def gif(image: np.ndarray) -> np.ndarray:
    store = io.BytesIO()
    Image.fromarray(image).save(store, format="GIF")
    return np.asarray(Image.open(store).convert("RGB"))


def wobble(frames: Frames, points: Points, seed: int) -> Frames:
    """Smooth random flow of about 1 % IOD, new in every frame."""
    rng = np.random.default_rng(seed)
    iod = float(np.linalg.norm(points[36:42].mean(0) - points[42:48].mean(0)))
    h, w = frames.shape[1:3]
    ys, xs = np.mgrid[0:h, 0:w].astype(np.float32)
    out = [frames[0]]
    for _ in frames[1:]:
        flow = cv2.GaussianBlur(rng.normal(size=(h, w, 2)).astype(np.float32), (0, 0), 0.25 * iod)
        flow *= 0.01 * iod / flow.std()
        out.append(cv2.remap(frames[0], xs + flow[..., 0], ys + flow[..., 1], cv2.INTER_LINEAR))
    return np.stack(out)


def answer(person: Identity, act: Expression, driving: Nuisance, seed: int, size: int) -> Rendering:
    """As `Truth.reference`: the driving clip's expression, blinks and gaze, all else still."""
    return render(person, act, driving.only_eyes(), seed=seed, camera=camera(size))


def rows(
    right: Rendering, person: Identity, act: Expression, recorded: Nuisance, seed: int, size: int
) -> Iterator[Row]:
    """Yield (name, generated frames, landmarks of generated frame 0)."""

    def make(what: Expression, head: float = 0.0, shift: int = 0) -> Frames:
        # Against the driving clip's own head motion: its residue must not pass for agreement.
        eyes = replace(recorded.only_eyes(), drift=-head, tremor=-min(head, 1.0))
        view = camera(size)
        return render(person, what, eyes, seed=seed + shift, camera=view, with_flow=False).frames

    frames, points = right.frames, right.landmarks[0]
    rng = np.random.default_rng(seed)
    iod = float(np.linalg.norm(points[36:42].mean(0) - points[42:48].mean(0)))
    yield "oracle", frames, points
    yield "recording", grain(make(act, head=1.0), GRAIN, seed), points
    yield "head motion", make(act, head=3.0), points
    yield "noise 5", grain(frames, 5, seed), points
    yield "half amplitude", make(act.scaled(0.5)), points
    yield "double amplitude", make(act.scaled(2.0)), points
    yield "10 % late", late(frames, 0.10), points
    yield "25 % late", late(frames, 0.25), points
    mirrored = points[list(MIRROR)] * np.float32([-1, 1]) + np.float32([size - 1, 0])
    yield "mirrored", np.ascontiguousarray(frames[:, :, ::-1]), mirrored
    yield "eyes only", make(act.scaled(0.0)), points
    names = [e for e in EMOTIONS if not set(Expression.sample(rng, e).names) & set(act.names)]
    for index in range(3):
        other = Expression.sample(rng, names[int(rng.integers(len(names)))], act.fps)
        if not set(other.names) & set(act.names):
            made = make(other, shift=1000 * (index + 1))
            at = np.rint(np.linspace(0, len(made) - 1, len(frames))).astype(int)
            yield f"another clip{' ' * index}", made[at], points
    yield "reversed", np.ascontiguousarray(frames[::-1]), points
    yield "flow noise", wobble(frames, points, seed), points
    yield "static", still(frames, 0, seed), points
    yield "static + noise", still(frames, 2, seed), points
    yield "jpeg q20", every(frames, jpeg), points
    yield "half the frames", frames[np.arange(len(frames)) // 2 * 2], points
    shaken = points + rng.normal(0, 0.05 * iod / np.sqrt(2), points.shape)
    yield "5 % landmarks", frames, shaken.astype(np.float32)
    small = every(frames, lambda f: cv2.resize(f, (64, 64), interpolation=cv2.INTER_AREA))
    yield "64 px", small, (points + 0.5) * np.float32(64 / size) - 0.5
    yield "gif palette", every(frames, gif), points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--fps", type=float, default=100.0)
    parser.add_argument("--flow", choices=("farneback", "dis"), default="farneback")
    parser.add_argument("--driving", choices=tuple(RECORDINGS), default="default")
    parser.add_argument("--rows", default="", help="comma-separated names; all when empty")
    options = parser.parse_args()
    wanted = set(filter(None, options.rows.split(",")))
    store = MotionCache(flow=options.flow)
    table: dict[str, dict[str, list[float]]] = {}
    spent, analysed, weak = 0.0, 0, 0
    for index in range(options.pairs):
        rng = np.random.default_rng([7, index])
        act = Expression.sample(rng, EMOTIONS[index % len(EMOTIONS)], options.fps)
        actor, person = Identity.from_seed(100 + index), Identity.from_seed(200 + index)
        view = camera(options.size)
        recording = RECORDINGS[options.driving]
        seed = index + 1000
        film = render(actor, act, recording, seed=seed, camera=view, with_flow=False)
        driving = FaceClip("synth", "s", film.frames, film.landmarks[0], act.fps)
        right = answer(person, act, recording, seed, options.size)
        labels = tuple(ActionUnit(part.au, part.side) for part in act.components)
        peak = 0.0
        for name, frames, points in rows(right, person, act, recording, seed, options.size):
            if wanted and name.strip() not in wanted | {"oracle"}:
                continue
            whole = frames.shape[1] == options.size and name.strip() not in ("mirrored",)
            reference = Reference(right.frames, right.flow) if whole else None
            face = Face(frames[0], points)
            case = Case(Pair("t", "d"), frames, face, driving, reference, labels)
            family: list[Metric] = [ActionUnitConsistency(store=store), Temporal(store=store)]
            family += [TrueMotion(store=store)] if whole else []
            start = time.process_time()
            for metric in family:
                for key, value in metric.clip_values(metric.describe(case)).items():
                    if isinstance(value, float):
                        table.setdefault(name.strip(), {}).setdefault(key, []).append(value)
            spent, analysed = spent + time.process_time() - start, analysed + len(frames)
            if name == "oracle":
                peak = table[name]["subtlety_driving"][-1]
        weak = index + 1 - len(table["oracle"].get("au_consistency", []))
        sys.stderr.write(f"pair {index + 1}/{options.pairs}: {act.text}, peak {peak:.2f} % IOD\n")
    report(table)
    print(f"\n{1000 * spent / analysed:.0f} ms of processor time a frame")
    print(f"driving clips too weak to score: {weak} of {options.pairs}")
    if wanted:
        return
    good, bad, others = (
        np.concatenate([table[name].get("au_consistency", []) for name in names])
        for names in (GOOD, BAD, BAD[:1])
    )
    if len(good) and len(others):
        print(f"AUC of good against bad: {(good[:, None] > bad).mean():.3f}")
        print(f"95th percentile of another clip: {np.percentile(others, 95):.2f}")


def report(table: dict[str, dict[str, list[float]]]) -> None:
    print(f"| generated | real faces | {' | '.join(COLUMNS)} |")
    print("|" + "---|" * (len(COLUMNS) + 2))
    for name, values in table.items():
        cells = [f"{np.mean(values[key]):.2f}" if values.get(key) else "" for key in COLUMNS]
        print(f"| {name} | {SPEC.get(name, '')} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
