"""``mebench weights``: list, fetch, verify and import published network weights."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mebench import weights as store
from mebench.cli.progress import console_progress
from mebench.errors import WeightsError
from mebench.io.files import sha256_file


@click.group(name="weights")
def weights() -> None:
    """Published network weights: licence, URL, sha256, place."""


@weights.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_weights(as_json: bool) -> None:
    """Show every known file of weights and whether it is here."""
    rows = [_row(name) for name in store.TABLE]
    if as_json:
        click.echo(json.dumps({"store": str(store.store_folder()), "weights": rows}, indent=2))
        return
    width = max(len(name) for name in store.TABLE)
    for row in rows:
        state = "present" if row["present"] else "missing"
        click.echo(f"{row['name']:<{width}}  {state}  {row['title']} (for {row['used_by']})")
        click.echo(f"{'':<{width}}  {row['url'] or row['package']}; {row['licence']}")
        digits = str(row["sha256"] or "none published")[:14]
        click.echo(f"{'':<{width}}  sha256 {digits} ({row['hash']}); {row['path']}")
    click.echo(f"store: {store.store_folder()}", err=True)


@weights.command(name="fetch")
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Fetch every file that can be downloaded.")
def fetch_weights(names: tuple[str, ...], everything: bool) -> None:
    """Download weights NAMES into the store (the only command that uses the network)."""
    if everything:
        names = tuple(name for name, found in store.TABLE.items() if found.url)
    if not names:
        raise click.UsageError(
            "name the weights to fetch, or give --all; see: mebench weights list"
        )
    for name in names:
        found = store.entry(name)
        click.echo(f"{name}: licence: {found.licence}", err=True)
        click.echo(f"{name}: {store.fetch(name, console_progress())}")


@weights.command(name="verify")
@click.argument("names", nargs=-1)
def verify_weights(names: tuple[str, ...]) -> None:
    """Check the sha256 of weights NAMES, or of all that are here."""
    bad = []
    for name in names or [name for name in store.TABLE if store.is_present(name)]:
        try:
            actual = store.verify(name)
        except WeightsError as error:
            bad.append(str(error))
            continue
        status = store.entry(name).hash_status
        words = {"full": "ok", "prefix": "ok (leading digits)"}.get(status, "cannot be verified")
        click.echo(f"{name}: {words} {actual}")
    for line in bad[1:]:
        click.echo(f"error: {line}", err=True)
    if bad:
        raise WeightsError(bad[0])


@weights.command(name="import")
@click.argument("words", nargs=-1, required=True, metavar="[NAME] FILE")
@click.option("--as", "baseline", help="Turn a published checkpoint of this baseline into ours.")
@click.option("--preset", default="paper", show_default=True, help="Its configuration, with --as.")
@click.option("-s", "overrides", multiple=True, metavar="KEY=VALUE", help="Change it.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to, with --as.")
def import_weights(
    words: tuple[str, ...],
    baseline: str | None,
    preset: str,
    overrides: tuple[str, ...],
    out: Path | None,
) -> None:
    """Copy FILE, which you have, into the store as weights NAME; or import a checkpoint.

    With --as BASELINE, FILE is a checkpoint that the method's published code wrote; what comes out
    is read by 'mebench generate BASELINE --checkpoint'.
    """
    if len(words) != (1 if baseline else 2):
        form = "--as BASELINE FILE" if baseline else "NAME FILE, or --as BASELINE FILE"
        raise click.UsageError(f"give {form}")
    file = Path(words[-1])
    if baseline is None:
        click.echo(f"{words[0]}: {store.import_file(words[0], file)}")
        return
    from mebench.cli.options import pairs_of
    from mebench.methods.catalogue import load_baseline

    method = load_baseline(baseline, preset=preset, overrides=pairs_of(overrides, "-s"))
    lines = method.import_published(file)
    target = out or store.store_folder() / "imported" / f"{baseline}-{sha256_file(file)[:8]}.pt"
    method.save(target)
    for line in lines:
        click.echo(line, err=True)
    click.echo(target)


def _row(name: str) -> dict[str, str | bool | None]:
    found = store.entry(name)
    return {
        "name": name,
        "title": found.title,
        "used_by": found.used_by,
        "present": store.is_present(name),
        "path": str(store.path(name)),
        "url": found.url,
        "package": found.package,
        "licence": found.licence,
        "sha256": found.sha256,
        "hash": found.hash_status,
        "get": store.how_to_get(name),
    }
