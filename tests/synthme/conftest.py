from pathlib import Path

import pytest

from mebench.synthme.export import export


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    return export(tmp_path_factory.mktemp("synth") / "tiny", preset="tiny", seed=0)
