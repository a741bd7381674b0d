"""``mebench compare``: are two results different, or is it chance?"""

from __future__ import annotations

import json
from dataclasses import asdict

import click


@click.command()
@click.argument("sides", nargs=-1, required=True, metavar="A B [C...]")
@click.option("--metric", "metrics", multiple=True, help="Metric key; default: the headline ones.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the resampling."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def compare(sides: tuple[str, ...], metrics: tuple[str, ...], seed: int, as_json: bool) -> None:
    """Compare results pair by pair: RECORD.json, or RECORD.json:ROW for a control in it.

    The interval is a BCa bootstrap over driving subjects; p is of a permutation test, corrected for
    all comparisons shown (Holm); the effect is the mean over the standard deviation of subjects.
    A is better or worse where p (Holm) is at most .05 and the interval excludes 0; wins counts the
    pairs in which A is better, then those in which it is worse.
    """
    from tabulate import tabulate

    from mebench.comparison import compare_sides, side
    from mebench.errors import UsageError

    if len(sides) < 2:
        raise UsageError(
            "compare needs two results or more, such as a.json b.json or a.json:oracle"
        )
    found = compare_sides([side(text) for text in sides], metrics, seed=seed)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2, allow_nan=False))
        return
    rows = []
    for one in found:
        gap = one.comparison.difference
        interval = gap.interval
        rows.append(
            {
                "A": one.first,
                "B": one.second,
                "metric": one.comparison.key,
                "A - B": f"{gap.mean:+.4f}",
                "95 % interval": "--"
                if interval is None
                else f"[{interval[0]:+.4f}, {interval[1]:+.4f}]",
                "p": _short(gap.p_value),
                "p (Holm)": _short(one.p_holm),
                "p (Wilcoxon)": _short(gap.p_wilcoxon),
                "effect": _short(gap.effect),
                "wins": ":".join(map(str, one.comparison.wins)),
                "n": f"{gap.n} ({gap.groups} subjects)",
                "A is": one.comparison.verdict,
            }
        )
    click.echo(tabulate(rows, headers="keys", disable_numparse=True))


def _short(value: float | None) -> str:
    return "--" if value is None else f"{value:.3f}"
