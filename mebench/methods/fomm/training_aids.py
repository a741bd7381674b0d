"""Around a training loop: its log, its reproducibility, and what it says when memory runs out."""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from mebench.errors import MebenchError
from mebench.io.figures import new_figure
from mebench.io.files import atomic_path
from mebench.methods.fomm.denormals import without_denormals


@contextmanager
def memory_told(batch: int) -> Iterator[None]:
    """Say which batch to try where memory runs out.

    Raises:
        MebenchError: with the batch to try.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        words = str(error)
        short = "out of memory" in words or "allocate memory" in words
        if not (short or isinstance(error, MemoryError)):
            raise
        advice = "use a smaller model.size" if batch == 1 else f"try -s train.batch={batch // 2}"
        raise MebenchError(f"training: out of memory with batches of {batch}; {advice}") from error


@contextmanager
def reproducible() -> Iterator[None]:
    """Ask for deterministic kernels, and leave the setting as it was."""
    before = torch.are_deterministic_algorithms_enabled()
    warn = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn)


def in_this_process(loop: Callable[[], None], stop: threading.Event) -> None:
    """Run a training loop reproducibly; Ctrl-C sets `stop` and waits for it."""
    with reproducible():
        without_denormals(loop, stop.set)


def note_of(losses: Mapping[str, float], began: float, done: int, left: int) -> str:
    """Return what stands beside the progress bar: losses and the time left."""
    seconds = (time.monotonic() - began) / max(1, done)
    minutes, rest = divmod(round(seconds * left), 60)
    parts = " ".join(f"{name} {value:.3g}" for name, value in losses.items())
    return f"{parts} · {minutes}:{rest:02d} left"


class LossLog:
    """A CSV file, one row a step; a continued run drops the rows after its checkpoint."""

    def __init__(self, path: Path, start: int) -> None:
        self.path = path
        self.rows: list[dict[str, str]] = []
        if start and path.is_file():
            with path.open(encoding="utf-8", newline="") as handle:
                self.rows = [r for r in csv.DictReader(handle) if int(r["step"]) <= start]

    def add(self, step: int, losses: Mapping[str, float]) -> None:
        """Keep the losses of a step."""
        self.rows.append({"step": str(step), **{k: f"{v:.6g}" for k, v in losses.items()}})

    def flush(self) -> None:
        """Write the file, whole or not at all."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        with (
            atomic_path(self.path) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as handle,
        ):
            writer = csv.DictWriter(handle, names, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)


def draw_losses(workdir: Path, losses: str, validation: str) -> None:
    """Draw ``losses.png`` of a finished or interrupted run: every loss over the steps."""
    figure = new_figure(8, 4.5)
    axes = figure.subplots()
    for file, style in ((losses, "-"), (validation, "o-")):
        for name, (steps, values) in _columns(workdir / file).items():
            label = name if file == losses else f"validation {name}"
            axes.plot(steps, values, style, label=label, linewidth=1, markersize=3)
    axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel("loss, with its weight")
    if axes.lines:
        axes.legend(fontsize=7, ncols=2)
    with atomic_path(workdir / "losses.png") as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _columns(path: Path) -> dict[str, tuple[list[int], list[float]]]:
    found: dict[str, tuple[list[int], list[float]]] = {}
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle):
                for name, text in row.items():
                    if name != "step" and text and float(text) > 0:
                        steps, values = found.setdefault(name, ([], []))
                        steps.append(int(row["step"]))
                        values.append(float(text))
    return found
