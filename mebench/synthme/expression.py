"""What a face does and when: action units with their peak size, and their curves over time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mebench.errors import UsageError, did_you_mean
from mebench.synthme.motion import landmark_peak

Side = Literal["both", "L", "R"]

AUS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26)
"""FACS numbers that a synthetic face can make."""

# (weight, action units) of each emotion; a letter before the number is the person's own side.
_EMOTIONS: dict[str, tuple[tuple[float, str], ...]] = {
    "happiness": ((0.55, "12"), (0.3, "6+12"), (0.1, "L12"), (0.05, "R12")),
    "surprise": ((0.4, "1+2"), (0.25, "1+2+5"), (0.25, "2"), (0.05, "L2"), (0.05, "1+2+25")),
    "disgust": ((0.35, "4+7"), (0.25, "4+9"), (0.15, "10"), (0.15, "4+7+9"), (0.1, "4+L10")),
    "repression": ((0.35, "14"), (0.15, "R14"), (0.25, "15"), (0.2, "17"), (0.05, "15+17")),
    "anger": ((0.5, "4+7"), (0.2, "4+5+7"), (0.2, "4"), (0.1, "23")),
    "sadness": ((0.5, "1+4"), (0.3, "15"), (0.2, "1")),
    "fear": ((0.5, "1+2+4"), (0.3, "20"), (0.2, "20+25")),
    "contempt": ((0.4, "L14"), (0.35, "R14"), (0.25, "14")),
    "others": ((0.4, "4"), (0.3, "4+7"), (0.1, "24"), (0.1, "17+24"), (0.1, "26")),
}
_GROUPS: dict[str, tuple[tuple[float, str], ...]] = {
    "positive": ((1.0, "happiness"),),
    "negative": ((0.6, "disgust"), (0.15, "sadness"), (0.15, "anger"), (0.1, "fear")),
}
EMOTIONS = (*_EMOTIONS, *_GROUPS)
_MOST = 0.0288
"""Most motion of a landmark on the reference face, IOD: 3 % is no longer micro on any face."""


@dataclass(frozen=True)
class Component:
    """One action unit of an expression.

    Attributes:
        au: FACS number, one of `AUS`.
        side: "both", or the person's own "L" (image right) or "R" (image left).
        amplitude: peak displacement as a fraction of the IOD.
        asymmetry: -1..1; L moves by (1 + asymmetry) and R by (1 - asymmetry) of the amplitude.
        lag: frames it starts after the onset.
    """

    au: int
    side: Side = "both"
    amplitude: float = 0.015
    asymmetry: float = 0.0
    lag: float = 0.0

    @property
    def name(self) -> str:
        """FACS text such as ``4`` or ``L12``, as data sets write it."""
        return ("" if self.side == "both" else self.side) + str(self.au)


@dataclass(frozen=True)
class Expression:
    """Action units over time; frame 0 is the onset and neutral, the apex is frame `apex`.

    Attributes:
        components: the action units.
        n_frames: T, onset to offset.
        fps: frames per second.
        apex: index of the strongest frame.
        hold: frames the apex is held.
        residual: share of the peak that is left in the last frame.
        emotion: canonical emotion name.
    """

    components: tuple[Component, ...]
    n_frames: int
    fps: float
    apex: int
    hold: float = 2.0
    residual: float = 0.06
    emotion: str = "others"

    @classmethod
    def sample(cls, rng: np.random.Generator, emotion: str, fps: float = 200.0) -> Expression:
        """Draw a micro-expression of `emotion`: 170-500 ms, .5-3 % IOD at its peak.

        Raises:
            UsageError: for an unknown emotion.
        """
        if emotion not in EMOTIONS:
            raise UsageError(f"unknown emotion '{emotion}'.{did_you_mean(emotion, EMOTIONS)}")
        kind = _pick(rng, _GROUPS[emotion]) if emotion in _GROUPS else emotion
        text = _pick(rng, _EMOTIONS[kind])
        seconds = float(rng.uniform(0.20, 0.49))
        size = float(np.clip(0.018 * np.exp(0.35 * rng.standard_normal()), 0.007, 0.0225))
        drawn = cls.from_text(text, size, seconds=seconds, fps=fps, emotion=emotion, rng=rng)
        peak = landmark_peak(drawn.sizes())
        return drawn if peak <= _MOST else drawn.scaled(_MOST / peak)

    @classmethod
    def from_text(
        cls,
        text: str,
        amplitude: float,
        *,
        seconds: float = 0.35,
        fps: float = 200.0,
        emotion: str = "others",
        rng: np.random.Generator | None = None,
    ) -> Expression:
        """Build an expression from FACS text such as ``4+L10``, varied a little by `rng`."""
        rng = np.random.default_rng(0) if rng is None else rng
        parts: list[Component] = []
        for k, term in enumerate(text.split("+")):
            side: Side = "L" if term[0] == "L" else "R" if term[0] == "R" else "both"
            share = 1.0 if k == 0 else float(rng.uniform(0.6, 0.95))
            uneven = float(np.clip(rng.normal(0, 0.10), -0.25, 0.25)) if side == "both" else 0.0
            lag = 0.0 if k == 0 else float(rng.uniform(0, 0.012)) * fps
            parts.append(Component(int(term.lstrip("LR")), side, amplitude * share, uneven, lag))
        n_frames = max(8, round(seconds * fps) + 1)
        # Real apexes seldom lie in the middle: in the MEGC2021 driving clips .28 to .70 of it,
        # five of six above .53, and at the annotated offset the face is not wholly back.
        early = rng.random() < 0.3
        share_of_clip = float(rng.uniform(0.24, 0.38) if early else rng.uniform(0.58, 0.72))
        apex = int(np.clip(round(share_of_clip * n_frames), 3, n_frames - 4))
        return cls(
            components=tuple(parts),
            n_frames=n_frames,
            fps=fps,
            apex=apex,
            hold=float(rng.uniform(0.0, 0.02)) * fps,
            residual=float(rng.uniform(0.0, 0.35)),
            emotion=emotion,
        )

    def sizes(self) -> dict[tuple[int, int], float]:
        """Return each component's size at the apex by (action unit, side), left being 1."""
        found: dict[tuple[int, int], float] = {}
        for part in self.components:
            for side, letter in ((1, "L"), (-1, "R")):
                if part.side in ("both", letter):
                    uneven = side * part.asymmetry if part.side == "both" else 0.0
                    found[part.au, side] = part.amplitude * (1 + uneven)
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of `curves`."""
        return tuple(part.name for part in self.components)

    @property
    def text(self) -> str:
        """FACS text such as ``4+L10``."""
        return "+".join(self.names)

    def curves(self) -> NDArray[np.float32]:
        """Return the size of each action unit over time, (T, A), as a fraction of the IOD."""
        t = np.arange(self.n_frames, dtype=np.float64)
        out = np.zeros((self.n_frames, len(self.components)))
        for k, part in enumerate(self.components):
            lag = min(part.lag, 0.5 * self.apex)
            rise = _smooth((t - lag) / max(self.apex - lag, 1.0))
            begin = min(self.apex + self.hold, self.n_frames - 3.0)
            fall = _smooth(np.clip((t - begin) / (self.n_frames - 1 - begin), 0, 1) ** 0.85)
            out[:, k] = part.amplitude * rise * (1 - (1 - self.residual) * fall)
        return out.astype(np.float32)

    def scaled(self, factor: float) -> Expression:
        """Return the same expression with every amplitude times `factor`."""
        parts = tuple(replace(p, amplitude=p.amplitude * factor) for p in self.components)
        return replace(self, components=parts)

    def mirrored(self) -> Expression:
        """Return the expression with left and right exchanged."""
        swap: dict[Side, Side] = {"L": "R", "R": "L", "both": "both"}
        parts = tuple(
            replace(p, side=swap[p.side], asymmetry=-p.asymmetry) for p in self.components
        )
        return replace(self, components=parts)

    def neutral(self) -> Expression:
        """Return the same clip with a face that does not move."""
        return self.scaled(0.0)


def _pick(rng: np.random.Generator, table: tuple[tuple[float, str], ...]) -> str:
    weights = np.array([weight for weight, _ in table])
    return table[int(rng.choice(len(table), p=weights / weights.sum()))][1]


def _smooth(u: NDArray[np.float64]) -> NDArray[np.float64]:
    u = np.clip(u, 0, 1)
    return np.asarray(u**3 * (u * (6 * u - 15) + 10))
