"""All metric families by name, shipped and of other packages, and how to build them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mebench.errors import UsageError, did_you_mean
from mebench.metrics.base import Metric, MetricInfo
from mebench.registry import load_object

if TYPE_CHECKING:
    from mebench.preprocess.flow import Engine

METRICS: Mapping[str, str] = {
    "action_units": "mebench.metrics.action_units:ActionUnitConsistency",
    "motion": "mebench.metrics.motion:TrueMotion",
    "temporal": "mebench.metrics.temporal:Temporal",
    "pixel": "mebench.metrics.pixel:Pixel",
    "appearance": "mebench.metrics.appearance:Appearance",
    "perceptual": "mebench.metrics.perceptual:Perceptual",
    "distribution": "mebench.metrics.distribution:Distribution",
    "identity": "mebench.metrics.identity:Identity",
    "landmarks": "mebench.metrics.landmarks:LandmarkDistance",
    "motion_distribution": "mebench.metrics.motion_distribution:MotionDistribution",
    "recognition": "mebench.metrics.recognition:Recognition",
    "perceptual_vgg": "mebench.metrics.perceptual:PerceptualVgg",
    "perceptual_squeeze": "mebench.metrics.perceptual:PerceptualSqueeze",
    "distribution_rgb": "mebench.metrics.distribution:ColourDistribution",
    "openface": "mebench.metrics.openface:OpenFaceConsistency",
    "pyfeat": "mebench.metrics.pyfeat:PyFeatConsistency",
}
"""Shipped families: ``"module:Class"`` by name."""

DEFAULT = tuple(METRICS)[:10]
"""Families computed when none are named."""

_GROUP = "mebench.metrics"


def families() -> dict[str, str]:
    """Return ``"module:Class"`` of every family, shipped and of the entry points.

    Raises:
        UsageError: when another package takes a shipped name.
    """
    found = dict(METRICS)
    for point in entry_points(group=_GROUP):
        if point.name in METRICS:
            raise UsageError(
                f"metric family '{point.name}' of {point.value} takes a shipped name; "
                f"use 'vendor/{point.name}'"
            )
        found[point.name] = point.value
    return found


def metric_class(family: str) -> type[Metric]:
    """Return the class of a family.

    Raises:
        UsageError: for an unknown family or one that is not a metric.
    """
    known = families()
    if family not in known:
        raise UsageError(f"unknown metric family '{family}'.{did_you_mean(family, known)}")
    found = load_object(known[family])
    if not (inspect.isclass(found) and issubclass(found, Metric)):
        raise UsageError(f"metric family '{family}': {known[family]} is not a Metric")
    return found


def metric_infos(names: Iterable[str] | None = None) -> dict[str, MetricInfo]:
    """Return how to read every key of the families (all of them by default), in table order.

    Raises:
        UsageError: when two families share a key.
    """
    infos: dict[str, MetricInfo] = {}
    for family in families() if names is None else names:
        for info in metric_class(family).infos:
            if info.key in infos:
                raise UsageError(f"metric family '{family}': key '{info.key}' is taken")
            infos[info.key] = info
    return infos


def families_of(names: Iterable[str]) -> list[str]:
    """Return the families that names mean, each a family or one of its keys, without repeats.

    Raises:
        UsageError: for an unknown name, with the nearest known one.
    """
    known = families()
    wanted = list(names)
    by_key: dict[str, str] = {}
    if any(name not in known for name in wanted):
        by_key = {info.key: f for f in known for info in metric_class(f).infos}
    for name in wanted:
        if name not in known and name not in by_key:
            raise UsageError(f"unknown metric '{name}'.{did_you_mean(name, [*known, *by_key])}")
    return list(dict.fromkeys(name if name in known else by_key[name] for name in wanted))


def build_metrics(
    names: Iterable[str] | None = None,
    *,
    device: str = "cpu",
    cache: Path | None = None,
    allow_seeded: bool = False,
    seed: int = 0,
    flow: Engine = "farneback",
) -> list[Metric]:
    """Return the metrics of the families or keys named, ready to describe cases.

    Families that measure region motion share one store, so a clip is analysed once for all.

    Args:
        names: families or keys; None for `DEFAULT`.
        device: torch device of the networks.
        cache: folder for features and motions by content, or None to keep nothing.
        allow_seeded: let seeded stand-ins take the place of missing weights, as ``<key>~seeded``.
        seed: of the stand-ins.
        flow: ``farneback``, or ``dis`` for two thirds of the cost and keys that end in ``~dis``.

    Raises:
        UsageError: for an unknown name.
        WeightsError: when published weights are missing, unless `allow_seeded`.
    """
    options: dict[str, Any] = {
        "device": device,
        "cache": cache,
        "allow_seeded": allow_seeded,
        "seed": seed,
    }
    built: list[Metric] = []
    for family in DEFAULT if names is None else families_of(names):
        found = metric_class(family)
        accepted = inspect.signature(found).parameters
        if "store" in accepted and "store" not in options:
            from mebench.preprocess.motion_cache import MotionCache

            options["store"] = MotionCache(cache / "motion" if cache else None, flow=flow)
        built.append(found(**{k: v for k, v in options.items() if k in accepted}))
    return built
