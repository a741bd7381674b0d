from __future__ import annotations

import pytest

from mebench.errors import UsageError, WeightsError
from mebench.metrics import catalogue
from mebench.metrics.base import Metric, MetricInfo


class Brightness(Metric):
    infos = (MetricInfo("brightness", "brightness"),)

    def describe(self, case):
        return float(case.generated.mean())


class Clash(Brightness):
    infos = (MetricInfo("ssim", "another SSIM"),)


class Point:
    def __init__(self, name, value):
        self.name, self.value = name, value


@pytest.fixture(autouse=True)
def _empty_store(tmp_path, monkeypatch):
    monkeypatch.setenv("MEBENCH_WEIGHTS", str(tmp_path))


def install(monkeypatch, name, cls):
    point = Point(name, f"{cls.__module__}:{cls.__qualname__}")
    monkeypatch.setattr(catalogue, "entry_points", lambda group: [point])


def test_every_shipped_family_is_built_and_every_key_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setenv("MEBENCH_OPENFACE", str(tmp_path))
    inside = [name for name in catalogue.METRICS if name != "pyfeat"]
    assert len(catalogue.build_metrics(inside, allow_seeded=True)) == len(inside)
    infos = catalogue.metric_infos()
    headline = [key for key, info in infos.items() if info.headline]
    # Which units and when, how strongly, what else changed, and whose face it is.
    first = ["au_consistency", "au_concordance", "change_explained", "identity_distance"]
    assert [key for key in headline if key in first] == first
    assert {f"{key}~dis" for key in first[:2]} < set(headline)
    for key, info in infos.items():
        assert info.title
        assert info.low < info.high
        if key.endswith("~seeded"):
            assert info.higher_is_better is None
            assert key.removesuffix("~seeded") in infos


def test_motion_families_share_one_store():
    built = catalogue.build_metrics(["action_units", "temporal"])
    assert built[0].store is built[1].store


def test_the_fast_flow_has_columns_of_its_own():
    fast = catalogue.build_metrics(["action_units", "temporal", "motion_distribution"], flow="dis")
    plain = catalogue.build_metrics(["temporal"])
    assert {metric.variant for metric in fast} == {"dis"} != {metric.variant for metric in plain}
    infos = catalogue.metric_infos()
    for metric in fast:
        for key in metric.set_values([]):
            assert key.endswith("~dis")
            assert key in infos
    plain_keys = {key for key in infos if not key.endswith("~dis")}
    assert {key.removesuffix("~dis") for key in infos if key.endswith("~dis")} < plain_keys


def test_without_the_extra_its_name_is_told(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'mebench\[pyfeat\]'"):
        catalogue.build_metrics(["pyfeat"])


def test_a_key_names_its_family():
    assert catalogue.families_of(["ssim", "psnr_db", "temporal"]) == ["pixel", "temporal"]


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UsageError, match=r"unknown metric 'lpip'\. Did you mean 'lpips'"):
        catalogue.build_metrics(["lpip"], allow_seeded=True)


def test_missing_weights_stop_the_build_unless_stand_ins_are_allowed():
    with pytest.raises(WeightsError, match="mebench weights fetch"):
        catalogue.build_metrics()
    assert len(catalogue.build_metrics(allow_seeded=True)) == len(catalogue.DEFAULT)


def test_a_family_of_another_package_is_found(monkeypatch):
    install(monkeypatch, "acme/brightness", Brightness)
    (built,) = catalogue.build_metrics(["brightness"])
    assert type(built).__name__ == "Brightness"
    assert catalogue.metric_infos()["brightness"].title == "brightness"


def test_a_foreign_family_may_not_take_a_shipped_name_or_key(monkeypatch):
    install(monkeypatch, "pixel", Brightness)
    with pytest.raises(UsageError, match="use 'vendor/pixel'"):
        catalogue.families()
    install(monkeypatch, "acme/clash", Clash)
    with pytest.raises(UsageError, match="key 'ssim' is taken"):
        catalogue.metric_infos()
