"""Images are published to a real registry with the programs of GitLab's job, signed with a key, and verified."""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.answers import Answer
from tests.engine import attempt, build, docker, started
from tests.existing_code.repositories import dockerfile, given
from tests.hosted import NOT_RUN, RUN, Hosted, docker_config, expressions, nameless, shell
from tests.image import packages_api
from tests.image.conftest import SMALL, Registry
from tests.releases import commit, git
from tests.trees import Tree, rendered
from tests.workflows import GITHUB, GITLAB, github_jobs, gitlab_jobs
from tests.workspace.workspace import made

pytestmark = [pytest.mark.image, pytest.mark.exhaustive]

TOOLS = "slipway-test-publish-tools"
ENGINE = "slipway-test-engine"
ACCOUNT = ("somebody", "secret")
PASSWORD = "of the key"
LOG_BYTES = 1_000_000
"""Of an attestation, which pipelines send to the public transparency log; it refuses some megabytes."""
TINY = """FROM scratch AS dev
COPY README.md /
FROM scratch AS prod
ARG VERSION REVISION
COPY README.md /
LABEL version=$VERSION revision=$REVISION
"""


@dataclass
class Publisher:
    """A job that publishes a project: a container with its programs and with the engine of this machine."""

    project: Path
    registry: Registry
    image: str
    folder: Path
    socket: str = os.environ.get("DOCKER_SOCKET", "/var/run/docker.sock")
    """Of the engine that builds."""

    def run(self, command: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the job in the folder of the project, logged in unless DOCKER_CONFIG says otherwise."""
        given = {
            "COSIGN_KEY": "/keys/cosign.key",
            "COSIGN_PASSWORD": PASSWORD,
            "IMAGE": f"{self.registry.inside}/{self.image}",
            "DOCKER_CONFIG": "/keys/docker",
            **variables,
        }
        return attempt(
            "run",
            "--rm",
            f"--volume={self.project}:/builds/project",
            f"--volume={self.folder}:/keys",
            f"--volume={self.folder / 'registries.conf'}:/etc/containers/registries.conf.d/test.conf",
            f"--volume={self.socket}:/var/run/docker.sock",
            *(f"--env={name}" for name in given),
            "--workdir=/builds/project",
            *options,
            TOOLS,
            "bash",
            "-ec",
            command,
            environment=given,
        )

    def publish(self, version: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Publish a version of the project."""
        return self.run(f"python3 deploy/registry/images.py publish {version}", **variables)

    def verify(self, tag: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Verify an image of the project."""
        address = f"{self.registry.inside}/{self.image}:{tag}"
        return self.run(f"make --silent verify IMAGE={address}", **variables)

    def tag(self, version: str, text: str) -> None:
        """Commit a change and tag it."""
        (self.project / "README.md").write_text(text)
        commit(self.project, f"Release {version}")
        git(self.project, "tag", f"v{version}")

    def digests(self) -> dict[str, str]:
        """Return tag -> digest of what is published, without what cosign keeps beside it."""
        answer = self.ask("GET", "tags/list")
        names = answer.json()["tags"] or [] if answer.status_code == 200 else []
        return {
            name: self.ask("HEAD", f"manifests/{name}").headers["docker-content-digest"]
            for name in names
            if not name.startswith("sha256-")
        }

    def attestations(self, digest: str) -> dict[str, Any]:
        """Return format -> predicate of what is attached to an image, each of which the log would take."""
        found = {}
        for layer in self.ask("GET", f"manifests/{digest.replace(':', '-')}.att").json()["layers"]:
            assert layer["size"] < LOG_BYTES
            envelope = self.ask("GET", f"blobs/{layer['digest']}", follow_redirects=True).json()
            statement = json.loads(base64.b64decode(envelope["payload"]))
            assert statement["subject"][0]["digest"] == {"sha256": digest.removeprefix("sha256:")}
            found[statement["predicateType"]] = statement["predicate"]
        return found

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return the registry's answer about the image."""
        kinds = (
            "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json,"
            " application/vnd.docker.distribution.manifest.v2+json"
        )
        headers = {"Accept": kinds, **options.pop("headers", {})}
        url = path if path.startswith("http") else f"http://{self.registry.outside}/v2/{self.image}/{path}"
        return httpx.request(method, url, auth=ACCOUNT, headers=headers, **options)


@pytest.fixture(scope="module")
def job(project: Callable[[str], Path]) -> dict[str, Any]:
    """Return GitLab's job that publishes."""
    return gitlab_jobs(project("publish") / GITLAB)["publish"]


@pytest.fixture(scope="module")
def tools(
    job: dict[str, Any], project: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Build the image in which the job runs, with what it installs."""
    *installing, login = job["before_script"]
    assert "docker login" in login
    folder = tmp_path_factory.mktemp("tools")
    more = ["apt-get install --yes gh make", "pip install --quiet pyyaml"]
    steps = "".join(f"RUN {command}\n" for command in [*installing, *more])
    (folder / "Dockerfile").write_text(f"FROM {job['image']}\n{steps}")
    done = build(folder, f"--tag={TOOLS}")
    assert done.returncode == 0, done.output
    RUN.update(nameless(command, project("publish")) for command in installing)
    yield
    attempt("image", "rm", "--force", TOOLS)


@pytest.fixture
def publisher(project: Callable[[str], Path], registry: Registry, tools: None, tmp_path: Path) -> Publisher:
    """Return a publisher of a project that has a key, and whose image holds a single file."""
    git(tmp_path, "clone", "--quiet", project("publish"), "project")
    folder = tmp_path / "keys"
    (folder / "docker").mkdir(parents=True)
    secret = base64.b64encode(":".join(ACCOUNT).encode()).decode()
    (folder / "docker/config.json").write_text(json.dumps({"auths": {registry.inside: {"auth": secret}}}))
    (folder / "registries.conf").write_text(f'[[registry]]\nlocation = "{registry.inside}"\ninsecure = true\n')
    made = Publisher(tmp_path / "project", registry, re.sub(r"[^a-z0-9]+", "-", tmp_path.name), folder)
    done = made.run("cd /keys && cosign generate-key-pair && mv cosign.pub /builds/project/deploy/registry")
    assert done.returncode == 0, done.stderr
    (made.project / "Dockerfile").write_text(TINY)
    return made


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Return the only line that a failed command wrote of its own, which holds no secret."""
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stderr and ACCOUNT[1] not in done.stderr
    [line] = [line for line in done.stderr.splitlines() if line.startswith("images.py: ")]
    return line


def publish_development_image(publisher: Publisher, variables: dict[str, str]) -> None:
    """Run GitLab's job with the engine of this machine."""
    given = {
        "CI_REGISTRY": publisher.registry.outside,
        "CI_REGISTRY_IMAGE": f"{publisher.registry.outside}/{publisher.image}",
        "CI_REGISTRY_USER": ACCOUNT[0],
        "CI_REGISTRY_PASSWORD": ACCOUNT[1],
        **variables,
    }
    job = gitlab_jobs(publisher.project / GITLAB)["publish development image"]
    for command in [*job["before_script"], *job["script"]]:
        shell(publisher.project, command, given)


@pytest.fixture(scope="module")
def on_github(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Return a project that GitHub publishes."""
    [tree] = rendered([{**SMALL, "deploy": ["ghcr"]}], template, tmp_path_factory.mktemp("github"))
    return tree


def test_both_services_publish_a_version_signed_and_verified(
    publisher: Publisher, job: dict[str, Any], on_github: Tree
) -> None:
    publisher.tag("1.0.0", "First.")
    RUN.update(nameless(command, publisher.project) for command in job["script"])
    done = publisher.run("\n".join(job["script"]), CI_COMMIT_TAG="v1.0.0")
    assert done.returncode == 0, done.stderr
    first = publisher.digests()
    commit_of = git(publisher.project, "rev-parse", "v1.0.0").strip()[:12]
    assert set(first) == {"1.0.0", "1.0", "1", f"sha-{commit_of}"}
    assert len(set(first.values())) == 1
    exact = f"{publisher.registry.inside}/{publisher.image}@{first['1.0.0']}"
    assert (publisher.project / "build.env").read_text() == f"PUBLISHED={exact}\n"
    verified = publisher.verify("1.0.0")
    assert verified.returncode == 0, verified.stderr
    assert first["1.0.0"] in verified.stdout
    image = f"{publisher.registry.inside}/{publisher.image}"
    given = {**expressions(), "github.ref_type == 'tag' && github.ref_name || ''": "v1.0.0"}
    for name in ("publish", "verify"):
        jobs = github_jobs(on_github.path / GITHUB / "publish.yml", {**given, "needs.publish.outputs.image": exact})
        [step] = [step for step in jobs[name] if step.command and step.environment.keys() & {"TAG", "PUBLISHED"}]
        RUN.add(nameless(step.command, on_github.path))
        variables = {**step.environment, "IMAGE": image, "GITHUB_OUTPUT": "/builds/project/output"}
        done = publisher.run(step.command, **variables)
        assert done.returncode == 0, done.stderr
        exact = f"{image}@{publisher.digests()['1']}"
        assert (publisher.project / "output").read_text() == f"image={exact}\n"
    assert exact in done.stdout
    index = publisher.ask("GET", "manifests/1.0.0").json()
    built = {each["platform"]["architecture"]: each["digest"] for each in index["manifests"]}
    assert set(built) == {"amd64", "arm64"}
    assert first["1.0.0"] == built["amd64"]  # which GitLab built alone


def test_existing_code_is_published_from_the_dockerfile_beside_its_own(
    publisher: Publisher, template: Path, tmp_path: Path
) -> None:
    answers: dict[str, Answer] = {"deploy": ["ghcr"], "ci": "gitlab", "project_slug": "slipway-test-publish-existing"}
    folder = given(template, "requirements-only", tmp_path / "theirs", **answers)
    locked = build(folder, dockerfile(folder), "--target=lock", f"--output={folder}")
    assert locked.returncode == 0, locked.output
    (publisher.project / "deploy/registry/cosign.pub").rename(folder / "docker/registry/cosign.pub")
    publisher.project = folder
    publisher.tag("1.0.0", "First.")
    jobs = gitlab_jobs(folder / GITLAB)
    done = publisher.run("\n".join(jobs["publish image"]["script"]), CI_COMMIT_TAG="v1.0.0")
    assert done.returncode == 0, done.stderr
    found = publisher.digests()
    assert {"1.0.0", "1.0", "1"} < set(found) and len(set(found.values())) == 1
    assert found["1"] in (folder / "build.env").read_text()
    manifest = publisher.ask("GET", "manifests/1").json()
    config = publisher.ask("GET", f"blobs/{manifest['config']['digest']}", follow_redirects=True).json()["config"]
    assert config["Entrypoint"] == ["tini", "-s", "--", "entrypoint"]
    assert config["Labels"]["org.opencontainers.image.version"] == "1.0.0"


def test_a_workspace_publishes_its_services_from_their_folders(
    publisher: Publisher, template: Path, tmp_path: Path
) -> None:
    """`docs` is the small project; `notes` publishes nothing."""
    farm = made(template, tmp_path / "farm", {"ci": "gitlab", "deploy": ["ghcr"]})
    services = farm.root / "services"
    for name in ("docs", "notes"):
        shutil.copytree(publisher.project, services / name, ignore=shutil.ignore_patterns(".git"))
    shutil.rmtree(services / "notes/deploy/registry")
    (farm.root / "services.yml").write_text("services:\n  docs: {}\n  notes: {}\n")
    publisher.project, publisher.image = farm.root, f"{publisher.image}/docs"
    publisher.tag("1.0.0", "First.")
    job = gitlab_jobs(farm.root / GITLAB)["publish images"]
    given = {
        "IMAGE": f"{publisher.registry.inside}/{publisher.image.rpartition('/')[0]}",
        "PYTHON": "/usr/local/bin/python3",
    }
    done = publisher.run("\n".join(job["script"]), CI_COMMIT_TAG="v1.0.0", **given)
    assert done.returncode == 0, done.stderr
    found = publisher.digests()
    assert {"1.0.0", "1.0", "1"} < set(found) and len(set(found.values())) == 1
    exact = f"{publisher.registry.inside}/{publisher.image}@{found['1']}"
    assert (farm.root / "published.txt").read_text() == f"{exact}\n"
    assert "notes publishes no image: its answer deploy lacks ghcr" in done.stderr
    (services / "docs/deploy/registry/cosign.pub").write_text("another key")
    done = publisher.run("\n".join(job["script"]), CI_COMMIT_TAG="v1.0.0", **given)
    assert done.returncode != 0
    assert done.stderr.splitlines()[-2].endswith("not published, as said above: docs")


def test_there_is_nothing_to_rebuild_before_a_publication(publisher: Publisher, job: dict[str, Any]) -> None:
    publisher.tag("1.0.0", "First.")
    done = publisher.run("\n".join(job["script"]), CI_COMMIT_TAG="")
    assert (done.returncode, done.stderr) == (0, "no version is published yet: nothing to rebuild\n")
    assert not (publisher.project / "build.env").exists() and publisher.digests() == {}
    ends, *_ = gitlab_jobs(publisher.project / GITLAB)["scan"]["script"]
    shell(publisher.project, ends, {})


def test_both_formats_of_provenance_are_published_and_verified(publisher: Publisher) -> None:
    publisher.tag("1.0.0", "First.")
    publisher.tag("1.0.1", "Second.")
    script = publisher.project / "deploy/registry/images.py"
    # Ask for the only format that an older engine knows.
    script.with_name("older.py").write_text(script.read_text().replace("version=v1", "version=v0.2"))
    done = publisher.run("python3 deploy/registry/older.py publish 1.0.0")
    assert done.returncode == 0, done.stderr
    assert publisher.publish("1.0.1").returncode == 0
    older, newer = (publisher.attestations(publisher.digests()[version]) for version in ("1.0.0", "1.0.1"))
    assert set(older) == {"https://spdx.dev/Document", "https://slsa.dev/provenance/v0.2"}
    assert set(newer) == {"https://spdx.dev/Document", "https://slsa.dev/provenance/v1"}
    assert newer["https://slsa.dev/provenance/v1"]["buildDefinition"]["internalParameters"]["builderPlatform"]
    for version in ("1.0.0", "1.0.1"):
        verified = publisher.verify(version)
        assert verified.returncode == 0, verified.stderr


def test_an_sbom_lists_packages_without_their_files(publisher: Publisher, job: dict[str, Any]) -> None:
    (publisher.project / "Dockerfile").write_text(TINY.replace("scratch AS prod", f"{job['image']} AS prod"))
    publisher.tag("1.0.0", "First.")
    done = publisher.publish("1.0.0")
    assert done.returncode == 0, done.stderr
    sbom = publisher.attestations(publisher.digests()["1.0.0"])["https://spdx.dev/Document"]
    assert {"libc6", "pip"} <= {each["name"] for each in sbom["packages"]}
    files = {each["fileName"] for each in sbom["files"]}
    assert "var/lib/dpkg/info/bash.md5sums" in files, "files that prove a package stay"
    assert not {"usr/bin/bash", "bin/bash"} & files


def test_tags_stay_at_the_newest_and_what_is_unchanged_is_not_published_again(publisher: Publisher) -> None:
    for version in ("1.0.0", "1.1.0", "1.0.1", "2.0.0-rc.1"):
        publisher.tag(version, version)
        done = publisher.publish(version)
        assert done.returncode == 0, done.stderr
    found = publisher.digests()
    assert {name for name in found if not name.startswith("sha-")} == {
        *("1.0.0", "1.0.1", "1.0", "1.1.0", "1.1", "1", "2.0.0-rc.1")
    }
    assert found["1"] == found["1.1"] == found["1.1.0"]
    assert found["1.0"] == found["1.0.1"] != found["1.0.0"]
    signatures = f"manifests/{found['1'].replace(':', '-')}.sig"
    before = publisher.ask("GET", signatures).json()
    older = publisher.ask("GET", "manifests/1.0.0")
    kind = {"Content-Type": older.headers["content-type"]}
    assert publisher.ask("PUT", "manifests/1.1", content=older.content, headers=kind).status_code == 201
    publisher.tag("3.0.0", "Never published.")
    again = publisher.publish("")  # the newest one that is
    assert again.returncode == 0, again.stderr
    assert ":1.1.0 is what was built: nothing is signed again\n" in again.stderr
    assert re.findall("published .*:(.*)", again.stderr) == ["1.1"], "the others are where they belong"
    assert again.stdout == f"{publisher.registry.inside}/{publisher.image}@{found['1.1.0']}\n"
    assert publisher.digests() == found
    assert publisher.ask("GET", signatures).json() == before


def test_whatever_fails_leaves_the_tags_where_they_were(publisher: Publisher) -> None:
    publisher.tag("1.0.0", "First.")
    assert publisher.publish("1.0.0").returncode == 0
    before = publisher.digests()
    publisher.tag("1.0.1", "Second.")
    host = publisher.registry.inside
    (publisher.folder / "nobody").mkdir()
    refused = said(publisher.publish("1.0.1", DOCKER_CONFIG="/keys/nobody"))
    assert refused == f"images.py: {host} refuses: log in with `docker login {host}`, as one who may"
    away = said(publisher.publish("1.0.1", IMAGE="127.0.0.1:1/none"))
    assert away.startswith("images.py: 127.0.0.1:1 cannot be reached: ") and "level=" not in away
    assert said(publisher.publish("1.0.1", COSIGN_PASSWORD="wrong")).startswith(f"images.py: cannot sign {host}/")
    other = publisher.run("mkdir /keys/other && cd /keys/other && cosign generate-key-pair")
    assert other.returncode == 0, other.stderr
    assert "is not signed by whom it should be" in said(publisher.publish("1.0.1", COSIGN_KEY="/keys/other/cosign.key"))
    (publisher.project / "Dockerfile").write_text("FROM scratch AS prod\nCOPY nowhere /\n")
    publisher.tag("1.0.2", "Third.")
    assert said(publisher.publish("1.0.2")) == "images.py: the image cannot be built"
    assert publisher.digests() == before


def test_what_was_tampered_with_is_found_out(publisher: Publisher) -> None:
    publisher.tag("1.0.0", "First.")
    assert publisher.publish("1.0.0").returncode == 0
    digest = publisher.digests()["1.0.0"]
    attached = f"manifests/{digest.replace(':', '-')}.att"
    manifest = publisher.ask("GET", attached).json()
    [layer] = [each for each in manifest["layers"] if "spdx" in each["annotations"]["predicateType"]]
    envelope = publisher.ask("GET", f"blobs/{layer['digest']}", follow_redirects=True).json()
    statement = json.loads(base64.b64decode(envelope["payload"]))
    statement["predicate"]["name"] = "another"
    envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    forged = json.dumps(envelope).encode()
    layer |= {"digest": f"sha256:{hashlib.sha256(forged).hexdigest()}", "size": len(forged)}
    upload = publisher.ask("POST", "blobs/uploads/")
    place = f"{upload.headers['location']}&digest={layer['digest']}"
    stored = publisher.ask("PUT", place, content=forged, headers={"Content-Type": "application/octet-stream"})
    assert stored.status_code == 201, stored.text
    kind = {"Content-Type": manifest["mediaType"]}
    assert publisher.ask("PUT", attached, content=json.dumps(manifest), headers=kind).status_code == 201
    assert "the SBOM of " in said(publisher.verify("1.0.0"))
    other = publisher.run("cd /tmp && cosign generate-key-pair && cp cosign.pub /builds/project/deploy/registry")
    assert other.returncode == 0, other.stderr
    assert "is not signed by whom it should be" in said(publisher.verify("1.0.0"))
    assert "there is no " in said(publisher.verify("9.9.9"))


def test_a_development_image_is_latest_alone_and_the_one_before_it_goes(
    publisher: Publisher, on_github: Tree, tags: list[str], tmp_path: Path
) -> None:
    publisher.tag("1.0.0", "First.")
    assert publisher.publish("1.0.0").returncode == 0
    production = publisher.digests()
    developed = replace(publisher, image=f"{publisher.image}/dev")
    name = f"{publisher.registry.outside}/{developed.image}"
    tags.append(name)
    variables = {
        "DOCKER_CONFIG": str(docker_config(tmp_path / "docker")),
        "GITHUB_REPOSITORY": "An-Owner/My-Project",
        "GITHUB_REPOSITORY_OWNER": "An-Owner",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
    }
    publish_development_image(publisher, variables)
    first = developed.digests()
    assert set(first) == {"latest"}

    publisher.tag("1.0.1", "Second.")
    known = {**expressions(packages_api.TOKEN), "steps.image.outputs.name": name}
    *steps, deletion = github_jobs(on_github.path / GITHUB / "development-image.yml", known)["image"]
    runner = Hosted(publisher.project, environment=variables)
    for step in steps:
        if step.command not in NOT_RUN:
            runner.step(step)
    assert (tmp_path / "output").read_text() == "name=ghcr.io/an-owner/my-project/dev\n"
    second = developed.digests()
    assert set(second) == {"latest"}
    manifest = developed.ask("GET", "manifests/latest").json()
    assert manifest["layers"], "nothing of it is without a tag"

    def delete(digest: str) -> None:
        assert developed.ask("DELETE", f"manifests/{digest}").status_code == 202

    versions = {second["latest"]: ["latest"], first["latest"]: []}
    RUN.add(nameless(deletion.command, on_github.path))
    asked: list[str] = []
    for owners, kind, deletes in (("users", "User", asked.append), ("orgs", "Organization", delete)):
        path = packages_api.VERSIONS.format(owners=owners, owner="An-Owner", name="my-project%2Fdev")
        with packages_api.PackagesApi(path, versions, deletes) as api:
            done = publisher.run(
                deletion.command,
                "--network=host",
                **variables,
                **deletion.environment | {"OWNER_TYPE": kind},
                GH_HOST="github.localhost",  # gh has no other address without TLS
                HTTP_PROXY=api.address,
            )
        assert done.returncode == 0, done.stderr
    assert asked == [first["latest"]]
    assert developed.ask("GET", f"manifests/{first['latest']}").status_code == 404
    assert developed.digests() == second
    for part in [manifest["config"], *manifest["layers"]]:
        assert developed.ask("GET", f"blobs/{part['digest']}", follow_redirects=True).status_code == 200
    assert publisher.digests() == production
    assert publisher.verify("1.0.0").returncode == 0


def test_a_version_that_is_not_the_newest_leaves_the_development_image(template: Path, tmp_path: Path) -> None:
    answers: dict[str, Answer] = {"deploy": ["ghcr"], "hf_task": "custom", "accelerator": "cu130"}
    trees = rendered([{**answers, "ci": ci} for ci in ("github", "gitlab")], template, tmp_path / "trees")
    known = expressions() | {"steps.image.outputs.name": ""}
    [version] = [
        each.command
        for each in github_jobs(trees[0].path / GITHUB / "development-image.yml", known)["version"]
        if each.command
    ]
    on_gitlab, *_ = gitlab_jobs(trees[1].path / GITLAB)["publish development image"]["script"]
    newest, *older = ["v1.10.0", "v1.9.1", "v2.0.0-rc.1", "vNext"]
    git(trees[0].path, "init", "--quiet")
    commit(trees[0].path, "Start")
    for tag in (newest, *older):
        git(trees[0].path, "tag", tag)
    output, built = tmp_path / "output", tmp_path / "built"
    for tag in (*older, newest):
        given = {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": tag, "GITHUB_OUTPUT": str(output), "CI_COMMIT_TAG": tag}
        shell(trees[0].path, version, given)
        shell(trees[0].path, f"{on_gitlab}touch {built}", given)
        assert output.exists() == built.exists() == (tag == newest)
    RUN.add(nameless(on_gitlab, trees[1].path))


def test_existing_code_has_a_development_image_too(
    publisher: Publisher, template: Path, tags: list[str], tmp_path: Path
) -> None:
    publisher.project = given(template, "requirements-only", tmp_path / "theirs", deploy=["ghcr"], ci="gitlab")
    file = Path(dockerfile(publisher.project).partition("=")[2])
    file.write_text(TINY.replace("README.md", "requirements.txt"))  # tests/existing_code builds the real one
    developed = replace(publisher, image=f"{publisher.image}/dev")
    tags.append(f"{publisher.registry.outside}/{developed.image}")
    publish_development_image(publisher, {"DOCKER_CONFIG": str(docker_config(tmp_path / "docker"))})
    assert set(developed.digests()) == {"latest"}


@contextmanager
def empty_engine(folder: Path, images: Path) -> Iterator[str]:
    """Yield the socket of another engine, which has only the images of an archive."""
    folder.mkdir()
    mounts = [f"--volume={folder}:/run/engine", f"--volume={images}:/images.tar:ro"]
    with started(ENGINE, "--privileged", *mounts) as running:
        running.until(lambda: attempt("exec", running.name, "docker", "version").returncode == 0, "listening")
        docker("exec", running.name, "docker", "load", "--quiet", "--input=/images.tar")
        used = docker("exec", running.name, "docker", "system", "df", "--format={{.Type}}: {{.Size}}").stdout
        assert "Build Cache: 0B" in used
        yield str(folder / "docker.sock")


@pytest.mark.timeout(1800)
def test_two_engines_with_empty_caches_push_the_same_digest(
    publisher: Publisher, tags: list[str], tmp_path: Path
) -> None:
    tags.append(ENGINE)
    (tmp_path / "engine").mkdir()
    shutil.copy(Path(__file__).parent / "engine.dockerfile", tmp_path / "engine/Dockerfile")
    built = build(tmp_path / "engine", f"--tag={ENGINE}")
    assert built.returncode == 0, built.output
    git(publisher.project, "checkout", "--quiet", "Dockerfile")
    bases = re.findall(r"^FROM (\S+:\S+)", (publisher.project / "Dockerfile").read_text(), re.MULTILINE)
    docker("save", f"--output={tmp_path / 'bases.tar'}", *bases)
    publisher.tag("1.0.0", "First.")
    with empty_engine(tmp_path / "one", tmp_path / "bases.tar") as socket:
        done = replace(publisher, socket=socket).publish("1.0.0")
        assert done.returncode == 0, done.stderr
    with empty_engine(tmp_path / "other", tmp_path / "bases.tar") as socket:
        again = replace(publisher, socket=socket).run(
            "umask 077; git clone --quiet . /tmp/elsewhere; cd /tmp/elsewhere;"
            " cp /builds/project/deploy/registry/cosign.pub deploy/registry;"
            " python3 deploy/registry/images.py publish 1.0.0",
            IMAGE=f"{publisher.registry.inside}/{publisher.image}/again",
        )
        assert again.returncode == 0, again.stderr
    first = publisher.digests()["1.0.0"]
    publisher.image += "/again"
    assert publisher.digests()["1.0.0"] == first
    predicates = publisher.attestations(first)
    assert set(predicates) == {"https://spdx.dev/Document", "https://slsa.dev/provenance/v0.2"}
    packages = {each["name"] for each in predicates["https://spdx.dev/Document"]["packages"]}
    assert {"numpy", "pydantic", "slipway-test-publish", "libc6"} <= packages
