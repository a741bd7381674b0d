"""Roots, tables and subject folders that are links count by the names that were given."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from dataset_trees import CASME2, rows_of

from mebench.datasets.base import load_dataset


@pytest.mark.parametrize("dataset", ["casme2", "samm", "smic"])
def test_a_root_and_folders_that_are_links_count_by_the_names_that_were_given(
    export: Path, tiny: Path, tmp_path: Path, dataset: str
) -> None:
    real = tmp_path / "store" / "volume7"
    real.parent.mkdir()
    (export / dataset).rename(real)
    (tmp_path / "mine" / "deep").mkdir(parents=True)
    link = tmp_path / "mine" / "deep" / dataset
    link.symlink_to(real, target_is_directory=True)
    subject = next(p for p in sorted(real.rglob("*")) if p.is_dir() and p.parent != real)
    subject.rename(tmp_path / "store" / "moved")
    subject.symlink_to(tmp_path / "store" / "moved", target_is_directory=True)
    assert rows_of(link, dataset) == rows_of(tiny / dataset, dataset)
    report = load_dataset(dataset, link).check()
    assert not any("outside the root" in note for note in report.notes)


def test_a_table_beside_a_link_and_one_beside_its_target_are_found(
    export: Path, tiny: Path, tmp_path: Path
) -> None:
    table, frames = export / CASME2, tmp_path / "frames"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    inside = next(p for p in (export / "casme2").iterdir() if p.is_dir())
    inside.rename(frames)
    link = tmp_path / "a" / inside.name
    link.symlink_to(frames, target_is_directory=True)
    shutil.copy(table, tmp_path / "a")
    assert rows_of(link, "casme2") == rows_of(tiny / "casme2", "casme2")
