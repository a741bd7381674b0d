"""FAN, the landmark network of face-alignment, on boxes of S3FD, of dlib or given ones.

Only the networks of that package are used, with weights of our store. Its ``FaceAlignment`` would
download them, compile the network, leave a global cuDNN flag set and cut points to whole pixels.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mebench import weights
from mebench.errors import DatasetError, UsageError, WeightsError
from mebench.facs.regions import MIRROR
from mebench.preprocess.landmarks_base import BoxFinder, Landmarks68
from mebench.preprocess.landmarks_boxes import Box, GivenBoxes, choose_box, consensus, jittered
from mebench.preprocess.landmarks_dlib import DlibLandmarks, detect_dlib
from mebench.types import Image

if TYPE_CHECKING:
    import torch

VOTES = 3
"""Boxes that vote by default; each costs two passes of the network (as it is, and mirrored)."""
_CROP = 256
_HEATMAP = 64
_MAX_SUPERSAMPLING = 16
# face-alignment's geometry: the crop is 200/195 of width plus height, its centre 12 % higher.
_BOX_TO_CROP = 200.0 / 195.0
_UP = 0.12
_DETECT_SIDES = (640, 1920)
_MIN_SCORE = 0.5


class FanLandmarks(BoxFinder):
    """2D-FAN-4 on shifted and scaled boxes: sub-pixel peaks of its heat maps, their median.

    The confidence is the mean height of the peaks, 0 to 1; FAN learns peaks of height 1.

    Args:
        face: which face to take, 0 the leftmost; None takes the surest of the large ones.
        boxes: who finds the face: "s3fd", "dlib", or a folder of boxes.
        votes: how many boxes vote, 1 to 9.
        device: torch device; on a CPU one thread is used, so that the bytes do not depend on it.
    """

    def __init__(
        self,
        face: int | None = None,
        *,
        boxes: Literal["s3fd", "dlib"] | GivenBoxes = "s3fd",
        votes: int = VOTES,
        device: str = "cpu",
    ) -> None:
        if not 1 <= votes <= 9:
            raise UsageError(f"votes must be 1 to 9 boxes, got {votes}")
        if importlib.util.find_spec("face_alignment") is None:
            raise UsageError("landmarks by FAN need a package: pip install face-alignment")
        self.face = face
        self.boxes = boxes
        self.votes = votes
        self.device = device
        self.name = "fan-dlib" if boxes == "dlib" else "fan"
        self._require()

    def digest(self, key: str) -> str:
        """Return everything the points depend on: package, weights, boxes, votes, device, face."""
        if isinstance(self.boxes, GivenBoxes):
            boxes = self.boxes.digest(key)
        else:
            boxes = (
                weights.verify("s3fd")[:16]
                if self.boxes == "s3fd"
                else DlibLandmarks(self.face).digest(key)
            )
        package = version("face-alignment")
        return (
            f"fan:1:{package}:{weights.verify('2dfan4')[:16]}:{boxes}:"
            f"{self.votes}:{self.device}:{self.face}"
        )

    def box(self, key: str, image: Image, notes: list[str] | None = None) -> Box:
        """Return the box of the face.

        Raises:
            DatasetError: when no face is found, or not the one asked for.
        """
        if isinstance(self.boxes, GivenBoxes):
            return self.boxes.box(key)
        if self.boxes == "dlib":
            return choose_box(key, detect_dlib(image), self.face, notes)
        net = _network("s3fd", weights.verify("s3fd"), self.device)
        return choose_box(key, _detect(net, image, self.device), self.face, notes)

    def at(self, key: str, image: Image, box: Box) -> Landmarks68:
        """Return the points of the face in a box.

        Raises:
            DatasetError: when the network gives no finite heat maps.
        """
        net = _network("2dfan4", weights.verify("2dfan4"), self.device)
        votes, heights = [], []
        for near in jittered(box, self.votes):
            corner, side = _crop_square(near)
            heat = _heatmaps(net, _crop(image, corner, side), self.device)
            if not np.isfinite(heat).all():
                raise DatasetError(
                    f"{key}: FAN gave no finite heat maps; check: mebench weights verify 2dfan4"
                )
            peaks, height = decode_heatmaps(heat)
            # Heat-map pixels cover the crop; pixel centres of the image are at integers.
            votes.append(corner + (peaks + 0.5) * (side / _HEATMAP) - 0.5)
            heights.append(height)
        points, _ = consensus(np.stack(votes))
        return Landmarks68(points, float(np.clip(np.stack(heights), 0.0, 1.0).mean()))

    def _require(self) -> None:
        if self.boxes == "dlib":
            DlibLandmarks(self.face)
        names = ["2dfan4", "s3fd"] if self.boxes == "s3fd" else ["2dfan4"]
        missing = [name for name in names if not weights.is_present(name)]
        if missing:
            raise WeightsError(
                f"landmarks by FAN need weights that are missing ({weights.path(missing[0])}); "
                f"get them: mebench weights fetch {' '.join(missing)}"
            )


def decode_heatmaps(heat: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where heat maps peak, between pixels, and how high.

    A parabola through the highest pixel and its two neighbours gives each coordinate.

    Shapes: heat (K, H, W); places (K, 2) as (x, y), pixel centres at integers; heights (K,).
    """
    exact: NDArray[np.float64] = heat.astype(np.float64)
    count, height, width = exact.shape
    y, x = np.divmod(exact.reshape(count, -1).argmax(axis=1), width)
    each = np.arange(count)
    padded = np.pad(exact, ((0, 0), (1, 1), (1, 1)), mode="edge")
    middle = exact[each, y, x]
    places = np.stack([x, y], axis=1).astype(np.float64)
    for axis, (dy, dx) in enumerate(((0, 1), (1, 0))):
        before, after = padded[each, y + 1 - dy, x + 1 - dx], padded[each, y + 1 + dy, x + 1 + dx]
        bend = 2 * middle - before - after
        shift = np.divide(after - before, 2 * bend, out=np.zeros(count), where=bend > 0)
        # At the border the missing neighbour would count as a copy of the peak.
        at = (x, y)[axis]
        inside = (at > 0) & (at < (width, height)[axis] - 1)
        places[:, axis] += np.where(inside, np.clip(shift, -0.5, 0.5), 0.0)
    return places, middle


def _crop_square(box: Box) -> tuple[NDArray[np.float64], float]:
    """Return the upper left corner (pixel edges) and the side of FAN's crop of a box."""
    left, top, right, bottom = box
    side = max(1.0, (right - left + bottom - top) * _BOX_TO_CROP)
    centre = np.array([(left + right) / 2, (top + bottom) / 2 - _UP * (bottom - top)])
    return centre - side / 2, side


def _crop(image: Image, corner: NDArray[np.float64], side: float) -> NDArray[np.uint8]:
    """Return a square of the image at 256 px, black outside it, averaged when shrinking."""
    import cv2

    fine = min(_MAX_SUPERSAMPLING, max(1, int(np.ceil(side / _CROP - 0.05))))
    step = side / (_CROP * fine)
    first = corner + step / 2 - 0.5
    matrix = np.array([[step, 0.0, first[0]], [0.0, step, first[1]]])
    crop: NDArray[Any] = cv2.warpAffine(
        np.ascontiguousarray(image),
        matrix,
        (_CROP * fine, _CROP * fine),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    if fine > 1:
        crop = cv2.resize(crop, (_CROP, _CROP), interpolation=cv2.INTER_AREA)
    return crop.astype(np.uint8, copy=False)


def _heatmaps(net: torch.nn.Module, crop: NDArray[np.uint8], device: str) -> NDArray[np.float32]:
    """Return the mean of the heat maps of a crop and of its mirror image, (68, 64, 64)."""
    import torch

    ordered = crop.transpose(2, 0, 1).astype(np.float32) / 255
    both = torch.from_numpy(np.stack([ordered, ordered[:, :, ::-1]]))
    with _left_as_it_was(), torch.inference_mode():
        out = net(both.to(device))
        last = (out[-1] if isinstance(out, list) else out).float().cpu().numpy()
    heat: NDArray[np.float32] = (last[0] + last[1][list(MIRROR)][:, :, ::-1]) / 2
    return heat


def _detect(net: torch.nn.Module, image: Image, device: str) -> list[tuple[float, Box]]:
    """Return (score, box) of the faces S3FD finds; a large image is looked at reduced first."""
    import cv2
    from face_alignment.detection.sfd.bbox import nms
    from face_alignment.detection.sfd.detect import detect

    longest = max(image.shape[:2])
    for side in _DETECT_SIDES:
        scale = min(1.0, side / longest)
        height, width = (max(1, round(length * scale)) for length in image.shape[:2])
        small: Any = image
        if scale < 1:
            small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        with _left_as_it_was():
            found = np.asarray(detect(net, small, device)[0], np.float64).reshape(-1, 5)
        kept = found[nms(found, 0.3)] if len(found) else found
        boxes = [(float(one[4]), _box(one[:4] / scale)) for one in kept if one[4] > _MIN_SCORE]
        if boxes or scale == 1:
            return boxes
    return []


def _box(sides: NDArray[np.float64]) -> Box:
    left, top, right, bottom = (float(side) for side in sides)
    return left, top, right, bottom


@contextmanager
def _left_as_it_was() -> Iterator[None]:
    """Keep torch's global settings: S3FD's code sets a cuDNN flag; one CPU thread adds in order."""
    import torch

    flag, threads = torch.backends.cudnn.benchmark, torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = flag
        torch.set_num_threads(threads)


@cache
def _network(name: str, sha256: str, device: str) -> torch.nn.Module:
    """Build a network from the store once a process; `sha256` tells a replaced file."""
    with _left_as_it_was():
        from face_alignment.detection.sfd.net_s3fd import s3fd
        from face_alignment.models import FAN
    state = weights.load_state(name)
    try:
        net: torch.nn.Module = s3fd() if name == "s3fd" else FAN(_stacks(state))
        net.load_state_dict(state)
    except (RuntimeError, AttributeError) as error:
        raise WeightsError(
            f"{weights.path(name)}: not the tensors of '{name}'; delete it, then "
            f"{weights.how_to_get(name)}"
        ) from error
    return net.to(device).eval()


def _stacks(state: dict[str, torch.Tensor]) -> int:
    """Return how many hourglasses stand behind each other: each has a layer of heat maps."""
    return sum(f"l{number}.weight" in state for number in range(9))
