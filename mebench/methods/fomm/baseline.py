"""The facial-prior first order motion model as a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from mebench import spec, weights
from mebench.errors import UsageError, WeightsError
from mebench.io.files import sha256_file
from mebench.methods.base import Baseline, BaselineConfig
from mebench.methods.fomm import checkpoint
from mebench.methods.fomm.config import FommConfig, LossConfig
from mebench.methods.fomm.inference import FaceAnimator, driving_tracks
from mebench.methods.fomm.networks import Networks, build
from mebench.methods.fomm.perceptual import PerceptualLoss, Vgg19
from mebench.methods.fomm.placement import in_crop, usual_crop
from mebench.methods.fomm.published import read_published
from mebench.methods.fomm.shipped import SUFFIX, read_weights, shipped_file
from mebench.methods.fomm.training import Trainer
from mebench.preprocess.crop import HEAD, Crop
from mebench.types import Face, FaceClip, Frames, Progress, SilentProgress

_VGG_LAYERS = 5


class FommPrior(Baseline):
    """Facial-prior first order motion model (Zhang et al., ACM MM 2021) and its variants.

    Fresh from the constructor the networks are untrained, their numbers drawn from `seed`;
    such a model generates too, as a control.

    Source: Zhang et al. 2021 (10.1145/3474085.3479211); Siarohin et al., NeurIPS 2019.
    """

    config_model: ClassVar[type[BaselineConfig]] = FommConfig
    trainable: ClassVar[bool] = True

    config: FommConfig

    def __init__(self, config: BaselineConfig | None = None, *, seed: int = 0) -> None:
        super().__init__(config)
        self._networks = build(self.config, seed)
        self._animator: FaceAnimator | None = None
        self._crop: Crop | None = None

    def fit(
        self,
        clips: Sequence[FaceClip],
        *,
        workdir: Path,
        device: str = "cpu",
        seed: int = 0,
        progress: Progress | None = None,
    ) -> None:
        """Train from scratch, or from the checkpoint in `workdir`, to the configured end.

        Raises:
            UsageError: for no clips, an unknown device, or a workdir of another training run.
            WeightsError: for a damaged checkpoint, or VGG19 weights that are wanted and missing.
            MebenchError: when a loss is not finite.
        """
        losses = self.config.train.losses
        networks = build(self.config, seed, with_critic=losses.gan > 0)
        start = self.started_from()
        if start is not None:
            _fill(networks, read_weights(start), start)
        trainer = Trainer(
            self.config,
            networks,
            workdir,
            device,
            seed,
            _perceptual(losses),
            self.jobs,
            self.devices,
            self.cache,
            None if start is None else sha256_file(start),
        )
        shown = progress if progress is not None else SilentProgress()
        if start is None and not self.config.train.people:
            trainer.fit(clips, shown)
            self._use(networks, usual_crop(clips))
            return
        # Networks that know faces already know them in this crop.
        trainer.fit([in_crop(clip, self.config.model.size, HEAD) for clip in clips], shown)
        self._use(networks, HEAD)

    @property
    def networks(self) -> Networks:
        """The networks that generate."""
        return self._networks

    def initialise(self, *, device: str = "cpu", seed: int = 0) -> None:
        """Draw untrained networks from a seed, as the control before training."""
        networks = build(self.config, seed)
        for module in networks.modules().values():
            module.to(device)
        self._use(networks)

    @property
    def needs_clips(self) -> bool:
        """Whether training looks at the clips: not where it learns from exact pairs, or nothing."""
        train = self.config.train
        return train.people == 0 and train.steps != 0

    def shipped(self) -> Path:
        """Return the trained weights that come with the package.

        Raises:
            WeightsError: when there are none for this baseline and size.
        """
        return shipped_file(self.config.member, self.config.model.size)

    def started_from(self) -> Path | None:
        """Return the weights that training starts from; None where it starts from nothing."""
        return self.shipped() if self.config.train.start == "shipped" else None

    def generate(self, template: Face, driving: FaceClip) -> Frames:
        """Return (T, H, W, 3): the template, at its own size, making the driving clip's motion."""
        if self._animator is None:
            self._animator = FaceAnimator(self._networks, self.config)
        # Networks that learned nothing yet see the template as they see the driving clip.
        crop = self._crop or usual_crop([driving])
        tracks = driving_tracks(driving, self.config, self.cache)
        return self._animator.generate(template, driving, tracks, crop)

    def save(self, path: Path) -> None:
        """Write the networks and their configuration."""
        states = {name: module.state_dict() for name, module in self._networks.modules().items()}
        content: dict[str, Any] = {"configuration": self.config.model_dump(mode="json"), **states}
        if self._crop != HEAD:
            # What learned on the usual crop is written as before there were others.
            content["crop"] = self._crop and [self._crop.share, self._crop.height]
        checkpoint.write(path, content)

    def import_published(self, path: Path) -> list[str]:
        """Read a checkpoint of the published code into networks of this configuration.

        Raises:
            UsageError: for mraa, whose published checkpoints have another layout.
            WeightsError: for a file that is not one, or has other shapes.
        """
        if self.config.model.jacobians == "regions":
            raise UsageError("published checkpoints of mraa have another layout; train one instead")
        networks = build(self.config, 0)
        report = read_published(path, networks.modules())
        self._use(networks, HEAD)
        return report.lines()

    def load(self, path: Path, *, device: str = "cpu") -> None:
        """Read networks that `save`, or training, wrote; their configuration comes with them.

        Of a training checkpoint with a moving average, that is read. Settings of inference stay as
        they are.

        Raises:
            WeightsError: for a missing, truncated or foreign file, or other network shapes.
        """
        content = read_weights(path) if path.suffix == SUFFIX else checkpoint.read(path)
        trained = _trained_configuration(content.get("configuration"), path)
        checkpoint.check_member(trained.member, self.config.member, path)
        self.config = trained.model_copy(update={"inference": self.config.inference})
        networks = build(self.config, 0)
        _fill(networks, content, path)
        for module in networks.modules().values():
            module.to(device)
        self._use(networks, _crop_of(content, path))

    def _use(self, networks: Networks, crop: Crop | None = None) -> None:
        self._networks = networks._replace(discriminator=None)
        self._animator = None
        self._crop = crop


def _fill(networks: Networks, content: dict[str, Any], path: Path) -> None:
    states = content.get("average") or content
    for name, module in networks.modules().items():
        if name != "discriminator":
            checkpoint.load_into(module, name, states.get(name), path)


def _crop_of(content: dict[str, Any], path: Path) -> Crop | None:
    """Return the crop of the clips a checkpoint learned on; None where it learned nothing yet."""
    found = content.get("crop", (HEAD.share, HEAD.height))
    if found is None:
        return None
    try:
        share, height = (float(value) for value in found)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{path}: its crop cannot be read; train again") from error
    return Crop(share, height)


def _trained_configuration(found: Any, path: Path) -> FommConfig:
    if not isinstance(found, dict):
        raise WeightsError(f"{path}: holds no configuration; train again")
    try:
        return spec.parse(FommConfig, found, str(path))
    except UsageError as error:
        why = str(error).rstrip(".")
        raise WeightsError(f"{why}; it comes from another version, train again") from error


def _perceptual(losses: LossConfig) -> PerceptualLoss | None:
    if losses.perceptual == 0:
        return None
    network = Vgg19()
    if losses.perceptual_network == "seeded":
        network.load_state_dict(weights.seeded_state(network, 0))
    else:
        try:
            network.load_torchvision(weights.load_state("vgg19"))
        except WeightsError as error:
            raise WeightsError(
                f"{error}; or train with random filters in their place: "
                "-s train.losses.perceptual_network=seeded"
            ) from error
    return PerceptualLoss([losses.perceptual] * _VGG_LAYERS, network=network)
