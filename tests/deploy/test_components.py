"""Each component works alone, and changes what its description says."""

import copy
import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.conftest import WEIGHTS, component_names, write_overlay
from tests.deploy.manifests import WORKLOADS, Resource, kustomize, pod_template, problems, selects
from tests.deploy.test_manifests import SECRETS
from tests.existing_code.repositories import fences
from tests.trees import Tree

TRAINED = {"bucket", "custom", "download"}
"""Projects with training."""

QUEUE = {"kueue.x-k8s.io/queue-name": "training"}


def named(kind: str, name: str, resources: list[Resource]) -> Any:
    """Return the resource of that kind and name."""
    [found] = [each for each in resources if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def components(tree: Tree) -> list[str]:
    """Return the names of a project's components but `dev`."""
    return component_names(tree.path / "deploy/kubernetes")


def train_job(tree: Tree) -> Resource:
    """Return the TrainJob that a person creates."""
    return yaml.safe_load((tree.path / "deploy/kubernetes/components/training/train-job.yaml").read_text())


def test_each_component_works_alone(projects: dict[str, Tree], tmp_path: Path) -> None:
    holders = {component: name for name, tree in reversed(projects.items()) for component in components(tree)}
    everything = {"gateway", "gpu", "image-volume", "ingress", "keda", "monitoring", "namespace", "training"}
    assert set(holders) == everything
    for component, name in holders.items():
        folder = tmp_path / component
        shutil.copytree(projects[name].path / "deploy/kubernetes", folder)
        resources = kustomize(write_overlay(folder, component, component))
        assert problems(resources, SECRETS) == [], f"{name}: {component}"


def test_components_go_together_in_any_order(projects: dict[str, Tree], tmp_path: Path) -> None:
    folder = tmp_path / "kubernetes"
    shutil.copytree(projects["bucket"].path / "deploy/kubernetes", folder)
    for order in (["dev", "keda"], ["keda", "dev"]):
        resources = kustomize(write_overlay(folder, "-".join(order), *order))
        assert "HorizontalPodAutoscaler" not in {each["kind"] for each in resources}


def test_the_additions_of_the_page_can_be_rendered(projects: dict[str, Tree], tmp_path: Path) -> None:
    """Each block of the page that an overlay may have is added to one, and does what the page says."""
    tried: set[str] = set()
    for name, tree in projects.items():
        folder = tmp_path / name
        shutil.copytree(tree.path / "deploy/kubernetes", folder)
        for number, block in enumerate(fences(tree.path / "docs/kubernetes.md", "yaml")):
            added = yaml.safe_load(block)
            if not isinstance(added, dict):
                continue  # an item of `images`, which another test adds
            overlay = write_overlay(folder, f"added-{number}", "keda" if "ScaledObject" in block else "namespace")
            file = overlay / "kustomization.yaml"
            file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **added}))
            resources = kustomize(overlay)
            pods = [pod_template(each)["spec"]["securityContext"] for each in resources if each["kind"] in WORKLOADS]
            assert ("fsGroup" in block) <= all("fsGroup" not in each for each in pods)
            queries = re.findall(r'namespace=~"([^"]+)"', yaml.safe_dump(resources))
            assert set(queries) <= ({"my-project"} if "replacements" in added else {".+"})
            tried |= {each for each in ("fsGroup", "replacements", "configMapGenerator", "patches") if each in block}
    assert tried == {"fsGroup", "replacements", "configMapGenerator", "patches"}


def test_pods_of_development_share_the_node_of_their_volumes(
    projects: dict[str, Tree], overlays: dict[str, list[Resource]]
) -> None:
    for name in projects:
        resources = overlays[f"{name}/dev"]
        claims = [each for each in resources if each["kind"] == "PersistentVolumeClaim"]
        assert all(each["spec"]["accessModes"] == ["ReadWriteOnce"] for each in claims)
        shared = {each["metadata"]["name"] for each in claims} - {"postgres"}
        for each in resources:
            if each["kind"] not in WORKLOADS or each["metadata"]["name"] in ("postgres", "redis"):
                continue
            pod = pod_template(each)
            if not shared:
                assert "affinity" not in pod["spec"]
                continue
            [near] = pod["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
            assert near["topologyKey"] == "kubernetes.io/hostname"
            assert selects(near["labelSelector"], pod["metadata"]["labels"])
            assert each["kind"] != "Deployment" or each["spec"]["strategy"] == {"type": "Recreate"}


def test_weights_come_from_an_image_by_digest(projects: dict[str, Tree], overlays: dict[str, list[Resource]]) -> None:
    # Project -> where the container looks for weights: its Dockerfile or its settings say so.
    places = {"download": "/mnt/models", "export": "/models/onnx", "own weights": "/models"}
    assert {name for name, tree in projects.items() if "image-volume" in components(tree)} == set(places)
    for name, place in places.items():
        resources = overlays[f"{name}/all"]
        pod = pod_template(named("Deployment", "api", resources))["spec"]
        [weights] = [each for each in pod["volumes"] if each["name"] == "weights"]
        reference = f"{WEIGHTS['newName']}@{WEIGHTS['digest']}"
        assert weights == {"name": "weights", "image": {"reference": reference, "pullPolicy": "IfNotPresent"}}
        assert not pod.get("initContainers"), "nothing fetches the weights as well"
        [container] = pod["containers"]
        assert {"name": "weights", "mountPath": place, "readOnly": True} in container["volumeMounts"]
        [settings] = [each["data"] for each in resources if each["kind"] == "ConfigMap"]
        environment = (projects[name].path / "Dockerfile").read_text() + yaml.safe_dump(settings)
        assert re.search(rf"(_WEIGHTS_FOLDERS=\S*:|_EXPORTED=|_EXPORTED: |_MODEL: ){place}(:|\s)", environment), name
        assert ("PersistentVolumeClaim", "weights") not in {
            (each["kind"], each["metadata"]["name"]) for each in resources
        }


def test_trainer_runs_what_the_cron_job_runs(projects: dict[str, Tree], overlays: dict[str, list[Resource]]) -> None:
    """Both pods have the same settings, volumes and limits; only the GPU and the command differ."""
    assert {name for name, tree in projects.items() if "training" in components(tree)} == TRAINED
    for name in TRAINED:
        resources = copy.deepcopy(overlays[f"{name}/all"])
        cron = named("CronJob", "train", resources)
        runtime = named("TrainingRuntime", "train", resources)
        [[one], [other]] = [pod_template(each)["spec"].pop("containers") for each in (cron, runtime)]
        gpu = other["resources"]["limits"].pop("nvidia.com/gpu", None)
        assert gpu == (1 if name == "download" else None)
        pod = pod_template(runtime)["spec"]
        assert bool(pod.pop("tolerations", None)) == bool(gpu)
        assert pod == pod_template(cron)["spec"]
        assert one["args"] == ["train"]
        command = (
            ["python", "-m", "my_project.training.launch", "-m", "my_project", "train"]
            if name != "custom"
            else ["train"]
        )
        assert other == one | {"name": "node", "args": command}, name
        labels = pod_template(runtime)["metadata"]["labels"]
        assert labels.items() <= pod_template(cron)["metadata"]["labels"].items()
        assert selects(named("NetworkPolicy", "jobs", resources)["spec"]["podSelector"], labels)


def test_a_train_job_names_the_runtime_and_the_queue_of_the_cron_job(
    projects: dict[str, Tree], overlays: dict[str, list[Resource]]
) -> None:
    for name in TRAINED:
        resources = overlays[f"{name}/all"]
        job = train_job(projects[name])
        reference = job["spec"]["runtimeRef"]
        runtime = named(reference["kind"], reference["name"], resources)
        assert runtime["apiVersion"].split("/")[0] == reference["apiGroup"]
        [nodes] = runtime["spec"]["template"]["spec"]["replicatedJobs"]
        # Trainer finds the container by these three names.
        assert nodes["name"] == "node"
        assert nodes["template"]["metadata"]["labels"] == {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
        assert pod_template(runtime)["spec"]["containers"][0]["name"] == "node"
        assert job["metadata"]["labels"] == QUEUE
        assert (
            named("CronJob", "train", resources)["spec"]["jobTemplate"]["metadata"]["labels"].items() >= QUEUE.items()
        )
