"""Slow, obvious forms of the motion metrics: one number at a time, written from the definitions."""

from __future__ import annotations

import math

import numpy as np

# The region table again, by hand: name -> side -> (anchor landmarks, (dx, dy) in IOD, radius).
_R, _L, _C = "R", "L", "C"
REGIONS = {
    ("brow_in", _R): ([21, 20], (0, 0), 0.10),
    ("brow_in", _L): ([22, 23], (0, 0), 0.10),
    ("brow_mid", _R): ([19], (0, 0), 0.10),
    ("brow_mid", _L): ([24], (0, 0), 0.10),
    ("brow_out", _R): ([18, 17], (0, 0), 0.10),
    ("brow_out", _L): ([25, 26], (0, 0), 0.10),
    ("glab", _R): ([21], (0.08, 0.10), 0.09),
    ("glab", _L): ([22], (-0.08, 0.10), 0.09),
    ("lid_up", _R): ([37, 38], (0, 0), 0.07),
    ("lid_up", _L): ([43, 44], (0, 0), 0.07),
    ("lid_lo", _R): ([41, 40], (0, 0.03), 0.07),
    ("lid_lo", _L): ([46, 47], (0, 0.03), 0.07),
    ("cheek", _R): ([41, 40], (-0.06, 0.30), 0.13),
    ("cheek", _L): ([46, 47], (0.06, 0.30), 0.13),
    ("nosewall", _R): ([39, 31], (0, 0), 0.09),
    ("nosewall", _L): ([42, 35], (0, 0), 0.09),
    ("ala", _R): ([31], (-0.03, 0), 0.08),
    ("ala", _L): ([35], (0.03, 0), 0.08),
    ("uplip", _R): ([50], (0, -0.03), 0.08),
    ("uplip", _L): ([52], (0, -0.03), 0.08),
    ("nlf", _R): ([50, 31], (-0.05, 0), 0.08),
    ("nlf", _L): ([52, 35], (0.05, 0), 0.08),
    ("corner", _R): ([48], (-0.03, 0), 0.10),
    ("corner", _L): ([54], (0.03, 0), 0.10),
    ("lolip", _R): ([58], (0, 0), 0.08),
    ("lolip", _L): ([56], (0, 0), 0.08),
    ("chin", _R): ([57, 8], (-0.10, 0), 0.12),
    ("chin", _L): ([57, 8], (0.10, 0), 0.12),
    ("uplip", _C): ([51], (0, -0.03), 0.08),
    ("lolip", _C): ([57], (0, 0), 0.08),
    ("chin", _C): ([57, 8], (0, 0), 0.12),
    ("jaw", _C): ([8], (0, -0.10), 0.10),
    ("glab", _C): ([27], (0, -0.12), 0.09),
    ("tip", _C): ([30], (0, 0), 0.08),
}


def region_mean(
    flow: np.ndarray,
    confidence: np.ndarray,
    landmarks: np.ndarray,
    site: tuple[str, str],
    iod: float,
) -> tuple[float, float]:
    """(lateral, up) of one region: every pixel of the image looked at, one by one."""
    anchors, shift, radius = REGIONS[site]
    x = sum(landmarks[i][0] for i in anchors) / len(anchors) + shift[0] * iod
    y = sum(landmarks[i][1] for i in anchors) / len(anchors) + shift[1] * iod
    total = right = down = 0.0
    for row in range(flow.shape[0]):
        for column in range(flow.shape[1]):
            if (column - x) ** 2 + (row - y) ** 2 <= (radius * iod) ** 2:
                weight = confidence[row, column] + 0.05
                total += weight
                right += weight * flow[row, column, 0]
                down += weight * flow[row, column, 1]
    outward = -right if site[1] == _R else right
    return outward / total, -down / total


def au_curve(v: dict[tuple[str, str], tuple[float, float]], name: str) -> float:
    """One action unit at one time from `v[(region, side)] = (lateral, up)`."""
    if name == "26":
        return 0.5 * -v["jaw", _C][1] + 0.5 * -v["lolip", _C][1]
    au, side = int(name[:-1]), name[-1]
    corner, brow = v["corner", side], v["brow_in", side]
    return {
        1: brow[1],
        2: v["brow_out", side][1],
        4: -0.6 * brow[0] - 0.8 * brow[1],
        5: v["lid_up", side][1],
        6: v["cheek", side][1],
        7: v["lid_lo", side][1],
        9: 0.6 * v["nosewall", side][1] + 0.4 * v["ala", side][1],
        10: 0.6 * v["uplip", side][1] + 0.4 * v["nlf", side][1],
        12: 0.71 * corner[0] + 0.71 * corner[1],
        14: corner[0],
        15: -corner[1],
        17: v["chin", side][1],
        20: 0.95 * corner[0] - 0.3 * corner[1],
        24: -0.5 * v["uplip", side][1] + 0.5 * v["lolip", side][1],
    }[au]


def pearson(x: list[float], y: list[float]) -> float:
    mx, my = sum(x) / len(x), sum(y) / len(y)
    top = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    bottom = math.sqrt(sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y))
    return top / bottom if bottom else 0.0


def lin(x: list[float], y: list[float]) -> float:
    n, mx, my = len(x), sum(x) / len(x), sum(y) / len(y)
    cov = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / n
    vx, vy = sum((a - mx) ** 2 for a in x) / n, sum((b - my) ** 2 for b in y) / n
    bottom = vx + vy + (mx - my) ** 2
    return 2 * cov / bottom if bottom else 0.0


def weighted_agreement(driving, generated, weights, agree) -> float:
    """Σ e_k agree(A_k, B_k) / Σ e_k, e_k = w_k² Σ_t A_k²; curves as lists of lists, [k][t]."""
    top = bottom = 0.0
    for a, b, w in zip(driving, generated, weights, strict=True):
        energy = w * w * sum(value * value for value in a)
        top += energy * agree(a, b)
        bottom += energy
    return top / bottom


def cosine(driving, generated, weights) -> float:
    """Cosine of all region vectors, [t][s] = (lateral, up), `weights` one a site."""
    dot = one = two = 0.0
    for frame_a, frame_b in zip(driving, generated, strict=True):
        for a, b, w in zip(frame_a, frame_b, weights, strict=True):
            dot += w * w * (a[0] * b[0] + a[1] * b[1])
            one += w * w * (a[0] ** 2 + a[1] ** 2)
            two += w * w * (b[0] ** 2 + b[1] ** 2)
    return dot / math.sqrt(one * two)


def smooth_in_time(values: list[float], sigma: float = 1.5) -> list[float]:
    """Gaussian over time, cut at 4 σ, the ends repeated."""
    radius = int(4 * sigma + 0.5)
    kernel = [math.exp(-(k**2) / (2 * sigma**2)) for k in range(-radius, radius + 1)]
    last = len(values) - 1
    return [
        sum(
            w * values[min(max(t + k, 0), last)]
            for w, k in zip(kernel, range(-radius, radius + 1), strict=True)
        )
        / sum(kernel)
        for t in range(len(values))
    ]


def jitter(fields: np.ndarray, weight: np.ndarray) -> float:
    """√(mean ‖second difference‖² / 6) of a dense flow (T, h, w, 2), weighted over pixels."""
    total, count = 0.0, 0
    for t in range(1, len(fields) - 1):
        top = bottom = 0.0
        for row in range(weight.shape[0]):
            for column in range(weight.shape[1]):
                d = fields[t - 1, row, column] - 2 * fields[t, row, column]
                d = d + fields[t + 1, row, column]
                top += weight[row, column] * float(d[0] ** 2 + d[1] ** 2)
                bottom += weight[row, column]
        total, count = total + top / bottom, count + 1
    return math.sqrt(total / count / 6)


def end_point_error(measured: np.ndarray, truth: np.ndarray, share: float = 0.1) -> float:
    """Mean error over the (frame, pixel) pairs that truly move by more than a share of the peak."""
    peak = max(math.hypot(*truth[t, n]) for t in range(len(truth)) for n in range(truth.shape[1]))
    errors = [
        math.hypot(*(measured[t, n] - truth[t, n]))
        for t in range(len(truth))
        for n in range(truth.shape[1])
        if math.hypot(*truth[t, n]) > share * peak
    ]
    return sum(errors) / len(errors)


def motion_descriptor(vectors: np.ndarray, times: int = 8) -> list[float]:
    """Region vectors at evenly spaced moments, % IOD over the root of moments times regions."""
    frames, sites = vectors.shape[:2]
    found = []
    for k in range(times):
        place = k * (frames - 1) / (times - 1)
        low = min(math.floor(place), max(frames - 2, 0))
        high = min(low + 1, frames - 1)
        for site in range(sites):
            for axis in range(2):
                a, b = float(vectors[low, site, axis]), float(vectors[high, site, axis])
                found.append(100 * (a + (place - low) * (b - a)) / math.sqrt(times * sites))
    return found


def eye_weight(vectors: np.ndarray, eyes: list[bool]) -> float:
    """min(1, √(non-eye energy / eye energy)) of [t][s] = (lateral, up)."""
    rest = lids = 0.0
    for frame in vectors:
        for (x, y), eye in zip(frame, eyes, strict=True):
            size = float(x) ** 2 + float(y) ** 2
            rest, lids = (rest, lids + size) if eye else (rest + size, lids)
    return min(1.0, math.sqrt(rest / lids)) if lids else 1.0


def percentile(values: list[float], share: float) -> float:
    """The value below which a share lies, linear between the two nearest."""
    line = sorted(values)
    place = share * (len(line) - 1)
    low = math.floor(place)
    high = min(low + 1, len(line) - 1)
    return line[low] + (place - low) * (line[high] - line[low])


def amplitude(driving, generated) -> float:
    """95th percentile over time of the curves' norm, generated over driving; [t][k]."""
    size = [
        percentile([math.sqrt(sum(v * v for v in frame)) for frame in side], 0.95)
        for side in (generated, driving)
    ]
    return size[0] / size[1]


def apex_shift(driving, generated) -> int:
    """|argmax_t <generated(t), driving(t*)> - t*|, t* the driving clip's largest frame; [t][v]."""
    sizes = [sum(v * v for v in frame) for frame in driving]
    apex = sizes.index(max(sizes))
    along = [sum(a * b for a, b in zip(frame, driving[apex], strict=True)) for frame in generated]
    return abs(along.index(max(along)) - apex)


def leak(driving, generated) -> float:
    """Share of energy outside the driving clip's active curves, generated minus driving; [k][t]."""
    levels = [percentile([abs(v) for v in curve], 0.98) for curve in driving]
    bar = max(0.005, 0.5 * max(levels))
    shares = []
    for side in (generated, driving):
        energy = [sum(v * v for v in curve) for curve in side]
        outside = sum(e for e, level in zip(energy, levels, strict=True) if level < bar)
        shares.append(outside / sum(energy))
    return max(0.0, shares[0] - shares[1])


def activations(templates: np.ndarray, frame: np.ndarray, ridge: float = 0.15) -> list[float]:
    """Non-negative ridge regression of a frame on templates (K, N), one coordinate at a time."""
    found = [0.0] * len(templates)
    rest = frame.astype(float).copy()
    for _ in range(4000):
        for k, template in enumerate(templates):
            step = (float(template @ rest) - ridge * found[k]) / (
                float(template @ template) + ridge
            )
            new = max(0.0, found[k] + step)
            rest -= (new - found[k]) * template
            found[k] = new
    return found


def f1(found: set[int], wanted: set[int]) -> float:
    """Harmonic mean of precision and recall."""
    hits = len(found & wanted)
    if not hits:
        return 0.0
    precision, recall = hits / len(found), hits / len(wanted)
    return 2 * precision * recall / (precision + recall)


def subtlety(vectors: np.ndarray, eyes: list[bool]) -> float:
    """Longest vector of the regions that are not at the eyes."""
    return max(
        math.hypot(*vector)
        for frame in vectors
        for vector, eye in zip(frame, eyes, strict=True)
        if not eye
    )


def root_mean_square(gaps) -> float:
    """√ of the mean square of numbers in nested lists."""
    flat = [float(v) for v in np.ravel(gaps)]
    return math.sqrt(math.fsum(v * v for v in flat) / len(flat))
