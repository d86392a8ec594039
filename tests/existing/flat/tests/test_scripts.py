import subprocess
import sys

import pytest

import align
import download
import finetune


@pytest.mark.parametrize("script", [download, finetune, align])
def test_dry_run(script, capsys):
    name = script.__name__
    script.main(["--config", f"configs/{name}.yaml", "--dry-run"])
    out = capsys.readouterr().out
    assert "models/distilgpt2" in out or "learning_rate" in out


def test_bad_config():
    with pytest.raises(SystemExit, match="missing section"):
        finetune.main(["--config", "configs/download.yaml"])


def test_exit_code_of_the_script():
    done = subprocess.run([sys.executable, "finetune.py", "--config", "nowhere.yaml"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Configuration error" in done.stderr


@pytest.mark.integration
def test_download(tmp_path):
    config = tmp_path / "d.yaml"
    config.write_text(f"models: [{{repo: hf-internal-testing/tiny-random-gpt2, output_dir: {tmp_path}/m}}]\n")
    download.main(["--config", str(config)])
    assert (tmp_path / "m/config.json").exists()
