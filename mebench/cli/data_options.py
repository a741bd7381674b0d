"""What the commands about a copy of a data set share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mebench import settings
from mebench.cli.options import Choice
from mebench.errors import UsageError

if TYPE_CHECKING:
    from mebench.datasets.base import Dataset
    from mebench.datasets.composite import Composite

root_option = click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="Folder of the copy; default: data.<DATASET> of 'mebench config'.",
)
missing_option = click.option(
    "--on-missing",
    type=Choice(["fail", "skip"]),
    default="fail",
    show_default=True,
    help="What to do with clips that cannot be read.",
)
_table_option = click.option(
    "--table",
    type=click.Path(path_type=Path),
    help="Annotation file to read, where several lie there.",
)
_layout_option = click.option(
    "--layout",
    help="Frames to read where several lie there, such as cropped; 'data check' names them.",
)
_corrections_option = click.option(
    "--corrections",
    type=Choice(["default", "off", "all"]),
    default="default",
    show_default=True,
    help="Published corrections of the annotation: without the optional ones, none, all.",
)


def crop_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that says how much of the head a crop shows."""
    return click.option(
        "--crop",
        type=Choice(["auto", "head", "face"]),
        default="auto",
        show_default=True,
        help="The whole head, the face alone, or as much of the head as the pictures show.",
    )(command)


def copy_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which copy is read and how: root, table, layout, corrections."""
    for option in (_corrections_option, _layout_option, _table_option, root_option):
        command = option(command)
    return command


def load(
    dataset: str,
    root: Path | None,
    *,
    table: Path | None = None,
    layout: str | None = None,
    corrections: Any = "default",
) -> Dataset:
    """Return the data set at `root`, else at the place of the user's settings."""
    from mebench.datasets.base import DATASETS, Options, load_dataset
    from mebench.datasets.composite import COMPOSITES
    from mebench.registry import choose

    if dataset in COMPOSITES:
        raise UsageError(
            f"{dataset} is a composite; give one of its parts (see 'mebench data check')"
        )
    choose("dataset", dataset, DATASETS)
    place = root or settings.data_root(dataset)
    if place is None:
        raise UsageError(
            f"no folder known for {dataset}; give --root DIR, "
            f"or once: mebench config set data.{dataset} DIR"
        )
    return load_dataset(dataset, place, Options(table, layout, corrections))


def load_any(dataset: str, root: Path | None, **how: Any) -> Dataset | Composite:
    """Return a data set, or a composite of several, as `load` does."""
    from mebench.datasets.base import Options
    from mebench.datasets.composite import COMPOSITES, load_composite

    if dataset not in COMPOSITES:
        return load(dataset, root, **how)
    return load_composite(dataset, root or settings.data_root(dataset), Options(**how))
