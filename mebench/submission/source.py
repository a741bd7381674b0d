"""Where a submission's bytes come from: a folder or a zip, read within strict limits.

Nothing is extracted to disk and no name from a submission is ever joined to a path before it has
been checked.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Protocol

from mebench.errors import SubmissionError
from mebench.io.clutter import left_by
from mebench.submission.archive import check_layout
from mebench.submission.text import plain

MANIFEST = "manifest.json"
MAX_ARCHIVE_BYTES = 2 << 30
MAX_TOTAL_BYTES = 4 << 30
MAX_ENTRIES = 20_000
MAX_DEPTH = 4
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ENCRYPTED = 0x1
_READ = 1 << 16
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError,
    LookupError, OverflowError,
)  # fmt: skip
"""What `zipfile` raises on archives it cannot read, found by feeding it such archives."""
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # a pipe put in a file's place must not hold us up
_BINARY = getattr(os, "O_BINARY", 0)
_NAMED = 10
_PACK = "pack the folder with 'mebench submission pack', which leaves such things out"
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


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
        raise SubmissionError(f"{plain(str(path))}: no such folder or zip; give a submission")
    if not path.is_file() or not zipfile.is_zipfile(path):
        raise SubmissionError(
            f"{plain(path.name)}: neither a folder nor a zip archive; "
            "pack it with: mebench submission pack"
        )
    return ZipSource(path)


class FolderSource:
    """A folder on disk: regular files only, no links.

    Args:
        root: the folder.
        skip: says of a file's or folder's name whether it is left out.
    """

    def __init__(self, root: Path, *, skip: Callable[[str], object] = lambda _: False) -> None:
        self._root, self._skip = root.resolve(), skip
        self.label = plain(self._root.name)
        self._names = checked_names(self._walk(), self.label)

    def names(self) -> list[str]:
        """Return the names of all regular members, ``/``-separated."""
        return self._names

    def read(self, name: str, limit: int) -> bytes:
        """Return a member's bytes, refusing links and more than `limit` bytes."""
        place = self._root / name
        try:
            if place.parent.resolve() != place.parent:
                raise SubmissionError(f"{self.label}/{name}: behind a link; send the file itself")
            handle = os.open(place, os.O_RDONLY | _NO_LINKS | _NO_WAIT | _BINARY)
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
        pending, folders = [self._root], 0
        clutter: list[str] = []
        while pending:
            folder = pending.pop()
            folders += 1
            if folders > MAX_ENTRIES:
                raise SubmissionError(f"{self.label}: more than {MAX_ENTRIES} folders")
            for entry in _listed(folder, self.label):
                if self._skip(entry.name):
                    continue
                name = plain(Path(entry.path).relative_to(self._root).as_posix())
                if left_by(entry.name) is not None:
                    clutter.append(name)
                    continue
                if entry.is_symlink():
                    raise SubmissionError(f"{self.label}/{name}: a link; send the file itself")
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                    if len(pending[-1].relative_to(self._root).parts) >= MAX_DEPTH:
                        raise SubmissionError(
                            f"{self.label}/{name}: folders lie deeper than {MAX_DEPTH - 1}; "
                            "a frame is frames/TEMPLATE/DRIVING/00000.png"
                        )
                elif entry.is_file(follow_symlinks=False):
                    yield Path(entry.path).relative_to(self._root).as_posix()
                else:
                    raise SubmissionError(f"{self.label}/{name}: not a regular file")
        _refuse_clutter(clutter, self.label)


class ZipSource:
    """A zip archive, members read as streams with a budget on the bytes really read."""

    def __init__(self, path: Path) -> None:
        self.label = plain(path.name)
        size = path.stat().st_size
        if size > MAX_ARCHIVE_BYTES:
            raise SubmissionError(f"{self.label}: {size} bytes, at most {MAX_ARCHIVE_BYTES}")
        try:
            # Opened once: what was checked is what is read.
            self._file = path.open("rb")
            check_layout(self._file, self.label, MAX_ENTRIES)
            self._archive = zipfile.ZipFile(self._file)
        except _DAMAGED as error:
            raise SubmissionError(plain(f"{self.label}: damaged archive ({error})")) from error
        self._infos = self._checked(self._archive.infolist())
        self._names = checked_names(self._infos, self.label)
        self._budget = MAX_TOTAL_BYTES

    def names(self) -> list[str]:
        """Return the names of all regular members, ``/``-separated."""
        return self._names

    def read(self, name: str, limit: int) -> bytes:
        """Return a member's bytes; the budget counts bytes read, not bytes declared."""
        try:
            with self._archive.open(self._infos[name]) as member:
                data = bytearray()
                while chunk := member.read(_READ):
                    data += chunk
                    self._budget -= len(chunk)
                    if len(data) > limit:
                        raise SubmissionError(f"{self.label}/{name}: larger than {limit} bytes")
                    if self._budget < 0:
                        raise SubmissionError(f"{self.label}: unpacks to too many bytes")
        except _DAMAGED as error:
            reason = plain(str(error), 120)
            raise SubmissionError(f"{self.label}/{name}: damaged member ({reason})") from error
        if len(data) != self._infos[name].file_size:
            raise SubmissionError(
                f"{self.label}/{name}: states {self._infos[name].file_size} bytes, "
                f"holds {len(data)}"
            )
        return bytes(data)

    def _checked(self, infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        if len(infos) > MAX_ENTRIES:
            raise SubmissionError(f"{self.label}: {len(infos)} entries, at most {MAX_ENTRIES}")
        _refuse_clutter([info.orig_filename for info in infos], self.label)
        total = 0
        found: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            name = info.orig_filename
            shown = plain(ascii(name))
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise SubmissionError(f"{self.label}/{shown}: a link or device; send plain files")
            if info.flag_bits & _ENCRYPTED:
                raise SubmissionError(f"{self.label}/{shown}: encrypted; send it without password")
            if info.compress_type not in _PACKINGS:
                raise SubmissionError(
                    f"{self.label}/{shown}: packed by an unusual method; use deflate"
                )
            if name in found:
                raise SubmissionError(f"{self.label}/{shown}: stands twice in the archive")
            total += info.file_size
            if total > MAX_TOTAL_BYTES:
                raise SubmissionError(f"{self.label}: unpacks to more than {MAX_TOTAL_BYTES} bytes")
            if name.endswith("/"):
                checked_names([name[:-1]], self.label)
            else:
                found[name] = info
        return found


def _listed(folder: Path, label: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise SubmissionError(
            f"{label}/{plain(folder.name)}: cannot be listed ({error.strerror})"
        ) from error


def _refuse_clutter(names: Iterable[str], label: str) -> None:
    """Name what systems leave as what it is; ten names, then a count."""
    found: dict[str, str] = {}
    for name in names:
        system = next(filter(None, map(left_by, name.split("/"))), None)
        if system is not None:
            found[name] = system
    if found:
        shown = [plain(ascii(name)) for name in list(found)[:_NAMED]]
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        systems = " and ".join(sorted(set(found.values())))
        raise SubmissionError(
            f"{label}: {', '.join(shown)}{more}: left by {systems}, no part of a submission; "
            f"{_PACK}"
        )


def checked_names(names: Iterable[str], label: str) -> list[str]:
    """Return the names sorted, or refuse the first that breaks a rule.

    Raises:
        SubmissionError: for absolute, parent, odd, too deep, or twice used names.
    """
    found: list[str] = []
    folded: dict[str, str] = {}
    names = list(islice(names, MAX_ENTRIES + 1))
    _refuse_clutter(names, label)
    for name in names:
        parts, shown = name.split("/"), plain(ascii(name))
        if "\\" in name and all(map(_PART.fullmatch, name.replace("\\", "/").split("/"))):
            raise SubmissionError(
                f"{label}/{shown}: has back-slashes between its parts, as some programs for "
                f"Windows write zips; pack the folder with 'mebench submission pack'"
            )
        if len(parts) > MAX_DEPTH:
            raise SubmissionError(
                f"{label}/{shown}: deeper than {MAX_DEPTH} levels; "
                f"{MANIFEST} and frames stand at the top"
            )
        for part in parts:
            if not _PART.fullmatch(part):
                raise SubmissionError(
                    f"{label}/{shown}: each part of a name is letters, digits, '.', '_' or '-'"
                )
        same = unicodedata.normalize("NFC", name).casefold()
        if same in folded:
            raise SubmissionError(f"{label}/{shown}: equals {folded[same]!r} but for letter case")
        folded[same] = name
        found.append(name)
        if len(found) > MAX_ENTRIES:
            raise SubmissionError(f"{label}: more than {MAX_ENTRIES} files")
    return sorted(found)
