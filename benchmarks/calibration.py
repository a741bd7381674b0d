"""The tables and the figure of docs/calibration.md: ``python -m benchmarks.calibration``.

Prints Markdown; ``--figure FILE.png`` writes the page of plots. What is measured is kept in the
cache, so that a second call, or one after an interrupt, goes on where the first one ended.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tabulate import tabulate

from mebench import settings
from mebench.calibration import tables
from mebench.calibration.plot import ladder_figure
from mebench.calibration.reading import feelings, separation
from mebench.calibration.suite import CONTROLS, OTHERS, Plan, Results, measure
from mebench.cli.progress import console_progress
from mebench.metrics.catalogue import DEFAULT, metric_infos

MOTION = ("action_units", "temporal", "motion")
HEAD = ("au_consistency", "au_concordance", "motion_similarity", "flow_epe_iod")


def show(title: str, rows: Sequence[Mapping[str, str]]) -> None:
    print(f"\n## {title}\n")
    print(tabulate(rows, headers="keys", tablefmt="github", disable_numparse=True))


def head_rows(results: Mapping[str, Results]) -> list[dict[str, str]]:
    """Return the headline values of each control, by recording."""
    found: dict[str, dict[str, str]] = {}
    for recording, one in results.items():
        for row in tables.known_rows(one, HEAD):
            line = found.setdefault(row["generated"], {"generated": row["generated"]})
            line.update({f"{key}, {recording}": row[key] for key in HEAD})
    return list(found.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--many", type=int, default=24, help="pairs for good against bad")
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    begin = time.monotonic()
    plan = Plan(options.pairs, settings.cache_folder())
    still = replace(plan, parts=(CONTROLS, OTHERS), recording="no head motion", families=MOTION)
    many = replace(plan, pairs=options.many, parts=(CONTROLS, OTHERS), families=("action_units",))
    results, without, more = (
        measure(one, options.jobs, console_progress()) for one in (plan, still, many)
    )
    report(results, without, more, options.figure)
    sys.stderr.write(f"{time.monotonic() - begin:.0f} s\n")


def report(results: Results, without: Results, more: Results, figure: Path | None) -> None:
    """Print the tables of the ladders, of recordings without head motion, and of many pairs."""
    found = feelings(results, metric_infos(DEFAULT).values())
    show("Ladders", tables.overview_rows(found))
    show("Known behaviour", tables.known_rows(more))
    show("Head motion of the driving clip", head_rows({"on": results, "off": without}))
    rows = []
    for name, one in (("on", results), ("off", without), ("on, more pairs", more)):
        for key in HEAD[:3]:
            rows.append({"head motion": name, **tables.separation_row(separation(one, key))})
    show("Good against bad", rows)
    print(f"\nweights: {results.weights}")
    if figure is not None:
        figure.write_bytes(ladder_figure(tables.headline(found)))


if __name__ == "__main__":
    main()
