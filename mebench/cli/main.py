"""The ``mebench`` command: groups, exit codes and one-line errors."""

from __future__ import annotations

import logging
import sys
import traceback
import warnings

import click

from mebench import __version__
from mebench.cli.lazy import LazyGroup
from mebench.cli.terminal import write_readably
from mebench.errors import MebenchError

INTERRUPTED = 130


@click.group(
    cls=LazyGroup,
    lazy={
        "run": ("mebench.cli.run:run", "Train, generate, score and report a baseline."),
        "train": ("mebench.cli.train:train", "Train a baseline, on one device or many."),
        "generate": ("mebench.cli.generate:generate", "Make any photo show any clip's motion."),
        "score": ("mebench.cli.score:score", "Score one submission or a folder of many."),
        "table": ("mebench.cli.table:table", "Turn records into a table for a paper."),
        "compare": ("mebench.cli.compare:compare", "Are two results different, or is it chance?"),
        "plot": ("mebench.cli.plot:plot", "Figures for papers: strips, curves, ranks."),
        "record": ("mebench.cli.record:record", "Check records; tell where two differ."),
        "cite": ("mebench.cli.cite:cite", "BibTeX of mebench and of what you used."),
        "leaderboard": (
            "mebench.cli.leaderboard:leaderboard",
            "Take records in, score them again, build the site.",
        ),
        "rate": (
            "mebench.cli.rate:rate",
            "Expert raters: bundles, answers, report.",
        ),
        "data": ("mebench.cli.groups:data", "Make, check, index, prepare and show data sets."),
        "submission": ("mebench.cli.submission:submission", "Make, check and pack submissions."),
        "weights": ("mebench.cli.weights:weights", "Published network weights."),
        "list": ("mebench.cli.listing:list_", "List data sets, baselines, protocols or metrics."),
        "show": ("mebench.cli.listing:show", "Show one of them whole."),
        "config": ("mebench.cli.config:config", "Data roots and defaults of this user."),
        "doctor": ("mebench.cli.doctor:doctor", "What works here, what is missing, how to get it."),
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="mebench")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Prepare data for, run, score and publish micro-expression generation.

    Exit codes: 0 done, 2 usage, 3 submission refused, 4 data, 5 weights, 130 interrupted.
    """
    ctx.obj = {"debug": debug}
    if not debug:
        # Remarks of libraries to programmers; the user can do nothing about them.
        warnings.simplefilter("ignore")
    # Other packages tell every table of a font that they write into a PDF.
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("mebench").setLevel(logging.INFO)


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    write_readably()
    arguments = sys.argv[1:] if args is None else args
    sys.exit(_run(arguments, debug="--debug" in arguments))


def _run(arguments: list[str], *, debug: bool) -> int:
    try:
        result = cli.main(args=arguments, prog_name="mebench", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Abort:
        return _interrupted()
    except click.ClickException as error:
        click.echo(f"error: {' '.join(error.format_message().split())}", err=True)
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted()
    except MebenchError as error:
        if debug:
            traceback.print_exc()
        click.echo(f"error: {' '.join(str(error).split())}", err=True)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:  # noqa: BLE001 - the last line of defence: one line, not a page
        if debug:
            traceback.print_exc()
        text = " ".join(str(error).split())
        click.echo(f"error: {type(error).__name__}: {text} (--debug shows where)", err=True)
        return 1


def _interrupted() -> int:
    click.echo("interrupted; nothing is lost, run again with --resume where there is one", err=True)
    return INTERRUPTED
