"""Who a synthetic person is: the numbers a portrait is drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HAIR_STYLES = (
    "buzz",
    "short_back",
    "side_part",
    "fringe",
    "curly",
    "receding",
    "long_straight",
    "long_wavy",
    "bob",
    "tied_back",
)
_MALE_STYLES = (0.12, 0.26, 0.26, 0.12, 0.10, 0.14, 0.0, 0.0, 0.0, 0.0)
_FEMALE_STYLES = (0.0, 0.0, 0.0, 0.10, 0.14, 0.0, 0.24, 0.20, 0.16, 0.16)
# sRGB of hair from black to white-blond; grey is mixed in by age.
_HAIR_COLOURS = (
    (22, 18, 17),
    (38, 27, 22),
    (62, 41, 29),
    (92, 62, 40),
    (128, 92, 58),
    (170, 132, 86),
    (122, 58, 32),
)
_IRIS_COLOURS = ((58, 36, 22), (84, 54, 30), (106, 84, 46), (92, 106, 72), (88, 116, 138))


@dataclass(frozen=True)
class Identity:
    """One synthetic person; lengths are in inter-ocular distances (IOD), origin between the eyes.

    Attributes:
        seed: what it was made from; also seeds pores, blotches, strands.
        masculinity: 0 (typical woman) .. 1 (typical man).
        age: years.
        tone: skin, 0 (very light) .. 1 (very dark).
    """

    seed: int
    masculinity: float
    age: float
    tone: float
    undertone: float
    face_width: float
    face_height: float
    jaw_width: float
    chin_width: float
    chin_y: float
    cheek: float
    brow_ridge: float
    eye_width: float
    eye_height: float
    eye_tilt: float
    eye_depth: float
    lid_fold: float
    brow_y: float
    brow_arch: float
    brow_thickness: float
    brow_tilt: float
    nose_length: float
    nose_width: float
    nose_bridge: float
    nose_tip: float
    nose_up: float
    mouth_y: float
    mouth_width: float
    mouth_curve: float
    lip_upper: float
    lip_lower: float
    lip_red: float
    ear_size: float
    asymmetry: tuple[float, float, float]
    hair_style: str
    hair_rgb: tuple[float, float, float]
    hair_volume: float
    hair_line: float
    hair_part: float
    hair_wave: float
    stubble: float
    freckles: float
    wrinkles: float
    iris_rgb: tuple[float, float, float]
    light: tuple[float, float, float]
    fill: float
    warmth: float
    background_rgb: tuple[float, float, float]
    shirt_rgb: tuple[float, float, float]
    collar: str
    neck_width: float
    shoulder_y: float

    @classmethod
    def from_seed(cls, seed: int) -> Identity:
        """Draw a person; the same seed gives the same person."""
        rng = np.random.default_rng([seed, 0x1D])

        def normal(mean: float, spread: float, limit: float = 2.0) -> float:
            return float(mean + spread * np.clip(rng.standard_normal(), -limit, limit))

        man = bool(rng.random() < 0.5)
        masculinity = float(np.clip(normal(0.85 if man else 0.12, 0.12), 0.0, 1.0))
        m = masculinity - 0.5
        age = float(rng.uniform(20, 60))
        tone = float(rng.beta(1.1, 1.3))
        styles = _MALE_STYLES if man else _FEMALE_STYLES
        style = HAIR_STYLES[int(rng.choice(len(HAIR_STYLES), p=styles))]
        if style == "receding" and age < 34:
            style = "short_back"
        if tone > 0.72 and style in ("fringe", "side_part", "long_straight") and rng.random() < 0.7:
            style = "curly" if rng.random() < 0.5 else ("buzz" if man else "tied_back")
        hair = _hair_colour(rng, tone, age)
        iris = np.array(_IRIS_COLOURS[int(min(4, rng.integers(0, 5) * (1.0 - tone) ** 1.1))], float)
        azimuth, elevation = rng.uniform(-42, 42), rng.uniform(22, 46)
        light = (
            float(np.sin(np.radians(azimuth)) * np.cos(np.radians(elevation))),
            float(-np.sin(np.radians(elevation))),
            float(np.cos(np.radians(azimuth)) * np.cos(np.radians(elevation))),
        )
        return cls(
            seed=seed,
            masculinity=masculinity,
            age=age,
            tone=tone,
            undertone=normal(0.0, 0.5),
            face_width=normal(1.085 + 0.03 * m, 0.04),
            face_height=normal(1.62, 0.05),
            jaw_width=normal(0.95 + 0.12 * m, 0.05),
            chin_width=normal(0.95 + 0.30 * m, 0.11),
            chin_y=normal(1.775 + 0.12 * m, 0.06),
            cheek=normal(1.0 - 0.1 * m, 0.25),
            brow_ridge=normal(0.55 + 0.7 * m, 0.12),
            eye_width=normal(0.235, 0.010),
            eye_height=normal(1.0 - 0.12 * m, 0.10),
            eye_tilt=normal(0.05 - 0.03 * m, 0.045),
            eye_depth=normal(1.0 + 0.2 * m, 0.2),
            lid_fold=float(np.clip(normal(0.55, 0.35), 0.0, 1.0)),
            brow_y=normal(-0.365 + 0.05 * m, 0.025),
            brow_arch=normal(0.075 - 0.05 * m, 0.02),
            brow_thickness=normal(0.070 + 0.03 * m, 0.011),
            brow_tilt=normal(0.0, 0.025),
            nose_length=normal(0.655 + 0.05 * m, 0.04),
            nose_width=normal(0.225 + 0.03 * m + 0.035 * tone, 0.018),
            nose_bridge=normal(1.0 + 0.25 * m - 0.15 * tone, 0.16),
            nose_tip=normal(1.0, 0.15),
            nose_up=normal(0.0 - 0.3 * m, 0.5),
            mouth_y=normal(1.135 + 0.04 * m, 0.035),
            mouth_width=normal(0.395 + 0.02 * m, 0.025),
            mouth_curve=normal(0.011, 0.008),
            lip_upper=normal(0.092 - 0.028 * m + 0.032 * tone, 0.013),
            lip_lower=normal(0.138 - 0.028 * m + 0.032 * tone, 0.016),
            lip_red=float(np.clip(normal(0.55 - 0.5 * m, 0.2), 0.1, 1.0)),
            ear_size=normal(1.0 + 0.1 * m, 0.08),
            asymmetry=(normal(0, 0.010), normal(0, 0.010), normal(0, 0.012)),
            hair_style=style,
            hair_rgb=hair,
            hair_volume=float(rng.uniform(0.0, 1.0)),
            hair_line=normal(-1.04, 0.07),
            hair_part=float(rng.choice([-1, 1]) * rng.uniform(0.0, 0.5)),
            hair_wave=float(rng.uniform(0.0, 1.0)),
            stubble=float(rng.uniform(0.15, 1.0)) if man and rng.random() < 0.65 else 0.0,
            freckles=float(rng.uniform(0.3, 1.0)) if tone < 0.3 and rng.random() < 0.4 else 0.0,
            wrinkles=float(np.clip((age - 28) / 30 + normal(0, 0.15), 0.0, 1.1)),
            iris_rgb=_triple(iris * rng.uniform(0.85, 1.2)),
            light=light,
            fill=float(rng.uniform(0.35, 0.65)),
            warmth=normal(0.0, 0.04),
            background_rgb=_background(rng),
            shirt_rgb=_shirt(rng),
            collar=str(rng.choice(["crew", "vneck", "shirt", "turtle"], p=[0.45, 0.2, 0.25, 0.1])),
            neck_width=normal(0.66 + 0.16 * m, 0.04),
            shoulder_y=normal(2.34, 0.06),
        )


def _triple(value: np.ndarray) -> tuple[float, float, float]:
    clipped = np.clip(value, 0, 255)
    return float(clipped[0]), float(clipped[1]), float(clipped[2])


def _hair_colour(rng: np.random.Generator, tone: float, age: float) -> tuple[float, float, float]:
    last = 7 if tone < 0.35 else (4 if tone < 0.6 else 2)
    base = np.array(_HAIR_COLOURS[int(rng.integers(0, last))], float) * rng.uniform(0.85, 1.15)
    grey = float(np.clip((age - 38) / 30 + rng.normal(0, 0.18), 0.0, 0.9))
    return _triple(base * (1 - grey) + np.array((150.0, 147.0, 144.0)) * grey)


def _background(rng: np.random.Generator) -> tuple[float, float, float]:
    level = rng.uniform(105, 215)
    return _triple(level + rng.normal(0, 7, 3) + np.array((-4.0, 0.0, 6.0)) * rng.uniform(-1, 1.5))


def _shirt(rng: np.random.Generator) -> tuple[float, float, float]:
    hue = rng.uniform(0, 6)
    saturation, value = rng.uniform(0.05, 0.6), rng.uniform(28, 205)
    wheel = np.clip(np.abs((hue + np.array((0.0, 4.0, 2.0))) % 6 - 3) - 1, 0, 1)
    return _triple(value * (1 - saturation + saturation * wheel))
