"""What `mebench rate report` finds in panels whose truth is known.

Run: ``python -m benchmarks.panels [--seeds 300]``. Raters' biases and clips are drawn anew for each
seed, the methods' quality is fixed. tau: mean of Kendall's tau between the means' order and the
true one. apart: panels that give the methods more than one place; for alike methods that is chance.
mean, bias: how often a method's true mean, a rater's true bias lies in its 95 % interval. alarm:
good raters flagged. caught: careless raters flagged.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace

import numpy as np

from mebench.rating.panel import biases, rate_raters
from mebench.rating.scores import score_methods
from mebench.rating.unblind import unblind
from tests.rating.simulated import Truth, simulate

MEGC = {"datasets": ("casme2", "samm", "smic"), "subjects": 3, "clips": 1}
"""Nine clips of nine subjects, three a data set."""
LARGE = {"datasets": ("casme2", "samm"), "subjects": 5, "clips": 2}
SPREAD = {"a": 3.6, "b": 3.3, "c": 2.9, "d": 2.5}
ALIKE = dict.fromkeys("abcd", 3.0)


@dataclass
class Found:
    """Shares over all seeds."""

    tau: list[float] = field(default_factory=list)
    apart: list[bool] = field(default_factory=list)
    means: list[bool] = field(default_factory=list)
    bias: list[bool] = field(default_factory=list)
    alarms: list[bool] = field(default_factory=list)
    caught: list[bool] = field(default_factory=list)

    def line(self, name: str) -> str:
        """Return the shares in percent, tau as it is."""
        shares = (self.apart, self.means, self.bias, self.alarms, self.caught)
        cells = [f"{100 * np.mean(s):9.1f}" if s else f"{'--':>9}" for s in shares]
        return f"{name:40}{np.mean(self.tau) if self.tau else float('nan'):9.2f}{''.join(cells)}"


def drawn(truth: Truth, raters: int, careless: int, noise: float, seed: int) -> Truth:
    """Return the truth with raters of its own."""
    rng = np.random.default_rng(10_000 + seed)
    bias = {f"R{n}": float(rng.normal(0, 0.35)) for n in range(1, raters + 1)}
    names = list(bias)
    return replace(
        truth, bias=bias, noise=dict.fromkeys(names, noise), careless=tuple(names[:careless])
    )


def look(found: Found, truth: Truth, seed: int) -> None:
    """Add what the report finds in one panel."""
    panel = unblind(*simulate(truth, seed))
    scores = {one.id: one for one in score_methods(panel, resamples=500).methods}
    quality = truth.quality
    means = {name: scores[name].parts["raw", ""] for name in quality}
    if len(set(quality.values())) > 1:
        order = [means[name].value or 0.0 for name in quality]
        pairs = [np.sign(x - y) for n, x in enumerate(order) for y in order[n + 1 :]]
        found.tau.append(float(np.mean(pairs)))
    found.apart.append(max(one.rank or 1 for one in scores.values()) > 1)
    if not truth.careless:
        for name, mean in means.items():
            low, high = mean.interval or (np.nan, np.nan)
            found.means.append(bool(low <= quality[name] <= high))
        known = np.array([truth.bias[rater] for rater in panel.raters])
        _, ends = biases(panel.entries(panel.score), panel.subjects, resamples=500)
        for bias, end in zip(known - known.mean(), ends, strict=True):
            found.bias.append(end is not None and bool(end[0] <= bias <= end[1]))
    for rater in rate_raters(panel, resamples=50):
        (found.caught if rater.id in truth.careless else found.alarms).append(bool(rater.flags))


def main() -> None:
    """Print a line a kind of panel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    seeds = parser.parse_args().seeds
    few = {"repeats": 3, "reals": 3}
    some = {"repeats": 6, "reals": 6}
    panels = (
        ("3 raters, 9 clips, 4 methods", SPREAD, {**MEGC, **few}, 3, 0, 0.5),
        ("3 raters, 9 clips, 4 alike methods", ALIKE, {**MEGC, **few}, 3, 0, 0.5),
        ("3 raters, 1 careless, 9 clips, 4 methods", SPREAD, {**MEGC, **few}, 3, 1, 0.5),
        ("4 raters, 1 careless, 20 clips", SPREAD, {**LARGE, **some}, 4, 1, 0.5),
        ("4 noisy raters, 1 careless, 20 clips", SPREAD, {**LARGE, **some}, 4, 1, 0.9),
        ("6 raters, 20 clips", SPREAD, {**LARGE, **some}, 6, 0, 0.5),
        ("6 raters, 20 clips, 4 alike methods", ALIKE, {**LARGE, **some}, 6, 0, 0.5),
    )
    heads = ("tau", "apart %", "mean %", "bias %", "alarm %", "caught %")
    print(f"{'panel':40}" + "".join(f"{head:>9}" for head in heads))
    for name, quality, shape, raters, careless, noise in panels:
        found = Found()
        base = Truth(quality, {}, **shape)
        for seed in range(seeds):
            look(found, drawn(base, raters, careless, noise, seed), seed)
        print(found.line(name), flush=True)


if __name__ == "__main__":
    main()
