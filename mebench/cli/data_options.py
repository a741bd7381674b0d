"""What the commands about a copy of a data set share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mebench import settings
from mebench.cli.options import Choice
from mebench.errors import UsageError

if TYPE_CHECKING:
    from mebench.datasets.base import Dataset

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


def load(dataset: str, root: Path | None) -> Dataset:
    """Return the data set at `root`, else at the place of the user's settings."""
    from mebench.datasets.base import dataset_class, load_dataset

    dataset_class(dataset)
    place = root or settings.data_root(dataset)
    if place is None:
        raise UsageError(
            f"no folder known for {dataset}; give --root DIR, "
            f"or once: mebench config set data.{dataset} DIR"
        )
    return load_dataset(dataset, place)
