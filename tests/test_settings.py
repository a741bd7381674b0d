"""Where the cache goes when its place cannot be written."""

from pathlib import Path

from mebench import settings


def test_a_cache_that_cannot_be_written_is_told_once_and_costs_no_result(
    tmp_path, monkeypatch, caplog
):
    (tmp_path / "home").write_text("a file")
    place = tmp_path / "home" / "cache"
    monkeypatch.setenv("MEBENCH_CACHE", str(place))
    settings._for_this_run.cache_clear()
    first, second = settings.cache_folder(), settings.cache_folder()
    assert first == second != place
    (first / "x").write_text("kept")
    assert len(caplog.records) == 1
    told = caplog.text
    assert str(place) in told
    assert "Set MEBENCH_CACHE" in told
    assert settings.cache_place() == place


def test_a_cache_that_can_be_written_is_taken(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MEBENCH_CACHE", str(tmp_path / "new" / "cache"))
    assert settings.cache_folder() == tmp_path / "new" / "cache" == Path(settings.cache_place())
    assert not any((tmp_path / "new" / "cache").iterdir())
    assert not caplog.records
