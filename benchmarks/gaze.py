"""How near the gaze that is found in a driving clip comes to the true one.

Usage: python -m benchmarks.gaze [--people 20]

People whom no network learned from, recorded as exact pairs record them: compressed, at times grey,
with head motion, noise, blinks and an expression. The truth is the flow of the eyeballs in a clip
of the same person before a still camera. Frames in which an eye closes are left out.
"""

from __future__ import annotations

import argparse

import numpy as np

from mebench.methods.fomm.exact import CLIPS, FIRST_PERSON, flow_at, recorded
from mebench.methods.fomm.gaze import gazes
from mebench.methods.fomm.lids import closings
from mebench.preprocess.canonical import eye_distance
from mebench.preprocess.crop import HEAD
from mebench.synthme.expression import EMOTIONS, Expression
from mebench.synthme.identity import Identity
from mebench.synthme.nuisance import Nuisance
from mebench.synthme.render import render
from mebench.synthme.stage import Camera

FIRST, SIZE, CLOSED = 500, 128, 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20)
    people = parser.parse_args().people
    view = Camera(SIZE, SIZE, HEAD.share * SIZE, (SIZE - 1) / 2, HEAD.height * SIZE - 0.5)
    unit = HEAD.share * SIZE
    print("| person | frames | true turn, RMS px | error, RMS px |\n|--:|--:|--:|--:|")
    squares = []
    for person in range(FIRST, FIRST + people):
        rng = np.random.default_rng([FIRST_PERSON, person, 0])
        face = Identity.from_seed(FIRST_PERSON + (CLIPS + 1) * person)
        act = Expression.sample(rng, str(rng.choice(EMOTIONS)), float(rng.choice([100.0, 200.0])))
        seed = int(rng.integers(2**31))
        clip = recorded(face, act, seed, SIZE, rng)
        still = render(face, act, Nuisance.default().only_eyes(), seed=seed, camera=view)
        marks = still.landmarks[0]
        balls = np.stack([marks[36:42].mean(axis=0), marks[42:48].mean(axis=0)])
        true = flow_at(still.flow, balls).mean(axis=1) / eye_distance(marks)
        closing = closings(clip)
        open_eyes = closing.max(axis=1) < CLOSED
        found = gazes(clip, closing).turn
        turn, error = (
            float(np.square(one[open_eyes]).sum(axis=1).mean()) * unit**2
            for one in (true, found - true)
        )
        squares.append((turn, error))
        print(f"| {person} | {len(true)} | {turn**0.5:.3f} | {error**0.5:.3f} |", flush=True)
    whole = np.sqrt(np.mean(squares, axis=0))
    print(f"| all | | {whole[0]:.3f} | {whole[1]:.3f} |")


if __name__ == "__main__":
    main()
