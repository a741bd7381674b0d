"""Identity: distance of dlib's face embeddings between template and generated frames."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mebench import weights
from mebench.io.files import atomic_path
from mebench.metrics.base import Case, Metric, MetricInfo, Missing, Value
from mebench.metrics.frames import pixel_digest, sample_indices
from mebench.types import Image, Points

_NAME = "dlib-face-recognition"
_FRAMES = 2
_SIZE = 128
_KEYS = ("identity_distance", "identity_leak", "identity_cosine", "aed")
_ONE_FACE = 0.2
"""Template and driving face whose embeddings are nearer than this are taken to be one person."""


class Identity(Metric):
    """Embedding distance of a few generated frames to the template and to the right answer.

    Formula: f is dlib's embedding (128) of the face cut out by the template's landmarks, so no
    detector runs; onset and apex frame of each clip are looked at.
    Reading: against the control rows. dlib's bound for one person, .6, is far too wide for frames
    of one clip, and two templates can lie below it.
    Blind to: motion: a copied template has distance 0. Expression and light move f a little, so
    the right answer is not at 0.
    Source: King, Dlib-ml, JMLR 2009 (network dlib_face_recognition_resnet_model_v1); aed as in
    Siarohin et al., NeurIPS 2019, section 4.

    Args:
        frames: frames looked at in each clip.
        cache: a folder for embeddings by content, or None for memory only.
    """

    infos: ClassVar[tuple[MetricInfo, ...]] = (
        MetricInfo(
            "identity_distance",
            "identity distance",
            low=0.0,
            higher_is_better=False,
            needs=("template", "identity"),
            headline=True,
            formula="mean over frames of ‖f(generated) - f(template)‖",
        ),
        MetricInfo(
            "identity_leak",
            "identity leak",
            low=0.0,
            higher_is_better=False,
            needs=("template", "driving", "identity"),
            formula="identity_distance over ‖f(driving) - f(template)‖, frame 0 of driving",
            reading="0 is the template's face, 1 is as far from it as the driving face; from .5 on "
            "a row has no rank",
        ),
        MetricInfo(
            "identity_cosine",
            "identity cosine",
            low=-1.0,
            high=1.0,
            needs=("template", "identity"),
            formula="mean over frames of the cosine of f(generated) and f(template)",
        ),
        MetricInfo(
            "aed",
            "embedding distance to reference",
            low=0.0,
            higher_is_better=False,
            needs=("reference", "identity"),
            formula="mean over frames of ‖f(generated) - f(reference)‖, the same frame",
        ),
    )

    def __init__(self, *, frames: int = _FRAMES, cache: Path | None = None) -> None:
        self.frames = frames
        self.cache = cache

    def describe(self, case: Case) -> Mapping[str, Value]:
        """Return the values themselves; they are small."""
        lacking = _lacking()
        if lacking:
            return {key: Missing(lacking) for key in _KEYS}
        points = case.template.landmarks
        indices = sample_indices(len(case.generated), self.frames, case.driving.apex_index)
        ours = [embedding(np.asarray(case.generated[t]), points) for t in indices]
        template = self._kept(case.template.image, points)
        distances = [float(np.linalg.norm(e - template)) for e in ours]
        cosines = [_cosine(e, template) for e in ours]
        values: dict[str, Value] = {
            "identity_distance": float(np.mean(distances)),
            "identity_cosine": float(np.mean(cosines)),
            "identity_leak": self._leak(case, float(np.mean(distances)), template),
            "aed": Missing("the protocol has no reference frames"),
        }
        if case.reference is not None:
            right = case.reference.frames
            pairs = [(e, t) for e, t in zip(ours, indices, strict=True) if t < len(right)]
            gaps = [np.linalg.norm(e - self._kept(np.asarray(right[t]), points)) for e, t in pairs]
            values["aed"] = float(np.mean(gaps))
        return values

    def _leak(self, case: Case, distance: float, template: NDArray[np.float64]) -> Value:
        driving = case.driving
        other = self._kept(np.asarray(driving.frames[0]), driving.landmarks)
        apart = float(np.linalg.norm(other - template))
        if apart < _ONE_FACE:
            return Missing("template and driving clip show one face")
        return distance / apart

    def _kept(self, image: Image, points: Points) -> NDArray[np.float64]:
        """Return the embedding of an image that every row meets again."""
        if self.cache is None:
            return embedding(image, points)
        marks = np.ascontiguousarray(points, dtype=np.float64)
        parts = [weights.verify(_NAME), str(image.shape), pixel_digest(image)]
        name = hashlib.sha256(" ".join(parts).encode() + marks.tobytes()).hexdigest()
        place = self.cache / "identity" / name[:2] / f"{name}.npy"
        with contextlib.suppress(OSError, ValueError, EOFError):
            found = np.load(place, allow_pickle=False)
            if found.shape == (_SIZE,):
                return np.asarray(found, np.float64)
        found = embedding(image, points)
        with atomic_path(place) as temporary, temporary.open("wb") as handle:
            np.save(handle, found, allow_pickle=False)
        return found

    def clip_values(self, described: Mapping[str, Value]) -> Mapping[str, Value]:
        """Return the values of one case."""
        return described

    @property
    def weights(self) -> Mapping[str, str]:
        """Return the hash of the embedding network."""
        return {} if _lacking() else {_NAME: weights.verify(_NAME)}


def embedding(image: Image, landmarks: Points) -> NDArray[np.float64]:
    """Return dlib's 128-d embedding of the face whose 68 landmarks are given.

    Shapes: image (H, W, 3) uint8; landmarks (68, 2) pixels; returns (128,).
    """
    marks = np.asarray(landmarks, dtype=np.float64)
    return _embedding(np.ascontiguousarray(image).tobytes(), image.shape, marks.tobytes()).copy()


@functools.lru_cache(maxsize=64)
def _embedding(pixels: bytes, shape: tuple[int, ...], marks: bytes) -> NDArray[np.float64]:
    # Kept by content: one template stands in many pairs, and a still clip has one frame.
    import dlib

    landmarks = np.frombuffer(marks).reshape(68, 2)
    left, top = (int(v) for v in np.floor(landmarks.min(axis=0)))
    right, bottom = (int(v) for v in np.ceil(landmarks.max(axis=0)))
    points = [dlib.point(round(float(x)), round(float(y))) for x, y in landmarks]
    face = dlib.full_object_detection(dlib.rectangle(left, top, right, bottom), points)
    image = np.frombuffer(pixels, np.uint8).reshape(shape)
    vector = _network(str(weights.path(_NAME))).compute_face_descriptor(image, face)
    return np.asarray(vector, dtype=np.float64)


@functools.lru_cache(maxsize=1)
def _network(place: str) -> Any:
    import dlib

    weights.verify(_NAME)
    return dlib.face_recognition_model_v1(place)


def _lacking() -> str:
    """Return why no embedding can be had, or an empty string."""
    import importlib.util

    if importlib.util.find_spec("dlib") is None or not weights.is_present(_NAME):
        return "needs dlib: pip install 'mebench[dlib]'"
    return ""


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
