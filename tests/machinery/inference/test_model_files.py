"""Name and revision of the model's files."""

import json
from pathlib import Path

from my_project.inference.model_files import identify
from my_project.settings import Settings


def test_a_folder_with_a_manifest_has_its_name_on_the_hub(tmp_path: Path) -> None:
    assert identify(Settings(model=str(tmp_path))) == (str(tmp_path), None)
    manifest = {"model": "an-org/a-model", "revision": "main", "commit": "0" * 40, "files": {}}
    (tmp_path / "weights.json").write_text(json.dumps(manifest))
    assert identify(Settings(model=str(tmp_path))) == ("an-org/a-model", "0" * 40)
    assert identify(Settings(model="an-org/a-model", revision="v1")) == ("an-org/a-model", "v1")
