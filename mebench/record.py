"""The record: one JSON file that holds a result and everything that made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mebench.errors import UsageError
from mebench.io.files import write_json
from mebench.spec import digest, explain

SCHEMA: Literal["mebench-record/1"] = "mebench-record/1"
Status = Literal["verified", "self-reported", "partial"]
RATED = "experts."
"""How the keys of experts' scores begin: people gave them, so no new score finds them again."""

SCORE_REPORT = "mebench-score-report/1"
"""Schema of what `mebench score` writes beside its records."""
LEADING = ("au_consistency", "au_concordance", "change_explained", "identity_distance")
"""The order in which tables lead; a record's file has its keys by the alphabet."""
_TIME_AND_PLACE = ("created", "seconds", "environment", "digest")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class MetricResult(_Strict):
    """One metric over all pairs of a submission.

    Attributes:
        title: short name for tables.
        unit: unit, empty for a pure number.
        higher_is_better: direction, None for a diagnostic.
        level: ``clip`` (mean over pairs) or ``set`` (one value for all).
        headline: shown in the short table.
        value: the mean or the set value, None when nothing could be computed.
        ci95: bootstrap interval of the mean, None for set values.
        n: number of pairs (or of frames a side, for set values) behind the value.
        failed: reason by pair for values that could not be had; ``*`` for a set value.
    """

    title: str
    unit: str = ""
    higher_is_better: bool | None = None
    level: Literal["clip", "set"] = "clip"
    headline: bool = False
    value: float | None = None
    ci95: tuple[float, float] | None = None
    n: int = 0
    failed: dict[str, str] = Field(default_factory=dict)


class MethodRow(_Strict):
    """A method's results on the protocol; used for the method itself and for every control.

    Attributes:
        pixel_digest: sha256 over the decoded pixels of every output.
        metrics: means over all pairs, and set values.
        per_clip: value by pair and metric.
        by_dataset: the same metrics by data set of the driving clip, where there are several, and
            ``composite``: the mean of the data sets' values, each counting the same.
        flags: what a reader must know of the outputs.
        unranked: why the row has no rank; empty where nothing stands against one.
        views: how each output lies on its template, by pair; see `mebench.views`. Empty in older
            records, whose outputs are all aligned.
    """

    id: str
    title: str
    pixel_digest: str
    metrics: dict[str, MetricResult]
    per_clip: dict[str, dict[str, float | None]]
    by_dataset: dict[str, dict[str, float | None]] = Field(default_factory=dict)
    flags: list[str] = Field(default_factory=list)
    unranked: str = ""
    views: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("metrics")
    @classmethod
    def _leading_first(cls, metrics: dict[str, MetricResult]) -> dict[str, MetricResult]:
        def place(key: str) -> int:
            stem = key.partition("~")[0]
            return LEADING.index(stem) if stem in LEADING else len(LEADING)

        return dict(sorted(metrics.items(), key=lambda item: place(item[0])))


class ProtocolStamp(_Strict):
    """Which protocol, to the byte."""

    id: str
    digest: str


class DatasetStamp(_Strict):
    """Which clips, to the row."""

    id: str
    index_digest: str
    clips: int
    subjects: int
    driving_subjects: int
    pairs: int


class Record(_Strict):
    """``mebench-record/1``: see the attributes' own docs; floats by repr, keys sorted.

    Attributes:
        result: the method's own row.
        controls: rows mebench computed itself, in table order.
        weights: network weights in use: sha256, or ``seeded:...`` for stand-ins.
        made_by: config, seed, preset and training clips, when mebench made the submission.
        groups: subject of the driving clip by pair: the unit of bootstraps.
        intervals: how intervals were made; empty in older records, whose are percentiles.
        digest: sha256 over everything but time and place.
    """

    schema_: str = Field(SCHEMA, alias="schema")
    result: MethodRow
    controls: list[MethodRow] = Field(default_factory=list)
    protocol: ProtocolStamp
    dataset: DatasetStamp
    weights: dict[str, str] = Field(default_factory=dict)
    made_by: dict[str, Any] = Field(default_factory=dict)
    groups: dict[str, str] = Field(default_factory=dict)
    intervals: str = ""
    status: Status = "verified"
    notes: list[str] = Field(default_factory=list)
    created: str = ""
    seconds: dict[str, float] = Field(default_factory=dict)
    environment: dict[str, Any] = Field(default_factory=dict)
    digest: str = ""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    def content(self) -> dict[str, Any]:
        """Return the record without time and place: what two equal runs share."""
        data = self.model_dump(mode="json", by_alias=True)
        # The digests of older records hold.
        if not self.intervals:
            del data["intervals"]
        for row in (data["result"], *data["controls"]):
            for name in ("views", "unranked"):
                if not row[name]:
                    del row[name]
        return {key: value for key, value in data.items() if key not in _TIME_AND_PLACE}

    def save(self, path: Path) -> None:
        """Write the record with its digest."""
        self.digest = digest(self.content())
        write_json(path, self.model_dump(mode="json", by_alias=True))

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read a record and check its digest.

        Raises:
            UsageError: when it is missing, of another schema, or was edited after it was written.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({type(error).__name__})") from error
        except ValueError as error:
            raise UsageError(f"{path}: not a JSON record") from error
        found = data.get("schema") if isinstance(data, dict) else None
        if found != SCHEMA:
            raise UsageError(f"{path}: expected schema '{SCHEMA}', got '{found}'")
        try:
            record = cls.model_validate(data)
        except ValidationError as error:
            raise UsageError(f"{path}: {explain(cls, error)}") from error
        if record.digest != digest(record.content()):
            raise UsageError(f"{path}: edited after it was written (digest differs); score again")
        return record


def unlike(a: Record, b: Record) -> tuple[str, str, str] | None:
    """Return the first thing that keeps two records out of one table: what, `a`'s, `b`'s."""
    for what, one, other in (
        ("protocol", a.protocol.digest, b.protocol.digest),
        ("clips", a.dataset.index_digest, b.dataset.index_digest),
        ("pairs", str(a.dataset.pairs), str(b.dataset.pairs)),
    ):
        if one != other:
            return what, one, other
    return None


def diff(a: Record, b: Record) -> list[str]:
    """Return the dotted keys whose content differs between two records."""
    return sorted(_differences(a.content(), b.content(), ""))


def _differences(a: Any, b: Any, place: str) -> set[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        found: set[str] = set()
        for key in a.keys() | b.keys():
            inner = f"{place}.{key}" if place else str(key)
            if key not in a or key not in b:
                found.add(inner)
            else:
                found |= _differences(a[key], b[key], inner)
        return found
    return set() if a == b else {place}
