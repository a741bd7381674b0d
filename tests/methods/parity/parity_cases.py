"""Every comparison with the published modules, as ``name -> (max difference, tolerance)``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from parity_stored import (
    MODULE,
    PRIOR,
    SCALES,
    WHOLE,
    Gaps,
    Stored,
    filled,
    formula_transform,
    images,
    pyramid,
)
from parity_training import losses

from mebench.methods.fomm.blocks import (
    AntiAliasDownsample,
    Keypoints,
    gaussian_maps,
)
from mebench.methods.fomm.model import normalize_kp
from mebench.methods.fomm.prior import (
    landmarks_to_prior_points,
    prior_maps,
    prior_maps_numpy,
)


def whole_model(size: int) -> Iterator[tuple[str, Gaps]]:
    """Detector, normalisation, generator (both samplers, absolute and relative) on one size."""
    stored = Stored(f"model{size}.npz")
    seeds = {"source": 1, "driving0": 2, "driving": 3}
    points = {n: stored["kp_px_" + ("source" if n == "source" else "driving")] for n in seeds}
    net = filled("detector")
    kp = {n: net(images(size, s), points[n]) for n, s in seeds.items()}
    gaps: Gaps = {}
    for name, found in kp.items():
        gaps[f"{name} value"] = (stored.gap(f"kp_{name}_value", found.value), MODULE)
        gaps[f"{name} jacobian"] = (stored.gap(f"kp_{name}_jacobian", found.jacobian), MODULE)
    trace = net.trace(images(size, 1), points["source"])
    inner = {
        "src_kp_hourglass_in": trace.hourglass_in,
        "src_kp_hourglass_out": trace.hourglass_out,
        "src_kp_head": trace.head,
        "src_kp_jacobian_map": trace.jacobian_map,
        "src_prior": trace.prior,
        "src_down": trace.hourglass_in[:, :3],
    }
    for name, got in inner.items():
        if name in stored:
            gaps[name] = (stored.gap(name, got), PRIOR if name == "src_prior" else MODULE)
    yield f"detector (EWP), {size}", gaps
    yield f"normalised points, {size}", _normalized(stored, "kpnorm_", kp)
    for align in (0, 1):
        for mode in ("abs", "rel"):
            yield f"generator {mode} ac{align}, {size}", _generated(stored, size, align, mode, kp)
    if size == 64:
        yield from _small_parts(stored, kp)
    assert not stored.unused(), stored.unused()


def _generated(stored: Stored, size: int, align: int, mode: str, kp: dict[str, Keypoints]) -> Gaps:
    driving = kp["driving"]
    if mode == "rel":
        driving = normalize_kp(kp["source"], driving, kp["driving0"])
    net = filled("generator", align_corners=bool(align))
    out = net(images(size, 1), driving, kp["source"])
    out["prediction_s4"] = out["prediction"][:, :, ::4, ::4]
    prefix = f"g_{mode}_ac{align}_"
    gaps: Gaps = {}
    for name, got in out.items():
        if prefix + name in stored:
            whole = name.startswith(("prediction", "deformed"))
            gaps[name] = (stored.gap(prefix + name, got), WHOLE if whole else MODULE)
    mean = prefix + "prediction_mean"
    if mean in stored:
        gaps["prediction mean"] = (stored.gap(mean, out["prediction"].double().mean()), WHOLE)
    return gaps


def _small_parts(stored: Stored, kp: dict[str, Keypoints]) -> Iterator[tuple[str, Gaps]]:
    driving = images(64, 3)
    scaled = pyramid()(driving)
    yield (
        "image pyramid",
        {f"{s}": (stored.gap(f"pyr_prediction_{s}", scaled[s]), MODULE) for s in SCALES},
    )
    gaps: Gaps = {}
    net = filled("discriminator")
    for scale, said in zip(net.scales, net(scaled), strict=True):
        for i, features in enumerate(said.features):
            key = f"disc_feature_maps_{scale}_{i}"
            gaps[f"features {scale} {i}"] = (stored.gap(key, features), MODULE)
        gaps[f"score {scale}"] = (stored.gap(f"disc_prediction_map_{scale}", said.score), MODULE)
    yield "discriminator", gaps
    heat = gaussian_maps(kp["source"].value, (16, 16), 0.01)
    kernels = {f"kernel_scale_{s}": AntiAliasDownsample(3, s).weight[:1] for s in (0.25, 0.5)}
    gaps = {name: (stored.gap(name, kernel), MODULE) for name, kernel in kernels.items()}
    gaps["heat map"] = (stored.gap("kp2gaussian_source_16_var0.01", heat), MODULE)
    yield "anti-alias kernels, heat maps", gaps


_NORMALIZE = {
    "rel": {},
    "rel_adapt": {"adapt_movement_scale": True},
    "rel_value_only": {"use_relative_jacobian": False},
    "abs": {"use_relative_movement": False},
}


def _normalized(stored: Stored, prefix: str, kp: dict[str, Keypoints]) -> Gaps:
    gaps: Gaps = {}
    for name, options in _NORMALIZE.items():
        got = normalize_kp(kp["source"], kp["driving"], kp["driving0"], **options)
        gaps[f"{name} value"] = (stored.gap(f"{prefix}{name}_value", got.value), MODULE)
        gaps[f"{name} jacobian"] = (stored.gap(f"{prefix}{name}_jacobian", got.jacobian), MODULE)
    return gaps


def normalization() -> Iterator[tuple[str, Gaps]]:
    stored = Stored("normalize.npz")
    names = {"source": "source", "driving": "driving", "driving0": "initial"}
    kp = {
        n: Keypoints(stored[f"in_{m}_value"], stored[f"in_{m}_jacobian"]) for n, m in names.items()
    }
    yield "normalize_kp, arbitrary inputs", _normalized(stored, "out_", kp)
    assert not stored.unused(), stored.unused()


def equivariance_transform() -> Iterator[tuple[str, Gaps]]:
    stored = Stored("transform.npz")
    transform = formula_transform(stored)
    points = stored["points"]
    grid = transform.control_points().reshape(1, 5, 5, 2)
    gaps = {
        "theta": (stored.gap("theta", transform.theta), MODULE),
        "control points": (stored.gap("control_points", grid), MODULE),
        "warped points": (stored.gap("warped", transform.warp(points)), MODULE),
        "jacobian": (stored.gap("jacobian", transform.jacobian(points)), MODULE),
    }
    frame = images(64, 3, 5)
    for align in (0, 1):
        got = transform.frame(frame, bool(align))
        gaps[f"frame ac{align}"] = (stored.gap(f"frame_warped_ac{align}", got), MODULE)
    yield "equivariance transform", gaps
    assert not stored.unused(), stored.unused()


def priors() -> Iterator[tuple[str, Gaps]]:
    stored = Stored("prior_maps.npz")
    reference: Gaps = {}
    batched: Gaps = {}
    for name in [n for n in stored.arrays if not n.startswith("kp")]:
        face = name.split("_", 1)[1].removesuffix("_ch0_5_17")
        if name.startswith("ewp_sigma1.2"):
            face = "mean_face"
        small = name.startswith("ewp16")
        points = stored["kp16_mean_face" if small else f"kp_{face}"]
        image, size = ((64, 64), (16, 16)) if small else ((256, 256), (64, 64))
        sigma = 1.2 if "sigma1.2" in name else 0.75
        slow = prior_maps_numpy(points.numpy(), image, size, name[:3], sigma)
        fast = prior_maps(points[None], image, size, name[:3], sigma)[0]
        if name.endswith("ch0_5_17"):
            slow, fast = slow[[0, 5, 17]], fast[[0, 5, 17]]
        if name.startswith("ewp"):
            slow, fast = slow[0], fast[0]
        reference[name] = (stored.gap(name, slow), PRIOR)
        batched[name] = (stored.gap(name, fast), PRIOR)
    yield "prior maps, NumPy", reference
    yield "prior maps, torch", batched
    assert not stored.unused(), stored.unused()
    stored = Stored("landmarks68to18.npz")
    gaps = {
        f"face {i}": (
            stored.gap(f"kp18_{i}", landmarks_to_prior_points(stored[f"pts68_{i}"].numpy())),
            0.0,
        )
        for i in range(3)
    }
    yield "68 to 18 points", gaps
    # The constant mean face is what published code falls back to; an error here by choice.
    assert stored.unused() == {"fallback_kp18_no_face"}


def other_detectors() -> Iterator[tuple[str, Gaps]]:
    stored = Stored("awp256.npz")
    net = filled("detector", prior="awp")
    picture256 = images(256, 1, 3)
    points = stored["kp_px"]
    found, trace = net(picture256, points), net.trace(picture256, points)
    yield (
        "detector (AWP), 256",
        {
            "value": (stored.gap("value", found.value), MODULE),
            "jacobian": (stored.gap("jacobian", found.jacobian), MODULE),
            "aggregated prior": (stored.gap("aggregated_prior", trace.prior), MODULE),
        },
    )
    assert not stored.unused(), stored.unused()
    stored = Stored("fomm_detector.npz")
    net = filled("detector", prior="none", num_kp=10)
    gaps: Gaps = {}
    for size in (64, 256):
        found = net(images(size, 1, 3))
        gaps[f"value {size}"] = (stored.gap(f"value_{size}", found.value), MODULE)
        gaps[f"jacobian {size}"] = (stored.gap(f"jacobian_{size}", found.jacobian), MODULE)
    yield "detector (no prior)", gaps
    assert not stored.unused(), stored.unused()


GROUPS: dict[str, Callable[[], Iterator[tuple[str, Gaps]]]] = {
    "model64": lambda: whole_model(64),
    "model256": lambda: whole_model(256),
    "normalize": normalization,
    "transform": equivariance_transform,
    "priors": priors,
    "detectors": other_detectors,
    "losses": losses,
}
