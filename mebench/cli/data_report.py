"""What ``mebench data check`` prints for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mebench.datasets.check import CheckReport
    from mebench.datasets.composite_report import CompositeReport

_SHOWN = 5


def report_lines(report: CheckReport | CompositeReport) -> list[str]:
    """Return the lines of a report."""
    if report.kind == "composite":
        return _composite_lines(report)
    return _dataset_lines(report)


def _composite_lines(report: CompositeReport) -> list[str]:
    lines = [f"{report.dataset}: {report.clips} clips"]
    lines += [f"  {name:<13}{path}" for name, path in report.places.items()]
    rows = [
        [part, what, str(found), str(stated), "" if found == stated else "differs"]
        for part, what, found, stated in report.counts
    ]
    lines += ["", *_tabled(rows, ["", "", "found", "published", ""])]
    if report.clips_with_frames is not None:
        lines += ["", f"  clips with frames: {report.clips_with_frames} of {report.clips}"]
    same = report.sha256 == report.sha256_published
    stated = "as published" if same else f"published: {report.sha256_published or 'not known'}"
    lines += ["", f"  sha256       {report.sha256} ({stated})"]
    lines += _section("missing tables", report.lacking)
    lines += _section("clips without frames", report.missing_clips)
    lines += _section("notes", report.notes)
    return [*lines, "", "complete" if report.complete else "NOT the published composite"]


def _dataset_lines(report: CheckReport) -> list[str]:

    lines = [f"{report.dataset} at {report.root}" + (" (SynthME)" if report.synthetic else "")]
    lines += [f"  {name:<13}{path}" for name, path in report.places.items()]
    if report.layout:
        lines.append(f"  layout       {report.layout}")
    if report.sha256:
        release = report.release or "none of the known ones"
        lines += [f"  release      {release}", f"  sha256       {report.sha256}"]
    lines.append("")
    word = "expected" if report.synthetic else "published"
    lines += _tabled(_table(report), ["", "found", word, ""])
    gaps = [f"{key}: {_runs(frames)}" for key, frames in report.missing_frames.items()]
    spellings = [f"'{raw}' is {name}" for raw, name in sorted(report.emotion_spellings.items())]
    for title, items in (
        ("missing clips", report.missing_clips),
        ("clips without a row", report.extra_clips),
        ("missing frames", gaps),
        ("damaged frames", report.damaged_frames),
        ("rows refused", report.refused_rows),
        ("action units not readable", report.unreadable_action_units),
        ("contradictions", report.contradictions),
        ("corrections", report.correction_lines),
        ("optional corrections, not applied (--corrections all)", report.optional_corrections),
        ("emotions spelled otherwise", spellings),
        ("frames", report.frame_remarks),
        ("notes", report.notes),
    ):
        lines += _section(title, items)
    verdict = "usable" if report.usable else "NOT usable as it is"
    if report.usable and not report.complete:
        verdict = "usable, but for the clips named above"
    return [*lines, "", verdict]


def _table(report: CheckReport) -> list[list[str]]:
    rows: list[list[str]] = []

    def add(name: str, found: int, published: tuple[int, ...] = ()) -> None:
        stated = " or ".join(str(number) for number in published)
        differs = bool(published) and found not in published
        rows.append([name, str(found), stated, "differs" if differs else ""])

    add("clips annotated", report.clips_annotated, report.clips_expected)
    if report.macro_rows:
        add("macro-expressions, left out", report.macro_rows, _known(report.macro_expected))
    if not report.annotations_only:
        add("clips with frames", report.clips_found)
        add("frames", report.frames_found)
    add("subjects", report.subjects_found, _known(report.subjects_expected))
    for emotion in sorted({*report.emotions_found, *report.emotions_expected}):
        stated = report.emotions_expected.get(emotion)
        found = report.emotions_found.get(emotion, 0)
        add(f"  {emotion}", found, (stated or 0,) if report.emotions_expected else ())
    subjects = [count for count in report.counts if "of subject" in count[0]]
    for name, found, number in [c for c in report.counts if c not in subjects] + subjects[:_SHOWN]:
        add(name, found, () if number is None else (number,))
    if len(subjects) > _SHOWN:
        rows.append([f"... {len(subjects) - _SHOWN} more subjects", "", "", "differs"])
    return rows


def _known(number: int | None) -> tuple[int, ...]:
    return (number,) if number else ()


def _tabled(rows: list[list[str]], headers: list[str]) -> list[str]:
    from tabulate import tabulate

    table = tabulate(rows, headers=headers, disable_numparse=True)
    return [f"  {line}".rstrip() for line in table.splitlines()]


def _runs(frames: tuple[int, ...]) -> str:
    """Return frame numbers as runs: ``100..104, 107``."""
    runs: list[list[int]] = []
    for number in frames:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [f"{a}" if a == b else f"{a}..{b}" for a, b in runs[:_SHOWN]]
    return f"{len(frames)} frames ({', '.join(shown)}{', ...' if len(runs) > _SHOWN else ''})"


def _section(title: str, items: Any) -> list[str]:
    if not items:
        return []
    shown = [f"    {item}" for item in items[:_SHOWN]]
    if len(items) > _SHOWN:
        shown.append(f"    ... {len(items) - _SHOWN} more (all with --json)")
    return ["", f"  {title}: {len(items)}", *shown]
