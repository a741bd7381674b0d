"""What a baseline is: it learns from prepared clips and makes a template move."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from mebench.errors import UsageError, WeightsError
from mebench.types import Face, FaceClip, Frames, Progress


class BaselineConfig(BaseModel):
    """Settings of a baseline; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Baseline(ABC):
    """A method that generates ME clips; knows nothing of files, protocols or metrics.

    Deterministic: the same config, clips and seed on the same machine give the same frames.

    Attributes:
        cache: where it may keep, by content, what it measured on clips; None to keep nothing.
        jobs: worker processes it may use.
        devices: devices that training may use, one process each.
        paints: whether it draws on the template, and so on any picture of it.
    """

    config_model: ClassVar[type[BaselineConfig]] = BaselineConfig
    trainable: ClassVar[bool] = False
    paints: ClassVar[bool] = True

    def __init__(self, config: BaselineConfig | None = None) -> None:
        self.config = config if config is not None else self.config_model()
        self.cache: Path | None = None
        self.jobs = 1
        self.devices = 1

    @property
    def needs_clips(self) -> bool:
        """Whether `fit` has to be given clips to learn from."""
        return self.trainable

    def fit(  # noqa: B027 - a method that does not learn keeps this
        self,
        clips: Sequence[FaceClip],
        *,
        workdir: Path,
        device: str,
        seed: int,
        progress: Progress,
    ) -> None:
        """Learn from `clips`, keeping checkpoints in `workdir`; continues from one found there."""

    def initialise(self, *, device: str, seed: int) -> None:  # noqa: B027
        """Make the method ready to generate before any training, from a seed."""

    @abstractmethod
    def generate(self, template: Face, driving: FaceClip) -> Frames:
        """Return (T, H, W, 3): the template, at its own size, making the driving clip's motion."""

    def save(self, path: Path) -> None:  # noqa: B027
        """Write what `load` needs; nothing for a method that does not learn."""

    def shipped(self) -> Path:
        """Return trained weights that come with the package, for `load`.

        Raises:
            WeightsError: when there are none.
        """
        raise WeightsError(f"no weights of {type(self).__name__} come with mebench")

    def started_from(self) -> Path | None:
        """Return the file of weights that `fit` starts from; None where it starts from nothing."""
        return None

    def import_published(self, path: Path) -> list[str]:
        """Read a checkpoint of the method's published code and return what was done with it.

        Raises:
            UsageError: for a method without one.
            WeightsError: for a file that is not one, or does not fit the configuration.
        """
        raise UsageError(f"{type(self).__name__} has no published checkpoints to import")

    def load(self, path: Path, *, device: str) -> None:  # noqa: B027
        """Read what `save` wrote."""
