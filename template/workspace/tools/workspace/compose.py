"""Derive a part of the workspace's Compose model from the Compose file of each service.

Docker Compose itself reads the file of a service. In what it prints, this module puts the service's name before every
name (of containers, volumes, networks, secrets, images, profiles), so that no two services share one by accident,
replaces infrastructure that services share, and leaves the rest, with its variables and paths, as it is.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from .errors import WorkspaceError, last_line
from .inventory import DOMAIN, SHARED, Service

Config = dict[str, Any]

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
NETWORK = "services"
"""Network of the proxy and of every container that it leads to."""
SECRETS = {
    "postgres": {"database_password": "{name}.database_password"},
    "redis": {"broker_password": "redis_password"},
    "bucket": {"bucket_credentials": "bucket_credentials", "trainer_credentials": "trainer_credentials"},
}
"""Shared infrastructure -> secrets of a service's containers, and their files in the workspace's folder secrets/."""
UNRESOLVED = ("interpolate", "path-resolution", "env-resolution", "normalize", "consistency")
"""What `docker compose config` leaves as it is: variables, paths, files of variables (which may hold secrets)."""


def sources(folder: Path) -> tuple[Path, list[Path]]:
    """Return the Compose file of a service, and all of them that its development reads."""
    for name in (f"slipway.{NAMES[0]}", *NAMES):
        file = folder / name
        if file.is_file():
            override = file.with_name(f"{file.stem}.override{file.suffix}")
            return file, [file, override] if override.is_file() else [file]
    raise WorkspaceError(
        f"{folder.parent.name}/{folder.name} has no {NAMES[0]}; add one, or take the service out of services.yml"
    )


def read(files: list[Path]) -> Config:
    """Return the model that Docker Compose reads from files."""
    chosen = [f"--file={file}" for file in files]
    options = [f"--no-{each}" for each in UNRESOLVED]
    command = ["docker", "compose", "--project-directory", files[0].parent, *chosen, "--profile=*", "config", *options]
    try:
        done = subprocess.run([*command, "--format=json"], capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        raise WorkspaceError("docker is not installed: install Docker with Compose 2.30 or newer, and repeat") from None
    except subprocess.TimeoutExpired:
        raise WorkspaceError(f"docker compose took more than 60 s to read {files[0]}") from None
    if done.returncode:
        raise WorkspaceError(f"docker compose cannot read {files[0]}: {last_line(done.stderr)}")
    return json.loads(done.stdout)


def entry(service: Service, config: Config) -> tuple[str, int]:
    """Return the container that serves, and its port. Raises WorkspaceError unless there is exactly one."""
    if service.entry:
        name, _, port = service.entry.partition(":")
        if name not in config["services"]:
            raise WorkspaceError(
                f"services.yml: {service.name}: entry: there is no container {name} in its Compose file"
            )
        return name, int(port)
    found = [
        (name, port)
        for name, container in config["services"].items()
        if is_built(config, container) and not container.get("profiles")
        for port in map(_container_port, container.get("ports") or [])
    ]
    if len(found) != 1:
        said = ", ".join(f"{name}:{port}" for name, port in found) or "no port"
        raise WorkspaceError(
            f"services.yml: {service.name}: its Compose file publishes {said}; "
            "give `entry` the container and port of its server, such as api:8000"
        )
    return found[0]


def _container_port(port: Any) -> int:
    if isinstance(port, dict):
        return int(port["target"])
    found = re.search(r"(?:^|:)(\d+)(?:/tcp)?$", str(port))
    return int(found[1]) if found else 0


def is_built(config: Config, container: Config) -> bool:
    """Return whether the container's image is built from the service's code."""
    built = {each["image"] for each in config["services"].values() if each.get("build") and each.get("image")}
    return bool(container.get("build")) or container.get("image") in built


class Derivation:
    """The part of one service: names with its prefix, shared infrastructure, limits, and a place behind the proxy."""

    def __init__(self, workspace: str, service: Service, config: Config, serves: tuple[str, int] | None) -> None:
        self.workspace, self.service, self.config, self.serves = workspace, service, config, serves
        self.shared = [need for need in service.needs if need in SHARED]

    def model(self) -> Config:
        """Return the Compose model of the service within the workspace."""
        containers = {
            self._named(name): self._container(name, container)
            for name, container in self.config["services"].items()
            if name not in self.shared
        }
        if "postgres" in self.shared:
            containers[self._named("database")] = self._database()
        model: Config = {"services": containers}
        for kind in ("volumes", "networks", "secrets", "configs"):
            if defined := {self._named(name): self._resource(name, each) for name, each in self._defined(kind).items()}:
                model[kind] = defined
        used = {name for each in containers.values() for name in _volumes(each)}
        if "volumes" in model:
            model["volumes"] = {name: each for name, each in model["volumes"].items() if name in used}
        for name, file in self._shared_secrets().items():
            model.setdefault("secrets", {})[self._named(name)] = {"file": f"{self._up()}secrets/{file}"}
        return model

    def _named(self, name: str) -> str:
        return f"{self.service.name}-{name}"

    def _up(self) -> str:
        """Return the way from the service's folder to the workspace."""
        return "../" * len(Path(self.service.folder).parts)

    def _defined(self, kind: str) -> Config:
        defined = dict(self.config.get(kind) or {})
        if kind == "networks" and any(not each.get("networks") for each in self.config["services"].values()):
            defined.setdefault("default", None)
        return defined

    @staticmethod
    def _resource(name: str, given: Config | None) -> Config | None:
        return {"name": name} | given if given and given.get("external") else given

    def _shared_secrets(self) -> dict[str, str]:
        """Return secrets of shared infrastructure: all that the service names, and the password of its own database."""
        named = self.config.get("secrets") or {}
        return {
            secret: file.format(name=self.service.name)
            for need in self.shared
            for secret, file in SECRETS[need].items()
            if secret in named or secret != "trainer_credentials"
        }

    def _container(self, name: str, given: Config) -> Config:
        container = {key: value for key, value in given.items() if key not in ("ports", "container_name")}
        built = is_built(self.config, given)
        self._rename(container, name)
        if built:
            container["image"] = f"{self.workspace}-{given.get('image', self._named(name))}"
            if container.get("mem_limit", "${MEMORY:-0}") == "${MEMORY:-0}":
                container["mem_limit"] = self._limit("MEMORY", self.service.memory)
            if container.get("cpus", "${CPUS:-0}") == "${CPUS:-0}":
                container["cpus"] = self._limit("CPUS", self.service.cpus)
            self._share(container)
        if self.service.profile and not given.get("profiles"):
            container["profiles"] = [self.service.profile]
        if self.serves and name == self.serves[0]:
            container["networks"][NETWORK] = {"aliases": [self.service.name]}
            container["ports"] = [f"127.0.0.1:{self.service.port}:{self.serves[1]}"]
            # Requests come from the proxy, or from this machine.
            container["environment"]["FORWARDED_ALLOW_IPS"] = "*"
        return container

    def _limit(self, kind: str, value: str) -> str:
        return "${" + f"{self.service.name.upper().replace('-', '_')}_{kind}:-{value}" + "}"

    def _rename(self, container: Config, name: str) -> None:
        """Give the prefix to all names in a container that others define."""
        container["environment"] = {
            key: self._setting(key, value) for key, value in _mapping(container.get("environment")).items()
        }
        container["networks"] = self._networks(name, container)
        if "network_mode" in container:
            raise WorkspaceError(
                f"{self.service.name}: {name} has network_mode, which keeps the proxy out; use networks"
            )
        if depends := container.get("depends_on"):
            container["depends_on"] = {
                need if need in self.shared else self._named(need): condition for need, condition in depends.items()
            }
        for kind in ("secrets", "configs"):
            for owner in (container, container.get("build") or {}):
                if used := owner.get(kind):
                    owner[kind] = [
                        {"target": each["source"]} | each | {"source": self._named(each["source"])} for each in used
                    ]
        for volume in container.get("volumes", []):
            if volume.get("type") == "volume" and "source" in volume:
                volume["source"] = self._named(volume["source"])
        if profiles := container.get("profiles"):
            container["profiles"] = [self._named(profile) for profile in profiles]

    def _networks(self, name: str, container: Config) -> Config:
        """Return the networks of a container, where the others of its service still find it by its name."""
        given = container.get("networks") or {"default": None}
        networks = given if isinstance(given, dict) else dict.fromkeys(given)
        return {
            self._named(network): {**(settings or {}), "aliases": [name, *((settings or {}).get("aliases") or [])]}
            for network, settings in networks.items()
        }

    def _setting(self, key: str, value: Any) -> Any:
        """Return the value of a variable, with the service's own part of shared infrastructure."""
        if not isinstance(value, str):
            return value
        if key.endswith("_TRUSTED_HOSTS") and self.serves:
            domain = "${DOMAIN:-localhost}"
            hosts = (domain, "localhost", self.service.host.replace(DOMAIN, domain), self.service.name)
            return "${" + key + ":-" + " ".join(filter(None, hosts)) + "}"
        if "postgres" in self.shared:
            value = re.sub(r"://\w+@postgres/\w+$", f"://{self.service.name}@postgres/{self.service.name}", value)
        if "redis" in self.shared:
            value = re.sub(r"^(rediss?://[^/]*\bredis(?::\d+)?)/?\d*$", rf"\g<1>/{self.service.redis_database}", value)
        if "bucket" in self.shared:
            value = value.replace("${BUCKET:-app}", "${BUCKET:-" + self.service.name + "}")
        return value

    def _share(self, container: Config) -> None:
        """Connect a container to shared infrastructure: its network, its passwords, and where it is."""
        mounted = {each.get("target", "").rpartition("/")[2] for each in container.get("secrets", [])}
        secrets = self._shared_secrets()
        for need in self.shared:
            container["networks"][need] = None
            for secret in SECRETS[need]:
                if secret in secrets and secret not in mounted and secret != "trainer_credentials":
                    container.setdefault("secrets", []).append({"source": self._named(secret), "target": secret})
        known = {
            "postgres": {"PGHOST": "postgres", "PGUSER": self.service.name, "PGDATABASE": self.service.name},
            "redis": {"REDIS_URL": f"redis://redis/{self.service.redis_database}"},
            "bucket": {"AWS_ENDPOINT_URL_S3": "http://bucket:8333", "BUCKET": self.service.name},
        }
        condition = {"postgres": (self._named("database"), "service_completed_successfully")}
        depends = container.setdefault("depends_on", {})
        for need in self.shared:
            if not any(re.search(rf"[/@]{need}\b", str(value)) for value in container["environment"].values()):
                container["environment"] |= known[need]
            depends.pop(need, None)
            target, state = condition.get(need, (need, "service_healthy"))
            depends[target] = {"condition": state, "required": True}

    def _database(self) -> Config:
        """Return the one-shot container that creates the service's database, unless it exists."""
        return {
            "extends": {"file": f"{self._up()}infrastructure/database.yaml", "service": "database"},
            "environment": {"NAME": self.service.name},
            "secrets": [{"source": self._named("database_password"), "target": "database_password"}],
            **({"profiles": [self.service.profile]} if self.service.profile else {}),
        }


def _volumes(container: Config) -> set[str]:
    """Return the names of the volumes that a container mounts."""
    return {each["source"] for each in container.get("volumes", []) if each["type"] == "volume" and "source" in each}


def _mapping(environment: Any) -> Config:
    """Return variables as a mapping; None is the value of one that Compose passes on."""
    if isinstance(environment, list):
        pairs = (each.partition("=") for each in environment)
        return {key: value if equals else None for key, equals, value in pairs}
    return dict(environment or {})
