"""Whether a record file is whole, and where two records differ."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mebench.errors import UsageError
from mebench.record import SCHEMA, Record
from mebench.report import escape

ABSENT = "(absent)"
_MOST_BYTES = 256 << 20
_LONGEST = 60


@dataclass(frozen=True)
class Verdict:
    """What was found out about one file; `problem` is empty for a whole record."""

    file: str
    problem: str = ""
    method: str = ""
    protocol: str = ""
    status: str = ""
    schema: str = ""
    digest: str = ""

    @property
    def whole(self) -> bool:
        """Return whether the record can be used."""
        return not self.problem

    def line(self) -> str:
        """Return one line for people."""
        if self.problem:
            return f"damaged  {self.problem}"
        told = f"{self.method} on {self.protocol}, {self.status}, {self.schema}"
        return f"ok       {self.file}: {escape.text(told)}, digest {self.digest[:12]}"


def verify(path: Path) -> Verdict:
    """Read one file and say whether it is a whole record; damage is told, never raised."""
    try:
        if path.is_file() and path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{path}: larger than {_MOST_BYTES >> 20} MiB; no record is")
        other = _other_schema(path)
        if other is not None:
            raise UsageError(f"{path}: {other}")
        record = Record.load(path)
    except UsageError as error:
        return Verdict(str(path), escape.text(str(error)))
    except (RecursionError, ValueError) as error:
        return Verdict(str(path), f"{path}: not a record ({type(error).__name__})")
    return Verdict(
        file=str(path),
        method=record.result.id,
        protocol=record.protocol.id,
        status=record.status,
        schema=SCHEMA,
        digest=record.digest,
    )


def _other_schema(path: Path) -> str | None:
    """Say which mebench reads a record of another version, or None for any other file."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    found = data.get("schema") if isinstance(data, dict) else None
    name, _, version = str(found).rpartition("/")
    own, _, mine = SCHEMA.rpartition("/")
    if name != own or not version.isdecimal() or int(version) == int(mine):
        return None
    newer = int(version) > int(mine)
    return f"schema '{found}', this mebench reads '{SCHEMA}'; " + (
        "install a newer mebench" if newer else "score the submission again"
    )


@dataclass(frozen=True)
class Difference:
    """A dotted key whose value differs; a side without it has ``(absent)``."""

    key: str
    a: Any
    b: Any

    def cells(self) -> list[str]:
        """Return key, both values and their difference, cut to a line."""
        return [escape.text(self.key), _short(self.a), _short(self.b), self._gap()]

    def _gap(self) -> str:
        numbers = [v for v in (self.a, self.b) if isinstance(v, (int, float))]
        if len(numbers) < 2 or isinstance(self.a, bool) or isinstance(self.b, bool):
            return ""
        return f"{self.b - self.a:+.3g}"


def differences(a: Record, b: Record) -> list[Difference]:
    """Return where two records differ in anything but time and place, by key."""
    return sorted(_differences(a.content(), b.content(), ""), key=lambda one: one.key)


def _differences(a: Any, b: Any, place: str) -> Iterator[Difference]:
    if isinstance(a, dict) and isinstance(b, dict):
        for key in a.keys() | b.keys():
            inner = f"{place}.{key}" if place else str(key)
            if key in a and key in b:
                yield from _differences(a[key], b[key], inner)
            else:
                yield Difference(inner, a.get(key, ABSENT), b.get(key, ABSENT))
    elif a != b:
        yield Difference(place, a, b)


def _short(value: Any) -> str:
    line = escape.text(value if value == ABSENT else json.dumps(value, ensure_ascii=False))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."
