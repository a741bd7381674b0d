"""``mebench generate``: any photo, any clip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mebench.cli.data_options import crop_option
from mebench.cli.options import Choice, device_of
from mebench.cli.progress import console_progress

if TYPE_CHECKING:
    from mebench.methods.base import Baseline


@click.command()
@click.argument("name")
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), help="Networks; default: those in the package."
)
@click.option("--template", required=True, type=click.Path(path_type=Path), help="A photo.")
@click.option(
    "--driving", required=True, type=click.Path(path_type=Path), help="mp4, avi, gif or folder."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option(
    "--size",
    type=click.IntRange(32, 1024),
    default=256,
    show_default=True,
    help="Side of aligned squares: the driving clip's, and with --crop head|face the photo's.",
)
@crop_option
@click.option("--fps", type=float, help="Frame rate of a driving folder.")
@click.option(
    "--face", type=click.IntRange(min=0), help="Which face of the photo, 0 is the leftmost."
)
@click.option(
    "--driving-face",
    type=click.IntRange(min=0),
    help="Which face of the driving clip's first frame, 0 is the leftmost.",
)
@click.option(
    "--landmarks",
    type=Choice(["dlib", "fan", "fan-dlib"]),
    default="dlib",
    show_default=True,
    help="Who finds the 68 points.",
)
@click.option("--device", help="auto, cpu or cuda:N; default: config or auto.")
def generate(
    name: str,
    checkpoint: Path | None,
    template: Path,
    driving: Path,
    out: Path,
    size: int,
    crop: Any,
    fps: float | None,
    face: int | None,
    driving_face: int | None,
    landmarks: str,
    device: str | None,
) -> None:
    """Let baseline NAME make the face in a photo show the micro-expression of a clip.

    Frames have the photo's own pixels, at most 1024 a side; with --crop head or face they are
    aligned squares.
    """
    from mebench import settings
    from mebench.errors import UsageError
    from mebench.generate import animate, measure, require_free, write
    from mebench.methods.catalogue import load_baseline
    from mebench.metrics.base import Missing
    from mebench.preprocess.landmarks import finder

    baseline = load_baseline(name)
    require_free(out)
    if checkpoint is not None and not baseline.trainable:
        raise UsageError(f"'{name}' learns nothing and takes no --checkpoint; leave it out")
    if device is not None:
        device_of(device)
    if baseline.trainable:
        baseline.load(_weights_of(name, baseline, checkpoint), device=device_of(device))
    result = animate(
        baseline,
        template,
        driving,
        template_landmarks=finder(landmarks, face),
        driving_landmarks=finder(landmarks, driving_face),
        size=size,
        fps=fps,
        crop=crop,
        progress=console_progress(),
    )
    for note in result.notes:
        click.echo(note, err=True)
    written = write(result, out)
    for key, value in measure(result, settings.cache_folder()).items():
        text = f"-- ({value.reason})" if isinstance(value, Missing) else f"{value:.3f}"
        click.echo(f"{key}: {text}")
    for path in written:
        click.echo(f"wrote {path}")


def _weights_of(name: str, baseline: Baseline, checkpoint: Path | None) -> Path:
    from mebench.errors import UsageError, WeightsError

    if checkpoint is not None:
        return checkpoint
    try:
        return baseline.shipped()
    except WeightsError as error:
        raise UsageError(
            f"'{name}' needs --checkpoint FILE ({error}); a run leaves one at OUT/training/model.pt"
        ) from error
