"""A platform on the real engine, with files and model versions in a bucket and a database that moves."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.answers import ROOT
from tests.engine import PATIENCE, build, docker
from tests.hub import Hub
from tests.program import run
from tests.system import System

pytestmark = pytest.mark.image


@pytest.fixture(scope="module")
def seaweedfs(engine: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Build the image that compose.yaml names from the program's Python package, to test without Docker Hub."""
    folder = tmp_path_factory.mktemp("seaweedfs")
    shutil.copy(ROOT / "tests/image/seaweedfs.dockerfile", folder / "Dockerfile")
    done = build(folder, "--tag=chrislusf/seaweedfs:4.48")
    assert done.returncode == 0, done.output


@pytest.fixture(scope="module")
def system(seaweedfs: None, project: Callable[[str], Path], tags: list[str]) -> Iterator[System]:
    """Yield a platform with a bucket and a trained model."""
    folder = project("bucket")
    assert run(["make", "secrets"], cwd=folder).returncode == 0
    (folder / ".env").write_text("PORT=0\nMY_PROJECT_MODEL_POLL_SECONDS=1\n")
    tags.append("slipway-test-bucket")
    system = System(folder)
    try:
        for arguments in (["build"], ["run", "--rm", "-T", "train"]):
            done = system.compose(*arguments)
            assert done.returncode == 0, done.stdout + done.stderr
        system.up("--scale=schedule=0")
        yield system
    finally:
        system.down()


def command(system: System, *arguments: str, service: str = "api") -> str:
    """Return the output of a command in a new container of a service, which must succeed."""
    done = system.compose("run", "--rm", "--no-deps", "-T", service, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_files_and_versions_are_in_the_bucket(system: System) -> None:
    client = system.client
    content = "".join(json.dumps({"text": f"user-{number % 200}"}) + "\n" for number in range(1000))
    assert client.put("/files/in/users.jsonl", content=content).status_code == 201
    asked = client.post("/jobs", json={"arguments": {"source": "in/users.jsonl"}}).raise_for_status().json()
    [job] = system.ends([asked["id"]])
    assert job["state"] == "succeeded", job
    result = client.get(f"/files/{job['result']['target']}").raise_for_status()
    assert len(result.text.splitlines()) == 1000
    before = client.get("/health").json()["revision"]
    trained = command(system, "train", "--force", service="train")
    assert system.served(before) == trained
    inside = system.compose(
        "exec", "-T", "worker", "slipway-test-bucket", "models", "--json"
    )  # bypasses the entrypoint
    assert [each["name"] for each in json.loads(inside.stdout)] == [trained, before], inside.stderr
    assert system.compose("exec", "-T", "worker", "find", "/data", "/models", "-name", "*.jsonl").stdout == ""


WRITES = """
import socket, ssl
import s3fs
bucket = s3fs.S3FileSystem(use_listings_cache=False)
[version] = [path for path in bucket.find("app/models") if path.endswith("manifest.json")][:1]
assert bucket.cat_file(version)
bucket.pipe_file("app/files/own", b"own")
multipart = bucket.call_s3("create_multipart_upload", Bucket="app", Key="files/parts")["UploadId"]
tls = ssl.create_default_context()
tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
tls.set_alpn_protocols(["h2"])

def grpc(connection):
    # The server of gRPC answers the preface of HTTP/2 with its settings.
    connection.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
    if not connection.recv(9):
        raise ConnectionError("closed")

attempts = {
    "write": lambda: bucket.pipe_file("app/models/evil", b"evil"),
    "overwrite": lambda: bucket.pipe_file(version, b"evil"),
    "copy": lambda: bucket.cp_file("app/files/own", "app/models/evil"),
    "delete": lambda: bucket.rm_file(version),
    "multipart": lambda: bucket.call_s3("create_multipart_upload", Bucket="app", Key="models/evil"),
    "part": lambda: bucket.call_s3(
        "upload_part", Bucket="app", Key="models/evil", PartNumber=1, UploadId=multipart, Body=b"evil"
    ),
    "policy": lambda: bucket.call_s3(
        "put_bucket_policy",
        Bucket="app",
        Policy='{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}',
    ),
    "up": lambda: bucket.pipe_file("app/files/../models/evil", b"evil"),
    "slashes": lambda: bucket.pipe_file("app//models/evil", b"evil"),
    "beside": lambda: bucket.pipe_file("app/filesystem", b"evil"),
    "remove": lambda: bucket.call_s3("delete_bucket", Bucket="app"),
    "another": lambda: bucket.mkdir("another"),
    "gRPC": lambda: grpc(socket.create_connection(("bucket", 18333), 10)),
    "gRPC with TLS": lambda: grpc(tls.wrap_socket(socket.create_connection(("bucket", 18333), 10))),
}
before = sorted(bucket.find("app/models"))
bucket.call_s3("delete_objects", Bucket="app", Delete={"Objects": [{"Key": version.partition("/")[2]}]})
for name, attempt in attempts.items():
    try:
        attempt()
    except OSError as error:
        continue
    print("not refused:", name)
assert sorted(bucket.find("app/models")) == before, "some version changed"
print("tried", len(attempts))
"""


def test_the_key_of_uploads_reads_models_and_cannot_change_them(system: System) -> None:
    for service in ("api", "worker"):
        done = system.compose("exec", "-T", service, "python", "-c", WRITES)
        assert (done.returncode, done.stdout) == (0, "tried 14\n"), done.stdout + done.stderr
        assert "trainer" not in system.compose("exec", "-T", service, "ls", "/run/secrets").stdout
    refused = system.compose("run", "--rm", "--no-deps", "-T", "api", "train", "--force")
    assert refused.returncode == 1
    assert "Access Denied" in refused.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("network", ["public", "inside"])
def test_a_container_of_a_network_reaches_what_the_page_lists(system: System, network: str) -> None:
    assert system.reached(network) == system.listed(network)


def test_nobody_reaches_the_bucket_without_its_password_which_is_nowhere(system: System) -> None:
    files = [system.folder / "secrets" / f"{name}_credentials" for name in ("bucket", "trainer")]
    passwords = [file.read_text().split(" = ")[-1] for file in files]
    assert [len(password) for password in passwords] == [64, 64]
    containers = system.compose("ps", "--all", "--quiet").stdout.split()
    logs = system.compose("logs")
    for password in passwords:
        assert password not in docker("inspect", *containers).stdout
        for container in system.compose("ps", "--quiet").stdout.split():
            assert password not in docker("top", container, "-eo", "pid,args").stdout
        assert password not in logs.stdout + logs.stderr
    [bucket] = system.containers("bucket")
    told = json.loads(docker("inspect", bucket).stdout)[0]
    assert told["HostConfig"]["ReadonlyRootfs"] and told["Config"]["User"] == "seaweed"
    assert not told["NetworkSettings"]["Ports"]
    ask = (
        "import urllib.error, urllib.request\n"
        "for port in (8333, 8888, 9333, 8080):\n"
        "    try:\n"
        "        print(urllib.request.urlopen(f'http://bucket:{port}/app', timeout=5).status)\n"
        "    except urllib.error.HTTPError as error:\n"
        "        print(error.code)\n"
        "    except OSError as error:\n"
        "        print('closed')\n"
    )
    done = system.compose("exec", "-T", "api", "python", "-c", ask)
    assert done.stdout.split() == ["403", "closed", "closed", "closed"], done.stderr


def test_the_database_moves_from_one_kind_to_another_and_back(system: System) -> None:
    before = system.client.get("/jobs").json()
    assert before
    first, second, third = (f"s3://app/backups/{name}.jsonl.gz" for name in ("postgres", "sqlite", "again"))
    system.compose("stop", "--timeout=10", "api", "worker")
    command(system, "backup", first)
    sqlite = (
        "env -u MY_PROJECT_DATABASE_PASSWORD_FILE MY_PROJECT_DATABASE=sqlite:////tmp/jobs.sqlite slipway-test-bucket"
    )
    command(system, "sh", "-ec", f"{sqlite} restore {first}; {sqlite} backup {second}")
    refused = system.compose("run", "--rm", "--no-deps", "-T", "api", "restore", second)
    assert refused.returncode == 1
    said = refused.stderr.strip().splitlines()[-1]
    assert said == "error: the database is not empty: --force deletes what it holds"
    command(system, "restore", "--force", second)
    command(system, "backup", third)
    read = "import fsspec, sys; print(len({fsspec.open(each).open().read() for each in sys.argv[1:]}))"
    assert command(system, "python", "-c", read, first, second, third) == "1"
    system.up("--scale=schedule=0")
    assert system.client.get("/jobs").json() == before


def test_a_bucket_that_is_away_is_said_and_what_it_held_is_there_again(system: System) -> None:
    client = system.client
    assert client.put("/files/kept", content=b"kept").status_code == 201
    docker("kill", "--signal=KILL", *system.containers("bucket"))
    system.compose("stop", "bucket")
    deadline = time.monotonic() + PATIENCE
    while client.get("/ready").status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    reasons = client.get("/ready").json()["reasons"]
    assert any(reason.startswith("the storage s3://app/files") for reason in reasons), reasons
    system.up("--scale=schedule=0")
    assert client.get("/ready").status_code == 200
    assert client.get("/files/kept").content == b"kept"


@pytest.mark.exhaustive
def test_weights_of_the_hub_are_put_there_once_and_served_without_the_hub(
    seaweedfs: None, project: Callable[[str], Path], hub: Hub, tags: list[str]
) -> None:
    folder = project("seeded")
    assert run(["make", "secrets"], cwd=folder).returncode == 0
    tags.append("slipway-test-seeded")
    system = System(folder)
    versions = set()
    try:
        for endpoint in (hub.endpoint, "http://127.0.0.1:1"):
            (folder / ".env").write_text(f"PORT=0\nHF_ENDPOINT={endpoint}\n")
            done = system.compose("up", "--detach", "--wait", "--force-recreate", "--build")
            assert done.returncode == 0, done.stderr + system.compose("logs", "--tail=20").stdout
            versions.add(system.client.get("/health").json()["revision"])
            answer = system.client.post("/predict", json={"inputs": "A happy dog."})
            assert len(answer.raise_for_status().json()) == 384
        assert len(versions) == 1
    finally:
        system.down()
