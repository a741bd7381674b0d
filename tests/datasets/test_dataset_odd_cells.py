"""Whatever a cell holds, a row is used or refused in one line; nothing else escapes."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from dataset_trees import CASME2_HEADER, CASME2_ROWS, SAMM_HEADER, SAMM_ROWS, save_book
from test_dataset_cas_me_2 import CODES, SUBJECTS
from test_dataset_cas_me_2 import ROWS as CAS_ME_2_ROWS
from test_dataset_casme import HEADER as CASME_HEADER
from test_dataset_casme import ROWS as CASME_ROWS
from test_dataset_casme3 import HEADER as CASME3_HEADER
from test_dataset_casme3 import ROWS as CASME3_ROWS
from test_dataset_dfme import HEADER as DFME_HEADER
from test_dataset_dfme import TRAIN
from test_dataset_fourd_me import HEADER as FOURD_HEADER
from test_dataset_fourd_me import ROWS as FOURD_ROWS
from test_dataset_mmew import HEADER as MMEW_HEADER
from test_dataset_mmew import ROWS as MMEW_ROWS
from test_dataset_samm_long import ROWS as SAMM_LONG_ROWS

from mebench.datasets.base import load_dataset
from mebench.datasets.table_dataset import TableDataset

ODD: list[object] = [
    None, "", " ", "x", "/", 0, -7, 3.5, 1e30, 10**14, True, "４", "4,", "4++", "()", "\u200b",
    "a" * 700, "../..", "#REF!", datetime.datetime(2020, 4, 7), "nan",
]  # fmt: skip
TABLES: dict[str, tuple[str, list[list[object]], list[object]]] = {
    "casme2": ("CASME2-coding.xlsx", [list(CASME2_HEADER)], CASME2_ROWS[0]),
    "samm": ("SAMM_Micro_FACS_Codes_v2.xlsx", [list(SAMM_HEADER)], SAMM_ROWS[0]),
    "casme3": ("cas(me)3_part_A_ME_label_v2.xlsx", [list(CASME3_HEADER)], CASME3_ROWS[0]),
    "casme3-c": (
        "CAS(ME)3_part_C_ME.xlsx",
        [["sub", "count", "onset", "offset", "au", "emotion"]],
        [4, 10, 373, 380, 4, "negative"],
    ),
    "mmew": ("MMEW_Micro_Exp.xlsx", [list(MMEW_HEADER)], MMEW_ROWS[0]),
    "casme": ("casme.xlsx", [list(CASME_HEADER)], CASME_ROWS[0]),
    "cas-me-2": ("code_final.xlsx", [], CAS_ME_2_ROWS[1]),
    "samm-long": ("SAMM_LongVideos_V3.xlsx", [], SAMM_LONG_ROWS[0]),
    "fourd-me": ("4DME_Labelling_Micro.xlsx", [list(FOURD_HEADER)], FOURD_ROWS[0]),
    "dfme": ("DFME.xlsx", [list(DFME_HEADER)], TRAIN[0]),
}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_odd_cells(name: str, tmp_path: Path) -> None:
    file, header, good = TABLES[name]
    rows = [[*good[:place], odd, *good[place + 1 :]] for place in range(len(good)) for odd in ODD]
    sheets = {"Sheet1": [*header, good, *rows], "Sheet2": SUBJECTS, "Sheet3": CODES}
    save_book(tmp_path / file, sheets)
    dataset = load_dataset(name, tmp_path)
    assert isinstance(dataset, TableDataset)
    kept = dataset.annotations()
    assert kept[0].row == len(header) + 1
    assert len(kept) + len(dataset.refused) >= len(dataset.content.rows) > 20
    for line in [*dataset.refused, *dataset.unreadable]:
        assert "\n" not in line
        assert len(line) < 400
    for row in kept:
        assert 0 <= row.onset <= row.offset
        assert row.apex is None or row.onset <= row.apex <= row.offset
        assert row.name.isprintable()
    assert dataset.check(annotations_only=True).usable
