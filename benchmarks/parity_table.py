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
from parity_stored import Gaps  # noqa: E402

HEAD = """# Parity with the published networks

The networks of `fomm-prior`, `fomm-awp` and `fomm` are our own code for the same function. With
the same weights they give the published modules' numbers. Weights and pictures come from integer
formulas, so nothing is downloaded; the published outputs are in `tests/data/parity`, compared by
`pytest tests/methods/parity` and, for this table, by

```
python benchmarks/parity_table.py
```

Largest absolute difference of each part, and the tolerance of the test; `ac0`/`ac1` is the
sampler's `align_corners`, "(relative)" rows are relative differences. CPU, float32, one thread;
other machines round otherwise.

| part | compared | largest difference | tolerance | array with the least room |
|---|--:|--:|--:|---|
"""

TAIL = """
State dicts have the published keys and shapes, so published checkpoints load by name. Three
things differ by choice: batch norms count their batches (`num_batches_tracked`; nothing reads the
count), 2x2 inverses move a determinant below 1e-6 to 1e-6 instead of overflowing, and a face
without landmarks is an error instead of a constant mean face. In the optimiser steps Adam turns
rounding into steps where a true gradient is zero: hence the wider tolerance.
"""


def rows() -> list[str]:
    """One table line a part."""
    lines = []
    for group in GROUPS.values():
        for part, gaps in group():
            lines.extend(_lines(part, gaps))
    return lines


def _lines(part: str, gaps: Gaps) -> list[str]:
    by_tolerance: dict[tuple[float, bool], dict[str, float]] = {}
    for name, (gap, tolerance) in gaps.items():
        by_tolerance.setdefault((tolerance, "(relative" in name), {})[name] = gap
    lines = []
    for (tolerance, _), values in by_tolerance.items():
        worst = max(values, key=lambda name: values[name])
        lines.append(
            f"| {part} | {len(values)} | {values[worst]:.1e} | {tolerance:.0e} | {worst} |"
        )
    return lines


def main() -> None:
    torch.set_num_threads(1)
    text = HEAD + "\n".join(rows()) + "\n" + TAIL
    target = ROOT / "docs" / "parity.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
