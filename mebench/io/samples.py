"""From samples of any kind to 8 bits a colour, by rules that are stated; or refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil

from mebench.errors import DatasetError
from mebench.types import Image

_FULL, _SIXTEEN = 65535, 16
_DARK = 4096
"""A 16-bit picture none of whose samples reaches this holds 12 bits or fewer."""
_BITS = 258
"""TIFF tag: bits per sample."""
_DEEP = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})
_SEE_THROUGH = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})


def eight_bits(path: Path, image: Pil.Image, bits: int, data: bytes) -> Image:
    """Return an opened, upright picture as RGB.

    16 bits: the upper eight count. Float: 1 is white. Pixels that are not seen at all are black;
    the colours of those that are seen in part count as they stand there.

    Shapes: (H, W, 3) uint8; `bits` as `sample_bits` says, `data` are the bytes of the file.

    Raises:
        DatasetError: for samples whose range says that they are meant in another way.
    """
    mode = image.mode
    if mode in _DEEP or (mode == "I" and bits == _SIXTEEN):
        return _grey(_upper(path, np.asarray(image).astype(np.int64)))
    if mode == "I":
        return _refused(path, np.asarray(image), "32-bit integer", "save 8- or 16-bit pictures")
    if mode == "F":
        return _grey(_from_float(path, np.asarray(image)))
    if mode == "LAB":
        raise DatasetError(f"{path}: a picture in LAB colours; save it as RGB")
    if bits == _SIXTEEN:
        _require_whole_range(path, data)
    if mode in _SEE_THROUGH or "transparency" in image.info:
        seen = np.array(image.convert("RGBA"), dtype=np.uint8)
        return np.where(seen[..., 3:] == 0, np.uint8(0), seen[..., :3])
    return np.array(image if mode == "RGB" else image.convert("RGB"), dtype=np.uint8)


def sample_bits(image: Pil.Image, data: bytes) -> int:
    """Return how many bits a sample of a PNG or TIFF file has; 8 for other files."""
    if data.startswith(b"\x89PNG"):
        return data[24]
    bits = getattr(image, "tag_v2", {}).get(_BITS, 8)
    return int(np.max(bits))


def _require_whole_range(path: Path, data: bytes) -> None:
    """Refuse a colour picture of fewer bits in 16: Pillow sees the upper eight alone."""
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is not None and found.dtype == np.uint16:
        _upper(path, found[..., :3].astype(np.int64))


def _upper(path: Path, samples: NDArray[np.int64]) -> NDArray[np.uint8]:
    most = int(samples.max(initial=0))
    if 0 < most < _DARK or samples.min(initial=0) < 0 or most > _FULL:
        advice = "scale them to the whole 16 bits, or save 8-bit pictures"
        return _refused(path, samples, "16-bit", advice)
    return (samples >> 8).astype(np.uint8)


def _from_float(path: Path, samples: NDArray[np.float32]) -> NDArray[np.uint8]:
    inside = np.isfinite(samples).all() and samples.min() >= 0 and samples.max() <= 1
    if not inside:
        return _refused(path, samples, "float", "scale them to 0..1, or save 8-bit pictures")
    return np.asarray((samples * 255).round(), np.uint8)


def _refused(path: Path, samples: NDArray[np.generic], kind: str, advice: str) -> NDArray[np.uint8]:
    numbers = samples[np.isfinite(samples.astype(np.float64))]
    found = f"{numbers.min():g}..{numbers.max():g}" if numbers.size else "no finite ones"
    if numbers.size < samples.size:
        found += " and NaN or infinite ones"
    raise DatasetError(f"{path}: {kind} samples, found {found}; {advice}")


def _grey(samples: NDArray[np.uint8]) -> Image:
    return np.ascontiguousarray(np.repeat(samples[..., None], 3, axis=2))
