"""What a table must say above and below its numbers."""

from __future__ import annotations

from collections.abc import Sequence

from mebench.comparison import training_effect
from mebench.record import Record
from mebench.report.model import CLAIMED, JUDGED, PARTIAL, SEEDED, UNRANKED, Column, Entry, Spread
from mebench.report.parts import COMPOSITE

_IMAGE_QUALITY = ("psnr_db",)
_MOST_REASONS = 12
_SPREADS = {
    "interval": "Mean and interval ({how}).",
    "pm": "Mean ± half the width of its interval ({how}).",
    "none": "Mean.",
}


def caption_of(records: Sequence[Record], spread: Spread) -> str:
    """Return the caption of a table: protocol, data, and what the numbers are."""
    first = records[0]
    data = first.dataset
    unseen = " that training never saw" if all(map(_trained_here, records)) else ""
    return (
        f"{first.protocol.id}: {data.pairs} pairs, driving clips of {data.driving_subjects} "
        f"subjects{unseen}. {_SPREADS[spread].format(how=_how(first))}"
    )


def _trained_here(record: Record) -> bool:
    """Whether mebench trained the method itself, without a leak; of others nobody can know."""
    made = record.made_by
    folds = made.get("folds")
    stated = list(folds.values()) if isinstance(folds, dict) else [made]
    known = all(isinstance(one, dict) and "train_digest" in one for one in stated)
    leaks = any(note.startswith("leak:") for note in record.notes)
    return bool(stated) and known and not leaks and "checkpoint_sha256" not in made


def notes_of(
    records: Sequence[Record], entries: Sequence[Entry], columns: Sequence[Column]
) -> tuple[list[str], list[str]]:
    """Return the notes that a reader of the numbers needs, and the others."""
    keys = list(dict.fromkeys(column.key.partition(":")[0] for column in columns))
    essential = [*_footnotes(records, columns), _counts(entries, columns)]
    if any(column.key.endswith(f":{COMPOSITE}") for column in columns):
        essential.append("composite: the mean of the data sets' values, each counting the same.")
    notes: list[str] = []
    if len({record.intervals for record in records}) > 1:
        notes += [f"intervals of {record.result.id}: {_how(record)}" for record in records]
    for record in records:
        notes += [
            f"training changed {effect.line()} (paired with {record.result.id} before training)"
            for effect in training_effect(record, tuple(dict.fromkeys((*keys, *_IMAGE_QUALITY))))
        ]
    weights = {name: value for record in records for name, value in record.weights.items()}
    for name, value in sorted(weights.items()):
        seeded = value.startswith("seeded")
        shown = value.rpartition(":")[2][:12]
        notes.append(f"weights {name}: {'seeded stand-in' if seeded else 'sha256'} {shown}")
    notes.append(
        "SSIM, PSNR, LPIPS and identity reward a frozen face: read them only beside the motion "
        "columns."
    )
    missing = {
        f"without {key}: {place}: {reason}"
        for entry in entries
        for key in keys
        if key in entry.results
        for place, reason in entry.results[key].failed.items()
    }
    notes += sorted(missing)[:_MOST_REASONS]
    if len(missing) > _MOST_REASONS:
        notes.append(f"and {len(missing) - _MOST_REASONS} more values that could not be had")
    return essential, list(
        dict.fromkeys((*notes, *(note for record in records for note in record.notes)))
    )


def _footnotes(records: Sequence[Record], columns: Sequence[Column]) -> list[str]:
    notes = []
    marks = {column.mark for column in columns}
    if SEEDED in marks:
        notes.append(
            f"{SEEDED} ~seeded: stand-in weights, not the published network; never compare with "
            "published values and never rank by it. Get the real ones with: mebench weights fetch"
        )
    if JUDGED in marks:
        notes.append(
            f"{JUDGED} experts.*: given by a panel of raters; no new score measures them again, "
            "not that of a verified row either. Places by them, and their intervals by data set, "
            "are over driving subjects alone; mebench rate report counts the raters too."
        )
    for record in records:
        if record.status == "partial":
            scored, pairs = len(record.result.per_clip), record.dataset.pairs
            notes.append(
                f"{PARTIAL} {record.result.title}: partial, {scored} of {pairs} outputs; "
                "neither ranked nor marked."
            )
        if record.result.unranked:
            notes.append(
                f"{UNRANKED} {record.result.title}: no rank and no mark, {record.result.unranked}."
            )
        flags = record.result.flags
        if flags:
            told = f"first of {len(flags)} remarks on its outputs: " if len(flags) > 1 else ""
            notes.append(f"{record.result.title}: {told}{flags[0]}.")
    if any(record.status == "self-reported" for record in records):
        notes.append(f"{CLAIMED} self-reported: not scored again by the organisers.")
    return notes


def _how(record: Record) -> str:
    return record.intervals or "95 % percentile bootstrap over driving subjects"


def _counts(entries: Sequence[Entry], columns: Sequence[Column]) -> str:
    """Say how many pairs stand behind the values: the usual number, and which columns differ."""
    found: dict[str, list[int]] = {}
    for column in columns:
        results = [entry.results[column.key] for entry in entries if column.key in entry.results]
        name = f"{column.title}, {column.part}" if column.part else column.title
        found[name] = sorted({result.n for result in results})
    most = max((count for counts in found.values() for count in counts), default=0)
    others = [
        f"{title}: {' or '.join(map(str, counts))}"
        for title, counts in found.items()
        if counts != [most]
    ]
    return f"n = {most} pairs behind each value" + (f" ({'; '.join(others)})." if others else ".")
