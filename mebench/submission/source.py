"""Where a submission's bytes come from: a folder or a zip, read within strict limits.

Nothing is extracted to disk and no name from a submission is ever joined to a path before it has
been checked.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from mebench.errors import SubmissionError

MAX_ARCHIVE_BYTES = 2 << 30
MAX_TOTAL_BYTES = 4 << 30
MAX_ENTRIES = 20_000
MAX_DEPTH = 4
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ENCRYPTED = 0x1
_READ = 1 << 16
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError,
)  # fmt: skip
"""What `zipfile` raises on archives it cannot read; the last for a compression it does not know."""


class Source(Protocol):
    """Read access to a submission's members by name."""

    label: str

    def names(self) -> list[str]:
        """Return the names of all regular members, ``/``-separated."""

    def read(self, name: str, limit: int) -> bytes:
        """Return a member's bytes, refusing more than `limit`."""


def open_source(path: Path) -> Source:
    """Open a submission folder or zip.

    Raises:
        SubmissionError: when it is neither, or breaks a limit or a naming rule.
    """
    if path.is_dir():
        return FolderSource(path)
    if not path.exists():
        raise SubmissionError(f"{path}: no such folder or zip; give a submission")
    if not zipfile.is_zipfile(path):
        raise SubmissionError(
            f"{path}: neither a folder nor a zip archive; pack it with: mebench submission pack"
        )
    return ZipSource(path)


class FolderSource:
    """A folder on disk: regular files only, no links."""

    def __init__(self, root: Path) -> None:
        self.label = root.name
        self._root = root.resolve()
        self._names = checked_names(self._walk(), self.label)

    def names(self) -> list[str]:
        """Return the names of all regular members, ``/``-separated."""
        return self._names

    def read(self, name: str, limit: int) -> bytes:
        """Return a member's bytes, refusing links and more than `limit` bytes."""
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
        try:
            handle = os.open(self._root / name, flags)
        except OSError as error:
            raise SubmissionError(f"{self.label}/{name}: cannot be read") from error
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SubmissionError(f"{self.label}/{name}: not a regular file")
            data = file.read(limit + 1)
        if len(data) > limit:
            raise SubmissionError(f"{self.label}/{name}: larger than {limit} bytes")
        return data

    def _walk(self) -> Iterable[str]:
        pending = [self._root]
        while pending:
            folder = pending.pop()
            for entry in os.scandir(folder):
                name = Path(entry.path).relative_to(self._root).as_posix()
                if entry.is_symlink():
                    raise SubmissionError(f"{self.label}/{name}: a link; send the file itself")
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield name
                else:
                    raise SubmissionError(f"{self.label}/{name}: not a regular file")


class ZipSource:
    """A zip archive, members read as streams with a budget on the bytes really read."""

    def __init__(self, path: Path) -> None:
        self.label = path.name
        size = path.stat().st_size
        if size > MAX_ARCHIVE_BYTES:
            raise SubmissionError(f"{self.label}: {size} bytes, at most {MAX_ARCHIVE_BYTES}")
        self._path = path
        try:
            with zipfile.ZipFile(path) as archive:
                infos = archive.infolist()
        except _DAMAGED as error:
            raise SubmissionError(f"{self.label}: damaged archive ({error})") from error
        self._infos = self._checked(infos)
        self._names = checked_names(self._infos, self.label)
        self._budget = MAX_TOTAL_BYTES

    def names(self) -> list[str]:
        """Return the names of all regular members, ``/``-separated."""
        return self._names

    def read(self, name: str, limit: int) -> bytes:
        """Return a member's bytes; the budget counts bytes read, not bytes declared."""
        try:
            with zipfile.ZipFile(self._path) as archive, archive.open(self._infos[name]) as member:
                data = bytearray()
                while chunk := member.read(_READ):
                    data += chunk
                    self._budget -= len(chunk)
                    if len(data) > limit:
                        raise SubmissionError(f"{self.label}/{name}: larger than {limit} bytes")
                    if self._budget < 0:
                        raise SubmissionError(f"{self.label}: unpacks to too many bytes")
        except _DAMAGED as error:
            raise SubmissionError(f"{self.label}/{name}: damaged member ({error})") from error
        return bytes(data)

    def _checked(self, infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        if len(infos) > MAX_ENTRIES:
            raise SubmissionError(f"{self.label}: {len(infos)} entries, at most {MAX_ENTRIES}")
        total = 0
        found: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            name = info.orig_filename
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise SubmissionError(f"{self.label}/{name!r}: a link or device; send plain files")
            if info.flag_bits & _ENCRYPTED:
                raise SubmissionError(f"{self.label}/{name!r}: encrypted; send it without password")
            if name in found:
                raise SubmissionError(f"{self.label}/{name!r}: stands twice in the archive")
            total += info.file_size
            if total > MAX_TOTAL_BYTES:
                raise SubmissionError(f"{self.label}: unpacks to more than {MAX_TOTAL_BYTES} bytes")
            if name.endswith("/"):
                checked_names([name[:-1]], self.label)
            else:
                found[name] = info
        return found


def checked_names(names: Iterable[str], label: str) -> list[str]:
    """Return the names sorted, or refuse the first that breaks a rule.

    Raises:
        SubmissionError: for absolute, parent, odd, too deep, or twice used names.
    """
    found: list[str] = []
    folded: dict[str, str] = {}
    for name in names:
        parts = name.split("/")
        if len(parts) > MAX_DEPTH:
            raise SubmissionError(f"{label}/{name!r}: deeper than {MAX_DEPTH} levels")
        for part in parts:
            if not _PART.fullmatch(part):
                raise SubmissionError(
                    f"{label}/{name!r}: each part of a name is letters, digits, '.', '_' or '-'"
                )
        same = unicodedata.normalize("NFC", name).casefold()
        if same in folded:
            raise SubmissionError(f"{label}/{name!r}: equals {folded[same]!r} but for letter case")
        folded[same] = name
        found.append(name)
        if len(found) > MAX_ENTRIES:
            raise SubmissionError(f"{label}: more than {MAX_ENTRIES} files")
    return sorted(found)
