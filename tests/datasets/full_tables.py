"""Annotation files of the documented shape: the real counts, names and odd cells, invented values.

Which clip has which label and interval is invented where the notes on the real files do not say.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import openpyxl
from dataset_trees import CASME2_HEADER, SAMM_HEADER

CASME2_PER_SUBJECT = (
    9, 13, 7, 5, 19, 5, 9, 3, 14, 14, 10, 12, 8, 4, 3, 4, 36, 3, 16, 11, 2, 2, 12, 10, 7, 17,
)  # fmt: skip
CASME2_IN_MEGC = (
    3, 9, 5, 2, 6, 4, 5, 1, 10, 0, 4, 11, 2, 3, 3, 3, 31, 0, 11, 2, 1, 2, 8, 3, 5, 11,
)  # fmt: skip
CASME2_FRAMES = 17138
_CASME2_ODD = {
    3: ("EP01_2", "EP08_1"), 4: ("EP12_01f",), 5: ("EP09_05f", "EP12_03f"),
    7: ("EP06_02_01", "EP06_02_02", "EP06_01"), 9: ("EP09f",), 10: ("EP11_01", "EP11_01f"),
    12: ("EP09_02", "EP09_06"), 17: ("EP05_03", "EP05_03f"),
    24: ("EP07_01", "EP07_04f", "EP10_03"),
}  # fmt: skip
_SADNESS = ("24/EP07_01", "24/EP07_04f", "24/EP10_03")
_DROPPED = ("04/EP12_01f", "05/EP09_05f")
_INTERVALS: dict[str, tuple[int, object, int]] = {
    "04/EP12_01f": (261, "/", 321), "05/EP09_05f": (69, 69, 123), "07/EP06_01": (15, 49, 68),
    "12/EP09_02": (16, 59, 101), "12/EP09_06": (66, 111, 111),
}  # fmt: skip
_NEGATIVE = ["disgust"] * 63 + ["repression"] * 27
_OUTSIDE = ["others"] * 99 + ["sadness"] * 4 + ["fear"] * 2

SAMM_PER_SUBJECT = {
    6: 11, 7: 10, 9: 4, 10: 4, 11: 20, 12: 3, 13: 6, 14: 11, 15: 3, 16: 5, 17: 6, 18: 4, 19: 3,
    20: 9, 21: 2, 22: 5, 23: 1, 24: 1, 25: 4, 26: 13, 28: 3, 30: 3, 31: 1, 32: 6, 33: 5, 34: 3,
    35: 9, 36: 1, 37: 3,
}  # fmt: skip
SAMM_OTHER = {7: 2, 14: 1, 17: 2, 18: 1, 19: 2, 20: 5, 25: 4, 26: 4, 32: 2, 35: 1, 37: 2}
_SAMM_LABELS = (
    ["Anger"] * 57 + ["Happiness"] * 26 + ["Surprise"] * 15 + ["Contempt"] * 12 + ["Disgust"] * 9
    + ["Fear"] * 8 + ["Sadness"] * 6
)  # fmt: skip

SMIC_PER_LABEL = {
    1: (3, 2, 1), 2: (1, 0, 5), 3: (20, 13, 6), 4: (6, 7, 6), 5: (0, 1, 1), 6: (2, 1, 1),
    8: (3, 6, 4), 9: (1, 1, 2), 11: (3, 3, 1), 12: (3, 3, 3), 13: (5, 3, 2), 14: (5, 3, 2),
    15: (1, 2, 1), 18: (3, 1, 3), 19: (1, 1, 0), 20: (13, 4, 5),
}  # fmt: skip
"""Clips labelled negative, positive, surprise a subject: sums of 70, 51, 43 as published."""
SMIC_WITHOUT_ROW = ("s1_ne_02", "s2_sur_05")
SMIC_SECOND = ("s20_ne_06", "s20_ne_09", "s20_sur_02", "s18_ne_01", "s18_sur_03")
SMIC_HOSTED = {
    "s3_ne_02": ["s3_ne_03"], "s4_ne_04": ["s4_ne_05", "s4_ne_06"], "s9_sur_01": ["s9_sur_02"],
}  # fmt: skip


@dataclass(frozen=True)
class Clip:
    """One row as it was written."""

    subject: str
    name: str
    onset: int
    apex: object
    offset: int
    au: object
    emotion: str
    objective: int


def casme2_rows() -> list[Clip]:
    """Return 255 rows with the published counts a subject, a label, a class, and of frames."""
    kept = [e for e in _NEGATIVE[:-2]] + ["happiness"] * 32 + ["surprise"] * 25
    outside = iter(_OUTSIDE)
    inside = iter(kept)
    classes = iter([7] * 69 + [6] + [5] * 20 + [4] * 26 + [3] * 99 + [2] * 15 + [1] * 25)
    rows = []
    for subject, (count, members) in enumerate(
        zip(CASME2_PER_SUBJECT, CASME2_IN_MEGC, strict=True), 1
    ):
        names = list(_CASME2_ODD.get(subject, ()))
        names += [f"EP{n // 9 + 2:02d}_{n % 9 + 20:02d}" for n in range(count - len(names))]
        special = [n for n in names if f"{subject:02d}/{n}" in (*_SADNESS, *_DROPPED)]
        plain = [n for n in names if n not in special]
        for place, name in enumerate([*plain, *special]):
            key = f"{subject:02d}/{name}"
            if key in _SADNESS:
                emotion = "sadness"
            elif key in _DROPPED:
                emotion = "repression"
            else:
                emotion = next(inside) if place < members else next(outside)
            onset, apex, offset = _INTERVALS.get(key, (46, 70, 46 + 66))
            au = 4 if len(rows) < 133 else ("?" if len(rows) < 138 else "4+L10")
            rows.append(
                Clip(f"{subject:02d}", name, onset, apex, offset, au, emotion, next(classes))
            )
    return _with_sum(rows, CASME2_FRAMES)


def samm_rows() -> list[Clip]:
    """Return 159 rows with the published counts."""
    labels = iter(_SAMM_LABELS)
    classes = iter([7] * 84 + [6] * 7 + [5] * 3 + [4] * 8 + [3] * 20 + [2] * 13 + [1] * 24)
    rows = []
    for subject, count in SAMM_PER_SUBJECT.items():
        for place in range(count):
            code = 4 if (subject, place) == (28, 0) else place % 7 + 1
            name = f"{subject:03d}_{code}_{place // 7 + 1}"
            onset, apex, offset = 1000 + 200 * place, 1030 + 200 * place, 1073 + 200 * place
            if name == "028_4_1":
                onset, apex, offset = 1071, 1143, 1134
            if name == "032_3_1":
                onset, apex, offset = 4896, 1930, 4970
            emotion = "Other" if place < SAMM_OTHER.get(subject, 0) else next(labels)
            rows.append(
                Clip(f"{subject:03d}", name, onset, apex, offset, "A12B", emotion, next(classes))
            )
    # 028_4_1 and 032_3_1 keep their documented intervals.
    return _with_sum(rows, 11816)


def _with_sum(rows: list[Clip], total: int) -> list[Clip]:
    """Return the rows with offsets moved so that all intervals together have `total` frames."""
    free = [i for i, row in enumerate(rows) if f"{row.subject}/{row.name}" not in _INTERVALS]
    free = [i for i in free if rows[i].name not in ("028_4_1", "032_3_1")]
    missing = total - sum(row.offset - row.onset + 1 for row in rows)
    for place, index in enumerate(free):
        share = missing // len(free) + (place < missing % len(free))
        row = rows[index]
        rows[index] = Clip(**{**row.__dict__, "offset": row.offset + share})
    return rows


def smic_names() -> list[str]:
    """Return the names of the 164 clips of SMIC-HS."""
    return [
        f"s{subject}_{word}_{n:02d}"
        for subject, counts in SMIC_PER_LABEL.items()
        for word, count in zip(("ne", "po", "sur"), counts, strict=True)
        for n in range(1, count + 1)
    ]


def write_casme2(path: Path, rows: list[Clip], *, classes: bool = False) -> Path:
    """Write the 20140508 form, or with `classes` the 20190701 form."""
    header = [*CASME2_HEADER, *(["Objective Classes"] if classes else [])]
    lines = [
        [r.subject, r.name, None, r.onset, r.apex, r.offset, None, r.au, r.emotion]
        + ([r.objective] if classes else [])
        for r in rows
    ]
    return _save(path, {"Sheet1": [header, *lines], "Sheet2": [], "Sheet3": []})


def write_objective(path: Path, rows: list[Clip]) -> Path:
    """Write CASME2-ObjectiveClasses.xlsx."""
    lines = [[r.subject, r.name, r.objective] for r in rows]
    header = ["Subject", "Filename", "Objective Class"]
    return _save(path, {"Sheet1": [header, *lines], "Sheet2": [["scratch", 1]]})


def write_samm(path: Path, rows: list[Clip]) -> Path:
    """Write the form of v2: 13 rows of notes, the header in row 14."""
    notes = [["/ means or"], *[[None]] * 12]
    lines = [
        [
            *(r.subject, r.name, int(r.name.split("_")[1]), r.onset, r.apex, r.offset),
            *(r.offset - r.onset + 1, "Micro - 1/2", r.au, r.emotion, r.objective, None),
        ]
        for r in rows
    ]
    return _save(path, {"MICRO_ONLY": [*notes, SAMM_HEADER, *lines]})


def write_smic(path: Path, *, edited: bool = False) -> Path:
    """Write the original form (162 rows), or the edited copy (157 rows, three intervals)."""
    header = ["Subject", "Filename", "OnsetF", "OffsetF", "Onset2F", "Offset2F"]
    header += ["Onset3F", "Offset3F"] if edited else []
    header += ["FirstF", "LastF", "TotalVL", "TotalMF1", "TotalMF2"]
    header += ["TotalMF3", "Emotion"] if edited else ["Emotion"]
    hosted = {name: host for host, names in SMIC_HOSTED.items() for name in names}
    rows = []
    for place, name in enumerate(smic_names()):
        if name in SMIC_WITHOUT_ROW or (edited and (name in hosted or name == "s3_ne_20")):
            continue
        rows.append(_smic_row(name, 100000 + 1000 * place, edited))
    vis = [r for r in rows if str(r[1]).split("_")[0] in ("s11", "s12", "s13", "s14", "s18", "s20")]
    blank = [[None] * len(header)] * 6
    return _save(path, {"HS": [header, *rows, *blank], "VIS": [header, *vis]})


def _smic_row(name: str, onset: int, edited: bool) -> list[object]:
    offset = onset + 30
    label = {"ne": "negative", "po": "positive", "sur": "surprise"}[name.split("_")[1]]
    if name == "s18_sur_03":
        label = "negative"
    first: object = "MISSING <-426679" if name == "s3_ne_20" else onset - 200
    further = []
    if name in SMIC_SECOND:
        further = [(onset - 150, onset - 126)]
    if edited and name in SMIC_HOSTED:
        further = [
            (offset + 50 * k, offset + 50 * k + 24) for k in range(1, len(SMIC_HOSTED[name]) + 1)
        ]
    third: tuple[object, object, object] = (None, None, None)
    if edited and name in SMIC_SECOND:
        third = (onset + 400, onset - 300, -699)
    if edited and name == "s9_sur_01":
        third = (*further[0], 25)
    if len(further) == 2:
        third = (*further[1], 25)
    second = further[0] if further else (None, None)
    length2 = second[1] - second[0] + 1 if further else None
    row: list[object] = [int(name.split("_")[0][1:]), name, onset, offset, *second]
    row += third[:2] if edited else []
    row += [first, onset + 400, 601, 31, length2]
    return [*row, third[2], label] if edited else [*row, label]


def _save(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)
    return path
