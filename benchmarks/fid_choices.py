"""What moves a FID besides the method: number of frames, resizing, colour, file form, weights.

Run: ``python -m benchmarks.fid_choices [--people 32] [--frames 4] [--size 256]``.
Frames are SynthME's. The network has **seeded stand-in weights** (``fid~seeded``): the sizes of the
effects below are those of this network, not of the published one; that there are such effects is
what carries over. Features are kept in the cache, so a second run is quick.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import cv2
import numpy as np
import torch
from PIL import Image as Pillow

from mebench.metrics.frechet import frechet_distance, kernel_distance
from mebench.metrics.inception import as_gray, cached_features, published_network
from mebench.settings import cache_folder
from mebench.synthme.expression import EMOTIONS, Expression
from mebench.synthme.identity import Identity
from mebench.synthme.nuisance import Nuisance
from mebench.synthme.render import Camera, render

Image = np.ndarray
SIDE = 299


def frames_of(person: int, count: int, size: int) -> list[Image]:
    """Return `count` frames of one recorded clip of one person."""
    rng = np.random.default_rng([person, 11])
    act = Expression.sample(rng, EMOTIONS[person % len(EMOTIONS)], 50.0)
    act = replace(act, n_frames=2 * count, apex=count, hold=1.0)
    camera = Camera(size, size, 0.30 * size, (size - 1) / 2, 0.40 * size)
    film = render(
        Identity.from_seed(person), act, Nuisance.default(), seed=person, camera=camera,
        with_flow=False,
    )  # fmt: skip
    return [np.asarray(frame) for frame in film.frames[::2]]


def pil(image: Image, size: int, filter_: Pillow.Resampling) -> Image:
    return np.asarray(Pillow.fromarray(image).resize((size, size), filter_))


def nearest(image: Image, size: int) -> Image:
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_NEAREST)


def linear(image: Image, size: int) -> Image:
    """Bilinear without antialiasing, as `F.interpolate` and OpenCV do."""
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)


def jpeg(image: Image, quality: int) -> Image:
    coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])


class Sets:
    """Pool features of lists of images under one seeded network."""

    def __init__(self, seed: int) -> None:
        self.net = published_network(seed, "cpu")

    def of(self, images: list[Image]) -> np.ndarray:
        return cached_features(images, self.net, cache_folder())


def row(name: str, x: np.ndarray, y: np.ndarray) -> None:
    fid, kid = frechet_distance(x, y), kernel_distance(x, y)
    print(f"| {name} | {len(x)} | {len(y)} | {fid:.4f} | {kid:+.5f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=32)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--large", type=int, default=12, help="people drawn at 1024 px")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    sets = Sets(0)
    clips = [frames_of(person, chosen.frames, chosen.size) for person in range(chosen.people)]
    half = chosen.people // 2
    flat = [frame for clip in clips for frame in clip]
    gray = [as_gray(frame) for frame in flat]
    g = sets.of(gray)
    of_clip = np.repeat(np.arange(chosen.people), chosen.frames)
    a, b = g[of_clip < half], g[of_clip >= half]
    print("| fid~seeded of | n | n | FID | KID |\n|---|---|---|---|---|")
    row("two halves of the people", a, b)
    turn = np.arange(len(g)) % 2 == 0
    row("two halves of the frames, the same people", g[turn], g[~turn])
    for count in (half // 4, half // 2):
        few = of_clip[of_clip < half] < count, of_clip[of_clip >= half] < half + count
        row(f"halves of the people, {count} people a side", a[few[0]], b[few[1]])
    one = np.arange(len(g)) % chosen.frames == 0
    row(
        "halves of the people, the onset alone",
        g[one & (of_clip < half)],
        g[one & (of_clip >= half)],
    )
    c = sets.of(flat)
    row("halves of the people, in colour", c[of_clip < half], c[of_clip >= half])
    row("the same frames, grey against colour", g, c)
    for name, how in {
        "JPEG, quality 90": lambda i: jpeg(i, 90),
        "JPEG, quality 75": lambda i: jpeg(i, 75),
        "made 299 px bicubic beforehand": lambda i: pil(i, SIDE, Pillow.Resampling.BICUBIC),
        "made 128 px with antialiasing": lambda i: pil(i, 128, Pillow.Resampling.BILINEAR),
        "made 128 px without antialiasing": lambda i: linear(i, 128),
        "made 128 px by nearest pixels": lambda i: nearest(i, 128),
    }.items():  # fmt: skip
        row(f"the same frames, {name}", g, sets.of([as_gray(how(i)) for i in flat]))
    large = [as_gray(f) for p in range(chosen.large) for f in frames_of(p, chosen.frames, 1024)]
    with_ = sets.of([pil(i, SIDE, Pillow.Resampling.BILINEAR) for i in large])
    without = sets.of([linear(i, SIDE) for i in large])
    row("1024 px frames to 299 px, with against without antialiasing", with_, without)
    other = Sets(1).of(gray)
    row(
        "two halves of the people, other weights (seed 1)",
        other[of_clip < half],
        other[of_clip >= half],
    )


if __name__ == "__main__":
    main()
