"""``mebench rate``: bundles for experts, what they send back, and what it says."""

from __future__ import annotations

from pathlib import Path

import click

from mebench.cli.lazy import LazyGroup
from mebench.cli.options import data_roots, job_count
from mebench.cli.progress import console_progress


@click.group(
    cls=LazyGroup,
    lazy={
        "make": ("mebench.cli.rate:make", "Make blinded bundles for raters."),
        "collect": ("mebench.cli.rate_collect:collect", "Check what raters sent back."),
        "report": ("mebench.cli.rate_report:report", "Scores, agreement and each rater."),
    },
)
def rate() -> None:
    """Blinded bundles for expert raters, what they send back, and what it says."""


@click.command()
@click.argument("submissions", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="New folder.")
@click.option("--protocol", default="synthme", show_default=True, help="Protocol id or YAML.")
@click.option("--data", multiple=True, metavar="DATASET=ROOT", help="Data root; repeatable.")
@click.option("--raters", default="3", show_default=True, help="How many, or pseudonyms: R1,R2.")
@click.option("--form", help="facs, short or a YAML; default: the protocol's.")
@click.option(
    "--clips",
    type=click.IntRange(min=1),
    help="At most so many pairs, spread over data, subjects, faces; default: all.",
)
@click.option(
    "--repeats",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Share of the clips shown twice.",
)
@click.option(
    "--reals",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Real clips among them, as a share.",
)
@click.option("--side", type=click.IntRange(32, 1024), help="Pixels of a frame at most.")
@click.option("--seed", type=click.IntRange(min=0), help="Of every order; default: one drawn.")
@click.option("--zip", "zipped", is_flag=True, help="Also pack each rater's folder.")
@click.option("--private", is_flag=True, help="These raters may see the gated data.")
@click.option("--replace", is_flag=True, help="Make the panel in --out anew, its key too.")
@click.option("--jobs", type=click.IntRange(min=1), help="Worker processes of the preparation.")
def make(
    submissions: tuple[Path, ...],
    out: Path,
    protocol: str,
    data: tuple[str, ...],
    raters: str,
    form: str | None,
    clips: int | None,
    repeats: float,
    reals: float,
    side: int | None,
    seed: int | None,
    zipped: bool,
    private: bool,
    replace: bool,
    jobs: int | None,
) -> None:
    """Make a blinded folder a rater from SUBMISSIONS, and key.json for the organiser alone.

    A folder opens in any browser, without a network: index.html, ratings.xlsx, instructions.html.
    """
    from mebench import settings
    from mebench.protocol.opening import open_protocol
    from mebench.protocol.spec import load_protocol
    from mebench.rating.blinding import facts
    from mebench.rating.bundle import KEY, Settings, check_place, make_bundles, raters_of
    from mebench.rating.form import load_form
    from mebench.scorer import find_submissions
    from mebench.scoring import requirement_of
    from mebench.submission.validate import open_submission

    check_place(out, replace=replace)
    spec = load_protocol(protocol)
    panel = Settings(
        form=load_form(form or spec.rating_form),
        raters=raters_of(raters),
        clips=clips,
        repeats=repeats,
        reals=reals,
        seed=seed,
        private=private,
        side=side,
        zipped=zipped,
    )
    found = find_submissions(submissions)
    opened = open_protocol(
        spec,
        data_roots(data, spec.sources),
        cache=settings.cache_folder(),
        jobs=job_count(jobs),
        progress=console_progress(),
    )
    needed = requirement_of(opened)
    key = make_bundles(
        out,
        [open_submission(path, needed) for path in found],
        opened,
        panel,
        cache=settings.cache_folder(),
        progress=console_progress(),
    )
    click.echo(f"{facts(key.raters)}")
    for rater in key.raters:
        click.echo(f"rater {rater}: {out / rater}{'.zip' if zipped else ''}")
    click.echo(f"keep to yourself: {out / KEY} (who is behind each clip)")
