"""Published network weights: what they are, where they lie, and stand-ins for when they are absent.

Only `fetch` touches the network. A hash is full, or the leading digits that the publisher put into
the file name (torch.hub's convention); an entry without one is marked unverifiable, because a
damaged file could not be told from a good one.
"""

from __future__ import annotations

import functools
import hashlib
import http.client
import importlib.util
import os
import shutil
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mebench import settings
from mebench.errors import WeightsError, did_you_mean
from mebench.io.files import atomic_path, sha256_file
from mebench.io.kinds import kind_of_file
from mebench.types import Progress, SilentProgress

if TYPE_CHECKING:
    import torch

_TIMEOUT_S = 60
_CHUNK = 1 << 20
_NETWORK_ERRORS = (
    urllib.error.URLError,
    http.client.HTTPException,
    TimeoutError,
    ConnectionError,
)


@dataclass(frozen=True)
class Entry:
    """One file of published weights.

    Attributes:
        name: the id used on the command line.
        title: what it is.
        used_by: which part of mebench needs it.
        file: file name in the store, or path inside `package`.
        licence: terms of the file, and of the data it was trained on where they bind.
        url: where its publisher offers it; None when it ships in a package.
        sha256: the full hash or its leading digits in lower case; None when none is published.
        package: Python package that carries the file; such a file is never fetched.
        install: the command that installs `package`.
    """

    name: str
    title: str
    used_by: str
    file: str
    licence: str
    url: str | None = None
    sha256: str | None = None
    package: str | None = None
    install: str = ""

    @property
    def hash_status(self) -> str:
        """``full``, ``prefix`` or ``unverifiable``."""
        if self.sha256 is None:
            return "unverifiable"
        return "full" if len(self.sha256) == 64 else "prefix"


_TORCHVISION = "https://download.pytorch.org/models/"
_FAN = "https://www.adrianbulat.com/downloads/python-fan/"
_IMAGENET = "BSD-3-Clause (torchvision); trained on ImageNet, non-commercial research"
_LPIPS = "BSD-2-Clause (lpips)"
_DLIB_EXTRA = "pip install 'mebench[dlib]'"

_ENTRIES = (
    Entry(
        "fid-inception",
        "Inception-v3 of TensorFlow 2015-12-05, ported by pytorch-fid",
        "fid, kid",
        "pt_inception-2015-12-05-6726825d.pth",
        "Apache-2.0 (pytorch-fid); trained on ImageNet, non-commercial research",
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
        "pt_inception-2015-12-05-6726825d.pth",
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    ),
    Entry(
        "lpips-alex",
        "AlexNet trunk of LPIPS",
        "lpips",
        "alexnet-owt-7be5be79.pth",
        _IMAGENET,
        _TORCHVISION + "alexnet-owt-7be5be79.pth",
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    ),
    Entry(
        "lpips-vgg",
        "VGG16 trunk of LPIPS",
        "lpips_vgg",
        "vgg16-397923af.pth",
        _IMAGENET,
        _TORCHVISION + "vgg16-397923af.pth",
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    ),
    Entry(
        "lpips-squeeze",
        "SqueezeNet 1.1 trunk of LPIPS",
        "lpips_squeeze",
        "squeezenet1_1-b8a52dc0.pth",
        _IMAGENET,
        _TORCHVISION + "squeezenet1_1-b8a52dc0.pth",
        "b8a52dc0",
    ),
    Entry(
        "vgg19",
        "VGG19, the perceptual loss of the first-order motion models",
        "training fomm, fomm-prior",
        "vgg19-dcbb9e9d.pth",
        _IMAGENET,
        _TORCHVISION + "vgg19-dcbb9e9d.pth",
        "dcbb9e9d",
    ),
    Entry(
        "s3fd",
        "S3FD face detector of face-alignment",
        "landmarks (face-alignment)",
        "s3fd-619a316812.pth",
        "BSD-3-Clause (face-alignment); trained on WIDER FACE, non-commercial research",
        _FAN + "s3fd-619a316812.pth",
        "619a316812",
    ),
    Entry(
        "2dfan4",
        "2D-FAN-4 landmark network of face-alignment",
        "landmarks (face-alignment)",
        "2DFAN4-11f355bf06.pth.tar",
        "BSD-3-Clause (face-alignment); trained on 300W-LP, non-commercial research",
        _FAN + "2DFAN4-11f355bf06.pth.tar",
        "11f355bf06",
    ),
    Entry(
        "lpips-alex-linear",
        "linear layers of LPIPS 0.1 on AlexNet",
        "lpips",
        "weights/v0.1/alex.pth",
        _LPIPS,
        sha256="df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
        package="lpips",
        install="pip install lpips",
    ),
    Entry(
        "lpips-vgg-linear",
        "linear layers of LPIPS 0.1 on VGG16",
        "lpips_vgg",
        "weights/v0.1/vgg.pth",
        _LPIPS,
        sha256="a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
        package="lpips",
        install="pip install lpips",
    ),
    Entry(
        "lpips-squeeze-linear",
        "linear layers of LPIPS 0.1 on SqueezeNet",
        "lpips_squeeze",
        "weights/v0.1/squeeze.pth",
        _LPIPS,
        sha256="4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76",
        package="lpips",
        install="pip install lpips",
    ),
    Entry(
        "dlib-face-recognition",
        "dlib's 128-d face embedding",
        "identity_distance, identity_cosine, aed",
        "models/dlib_face_recognition_resnet_model_v1.dat",
        "CC0-1.0",
        sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        package="face_recognition_models",
        install=_DLIB_EXTRA,
    ),
    Entry(
        "dlib-landmarks-68",
        "dlib's 68-point landmark model",
        "landmarks (dlib)",
        "models/shape_predictor_68_face_landmarks.dat",
        "trained on iBUG 300-W, which excludes commercial use",
        sha256="fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
        package="face_recognition_models",
        install=_DLIB_EXTRA,
    ),
)

TABLE: Mapping[str, Entry] = {entry.name: entry for entry in _ENTRIES}
"""Every known file of weights by name."""


def entry(name: str) -> Entry:
    """Return the entry of a name.

    Raises:
        WeightsError: for an unknown name, with the nearest known one.
    """
    if name not in TABLE:
        raise WeightsError(f"unknown weights '{name}'.{did_you_mean(name, TABLE)}")
    return TABLE[name]


def store_folder() -> Path:
    """Return the folder of fetched weights: ``MEBENCH_WEIGHTS``, config, or the cache."""
    named = os.environ.get("MEBENCH_WEIGHTS") or settings.get("weights")
    return Path(named).expanduser() if named else settings.cache_place() / "weights"


def path(name: str) -> Path:
    """Return where the file of a name lies or would lie; it need not exist.

    Raises:
        WeightsError: for an unknown name.
    """
    found = entry(name)
    if found.package is None:
        return store_folder() / found.file
    # Looked up without importing: face_recognition_models imports pkg_resources, which is gone.
    spec = importlib.util.find_spec(found.package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0] if places else found.package) / found.file


def is_present(name: str) -> bool:
    """Return whether the file of a name is there (its content is not looked at)."""
    return path(name).is_file()


def require(name: str) -> Path:
    """Return the file of a name, which exists.

    Raises:
        WeightsError: when it is absent, with the command that gets it.
    """
    place = path(name)
    if place.is_file():
        return place
    raise WeightsError(f"weights '{name}' are missing ({place}); {how_to_get(name)}")


def how_to_get(name: str) -> str:
    """Return the instruction that gets the file of a name."""
    found = entry(name)
    if found.package is not None:
        return f"install them: {found.install}"
    return f"get them: mebench weights fetch {name}"


def verify(name: str) -> str:
    """Return the full sha256 of the file of a name after checking it against the published one.

    Raises:
        WeightsError: when the file is absent or its hash is another one.
    """
    place = require(name)
    return _checked(entry(name), place, place)


def import_file(name: str, source: Path) -> Path:
    """Copy a file the user has into the store under its published name and return its place.

    Raises:
        WeightsError: when the file is absent, has another hash, or belongs to a package.
    """
    found = entry(name)
    if found.package is not None:
        raise WeightsError(f"weights '{name}' come with a package; {how_to_get(name)}")
    if not source.is_file():
        raise WeightsError(f"{source}: no such file; expected {found.file} for weights '{name}'")
    target = path(name)
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
        _checked(found, temporary, source)
    return target


def fetch(name: str, progress: Progress | None = None) -> Path:
    """Download the file of a name into the store, unless a good one is there, and return its place.

    Raises:
        WeightsError: when it cannot be reached or its hash is another one; the store is untouched.
    """
    found = entry(name)
    target = path(name)
    if target.is_file():
        _checked(found, target, target)
        return target
    if found.url is None:
        raise WeightsError(f"weights '{name}' are not downloaded; {how_to_get(name)}")
    with atomic_path(target) as temporary:
        try:
            _download(found.url, temporary, name, progress or SilentProgress())
        except _NETWORK_ERRORS as error:
            reason = getattr(error, "reason", None) or error
            raise WeightsError(
                f"weights '{name}': {found.url} cannot be reached ({reason}); download "
                f"{found.file} elsewhere, then: mebench weights import {name} FILE"
            ) from error
        _checked(found, temporary, Path(found.url.rsplit("/", 1)[-1]))
    return target


def load_state(name: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a verified file, on the CPU; nothing in the file is executed.

    Raises:
        WeightsError: when the file is absent, damaged, or holds more than tensors.
    """
    import pickle

    import torch

    verify(name)
    try:
        state: Any = torch.load(path(name), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise WeightsError(
            f"{path(name)}: not a file of weights ({type(error).__name__})"
        ) from error
    if not isinstance(state, dict):
        raise WeightsError(f"{path(name)}: expected named tensors, got {type(state).__name__}")
    return state


def seeded_state(module: torch.nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """Return stand-in weights for `module`: its own keys and shapes, filled from `seed`.

    Matrices and kernels are He-normal, normalisations are the identity, the rest is zero. Each
    tensor depends on the seed and its own name only, so a trunk equals that part of the whole.
    """
    import numpy as np
    import torch

    state = {}
    for key, value in module.state_dict().items():
        leaf = key.rsplit(".", 1)[-1]
        if value.ndim >= 2:
            rng = np.random.default_rng([seed, zlib.crc32(key.encode())])
            scale = np.float32(np.sqrt(2.0 / (value.numel() / value.shape[0])))
            drawn = rng.standard_normal(tuple(value.shape), dtype=np.float32) * scale
            state[key] = torch.from_numpy(drawn).to(value.dtype)
        elif leaf in ("weight", "running_var"):
            state[key] = torch.ones(value.shape, dtype=value.dtype)
        else:
            state[key] = torch.zeros(value.shape, dtype=value.dtype)
    return state


def state_sha256(state: Mapping[str, torch.Tensor]) -> str:
    """Return the sha256 of named tensors: names, types, shapes and values in order of name."""
    digest = hashlib.sha256()
    for key in sorted(state):
        value = state[key].detach().cpu().contiguous()
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


@functools.lru_cache(maxsize=64)
def _hash(place: Path, size: int, changed_ns: int) -> str:
    # Asked for with every clip that is scored; size and time tell a replaced file.
    return sha256_file(place)


def _checked(found: Entry, place: Path, shown: Path) -> str:
    stat = place.stat()
    actual = _hash(place, stat.st_size, stat.st_mtime_ns)
    if found.sha256 is not None and not actual.startswith(found.sha256):
        what = kind_of_file(place)
        if what is not None:
            raise WeightsError(f"{shown}: {what}")
        raise WeightsError(
            f"{shown}: not the published weights '{found.name}': expected sha256 "
            f"{found.sha256[:12]}, got {actual[:12]}; delete it, then {how_to_get(found.name)}"
        )
    return actual


def _download(url: str, target: Path, name: str, progress: Progress) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "mebench"})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:
        size = int(response.headers.get("Content-Length") or 0) or None
        with progress.task(f"fetch {name}", size) as task, target.open("wb") as out:
            while chunk := response.read(_CHUNK):
                out.write(chunk)
                task.advance(len(chunk))
