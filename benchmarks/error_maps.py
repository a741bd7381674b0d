"""Where the networks are wrong, and where any warp is: squared errors by part of the face.

Usage: python -m benchmarks.error_maps RUN --out DIR

RUN is a finished `mebench run baseline fomm-prior` on protocol synthme. DIR gets one picture: a row
for each pair with the template, where the template moved by the true flow is wrong, and where the
networks are, on one scale. Printed are the errors by part of the face, the whole error of the true
warp being 1.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from benchmarks.ceilings import with_true_flow, without
from mebench import settings
from mebench.metrics.appearance import ErrorMaps, error_maps
from mebench.metrics.base import Case
from mebench.protocol.data import ProtocolData
from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import load_protocol
from mebench.scoring import requirement_of
from mebench.submission.validate import open_submission
from mebench.types import Frames, Image, Pair, Points

PARTS = {
    "eyes": range(36, 48),
    "brows": range(17, 27),
    "nose": range(27, 36),
    "mouth": range(48, 68),
    "jaw": range(17),
}


def nearest_part(landmarks: Points, shape: tuple[int, int]) -> np.ndarray:
    """Return the part (H, W) whose landmarks are nearest to each pixel, an index of `PARTS`."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    away = (x[..., None] - landmarks[:, 0]) ** 2 + (y[..., None] - landmarks[:, 1]) ** 2
    of_mark = np.zeros(len(landmarks), int)
    for index, marks in enumerate(PARTS.values()):
        of_mark[list(marks)] = index
    return of_mark[away.argmin(axis=-1)]


def maps_of(data: ProtocolData, pair: Pair, frames: Frames) -> ErrorMaps:
    template, driving = data.templates[pair.template], data.driving[pair.driving]
    found = error_maps(Case(pair, frames, template, driving, data.reference(pair)))
    if found is None:
        raise SystemExit(f"{pair.key}: has no right answer; this needs protocol synthme")
    return found


def heat(errors: np.ndarray, most: float) -> Image:
    """Return errors (H, W) as a picture; `most` is white."""
    level = np.clip(np.sqrt(errors / most), 0, 1)
    coloured = cv2.applyColorMap((255 * level).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.asarray(coloured[..., ::-1], np.uint8)


def line(pair: str, name: str, shares: np.ndarray) -> str:
    """Return a row of the table; the gain is what the shares leave of 1."""
    cells = " | ".join(f"{value:.2f}" for value in shares)
    gain = round(1 - float(shares.sum()), 2) + 0.0  # no -0
    return f"| {pair} | {name} | {cells} | {gain:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    cache = settings.cache_folder()
    data = open_protocol(load_protocol("synthme"), {"synthme": chosen.run / "data"}, cache=cache)
    submission = open_submission(chosen.run / "submission", requirement_of(data), guarded=False)
    networks = without(chosen.run / "training" / "model.pt", (), cache)
    names = ("true-warp", "fomm-prior", "true flow, our painter")
    found: dict[str, list[np.ndarray]] = {name: [] for name in names}
    print("| pair | drawn | " + " | ".join(PARTS) + " | appearance_gain |")
    print("|---|---|" + "--:|" * (len(PARTS) + 1))
    rows = []
    for pair in data.pairs:
        template = data.templates[pair.template]
        ours = maps_of(data, pair, submission.frames(pair))
        fed = maps_of(data, pair, with_true_flow(networks, data, pair))
        part = nearest_part(template.landmarks, ours.made.shape)
        errors = dict(zip(names, (ours.warped, ours.made, fed.made), strict=True))
        whole = ours.warped.sum()
        for name, error in errors.items():
            sums = np.bincount(part.ravel(), error.ravel(), len(PARTS))
            found[name].append(sums)
            print(line(pair.key, name, sums / whole))
        most = float(np.quantile(ours.warped[ours.face], 0.999))
        tiles = [template.image, *(heat(error, most) for error in errors.values())]
        rows.append(np.hstack(tiles))
    wholes = np.array([sums.sum() for sums in found["true-warp"]])[:, None]
    for name, rows_of in found.items():
        print(line("mean of the pairs", name, (np.array(rows_of) / wholes).mean(axis=0)))
    for name, rows_of in found.items():
        print(line("pairs by their size", name, np.sum(rows_of, axis=0) / wholes.sum()))
    chosen.out.mkdir(parents=True, exist_ok=True)
    half = (len(rows) + 1) // 2
    rows += [np.full_like(rows[0], 255)] * (2 * half - len(rows))
    sheet = np.hstack([np.vstack(rows[:half]), np.vstack(rows[half:])])
    cv2.imwrite(str(chosen.out / "error_maps.jpg"), sheet[..., ::-1])


if __name__ == "__main__":
    main()
