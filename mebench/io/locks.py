"""One process at a time writes a folder."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mebench.errors import UsageError

_LOG = logging.getLogger("mebench")


@contextmanager
def alone_in(out: Path, cache: Path) -> Iterator[None]:
    """Hold `out` while the block runs; the lock is a file below `cache`, and ends with the process.

    Where the disk knows no locks, nothing is held, and that is told.

    Raises:
        UsageError: when another process holds it.
    """
    name = hashlib.sha256(os.path.realpath(out).encode()).hexdigest()[:32]
    lock = FileLock(cache / "locks" / f"{name}.lock", timeout=0)
    try:
        (cache / "locks").mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise UsageError(
            f"{out}: another mebench writes here now; wait for it, or choose another --out"
        ) from error
    except (OSError, NotImplementedError) as error:
        _LOG.warning(
            "%s: no lock can be held there (%s); see to it that no other mebench writes %s",
            cache,
            " ".join(str(error).split()),
            out,
        )
    try:
        yield
    finally:
        lock.release()
