"""Command groups that only gather commands of other modules."""

from __future__ import annotations

import click

from mebench.cli.lazy import LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "synth": ("mebench.cli.synth:synth", "Write SynthME in the real data sets' layouts."),
        "check": ("mebench.cli.data:check", "Compare a data root with what was published."),
        "index": ("mebench.cli.data:index", "Write one row a clip, canonical columns."),
        "landmarks": (
            "mebench.cli.data_landmarks:landmarks",
            "Find landmarks, keep them as files.",
        ),
        "prepare": ("mebench.cli.data_prepare:prepare", "Crop, align and cache clips; resumable."),
        "show": ("mebench.cli.synth:show", "Draw a contact sheet of one clip."),
    },
)
def data() -> None:
    """Make, check, index, prepare and show data sets."""
