"""Files that are whole or absent: write beside the target, then move into place."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mebench.errors import UsageError

_CHUNK = 1 << 20
_UNWRITABLE = (errno.EFBIG, errno.EIO, errno.ENAMETOOLONG, errno.EINVAL, errno.ENODEV, errno.ENXIO)


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target` that becomes `target` when the block ends well.

    Raises:
        UsageError: when the folder cannot be written or the disk is full; `target` is untouched.
    """
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{target.name}.", suffix=".part" + target.suffix, dir=target.parent
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, target)
    except OSError as error:
        raise writing_error(target, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Give a temporary folder beside `target` that becomes `target` when the block ends well.

    An existing `target` is replaced.

    Raises:
        UsageError: when the place cannot be written or the disk is full; `target` is untouched.
    """
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        temporary.chmod(0o777 & ~_umask())
        yield temporary
        if target.exists():
            shutil.rmtree(target)
        os.replace(temporary, target)
    except OSError as error:
        raise writing_error(target, error) from error
    except UsageError as error:
        # A file inside could not be written: name it by the place the user knows.
        raise UsageError(str(error).replace(str(temporary), str(target))) from error
    finally:
        if temporary is not None and temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)


def writing_error(target: Path, error: OSError) -> UsageError | OSError:
    """Return a one-line `UsageError` for a full disk or a place that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UsageError(
            f"{target}: the disk is full; free some space and run again (a run: with --resume)"
        )
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return UsageError(f"{target}: cannot be written; choose a folder you may write to")
    if error.errno is None:  # NumPy's short write
        return UsageError(f"{target}: could not be written whole; is the disk full?")
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return UsageError(f"{target}: a file stands where a folder is needed; choose another place")
    if error.errno == errno.EISDIR:
        return UsageError(f"{target}: a folder stands where a file is needed; choose another place")
    if error.errno in _UNWRITABLE or (error.errno == errno.ENOENT and not target.parent.is_dir()):
        return UsageError(f"{target}: cannot be written ({error.strerror}); choose another place")
    return error


def write_text(target: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(target: Path, value: Any) -> None:
    """Write `value` as JSON with sorted keys; NaN and infinity are refused."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(target, text + "\n")


def sha256_file(path: Path) -> str:
    """Return the sha256 of a file in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def ways_to(path: Path) -> tuple[Path, ...]:
    """Return the absolute path as it was given and, where links lead elsewhere, the real one."""
    given = Path(os.path.abspath(path))
    real = Path(os.path.realpath(path))
    return (given,) if real == given else (given, real)


def below(path: Path, root: Path) -> Path | None:
    """Return a path relative to a root, by the names that were given or the real ones, or None."""
    for one in ways_to(path):
        for base in ways_to(root):
            if one.is_relative_to(base):
                return one.relative_to(base)
    return None
