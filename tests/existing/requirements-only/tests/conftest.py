import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


@pytest.fixture
def model_dir(tmp_path, monkeypatch):
    from config.settings import settings

    monkeypatch.setattr(settings, 'model_dir', tmp_path)
    return tmp_path
