"""How well outputs drawn in views of their own are laid on their templates, and scored.

Usage: python -m benchmarks.views [--pairs 4] [--jobs 2] [--only WAY]
    [--limits | --known | --sizes | --lengths]

linear-warp draws on the templates' own pictures of protocol synthme. Each output is then brought
into many views, as teams crop, and into many forms, as teams keep frames; its fit is compared with
the known view, its values with those of the same output in the aligned view.
"""

from __future__ import annotations

import argparse
import io
import math
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image as Pillow

from mebench import settings
from mebench.io.video import read_clip_file
from mebench.methods.catalogue import load_baseline
from mebench.metrics.action_units import ActionUnitConsistency
from mebench.metrics.base import Missing
from mebench.preprocess.canonical import apply, invert
from mebench.preprocess.crop import align_frames, resample, to_gray
from mebench.protocol.data import ProtocolData
from mebench.protocol.opening import open_protocol
from mebench.protocol.spec import load_protocol
from mebench.record import MethodRow
from mebench.scoring import ScoringOptions, requirement_of, score_submission
from mebench.submission.case import case_of
from mebench.submission.lengths import DRIVING_SHARE, MOST, best_offset, motion_curves
from mebench.submission.manifest import Manifest, Method
from mebench.submission.pack import write_manifest, write_output
from mebench.submission.placing import Placed, lie_of
from mebench.submission.validate import open_submission
from mebench.synthme.export import export
from mebench.types import Face, Frames, Pair, Picture
from mebench.views.fit import fit
from mebench.views.target import target_of
from mebench.views.view import View, face_in

KEYS = ("au_consistency", "au_concordance", "au_amplitude")
PICTURES = ("ssim", "ssim_template", "onset_fidelity", "psnr_db")
FAMILIES = ("action_units", "pixel")
Form = Callable[[Frames], Frames]


@dataclass(frozen=True)
class Way:
    """One way to draw: size, eye distance as a share of the width, roll, shift, and the form."""

    width: int
    height: int
    share: float
    roll: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    form: Form = lambda frames: frames


def as_jpeg(quality: int) -> Form:
    def form(frames: Frames) -> Frames:
        return np.stack([_jpeg(frame, quality) for frame in frames])

    return form


def _jpeg(frame: np.ndarray, quality: int) -> np.ndarray:
    held = io.BytesIO()
    Pillow.fromarray(frame).save(held, "JPEG", quality=quality)
    return np.asarray(Pillow.open(held).convert("RGB"))


def as_gif(frames: Frames) -> Frames:
    """One palette of 256 colours a frame, as GIF writers make it."""
    return np.stack([np.asarray(Pillow.fromarray(f).quantize(256).convert("RGB")) for f in frames])


def as_mp4(crf: int, rate: int = 30) -> Form:
    """H.264 at a constant rate factor; 28 is a coarse setting."""

    def form(frames: Frames) -> Frames:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.mp4"
            with av.open(str(path), "w") as container:
                stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf)})
                stream.height, stream.width = frames.shape[1:3]
                stream.pix_fmt = "yuv420p"
                for frame in frames:
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
                container.mux(stream.encode())
            return read_clip_file(path)[0]

    return form


def gained(frames: Frames) -> Frames:
    return np.clip(0.75 * frames.astype(np.float32) + 25, 0, 255).astype(np.uint8)


WAYS = {
    "tight, 128 px": Way(128, 128, 0.50),
    "tight, 256 px": Way(256, 256, 0.50),
    "share .40, 256 px": Way(256, 256, 0.40),
    "wide, 256 px": Way(256, 256, 0.22),
    "roll 10 degrees": Way(192, 192, 0.42, 10.0),
    "roll -10 degrees, shifted": Way(192, 192, 0.42, -10.0, (0.05, -0.04)),
    "not square, 160 x 224": Way(160, 224, 0.45, 3.0),
    "64 px": Way(64, 64, 0.45, -3.0),
    "grey, 256 px": Way(256, 256, 0.45, 2.0, form=to_gray),
    "gain .75": Way(256, 256, 0.45, -2.0, form=gained),
    "JPEG 30": Way(256, 256, 0.45, 4.0, form=as_jpeg(30)),
    "GIF palette": Way(256, 256, 0.45, -4.0, form=as_gif),
    "mp4, crf 28": Way(256, 256, 0.45, 5.0, form=as_mp4(28)),
}


def view_of(picture: Picture, way: Way) -> np.ndarray:
    """Return the (2, 3) map from a way's pixels to the picture's."""
    left, right = (picture.landmarks[a:b].mean(axis=0) for a, b in ((36, 42), (42, 48)))
    span = complex(*(right - left))
    turn = span / abs(span) * abs(span) / (way.share * way.width)
    turn *= complex(math.cos(math.radians(way.roll)), math.sin(math.radians(way.roll)))
    middle = complex(*(left + right) / 2)
    at = complex(way.width * (0.5 + way.shift[0]), way.height * (0.42 + way.shift[1]))
    shift = middle - turn * at
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def miss(found: np.ndarray, true: np.ndarray, picture: Picture) -> float:
    """Return the mean distance of the 68 landmarks from their places, % IOD of the output."""
    ours, right = (apply(invert(m), picture.landmarks) for m in (found, true))
    iod = np.linalg.norm(right[36:42].mean(axis=0) - right[42:48].mean(axis=0))
    return float(100 * np.linalg.norm(ours - right, axis=1).mean() / iod)


def outputs(data: ProtocolData, cache: Path) -> dict[Pair, Frames]:
    """Return what linear-warp draws on the templates' own pictures."""
    method = load_baseline("linear-warp", preset="default")
    method.cache = cache
    found = {}
    for pair in data.pairs:
        picture = data.picture(pair.template)
        face = Face(picture.image, picture.landmarks)
        found[pair] = method.generate(face, data.driving[pair.driving])
    return found


def scored(
    root: Path, drawn: dict[Pair, Frames], data: ProtocolData, options: ScoringOptions
) -> tuple[MethodRow, dict[str, np.ndarray], float, float]:
    """Write a submission and score it; return row, views, and the seconds of fits and of all."""
    for pair, frames in drawn.items():
        write_output(root, pair, frames)
    manifest = Manifest(protocol=data.protocol.id, method=Method(id=root.name, title=root.name))
    write_manifest(root, manifest)
    submission = open_submission(root, requirement_of(data), guarded=False)
    start = time.perf_counter()
    views = {
        pair.key: lie_of(submission, pair, frames, data, options.cache).view.to_picture
        for pair, frames in drawn.items()
    }
    fits = time.perf_counter() - start
    row = score_submission(submission, data, options)
    return row, views, fits, time.perf_counter() - start


def gap(row: MethodRow, base: MethodRow, key: str) -> float:
    """Return the largest difference of a value over all outputs."""
    found = [
        abs(value - other)
        for pair in row.per_clip
        if (value := row.per_clip[pair].get(key)) is not None
        and (other := base.per_clip[pair].get(key)) is not None
    ]
    return max(found, default=math.nan)


def known(data: ProtocolData, drawn: dict[Pair, Frames], ways: dict[str, Way]) -> None:
    """Print by how much motion values change when the known view takes the place of the fit's."""
    family = ActionUnitConsistency()
    print("| drawn | " + " | ".join(KEYS) + " |\n|---|" + "--:|" * len(KEYS))
    for name, way in ways.items():
        gaps: dict[str, list[float]] = {key: [] for key in KEYS}
        for pair, frames in drawn.items():
            picture, shape = data.picture(pair.template), (way.height, way.width)
            true = view_of(picture, way)
            own = way.form(np.stack([resample(f, true, shape) for f in frames]))
            found = fit(own[0], target_of(picture, data.protocol.size)).to_picture
            ours, right = (
                family.clip_values(
                    family.describe(case_of(own, pair, data, laid(m, shape, picture)))
                )
                for m in (found, true)
            )
            for key in KEYS:
                if not isinstance(ours[key], Missing) and not isinstance(right[key], Missing):
                    gaps[key].append(abs(ours[key] - right[key]))
        print(
            f"| {name} | " + " | ".join(f"{max(gaps[key]):.3f}" for key in KEYS) + " |", flush=True
        )


def sizes(data: ProtocolData, drawn: dict[Pair, Frames]) -> None:
    """Print motion values of the same outputs with eyes .30 of the width apart, at some widths."""
    family = ActionUnitConsistency()
    print("| eyes apart | " + " | ".join(KEYS) + " |\n|---|" + "--:|" * len(KEYS))
    for side in (64, 80, 96, 128, 192, 256):
        way = Way(side, side, 0.30)
        found: dict[str, list[float]] = {key: [] for key in KEYS}
        for pair, frames in drawn.items():
            picture, shape = data.picture(pair.template), (side, side)
            true = view_of(picture, way)
            own = np.stack([resample(frame, true, shape) for frame in frames])
            case = case_of(own, pair, data, laid(true, shape, picture))
            values = family.clip_values(family.describe(case))
            for key in KEYS:
                if not isinstance(values[key], Missing):
                    found[key].append(values[key])
        means = " | ".join(f"{np.mean(found[key]):.3f}" for key in KEYS)
        print(f"| {0.30 * side:.0f} px | {means} |", flush=True)


def lengths(data: ProtocolData, drawn: dict[Pair, Frames]) -> None:
    """Print how often still frames before and after an output are told from its motion."""
    way = WAYS["tight, 128 px"]
    print("| kept as | right to a frame, where told | worst | could not tell |\n|---|--:|--:|--:|")
    for kept, form in {"png": None, "JPEG 30": as_jpeg(30), "mp4, crf 28": as_mp4(28)}.items():
        off, seen = [], 0
        for pair, frames in drawn.items():
            view = view_of(data.picture(pair.template), way)
            own = np.stack([resample(f, view, (way.height, way.width)) for f in frames])
            moves = motion_curves(np.asarray(data.driving[pair.driving].frames), DRIVING_SHARE)
            for more in range(1, MOST + 1):
                for before in sorted({0, more // 2, more}):
                    parts = (own[:1].repeat(before, 0), own, own[-1:].repeat(more - before, 0))
                    longer = np.concatenate(parts)
                    longer = longer if form is None else form(longer)
                    found = best_offset(motion_curves(longer), moves, range(more + 1))
                    seen += 1
                    if found.clear:
                        off.append(abs(found.offset - before))
        print(
            f"| {kept} | {sum(n <= 1 for n in off)} of {len(off)} | {max(off)} frames "
            f"| {seen - len(off)} of {seen} |",
            flush=True,
        )


def laid(matrix: np.ndarray, shape: tuple[int, int], picture: Picture) -> Placed:
    """Return an output laid on its template by a given map."""
    view = View(matrix, shape, "features+", 1.0, 1.0)
    return Placed(view, face_in(view, picture))


def limits(data: ProtocolData) -> None:
    """Print the correlations of honest frames 0, of wrong templates, and of mirrored frames."""
    size = data.protocol.size
    targets = {name: target_of(data.picture(name), size) for name in data.templates}
    names = list(targets)
    honest, wrong, mirrored, flagged = [], [], 0, 0
    for name, other in zip(names, names[1:] + names[:1], strict=True):
        for way in WAYS.values():
            picture = data.picture(name)
            frame = resample(picture.image, view_of(picture, way), (way.height, way.width))
            frame = way.form(frame[None])[0]
            found = fit(frame, targets[name])
            honest.append(found.correlation)
            flagged += found.mirrored
            wrong.append(fit(frame, targets[other]).correlation)
            mirrored += fit(np.ascontiguousarray(frame[:, ::-1]), targets[name]).mirrored
    print("| frames | least | median | most |\n|---|--:|--:|--:|")
    for kind, values in (("honest", honest), ("with a wrong template", wrong)):
        print(f"| {kind} | {min(values):.3f} | {np.median(values):.3f} | {max(values):.3f} |")
    print(f"\n{mirrored} of {len(honest)} mirrored frames were told, and {flagged} honest ones.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="one way, by its name")
    parser.add_argument("--limits", action="store_true")
    parser.add_argument("--known", action="store_true")
    parser.add_argument("--sizes", action="store_true")
    parser.add_argument("--lengths", action="store_true")
    arguments = parser.parse_args()
    cache = settings.cache_folder()
    root = export(cache / "benchmark-synthme", preset="default", seed=0, jobs=arguments.jobs)
    data = open_protocol(
        load_protocol("synthme"), {"synthme": root}, cache=cache, jobs=arguments.jobs
    )
    if arguments.limits:
        limits(data)
        return
    data = data.some(arguments.pairs)
    drawn = outputs(data, cache)
    wanted = [arguments.only] if arguments.only else list(WAYS)
    if arguments.known:
        known(data, drawn, {name: WAYS[name] for name in wanted})
        return
    if arguments.sizes or arguments.lengths:
        (sizes if arguments.sizes else lengths)(data, drawn)
        return
    print(
        "| drawn | fit: median, worst (% IOD) | correlation, least | "
        + " | ".join(KEYS + PICTURES)
        + " | fit's share of the time |\n|---|"
        + "--:|" * (3 + len(KEYS + PICTURES))
    )
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        options = ScoringOptions(FAMILIES, place / "cache", jobs=arguments.jobs)
        aligned = {
            pair: align_frames(frames, data.picture(pair.template).to_source, data.protocol.size)
            for pair, frames in drawn.items()
        }
        base, _, fits, whole = scored(place / "aligned", aligned, data, options)
        shown = {key: f"{base.metrics[key].value:.3f}" for key in KEYS + PICTURES}
        least = min(view["correlation"] for view in base.views.values())
        print(
            f"| aligned, 128 px: the values | | {least:.3f} | {' | '.join(shown.values())} "
            f"| {fits / whole:.0%} |"
        )
        for name in wanted:
            way = WAYS[name]
            own, true = {}, {}
            for pair, frames in drawn.items():
                matrix = view_of(data.picture(pair.template), way)
                shape = (way.height, way.width)
                own[pair] = way.form(np.stack([resample(f, matrix, shape) for f in frames]))
                true[pair.key] = matrix
            row, views, fits, whole = scored(
                place / re.sub("[^a-z0-9]+", "-", name.lower()), own, data, options
            )
            errors = [
                miss(views[pair.key], true[pair.key], data.picture(pair.template))
                for pair in data.pairs
            ]
            least = min(view["correlation"] for view in row.views.values())
            gaps = " | ".join(f"{gap(row, base, key):.3f}" for key in KEYS + PICTURES)
            print(
                f"| {name} | {np.median(errors):.2f}, {max(errors):.2f} | {least:.3f} | {gaps} "
                f"| {fits / whole:.0%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
