"""``mebench generate``: any photo, any clip."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("name")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Weights of the baseline.")
@click.option("--template", required=True, type=click.Path(path_type=Path), help="A photo.")
@click.option(
    "--driving", required=True, type=click.Path(path_type=Path), help="mp4, avi, gif or folder."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--size", default=256, show_default=True, help="Side of the frames, pixels.")
@click.option("--fps", type=float, help="Frame rate of a driving folder.")
@click.option("--face", type=click.IntRange(min=0), help="Take the N-th face of the photo.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda:N.")
def generate(
    name: str,
    checkpoint: Path | None,
    template: Path,
    driving: Path,
    out: Path,
    size: int,
    fps: float | None,
    face: int | None,
    device: str,
) -> None:
    """Let baseline NAME make the face in a photo show the micro-expression of a clip."""
    from mebench import settings
    from mebench.environment import choose_device
    from mebench.errors import UsageError
    from mebench.generate import animate, measure, write
    from mebench.methods.catalogue import load_baseline
    from mebench.metrics.base import Missing
    from mebench.preprocess.landmarks import DlibLandmarks

    baseline = load_baseline(name)
    if baseline.trainable:
        if checkpoint is None:
            raise UsageError(
                f"'{name}' needs --checkpoint FILE; a run leaves one at OUT/training/model.pt"
            )
        baseline.load(checkpoint, device=choose_device(device))
    result = animate(
        baseline,
        template,
        driving,
        template_landmarks=DlibLandmarks(face=face),
        driving_landmarks=DlibLandmarks(),
        size=size,
        fps=fps,
    )
    for note in result.notes:
        click.echo(note, err=True)
    written = write(result, out)
    for key, value in measure(result, settings.cache_folder()).items():
        text = f"-- ({value.reason})" if isinstance(value, Missing) else f"{value:.3f}"
        click.echo(f"{key}: {text}")
    for path in written:
        click.echo(f"wrote {path}")
