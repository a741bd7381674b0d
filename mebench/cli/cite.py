"""``mebench cite``: what to cite, as BibTeX."""

from __future__ import annotations

import click


@click.command()
@click.argument("ids", nargs=-1)
@click.option("--cff", is_flag=True, help="mebench itself as a CITATION.cff.")
def cite(ids: tuple[str, ...], cff: bool) -> None:
    """Print the BibTeX of mebench and of IDS: data sets, protocols, baselines, metrics."""
    from mebench.errors import UsageError
    from mebench.report.bibliography import MEBENCH, bibtex, find, mebench_citation

    if cff and ids:
        raise UsageError("--cff is of mebench itself; leave the ids out")
    click.echo(mebench_citation() if cff else bibtex(find([MEBENCH, *ids])), nl=False)
