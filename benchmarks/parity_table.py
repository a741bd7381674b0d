"""Writes docs/parity.md: how far our networks are from the published ones.

Usage: python benchmarks/parity_table.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "methods" / "parity"))

from parity_cases import GROUPS  # noqa: E402
from parity_stored import double_precision  # noqa: E402

HEAD = """# Parity with the published networks

The networks of `fomm-prior`, `fomm-awp` and `fomm` are our own code for the same function. With
the same weights they give the published modules' numbers. Weights and pictures come from integer
formulas, so nothing is downloaded; the published outputs are in `tests/data/parity`, compared by
`pytest tests/methods/parity` and, for this table, by

```
python benchmarks/parity_table.py
```

Largest gap (absolute difference) of each part, and the tolerance of the test; `ac0`/`ac1` is the
sampler's `align_corners`, "(relative)" rows are relative differences. CPU, one thread. Computed in
float64, our numbers are the same on every processor, and what is left is the rounding of the
published ones, which are float32. In float32 processors round otherwise, so the test allows four
times the tolerance there.

| part | compared | gap in float64 | tolerance | gap in float32 | array with the least room |
|---|--:|--:|--:|--:|---|
"""

TAIL = """
State dicts have the published keys and shapes, so published checkpoints load by name. Three
things differ by choice: batch norms count their batches (`num_batches_tracked`; nothing reads the
count), 2x2 inverses move a determinant below 1e-6 to 1e-6 instead of overflowing, and a face
without landmarks is an error instead of a constant mean face. In training mode norms over a batch
of two magnify rounding: the published gradients are off by up to 2.7e-3, whence their tolerance. In
the optimiser steps Adam turns rounding into steps where a true gradient is zero: hence the widest.
"""


def rows() -> list[str]:
    """One table line a part and kind of tolerance."""
    with double_precision():
        exact = measured()
    return [
        f"| {part} | {len(gaps)} | {worst(gaps)[1]:.1e} | {tolerance:.0e} "
        f"| {worst(single)[1]:.1e} | {worst(gaps)[0]} |"
        for (part, tolerance, _), gaps, single in zip(
            exact, exact.values(), measured().values(), strict=True
        )
    ]


def measured() -> dict[tuple[str, float, bool], dict[str, float]]:
    """Differences by part, tolerance, and whether they are relative."""
    found: dict[tuple[str, float, bool], dict[str, float]] = {}
    for group in GROUPS.values():
        for part, gaps in group():
            for name, (gap, tolerance) in gaps.items():
                found.setdefault((part, tolerance, "(relative" in name), {})[name] = gap
    return found


def worst(gaps: dict[str, float]) -> tuple[str, float]:
    """The array with the largest difference."""
    return max(gaps.items(), key=lambda item: item[1])


def main() -> None:
    torch.set_num_threads(1)
    text = HEAD + "\n".join(rows()) + "\n" + TAIL
    target = ROOT / "docs" / "parity.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
