"""``mebench list`` and ``mebench show``: what there is."""

from __future__ import annotations

import json
from typing import Any

import click

from mebench.cli.options import Choice

KINDS = Choice(["datasets", "baselines", "protocols", "metrics"])


@click.command("list")
@click.argument("kind", type=KINDS)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def list_(kind: str, as_json: bool) -> None:
    """List KIND with a line each."""
    rows = _ROWS[kind]()
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    width = max((len(row["id"]) for row in rows), default=0)
    for row in rows:
        click.echo(f"{row['id']:<{width}}  {row['title']}")


@click.command()
@click.argument("kind", type=Choice(["dataset", "baseline", "protocol", "metric"]))
@click.argument("name")
def show(kind: str, name: str) -> None:
    """Show one of a KIND whole."""
    import yaml

    from mebench.registry import choose

    rows = {row["id"]: row for row in _ROWS[f"{kind}s"]()}
    chosen = choose(kind, name, rows)
    click.echo(yaml.safe_dump(chosen, sort_keys=False, allow_unicode=True), nl=False)


def _datasets() -> list[dict[str, Any]]:
    from mebench.datasets.base import DATASETS
    from mebench.datasets.composite import COMPOSITES
    from mebench.registry import load_object

    composites = [load_object(entry) for entry in COMPOSITES.values()]
    infos = [load_object(entry).info for entry in DATASETS.values()]
    return [
        {
            "id": info.id,
            "title": info.title,
            "licence": info.licence,
            "request": info.request,
            "fps": info.fps,
            "colour": info.colour,
            "tree": info.tree,
            "bibtex": info.bibtex,
        }
        for info in infos
    ] + [
        {"id": kind.id, "title": kind.title, "composite_of": list(kind.parts)}
        for kind in composites
    ]


def _baselines() -> list[dict[str, Any]]:
    from mebench.methods.catalogue import baseline_spec
    from mebench.registry import spec_files

    return [baseline_spec(name).model_dump(mode="json") for name in spec_files("baselines")]


def _protocols() -> list[dict[str, Any]]:
    from mebench.protocol.spec import load_protocol
    from mebench.registry import spec_files

    return [load_protocol(name).model_dump(mode="json") for name in spec_files("protocols")]


def _metrics() -> list[dict[str, Any]]:
    from mebench.metrics.catalogue import metric_infos

    return [
        {
            "id": info.key,
            "title": info.title,
            "unit": info.unit,
            "range": [str(info.low), str(info.high)],
            "higher_is_better": info.higher_is_better,
            "level": info.level,
            "needs": list(info.needs),
            "formula": info.formula,
            "reading": info.reading,
        }
        for info in metric_infos().values()
    ]


_ROWS = {
    "datasets": _datasets,
    "baselines": _baselines,
    "protocols": _protocols,
    "metrics": _metrics,
}
