"""Whether baselines stay steady on driving clips that were compressed before anybody had them.

Usage: python -m benchmarks.recoded RUN [--only WAY] [--pairs N]

RUN is a finished `mebench run baseline fomm-prior` on protocol synthme; its networks are taken. The
driving clips are thinned to a frame rate and compressed; methods see what comes back, and are
scored against the clips and answers as they were, at that rate. Differences are those to
linear-warp, paired, with 95 % intervals over the driving subjects.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.ceilings import scored
from benchmarks.views import Form, as_gif, as_jpeg, as_mp4
from mebench import settings
from mebench.methods.base import Baseline
from mebench.methods.catalogue import load_baseline
from mebench.protocol.data import ProtocolData
from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import load_protocol
from mebench.record import MethodRow
from mebench.stats import paired_difference
from mebench.types import FaceClip, Pair, Reference

KEYS = {"jitter": -1, "au_consistency": 1, "au_concordance": 1, "au_amplitude": 0,
        "flow_epe_px": -1, "au_curve_rmse_iod": -1}  # fmt: skip
FAMILIES = ("action_units", "motion", "temporal")
WAYS: dict[str, tuple[float, Form]] = {
    "as they are": (1000.0, lambda frames: frames),
    "mp4, crf 23, 100 fps": (100.0, as_mp4(23, 100)),
    "mp4, crf 28, 200 fps": (200.0, as_mp4(28, 200)),
    "mp4, crf 28, 25 fps": (25.0, as_mp4(28, 25)),
    "mp4, crf 32, 100 fps": (100.0, as_mp4(32, 100)),
    "GIF, 100 fps": (100.0, as_gif),
    "JPEG 60, 200 fps": (200.0, as_jpeg(60)),
}


class Thinned:
    """The right answers at a lower frame rate."""

    def __init__(self, data: ProtocolData, fps: float) -> None:
        self.data, self.fps = data, fps

    def __call__(self, pair: Pair) -> Reference | None:
        found = self.data.reference(pair)
        if found is None:
            return None
        kept = frames_kept(self.data.driving[pair.driving], self.fps)
        parts = ("frames", "flow", "landmarks", "au_curves")
        values = {name: getattr(found, name) for name in parts}
        return replace(found, **{k: None if v is None else v[kept] for k, v in values.items()})


def frames_kept(clip: FaceClip, fps: float) -> slice:
    return slice(None, None, max(1, round(clip.fps / fps)))


def thinned(clip: FaceClip, fps: float) -> FaceClip:
    kept = frames_kept(clip, fps)
    return replace(
        clip, frames=np.asarray(clip.frames)[kept], fps=clip.fps / (kept.step or 1),
        apex_index=None if clip.apex_index is None else clip.apex_index // kept.step,
    )  # fmt: skip


def row_of(method: Baseline, name: str, data: ProtocolData, seen: dict[str, FaceClip]) -> MethodRow:
    made = {p: method.generate(data.templates[p.template], seen[p.driving]) for p in data.pairs}
    with tempfile.TemporaryDirectory() as folder:
        return scored(name, made, data, Path(folder), FAMILIES)


def gap(row: MethodRow, base: MethodRow, key: str, data: ProtocolData) -> str:
    pairs = [p for p in data.pairs if row.per_clip[p.key].get(key) is not None
             and base.per_clip[p.key].get(key) is not None]  # fmt: skip
    found = paired_difference(
        [row.per_clip[p.key][key] for p in pairs],
        [base.per_clip[p.key][key] for p in pairs],
        [data.group(p) for p in pairs],
    )
    if found.interval is None:
        return f"{found.mean:+.3f} (one subject)"
    low, high = found.interval
    return f"{found.mean:+.3f} [{low:+.3f}, {high:+.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--only", action="append")
    parser.add_argument("--pairs", type=int)
    chosen = parser.parse_args()
    cache = settings.cache_folder()
    whole = open_protocol(load_protocol("synthme"), {"synthme": chosen.run / "data"}, cache=cache)
    if chosen.pairs:
        whole = whole.some(chosen.pairs)
    trained = load_baseline("fomm-prior")
    trained.load(chosen.run / "training" / "model.pt", device="cpu")
    untrained = load_baseline("fomm-prior")
    untrained.initialise(device="cpu", seed=0)
    rows = {
        "linear-warp": load_baseline("linear-warp", preset="default"),
        "untrained": untrained,
        "fomm-prior": trained,
    }
    print("| driving clips | method | " + " | ".join(KEYS) + " |\n|---|---|" + "---|" * len(KEYS))
    for way, (fps, form) in WAYS.items():
        if chosen.only and way not in chosen.only:
            continue
        clean = {key: thinned(clip, fps) for key, clip in whole.driving.items()}
        seen = {key: replace(clip, frames=form(clip.frames)) for key, clip in clean.items()}
        data = replace(whole, driving=clean, reference=Thinned(whole, fps))
        base: MethodRow | None = None
        for name, method in rows.items():
            row = row_of(method, name, data, seen)
            base = base or row
            cells = []
            for key in KEYS:
                value = row.metrics[key].value
                text = "--" if value is None else f"{value:.3f}"
                cells.append(text if row is base else f"{text}, {gap(row, base, key, data)}")
            print(f"| {way} | {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
