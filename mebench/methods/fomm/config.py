"""Settings of the facial-prior first order motion model and its variants."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mebench.methods.base import BaselineConfig
from mebench.methods.fomm.points import PointSet, count


class ModelConfig(BaselineConfig):
    """Shape of the networks; names as in the published configuration.

    Attributes:
        size: side of the square images the networks work on, pixels.
        prior: ``ewp`` (published 2021), ``awp`` (2024), or ``none``: fomm finds its own points.
        num_points: number of points where there is no prior.
        jacobians: ``learned`` by the detector, ``measured`` from the tracks (no detector then),
            ``both``, multiplied, or ``regions``: from the spread of the detector's heat maps.
        blend: ``none`` (published), ``gate`` or ``residual``: the output starts from the warped
            template and is corrected through a learned gate; ``painter``: it is corrected by a
            decoder that sees the motion (see `painter`).
        painter_widths: channels of the painter at each scale, the finest first.
        align_corners: one meaning of coordinates in sampler and resize; identity is then exact.
        mask_sigma: above 0, the mask logits start from the distance to each point (grid units).
        mask_background: logit of the identity motion, used with `mask_sigma`.
        mask_kernel: side of the mask layer's filters (published: 7), most of the work with many
            points.
    """

    size: int = Field(default=128, ge=32, le=1024, multiple_of=4)
    prior: Literal["ewp", "awp", "none"] = "ewp"
    num_points: int = Field(default=10, ge=1, le=100)
    jacobians: Literal["learned", "measured", "both", "regions"] = "measured"
    blend: Literal["none", "gate", "residual", "painter"] = "residual"
    painter_widths: tuple[int, ...] = Field(default=(32, 48, 64, 64), min_length=2)
    align_corners: bool = True
    mask_sigma: float = Field(default=0.1, ge=0.0)
    mask_background: float = -1.5
    mask_kernel: Literal[1, 3, 5, 7] = 7
    detector_width: int = Field(default=16, ge=1)
    detector_max: int = Field(default=64, ge=1)
    detector_blocks: int = Field(default=3, ge=1)
    temperature: float = Field(default=0.1, gt=0.0)
    motion_width: int = Field(default=16, ge=1)
    motion_max: int = Field(default=64, ge=1)
    motion_blocks: int = Field(default=3, ge=1)
    generator_width: int = Field(default=8, ge=1)
    generator_max: int = Field(default=64, ge=1)
    generator_down: int = Field(default=2, ge=1)
    generator_residual: int = Field(default=2, ge=0)
    discriminator_width: int = Field(default=16, ge=1)
    discriminator_max: int = Field(default=128, ge=1)
    discriminator_blocks: int = Field(default=3, ge=1)


class PointsConfig(BaselineConfig):
    """Which points move the face and how they are followed through a clip.

    Attributes:
        point_set: ``published-18`` or ``face-44``.
        tracking: ``none`` keeps the points of frame 0 for all frames, as published; ``flow``
            carries them along by optical flow.
        remove_head_motion: take the measured rigid motion of the head out of the tracks.
        radius: standard deviation of the local average around a point, in eye distances.
        smooth_ms: standard deviation of the average over time, in milliseconds.
        rank: principal components of the clip's change over time that are kept; 0 keeps all.
    """

    point_set: PointSet = "face-44"
    tracking: Literal["none", "flow"] = "flow"
    remove_head_motion: bool = True
    radius: float = Field(default=0.06, gt=0.0, le=0.5)
    smooth_ms: float = Field(default=8.0, ge=0.0, le=100.0)
    rank: int = Field(default=4, ge=0)


class SamplingConfig(BaselineConfig):
    """How training pairs are drawn.

    Attributes:
        synthetic: share of pairs that are a frame and the same frame under a known field.
        measured: share of those fields that are measured motion of a clip, made stronger.
        fields_per_clip: measured fields kept of each clip.
        frames_per_clip: frames kept of each clip, evenly spread.
        apex_focus: 0 draws the two frames of a real pair evenly, 1 prefers still and strongest.
        amplitude_start: least and most peak motion at the first step, in eye distances.
        amplitude_end: the same once the curriculum is over.
        curriculum: share of the steps after which amplitudes are at their end.
        track_noise: standard deviation put on exact tracks, in eye distances.
        true_motion: share of exact pairs that are shown as they truly move, not as tracked.
        flip: chance of a mirrored pair, its points re-indexed.
        jitter: most relative change of light and contrast; colour changes by half of it.
        to_gray: chance that a colour pair is shown in grey.
    """

    synthetic: float = Field(default=0.75, ge=0.0, le=1.0)
    measured: float = Field(default=0.3, ge=0.0, le=1.0)
    fields_per_clip: int = Field(default=6, ge=1)
    frames_per_clip: int = Field(default=24, ge=2)
    apex_focus: float = Field(default=1.0, ge=0.0, le=1.0)
    amplitude_start: tuple[float, float] = (0.02, 0.08)
    amplitude_end: tuple[float, float] = (0.005, 0.04)
    curriculum: float = Field(default=0.6, ge=0.0, le=1.0)
    track_noise: float = Field(default=0.002, ge=0.0)
    true_motion: float = Field(default=0.0, ge=0.0, le=1.0)
    flip: float = Field(default=0.5, ge=0.0, le=1.0)
    jitter: float = Field(default=0.15, ge=0.0, lt=1.0)
    to_gray: float = Field(default=0.2, ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _ordered(self) -> SamplingConfig:
        for low, high in (self.amplitude_start, self.amplitude_end):
            if not 0 < low <= high:
                raise ValueError("amplitudes are (least, most) with 0 < least <= most")
        return self


class LossConfig(BaselineConfig):
    """Weights of the losses; 0 switches one off.

    Attributes:
        perceptual: VGG19 features, five layers at four scales.
        perceptual_network: ``published`` weights, or ``seeded`` ones where those cannot be had:
            random filters, which compare edges and blobs but nothing that VGG19 has learnt.
        gan: least-squares adversarial loss.
        feature_matching: features of the discriminator.
        equivariance_value: points under a known transform.
        equivariance_jacobian: Jacobians under a known transform.
        flow: predicted against true motion where it is known, relative to its peak.
        warped: the warped template against the driving frame, heavier where they differ.
        pixel: the output against the driving frame, heavier where they differ.
        change_weight: how much heavier.
        painted: the painter's correction against the true change of appearance, or against what the
            driving frame shows beyond the warp; relative to the size of that change.
        kept: the painter against the one it started from, relative to the size of its correction.
    """

    perceptual: float = Field(default=0.0, ge=0.0)
    perceptual_network: Literal["published", "seeded"] = "published"
    gan: float = Field(default=0.0, ge=0.0)
    feature_matching: float = Field(default=0.0, ge=0.0)
    equivariance_value: float = Field(default=0.0, ge=0.0)
    equivariance_jacobian: float = Field(default=0.0, ge=0.0)
    flow: float = Field(default=1.0, ge=0.0)
    warped: float = Field(default=0.0, ge=0.0)
    pixel: float = Field(default=10.0, ge=0.0)
    change_weight: float = Field(default=20.0, ge=0.0)
    painted: float = Field(default=1.0, ge=0.0)
    kept: float = Field(default=0.0, ge=0.0)


class TrainConfig(BaselineConfig):
    """How long and how the networks learn.

    Attributes:
        start: ``scratch``: networks learn from nothing; ``shipped``: they start from the weights
            in the package.
        people: learn from exact pairs that so many synthetic people drive (`exact`) instead of
            from the clips; 0 learns from the clips.
        steps: optimiser steps; None takes epochs × repeats × clips / batch, as published.
        epochs: passes over the clips, used where `steps` is None.
        repeats: pairs of each clip in a pass, used where `steps` is None.
        batch: pairs a step.
        learning_rate: of Adam.
        mask_rate: factor on the rate of the mask's last layer, whose ten thousand inputs a pixel
            would else move its logits by whole units a step.
        betas: of Adam.
        drops: shares of the steps after which the learning rate falls to a tenth.
        cosine: let the learning rate fall along half a cosine instead.
        rehearsals: known fields a clip from which the tracker's errors are learnt; 0 learns none.
        motion_first: share of the steps that train the motion network alone.
        accumulate: parts a batch is cut into, one after the other, to need less memory; norms see
            one part at a time.
        clip_norm: largest norm of the gradient; 0 leaves it as it is.
        ema: share of the old in the moving average of the networks, which is then what generates;
            0 keeps no average.
        validation: training subjects held back to choose the best networks by; 0 takes the last.
        validate_every: steps between looks at them.
        checkpoint_every: steps between checkpoints.
        sample_every: steps between pictures of what the networks make; 0 draws none.
        precision: as Lightning Fabric names it.
    """

    start: Literal["scratch", "shipped"] = "scratch"
    people: int = Field(default=0, ge=0)
    steps: int | None = Field(default=400, ge=0)
    epochs: int = Field(default=100, ge=1)
    repeats: int = Field(default=50, ge=1)
    batch: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0.0)
    mask_rate: float = Field(default=0.05, gt=0.0)
    betas: tuple[float, float] = (0.9, 0.999)
    drops: tuple[float, ...] = ()
    cosine: bool = True
    rehearsals: int = Field(default=0, ge=0)
    motion_first: float = Field(default=0.6, ge=0.0, le=1.0)
    accumulate: int = Field(default=1, ge=1)
    clip_norm: float = Field(default=0.0, ge=0.0)
    ema: float = Field(default=0.0, ge=0.0, lt=1.0)
    validation: int = Field(default=0, ge=0)
    validate_every: int = Field(default=100, ge=1)
    checkpoint_every: int = Field(default=100, ge=1)
    sample_every: int = Field(default=500, ge=0)
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    losses: LossConfig = LossConfig()
    sampling: SamplingConfig = SamplingConfig()


class InferenceConfig(BaselineConfig):
    """How a template is made to move.

    Attributes:
        relative: carry over the change since the driving clip's first frame, not the position.
        adapt_scale: scale motion by the size of the template's face over the driving one's.
        amplitude: factor on the motion; 1 keeps it as it is.
        smooth_ms: standard deviation of an average of the points' motion over time, milliseconds:
            correcting tracks makes the noise of compressed clips larger.
        lids: with a painter, draw lids that close by `lids`, which measures how far they do.
        gaze: with a painter, draw eyeballs that turn by `gaze`, which measures how far they do.
        batch: frames computed together; changes speed, not the result.
    """

    relative: bool = True
    adapt_scale: bool = True
    amplitude: float = Field(default=1.0, ge=0.0, le=20.0)
    smooth_ms: float = Field(default=0.0, ge=0.0, le=100.0)
    lids: bool = True
    gaze: bool = True
    batch: int = Field(default=4, ge=1)


class FommConfig(BaselineConfig):
    """All settings of one fomm variant."""

    model: ModelConfig = ModelConfig()
    points: PointsConfig = PointsConfig()
    train: TrainConfig = TrainConfig()
    inference: InferenceConfig = InferenceConfig()

    @property
    def point_count(self) -> int:
        """How many points the networks have."""
        prior = self.model.prior != "none"
        return count(self.points.point_set) if prior else self.model.num_points

    @property
    def member(self) -> str:
        """Which baseline of the family has networks of this kind."""
        if self.model.prior == "none":
            return "mraa" if self.model.jacobians == "regions" else "fomm"
        return {"ewp": "fomm-prior", "awp": "fomm-awp"}[self.model.prior]

    @property
    def measures(self) -> bool:
        """Whether Jacobians are measured from the tracks, at least in part."""
        return self.model.jacobians in ("measured", "both")

    @model_validator(mode="after")
    def _consistent(self) -> FommConfig:
        blocks = max(self.model.motion_blocks, self.model.detector_blocks)
        if self.model.size % (4 * 2**blocks):
            raise ValueError(f"model.size must be a multiple of {4 * 2**blocks} with these blocks")
        if self.train.batch % self.train.accumulate:
            raise ValueError(
                f"train.batch ({self.train.batch}) must be a multiple of train.accumulate "
                f"({self.train.accumulate})"
            )
        if self.measures and self.points.tracking == "none":
            raise ValueError("measured Jacobians need points.tracking: flow")
        if self.train.rehearsals and self.model.jacobians != "measured":
            raise ValueError("train.rehearsals needs model.jacobians: measured")
        if self.model.blend == "painter" and not (
            self.model.prior != "none" and self.model.align_corners
        ):
            raise ValueError("model.blend: painter needs a prior and model.align_corners: true")
        if self.train.people and not (
            self.model.blend == "painter" and self.model.jacobians == "measured"
        ):
            raise ValueError(
                "train.people needs model.blend: painter and model.jacobians: measured"
            )
        if self.train.people and self.train.validation:
            raise ValueError("train.people holds nobody back; leave train.validation at 0")
        if self.model.prior == "none" and self.measures:
            raise ValueError("model.prior: none needs model.jacobians: learned or regions")
        if self.model.prior != "none" and self.model.jacobians == "regions":
            raise ValueError("model.jacobians: regions needs model.prior: none")
        if self.model.prior == "awp" and self.points.point_set != "published-18":
            raise ValueError("model.prior: awp needs points.point_set: published-18")
        return self
