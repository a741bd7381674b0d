"""How far landmarks are from the truth, and what their confidence tells of it.

``python -m benchmarks.landmarks``: synthetic people, one frame each, spoiled in several ways.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import cv2
import numpy as np
from scipy.stats import spearmanr

from mebench.errors import DatasetError
from mebench.preprocess.canonical import eye_distance
from mebench.preprocess.landmarks import Landmarker, finder
from mebench.synthme.expression import Component, Expression
from mebench.synthme.identity import Identity
from mebench.synthme.nuisance import Nuisance
from mebench.synthme.render import render

STILL = Expression((Component(12, amplitude=0.0),), 1, 100.0, 1, emotion="neutral")
Change = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def grain(image: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    dirt = np.random.default_rng(0).normal(0, 25, image.shape)
    return np.clip(np.rint(image + dirt), 0, 255).astype(np.uint8), points


def blur(image: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return cv2.GaussianBlur(image, (0, 0), 0.08 * eye_distance(points)), points


def hide(image: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    covered, iod = image.copy(), eye_distance(points)
    x, y = points[48:68].mean(0)
    left, right = (round(x + side * 0.9 * iod) for side in (-1, 1))
    covered[round(y - 0.35 * iod) : round(y + 0.5 * iod), max(0, left) : right] = 90
    return covered, points


def half(image: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return small, (points + 0.5) / 2 - 0.5


def tilt(degrees: float) -> Change:
    def change(image: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = image.shape[:2]
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        turned = cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
        return turned, points @ turn[:, :2].T + turn[:, 2]

    return change


SPOILED: dict[str, Change] = {
    "as recorded": lambda image, points: (image, points),
    "half the size": half,
    "noise 25": grain,
    "dark": lambda image, points: ((image * 0.15).astype(np.uint8), points),
    "blur 8 % IOD": blur,
    "tilted 15 deg": tilt(15),
    "tilted 30 deg": tilt(30),
    "mouth hidden": hide,
}


def restless(landmarker: Landmarker, people: int) -> float:
    """Return how points of a still, noisy recording move from frame to frame, % of the IOD."""
    noise = replace(Nuisance.none(), noise=1.0)
    moved = []
    for person in range(people):
        still = replace(STILL, n_frames=6)
        identity = Identity.from_seed(person)
        shot = render(identity, still, noise, size=(480, 640), seed=person, with_flow=False)
        points, _ = landmarker.track(f"person {person}", iter(shot.frames), [])
        steps = np.linalg.norm(np.diff(points, axis=0), axis=-1)
        moved.append(100 * steps.mean() / eye_distance(shot.landmarks[0]))
    return float(np.mean(moved))


def cost() -> None:
    """Time the networks of FAN at their full size, filled with seeded tensors."""
    import tempfile
    from pathlib import Path

    import torch
    from face_alignment.detection.sfd.net_s3fd import s3fd
    from face_alignment.models import FAN

    from mebench import weights

    shot = render(Identity.from_seed(0), STILL, size=(480, 640), with_flow=False)
    sides = (*shot.landmarks[0].min(axis=0), *shot.landmarks[0].max(axis=0))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MEBENCH_WEIGHTS"] = folder
        known = dict(weights.TABLE)
        for name, net in (("2dfan4", FAN(4)), ("s3fd", s3fd())):
            # Detects nothing, at the full cost of the network.
            silent = [key for key in net.state_dict() if key.endswith("conf.bias")]
            state = weights.seeded_state(net, 0)
            for key in silent:
                state[key.replace("bias", "weight")].zero_()
                state[key][0] = 9.0
            torch.save(state, Path(folder) / weights.entry(name).file)
            known[name] = replace(weights.entry(name), sha256=None)
        weights.TABLE = known
        fan = finder("fan")
        for _ in range(3):
            start = time.perf_counter()
            with suppress(DatasetError):
                fan.box("cost", shot.frames[0])
            middle = time.perf_counter()
            fan.at("cost", shot.frames[0], tuple(map(float, sides)))
            end = time.perf_counter()
            print(f"S3FD {middle - start:.1f} s, FAN {end - middle:.1f} s, one thread")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cost", action="store_true", help="time FAN with seeded tensors instead")
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--method", default="dlib", help="dlib, fan or fan-dlib")
    options = parser.parse_args()
    if options.cost:
        cost()
        return
    landmarker = finder(options.method)
    rows: list[tuple[str, float, float]] = []
    lost = dict.fromkeys(SPOILED, 0)
    spent = []
    for person in range(options.people):
        shot = render(
            Identity.from_seed(person), STILL, size=(480, 640), seed=person, with_flow=False
        )
        for name, change in SPOILED.items():
            image, truth = change(shot.frames[0], shot.landmarks[0])
            start = time.perf_counter()
            try:
                found = landmarker.find(f"person {person}, {name}", image, [])
            except DatasetError:
                lost[name] += 1
                continue
            spent.append(time.perf_counter() - start)
            away = np.linalg.norm(found.points - truth, axis=1).mean() / eye_distance(truth)
            rows.append((name, float(away), found.confidence))
    print(f"{options.method}: {options.people} people, 640 x 480, error as % of the eye distance")
    print("| image | faces found | median error | worst | median confidence | Spearman |")
    print("|---|---|---|---|---|---|")
    for name in (*SPOILED, "all"):
        some = np.array([row[1:] for row in rows if name in ("all", row[0])])
        if not len(some):
            print(f"| {name} | 0 | | | | |")
            continue
        order = spearmanr(some[:, 0], some[:, 1]).statistic if len(some) > 2 else float("nan")
        total = len(some) + (sum(lost.values()) if name == "all" else lost[name])
        print(
            f"| {name} | {len(some)}/{total} | {100 * np.median(some[:, 0]):.1f} | "
            f"{100 * some[:, 0].max():.1f} | {np.median(some[:, 1]):.2f} | {order:.2f} |"
        )
    print(f"median time of an image: {1000 * np.median(spent):.0f} ms")
    tracked = restless(landmarker, min(options.people, 10))
    print(f"a still face moves {tracked:.2f} % of the eye distance from frame to frame")
    sure = np.array([row[1:] for row in rows])
    for low, high in ((0.0, 0.5), (0.5, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01)):
        part = sure[(sure[:, 1] >= low) & (sure[:, 1] < high), 0]
        if len(part):
            print(
                f"confidence {low:.1f} to {min(high, 1):.1f}: {len(part)}, "
                f"median {100 * np.median(part):.1f}, worst {100 * part.max():.1f}"
            )


if __name__ == "__main__":
    main()
